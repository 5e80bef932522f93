import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from queue import Queue
from typing import Any

import pykka
import pytest

from actors.keeper import HELD, Child, Keeper, Kept, Pauses, Report, describe, tell
from actors.ticker import SECOND, Ticker
from tests.actors.conftest import FakeClock

WAIT = 5


@dataclass
class Log:
    """What the child's lives did, in order; `fail_begin` makes so many of the next starts fail."""

    said: Queue[object] = field(default_factory=Queue)
    faults: Queue[tuple[str, str | None]] = field(default_factory=Queue)
    fail_begin: int = 0
    ready: threading.Event = field(default_factory=threading.Event)


class Worker(Kept):
    def __init__(self, report: Report, log: Log) -> None:
        super().__init__(report)
        self.log = log

    def begin(self) -> None:
        if self.log.fail_begin:
            self.log.fail_begin -= 1
            raise OSError("no such bus")
        self.log.said.put("begin")

    def handle(self, message: object) -> None:
        if message == "die":
            raise ValueError("bad\nluck")
        self.log.said.put(message)

    def release(self) -> None:
        self.log.said.put("release")


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def child(log: Log) -> Child:
    return Child("worker", lambda report: Worker.start(report, log))


@pytest.fixture
def keeper(child: Child, log: Log, clock: FakeClock, ticker: Ticker) -> Iterator[pykka.ActorRef[Keeper]]:
    ref = Keeper.start(
        [child], ticker=ticker, clock=clock, fault=lambda name, why: log.faults.put((name, why)), ready=log.ready
    )
    yield ref
    ref.stop()


def test_children_start_and_ready_is_known(keeper: pykka.ActorRef[Keeper], log: Log, child: Child) -> None:
    assert log.ready.wait(WAIT)
    child.post.tell("work")
    assert [log.said.get(timeout=WAIT) for _ in range(2)] == ["begin", "work"]
    assert log.faults.get(timeout=WAIT) == ("worker", None)
    assert keeper.is_alive()


@pytest.mark.usefixtures("keeper")
def test_a_dead_child_lets_go_is_reported_and_starts_again_after_its_pause(
    log: Log, child: Child, clock: FakeClock, ticker: Ticker
) -> None:
    assert log.faults.get(timeout=WAIT) == ("worker", None)
    child.post.tell("die")
    assert log.faults.get(timeout=WAIT) == ("worker", "ValueError: bad luck")
    assert not log.ready.is_set()
    child.post.tell("while it was away")
    ticker.ring()
    clock.advance(1)
    ticker.ring()
    assert log.faults.get(timeout=WAIT) == ("worker", None)
    assert [log.said.get(timeout=WAIT) for _ in range(4)] == ["begin", "release", "begin", "while it was away"]


def test_a_begin_that_fails_is_a_death(log: Log, child: Child, clock: FakeClock, ticker: Ticker) -> None:
    log.fail_begin = 2
    ref = Keeper.start(
        [child], ticker=ticker, clock=clock, fault=lambda name, why: log.faults.put((name, why)), ready=log.ready
    )
    assert log.faults.get(timeout=WAIT) == ("worker", "OSError: no such bus")
    clock.advance(1)
    ticker.ring()
    assert log.faults.get(timeout=WAIT) == ("worker", "OSError: no such bus")
    clock.advance(1)
    ticker.ring()
    assert log.faults.empty()
    clock.advance(1)
    ticker.ring()
    assert log.faults.get(timeout=WAIT) == ("worker", None)
    ref.stop()


def test_a_constructor_that_fails_leaves_the_other_children_alone(log: Log, clock: FakeClock, ticker: Ticker) -> None:
    def broken(report: Report) -> pykka.ActorRef[Any]:
        raise RuntimeError(f"never {report.__name__}")

    children = [Child("broken", broken), Child("worker", lambda report: Worker.start(report, log))]
    ref = Keeper.start(
        children, ticker=ticker, clock=clock, fault=lambda name, why: log.faults.put((name, why)), ready=log.ready
    )
    assert {log.faults.get(timeout=WAIT)[0] for _ in range(2)} == {"broken", "worker"}
    assert not log.ready.is_set()
    ref.stop()
    assert [log.said.get(timeout=WAIT) for _ in range(2)] == ["begin", "release"]


def test_pauses_double_to_a_minute_and_are_forgotten_after_a_minute_alive() -> None:
    pauses = Pauses()
    assert [pauses.died(0) for _ in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]
    pauses.started(0)
    assert pauses.died(60 * SECOND) == 1


def test_what_waits_for_a_dead_child_is_bounded(child: Child, log: Log) -> None:
    for number in range(HELD + 10):
        child.post.tell(number)
    ref = child.start(lambda _: None)
    child.post.lead_to(ref)
    ref.stop()
    said = [log.said.get(timeout=WAIT) for _ in range(HELD + 2)]
    assert said == ["begin", *range(10, HELD + 10), "release"]


def test_telling_the_dead_is_noticed(child: Child) -> None:
    ref = child.start(lambda _: None)
    ref.stop()
    assert not tell(ref, "hello")


def test_an_exception_becomes_one_short_line() -> None:
    text = describe(ValueError("x\n" * 400))
    assert "\n" not in text
    assert len(text) == 160


def test_a_child_that_hangs_does_not_keep_the_others_from_stopping(
    log: Log, clock: FakeClock, ticker: Ticker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.keeper.STOP_TIMEOUT", 0.01)
    monkeypatch.setattr("actors.keeper.STOP_LEAST", 0.01)
    free = threading.Event()

    class Hanging(Worker):
        def release(self) -> None:
            free.wait(WAIT)

    children = [
        Child("worker", lambda report: Worker.start(report, log)),
        Child("hanging", lambda report: Hanging.start(report, Log())),
    ]
    ref = Keeper.start(children, ticker=ticker, clock=clock, fault=lambda *_: None, ready=log.ready)
    assert log.ready.wait(WAIT)
    ref.stop()
    monkeypatch.undo()
    assert [log.said.get(timeout=WAIT) for _ in range(2)] == ["begin", "release"]
    free.set()
