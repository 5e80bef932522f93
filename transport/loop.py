"""The one thread of a process that touches its ZeroMQ sockets, and the poll loop that it runs."""

import os
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

import zmq
from loguru import logger

from hardware.clock import Clock
from transport.errors import TransportError

MAX_SOCKETS = 4096
T = TypeVar("T")
Source = zmq.Socket[bytes] | int


class Loop:
    """Polls sockets and runs what other threads post. `post`, `call` and `stop` from any thread, the rest on it."""

    def __init__(self, clock: Clock) -> None:
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.context.set(zmq.MAX_SOCKETS, MAX_SOCKETS)
        self._clock = clock
        self._posted: deque[Callable[[], None]] = deque()
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._woken = False
        self._stopping = False
        self._poller = zmq.Poller()
        self._handlers: dict[Source, Callable[[], None]] = {}
        self._alarms: dict[object, tuple[int, Callable[[], None]]] = {}
        self.watch(self._wake, self._run_posted)
        self._thread = threading.Thread(target=self._run, name="wire", daemon=True)

    def start(self) -> None:
        """Begin to poll."""
        self._thread.start()

    def is_alive(self) -> bool:
        """Tell whether the thread runs."""
        return self._thread.is_alive()

    def post(self, action: Callable[[], None]) -> None:
        """Have `action` run on the loop's thread, soon and in the order of posting."""
        self._posted.append(action)
        if not self._woken:  # the loop clears it before it empties the queue, so what was appended is seen
            self._woken = True
            os.eventfd_write(self._wake, 1)

    def call(self, action: Callable[[], T]) -> T:
        """Run `action` on the loop's thread and wait for its result or exception. Not from the loop's own thread."""
        future: Future[T] = Future()

        def run() -> None:
            try:
                future.set_result(action())
            except Exception as error:  # noqa: BLE001 - it belongs to the thread that asked
                future.set_exception(error)

        if not self.is_alive():
            raise TransportError("the wire is closed")
        self.post(run)
        return future.result()

    def watch(self, source: Source, handler: Callable[[], None]) -> None:
        """Call `handler` whenever `source` can be read."""
        self._handlers[source] = handler
        self._poller.register(source, zmq.POLLIN)

    def unwatch(self, source: Source) -> None:
        """Watch `source` no more; harmless when it is not."""
        if self._handlers.pop(source, None) is not None:
            self._poller.unregister(source)

    def alarm(self, owner: object, at_ns: int, action: Callable[[], None]) -> None:
        """Run `action` at `at_ns` of the monotonic clock; an owner has one alarm."""
        self._alarms[owner] = (at_ns, action)

    def disarm(self, owner: object) -> None:
        """Forget the owner's alarm, if it has one."""
        self._alarms.pop(owner, None)

    def stop(self, last: Callable[[], None]) -> None:
        """Run what was posted, then `last`, which closes the sockets; end the thread and return when it has ended."""

        def end() -> None:
            last()
            self._stopping = self._woken = True  # from here on a post does nothing

        self.post(end)
        self._thread.join()
        os.close(self._wake)
        self.context.term()

    def _run(self) -> None:
        try:
            while not self._stopping:
                for source, _ in self._poller.poll(self._patience()):
                    handler = self._handlers.get(source)  # an earlier handler of this round may have closed it
                    if handler is not None:
                        handler()
                if self._alarms:
                    self._ring()
        except Exception:
            logger.exception("the wire's thread ended")
            raise

    def _run_posted(self) -> None:
        os.eventfd_read(self._wake)
        self._woken = False
        for _ in range(len(self._posted)):  # what is posted meanwhile waits for the next round
            self._posted.popleft()()

    def _patience(self) -> int | None:
        """Milliseconds until the next alarm; none without one."""
        if not self._alarms:
            return None
        next_ns = min(at_ns for at_ns, _ in self._alarms.values())
        return max(0, -(-(next_ns - self._clock.monotonic_ns()) // 1_000_000))

    def _ring(self) -> None:
        now = self._clock.monotonic_ns()
        due = [owner for owner, (at_ns, _) in self._alarms.items() if at_ns <= now]
        for owner in due:
            _, action = self._alarms.pop(owner)
            action()
