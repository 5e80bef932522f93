"""What the actors' tests share: a clock that moves when it is told, and no thread left behind."""

import threading
from collections.abc import Iterator, Sequence

import pykka
import pytest

from actors.live import Around, Faults, Live, Vitals
from actors.ticker import SECOND, Ticker
from actors.timebase import Timebase
from hardware.clock import Clock
from storage.rows import Event, Row, Sample
from transport.messages import Database, Welcome

START_NS = 1_000 * SECOND
START_US = 1_790_000_000_000_000
DATABASE = Database(address="http://db:9000", identity="d1", incarnation=0, schema_major=1, schema_minor=0)
WELCOME = Welcome(
    manager="host-1",
    endpoint="tcp://10.0.0.1:6001",
    key="M" * 40,
    epoch=8,
    database=DATABASE,
    status_interval=5.0,
    time_us=START_US,
)
SESSION = "s" * 32


class FakeClock:
    """Stands until it is moved; a sleep moves it. `step_wall` sets wall and monotonic time apart."""

    def __init__(self) -> None:
        self.now_ns = START_NS
        self.ahead_us = START_US - START_NS // 1000

    def monotonic_ns(self) -> int:
        return self.now_ns

    def wall_us(self) -> int:
        return self.now_ns // 1000 + self.ahead_us

    def sleep(self, seconds: float) -> None:
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        self.now_ns += round(seconds * SECOND)

    def step_wall(self, seconds: float) -> None:
        self.ahead_us += round(seconds * 1_000_000)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(autouse=True)
def no_actor_left() -> Iterator[None]:
    """Every test stops the actors and threads that it started."""
    before = set(threading.enumerate())
    yield
    left = [str(ref) for ref in pykka.ActorRegistry.get_all()]
    pykka.ActorRegistry.stop_all(timeout=5)
    threads = [thread.name for thread in set(threading.enumerate()) - before if thread.is_alive()]
    assert not left, f"actors left: {left}"
    for thread in set(threading.enumerate()) - before:
        thread.join(5)
    assert not [name for name in threads if name in {t.name for t in threading.enumerate()}]


class Kernel:
    """Says whether NTP disciplines its clock."""

    def __init__(self) -> None:
        self.disciplined = True

    def __call__(self) -> bool:
        return self.disciplined


@pytest.fixture
def kernel() -> Kernel:
    return Kernel()


class Kept:
    """Collects what actors hand on."""

    def __init__(self) -> None:
        self.rows: list[Row] = []

    def __call__(self, rows: Sequence[Row]) -> None:
        self.rows.extend(rows)

    @property
    def samples(self) -> list[Sample]:
        return [row for row in self.rows if isinstance(row, Sample)]

    @property
    def events(self) -> list[Event]:
        return [row for row in self.rows if isinstance(row, Event)]


@pytest.fixture
def kept() -> Kept:
    return Kept()


def make_around(clock: Clock, kept: Kept, *, reactor: str = "tank", kernel: Kernel | None = None) -> Around:
    """What the actors of a reactor share; events are collected in `kept`."""
    return Around(
        reactor=reactor,
        began_ns=clock.monotonic_ns(),
        clock=clock,
        ticker=Ticker(clock),
        timebase=Timebase("boot", kernel or Kernel()),
        live=Live(clock, {"ph": 12.0, "rtd": 12.0, "self": 12.0}),
        vitals=Vitals(),
        faults=Faults(reactor, clock, lambda event: kept([event])),
    )


@pytest.fixture
def around(clock: FakeClock, kernel: Kernel, kept: Kept) -> Around:
    return make_around(clock, kept, kernel=kernel)


@pytest.fixture
def ticker(around: Around) -> Ticker:
    """Without a thread: `ring` rings what is due by the fake clock."""
    return around.ticker
