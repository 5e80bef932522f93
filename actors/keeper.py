"""Keeping actors alive: a keeper starts its children, hears when they are ready or dead, and starts them again.

pykka tells nobody when an actor dies: after an exception only `on_failure` runs, and an `on_start` that raises leaves
`start()` returning a dead actor. A `Kept` actor therefore reports both, and lets go of what it holds however it ends.
"""

import threading
from abc import abstractmethod
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, cast

import pykka
from loguru import logger

from actors.ticker import SECOND, Alarm, Ticker
from hardware.clock import Clock

if TYPE_CHECKING:
    from queue import Queue

FIRST_PAUSE = 1.0  # seconds before the first restart; doubled with each death
LONGEST_PAUSE = 60.0
STEADY = 60.0  # seconds alive after which earlier deaths are forgotten
STOP_TIMEOUT = 8.0  # seconds that all children together get to end
STOP_LEAST = 1.0  # and each at least, however long the others took
MOST_WAITING = 4  # messages in an inbox before whoever can holds back more; of a listener, each is a whole batch
HELD = 1000  # messages held for a child between its death and its restart


@dataclass(frozen=True, slots=True)
class Ready:
    """A child can do its work."""


@dataclass(frozen=True, slots=True)
class Died:
    """A child ended by an exception; `reason` is one line."""

    reason: str


Report = Callable[[Ready | Died], None]
FaultSink = Callable[[str, str | None], None]


def tell(ref: pykka.ActorRef[Any], message: object) -> bool:
    """Tell an actor, and whether it was alive to hear it. Any thread."""
    try:
        ref.tell(message)
    except pykka.ActorDeadError:
        return False
    return True


class Kept(pykka.ThreadingActor):
    """An actor that a keeper keeps. Everything but the constructor runs on the actor's own thread.

    A child fills in `begin`, `handle` and `release`. The threads are daemons: a driver that hangs in the kernel must
    not keep the process from ending.
    """

    use_daemon_thread = True

    def __init__(self, report: Report) -> None:
        super().__init__()
        self._report = report

    def begin(self) -> None:
        """Get ready; what it raises is reported and the actor is started again later."""

    @abstractmethod
    def handle(self, message: object) -> object:
        """Do what a message says; its result answers an `ask`."""

    def is_behind(self) -> bool:
        """Tell whether so much waits for it that it should be brought nothing more for now. Any thread."""
        return cast("Queue[object]", self.actor_inbox).qsize() > MOST_WAITING

    def release(self) -> None:
        """Let go of what `begin` and `handle` took, even half taken."""

    def on_start(self) -> None:
        """Begin, and report how it went."""
        try:
            self.begin()
        except Exception as error:
            self._end(error)
            raise
        self._report(Ready())

    def on_receive(self, message: Any) -> Any:  # noqa: ANN401
        """Hand the message on."""
        return self.handle(message)

    def on_stop(self) -> None:
        """Let go."""
        self.release()

    def on_failure(
        self,
        exception_type: type[BaseException] | None,  # noqa: ARG002
        exception_value: BaseException | None,
        traceback: TracebackType | None,  # noqa: ARG002
    ) -> None:
        """Let go, and report."""
        self._end(exception_value)

    def _end(self, error: BaseException | None) -> None:
        try:
            self.release()
        finally:
            self._report(Died(describe(error)))


def describe(error: BaseException | None) -> str:
    """Put an exception into one line of at most 160 characters."""
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return text if len(text) <= 160 else text[:157] + "..."  # noqa: PLR2004


