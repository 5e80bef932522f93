from collections.abc import Sequence
from typing import Any, cast

import pytest

from actors.live import Around
from actors.recorder import HELD, Keep, Look, Recorder, Retry, ServerClock, Sync
from storage.rows import Row, Sample
from storage.spool import Anchor, Spool, SpoolFull
from tests.actors.conftest import START_US, FakeClock, Kept, Kernel


class FakeSpool:
    """Remembers what it was told; `full` makes it refuse."""

    def __init__(self) -> None:
        self.full = False
        self.rows: list[Row] = []
        self.log: list[object] = []
        self.dropped = 0
        self.lost = 0
        self.undatable = 0  # rows of earlier starts
        self.anchor: Anchor | None = None

    def _door(self) -> None:
        if self.full:
            raise SpoolFull("disk full")

    def append(self, rows: Sequence[Row], lost: int) -> int:
        self._door()
        self.lost += lost
        self.rows.extend(rows)
        self.log.append(len(rows))
        return self.dropped

    def sync(self) -> None:
        self._door()
        self.log.append("sync")

    def date(self, anchor: Anchor) -> int:
        self._door()
        self.log.append(anchor)
        return 0

    def refuse_undatable(self) -> int:
        self._door()
        return self.undatable


class Scene:
    """A recorder that was not started: what it is told is done at once."""

    def __init__(self, around: Around, clock: FakeClock) -> None:
        self.clock = clock
        self.around = around
        self.spool = FakeSpool()
        self.told = 0
        self.recorder = Recorder(lambda _: None, cast("Spool", self.spool), around, self._waiting)

    def _waiting(self) -> None:
        self.told += 1

    def pass_time(self, seconds: float) -> list[Any]:
        """Let alarms ring and be handled; which ones."""
        self.clock.advance(seconds)
        self.around.ticker.ring()
        rung = []
        while not self.recorder.actor_inbox.empty():
            rung.append(self.recorder.actor_inbox.get().message)
            self.recorder.handle(rung[-1])
        return rung


@pytest.fixture
def scene(around: Around, clock: FakeClock) -> Scene:
    return Scene(around, clock)


def sample(number: int = 0) -> Sample:
    return Sample("tank", "ph", "ph", float(number), "pH", "ok", number)


def test_rows_are_committed_at_once_and_synced_within_a_second(scene: Scene) -> None:
    scene.recorder.handle(Keep([sample(1), sample(2)]))
    scene.recorder.handle(Keep([sample(3)]))
    assert scene.spool.log == [2, 1]
    assert scene.told == 2
    assert scene.pass_time(0.9) == []
    assert scene.pass_time(0.1) == [Sync()]
    assert scene.spool.log == [2, 1, "sync"]
    assert scene.pass_time(60) == []


def test_rows_wait_in_memory_while_the_spool_takes_none(scene: Scene) -> None:
    scene.spool.full = True
    scene.recorder.handle(Keep([sample(1)]))
    scene.recorder.handle(Keep([sample(2)]))
    assert scene.pass_time(5) == [Retry()]
    assert scene.around.faults.current() == ["spool: disk full: 2 rows wait in memory, 0 are lost"]
    scene.spool.full = False
    scene.pass_time(5)
    assert scene.spool.rows == [sample(1), sample(2)]
    assert scene.around.faults.current() == []
    scene.recorder.handle(Keep([sample(3)]))
    assert scene.spool.log == [2, 1]


def test_the_memory_is_bounded_and_what_it_costs_is_said(scene: Scene, kept: Kept) -> None:
    scene.spool.full = True
    scene.recorder.handle(Keep([sample(number) for number in range(HELD)]))
    scene.recorder.handle(Keep([sample(-1), sample(-2)]))
    scene.pass_time(5)
    assert scene.around.faults.current() == ["spool: disk full: 10000 rows wait in memory, 2 are lost"]
    scene.spool.full = False
    scene.pass_time(5)
    assert len(scene.spool.rows) == HELD
    assert scene.spool.lost == 2
    assert scene.spool.rows[-2:] == [sample(-1), sample(-2)]
    assert kept.events[-1].text == "0 oldest rows dropped at the spool's limit, 2 lost while it took none"


def test_what_the_limit_costs_is_said(scene: Scene, kept: Kept) -> None:
    scene.spool.dropped = 256
    scene.recorder.handle(Keep([sample()]))
    assert kept.events[-1].text == "256 oldest rows dropped at the spool's limit, 0 lost while it took none"


def test_a_disciplined_clock_dates_rows_at_the_start(scene: Scene, kept: Kept) -> None:
    scene.spool.undatable = 3
    scene.recorder.begin()
    assert scene.spool.log == [Anchor("boot", scene.clock.now_ns, START_US)]
    assert scene.told == 1
    assert [event.text for event in kept.events] == ["3 rows of earlier starts can never be dated"]
    assert scene.pass_time(10) == [Look()]
    assert len(scene.spool.log) == 1


def test_what_the_spool_knows_of_earlier_starts_is_asked_for_until_it_tells(scene: Scene, kept: Kept) -> None:
    scene.spool.full, scene.spool.undatable = True, 3
    scene.recorder.begin()
    scene.recorder.handle(Keep([sample()]))
    scene.spool.full = False
    scene.pass_time(5)
    scene.recorder.handle(Keep([sample()]))
    assert [event.text for event in kept.events].count("3 rows of earlier starts can never be dated") == 1


def test_without_one_the_servers_time_does(scene: Scene, kernel: Kernel) -> None:
    kernel.disciplined = False
    scene.recorder.begin()
    assert scene.spool.log == []
    assert scene.around.faults.current() == ["clock: the time is not known: rows wait undated"]
    scene.recorder.handle(ServerClock(5, 5, START_US))
    assert scene.spool.log == [Anchor("boot", 5, START_US)]
    assert [text[:20] for text in scene.around.faults.current()] == ["clock: the machine's"]


def test_a_clock_that_was_set_makes_a_new_anchor(scene: Scene) -> None:
    scene.recorder.begin()
    scene.clock.step_wall(3600)
    scene.pass_time(10)
    assert len(scene.spool.log) == 2


def test_an_anchor_that_the_spool_would_not_take_is_offered_again(scene: Scene) -> None:
    scene.spool.full = True
    scene.recorder.begin()
    scene.spool.full = False
    at = scene.clock.now_ns
    scene.pass_time(10)
    assert scene.spool.log == [Anchor("boot", at, START_US)]


def test_letting_go_commits_and_syncs(scene: Scene) -> None:
    scene.spool.full = True
    scene.recorder.handle(Keep([sample(1)]))
    scene.spool.full = False
    scene.recorder.release()
    assert scene.spool.log == [1, "sync"]
