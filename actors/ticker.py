"""Alarms: the one thread of a process that waits for time to pass, so that no actor polls or sleeps."""

import heapq
import threading
from collections.abc import Callable
from itertools import count

from hardware.clock import Clock

SECOND = 1_000_000_000  # nanoseconds


class Alarm:
    """Rings once for each time it is set; setting it again replaces the time that was set before.

    An owner that sets its alarm only while it handles what the last ring told it never has two rings waiting.
    """

    __slots__ = ("_ring", "_ticker", "due_ns")

    def __init__(self, ticker: "Ticker", ring: Callable[[], object]) -> None:
        self._ticker = ticker
        self._ring = ring
        self.due_ns: int | None = None

    def set(self, due_ns: int) -> None:
        """Ring at `due_ns` of the monotonic clock, at once if that is past. Any thread."""
        self._ticker.schedule(self, due_ns)

    def cancel(self) -> None:
        """Do not ring. Any thread; a ring that is under way is not called back."""
        self._ticker.schedule(self, None)

    def ring(self) -> None:
        """Tell the owner. The ticker's thread."""
        self._ring()


class Ticker:
    """Rings alarms at their times. A ring runs on the ticker's thread and must not block: it tells an actor, no more.

    Without `start` nothing waits: a test moves its clock and calls `ring`.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self._heap: list[tuple[int, int, Alarm]] = []  # an entry counts while its time is still its alarm's
        self._order = count()
        self._thread: threading.Thread | None = None
        self._stopping = False

    def alarm(self, ring: Callable[[], object]) -> Alarm:
        """Make an alarm that is not set. Any thread."""
        return Alarm(self, ring)

    def start(self) -> None:
        """Ring alarms from a thread of its own until `stop`."""
        self._thread = threading.Thread(target=self._run, name="ticker", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread; alarms that are set never ring."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()

    def ring(self) -> None:
        """Ring everything that is due now, in the order of its time."""
        with self._changed:
            due = self._take_due()
        for alarm in due:
            alarm.ring()

    def schedule(self, alarm: Alarm, due_ns: int | None) -> None:
        """Set or cancel an alarm; `Alarm.set` and `Alarm.cancel` are the way to call it."""
        with self._changed:
            alarm.due_ns = due_ns
            if due_ns is None:
                return
            entry = (due_ns, next(self._order), alarm)
            heapq.heappush(self._heap, entry)
            if self._heap[0] is entry:
                self._changed.notify()

    def _take_due(self) -> list[Alarm]:
        now_ns = self._clock.monotonic_ns()
        due = []
        while self._heap:
            due_ns, _, alarm = self._heap[0]
            if alarm.due_ns == due_ns:
                if due_ns > now_ns:
                    break
                alarm.due_ns = None
                due.append(alarm)
            heapq.heappop(self._heap)
        return due

    def _run(self) -> None:
        while True:
            with self._changed:
                due = self._take_due()
                while not due and not self._stopping:
                    self._changed.wait(self._seconds_left())
                    due = self._take_due()
                if self._stopping:
                    return
            for alarm in due:
                alarm.ring()

    def _seconds_left(self) -> float | None:
        if not self._heap:
            return None
        return max(0.0, (self._heap[0][0] - self._clock.monotonic_ns()) / SECOND)