class Post:
    """Where messages for a child go, whichever actor it is at the moment. `tell` from any thread.

    What is told between a death and the restart waits for the successor, the newest `HELD` of it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ref: pykka.ActorRef[Any] | None = None
        self._held: deque[object] = deque(maxlen=HELD)

    def tell(self, message: object) -> None:
        """Send a message; never blocks and never raises."""
        with self._lock:
            if self._ref is None or not tell(self._ref, message):
                self._held.append(message)

    def lead_to(self, ref: pykka.ActorRef[Any]) -> None:
        """Deliver to this actor from now on, and first what waited."""
        with self._lock:
            self._ref = ref
            while self._held and tell(ref, self._held[0]):
                self._held.popleft()


@dataclass(frozen=True, slots=True)
class Child:
    """How one child is started: `start` gets the report to make and returns the running actor; `post` leads to it."""

    name: str
    start: Callable[[Report], pykka.ActorRef[Any]]
    post: Post = field(default_factory=Post)


class Pauses:
    """How long to wait before each restart of one child: 1, 2, 4 ... 60 s, from 1 again after a minute alive. Pure."""

    def __init__(self) -> None:
        self._deaths = 0
        self._started_ns = 0

    def started(self, now_ns: int) -> None:
        """Note a start."""
        self._started_ns = now_ns

    def died(self, now_ns: int) -> float:
        """Note a death; seconds until the restart."""
        if now_ns - self._started_ns >= STEADY * SECOND:
            self._deaths = 0
        self._deaths += 1
        return min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** (self._deaths - 1))


@dataclass(frozen=True, slots=True)
class Heard:
    """What the `life`-th actor of a child reported."""

    name: str
    life: int
    report: Ready | Died


@dataclass(frozen=True, slots=True)
class Restart:
    """The pause of a child is over."""

    name: str


class _Life:
    """One child as its keeper sees it."""

    def __init__(self, child: Child, alarm: Alarm) -> None:
        self.child = child
        self.alarm = alarm
        self.pauses = Pauses()
        self.ref: pykka.ActorRef[Any] | None = None
        self.number = 0
        self.ready = False


class Keeper(pykka.ThreadingActor):
    """The parent of a process's actors. Stopping it stops its children, the last started first.

    `fault` is called with a child's name and why it died, and with none once it is ready again; `ready` is set while
    every child is.
    """

    use_daemon_thread = True

    def __init__(
        self, children: Sequence[Child], *, ticker: Ticker, clock: Clock, fault: FaultSink, ready: threading.Event
    ) -> None:
        super().__init__()
        self._clock = clock
        self._fault = fault
        self._ready = ready
        self._lives = {
            child.name: _Life(child, ticker.alarm(partial(tell, self.actor_ref, Restart(child.name))))
            for child in children
        }

    def on_start(self) -> None:
        """Start every child, in order."""
        for life in self._lives.values():
            self._start(life)

    def on_receive(self, message: Heard | Restart) -> None:
        """Hear a child, or start one again."""
        match message:
            case Heard(name, number, report):
                life = self._lives[name]
                if number == life.number:
                    self._hear(life, report)
            case Restart(name):
                self._start(self._lives[name])

    def on_stop(self) -> None:
        """Stop the children one after the other; one that hangs is left behind."""
        deadline_ns = self._clock.monotonic_ns() + round(STOP_TIMEOUT * SECOND)
        for life in reversed(self._lives.values()):
            life.alarm.cancel()
            if life.ref is None:
                continue
            try:
                left = (deadline_ns - self._clock.monotonic_ns()) / SECOND
                life.ref.stop(timeout=max(STOP_LEAST, left))
            except pykka.Timeout:
                logger.error("{} hangs and is left behind", life.child.name)

    def _start(self, life: _Life) -> None:
        life.number += 1
        life.pauses.started(self._clock.monotonic_ns())
        name, number = life.child.name, life.number
        try:
            life.ref = life.child.start(lambda report: self._tell(Heard(name, number, report)))
        except Exception as error:  # noqa: BLE001 - whatever a constructor raises must not end the other children
            self._hear(life, Died(describe(error)))
        else:
            life.child.post.lead_to(life.ref)

    def _hear(self, life: _Life, report: Ready | Died) -> None:
        name = life.child.name
        life.ready = isinstance(report, Ready)
        match report:
            case Ready():
                self._fault(name, None)
            case Died(reason):
                pause = life.pauses.died(self._clock.monotonic_ns())
                logger.error("{} died and starts again in {:.0f} s: {}", name, pause, reason)
                life.alarm.set(self._clock.monotonic_ns() + round(pause * SECOND))
                self._fault(name, reason)
        if all(other.ready for other in self._lives.values()):
            self._ready.set()
        else:
            self._ready.clear()

    def _tell(self, message: Heard) -> None:
        tell(self.actor_ref, message)
