from collections.abc import Sequence
from typing import cast

import pytest
from msgspec import structs

from actors.live import Around
from actors.shipper import MAJOR, LogTo, Shipper, Step, Waiting
from storage.ilp import Ingest, Outcome, RowRefused, Stored, TryLater
from storage.rows import Sample
from storage.spool import Spool, SpooledRow, SpoolFull
from tests.actors.conftest import FakeClock
from transport.messages import Database

DATABASE = Database(address="http://db:9000", identity="d1", incarnation=0, schema_major=MAJOR, schema_minor=0)


class FakeSpool:
    """Rows wait in `waiting`; `log` tells what was done."""

    def __init__(self) -> None:
        self.full = False
        self.waiting: list[SpooledRow] = []
        self.log: list[object] = []
        self.told: Database | None = None

    def _door(self) -> None:
        if self.full:
            raise SpoolFull("disk full")

    @property
    def destination(self) -> Database | None:
        self._door()
        return self.told

    def batch(self, limit: int, *, without: frozenset[str]) -> list[SpooledRow]:
        self._door()
        self.log.append("batch")
        return [] if Sample.TABLE in without else self.waiting[:limit]

    def confirm(self, ids: Sequence[int]) -> None:
        self._door()
        self.log.append(("confirm", list(ids)))
        self.waiting = [row for row in self.waiting if row.id not in ids]

    def refuse(self, number: int, reason: str) -> None:
        self.log.append(("refuse", number, reason))
        self.waiting = [row for row in self.waiting if row.id != number]

    def resend(self) -> int:
        self._door()
        self.log.append("resend")
        return 9

    def set_destination(self, database: Database) -> None:
        self._door()
        self.told = database

    def prune(self) -> int:
        self._door()
        self.log.append("prune")
        return 0


class FakeIngest:
    """Answers what is next in `outcomes`, and `Stored` when nothing is."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.sent: list[list[int]] = []
        self.outcomes: list[Outcome] = []
        self.closed = False

    def send(self, rows: Sequence[SpooledRow]) -> Outcome:
        self.sent.append([row.id for row in rows])
        return self.outcomes.pop(0) if self.outcomes else Stored()

    def close(self) -> None:
        self.closed = True


class Scene:
    """A shipper that was not started; `settle` lets it do all that it wants to do now."""

    def __init__(self, around: Around, clock: FakeClock) -> None:
        self.around = around
        self.clock = clock
        self.spool = FakeSpool()
        self.ingests: list[FakeIngest] = []
        self.shipper = self.make()

    def make(self) -> Shipper:
        return Shipper(lambda _: None, cast("Spool", self.spool), self.around, self._connect)

    def _connect(self, address: str) -> Ingest:
        self.ingests.append(FakeIngest(address))
        return cast("Ingest", self.ingests[-1])

    def tell(self, message: object) -> None:
        self.shipper.handle(message)
        self.settle()

    def settle(self, seconds: float = 0.0) -> int:
        """Let alarms ring and messages be handled until there are none; how many there were."""
        self.clock.advance(seconds)
        handled = 0
        while True:
            self.around.ticker.ring()
            if self.shipper.actor_inbox.empty():
                return handled
            self.shipper.handle(self.shipper.actor_inbox.get().message)
            handled += 1
            assert handled < 100, "it never rests"

    def rows(self, *ids: int) -> None:
        sample = Sample("tank", "ph", "ph", 7.0, "pH", "ok", 1)
        self.spool.waiting += [SpooledRow(number, "s1", number, 1, sample) for number in ids]
        self.tell(Waiting())


@pytest.fixture
def scene(around: Around, clock: FakeClock) -> Scene:
    return Scene(around, clock)


def test_rows_wait_until_a_database_is_named(scene: Scene) -> None:
    scene.shipper.begin()
    scene.rows(1, 2)
    assert scene.ingests == []
    scene.tell(LogTo(DATABASE))
    assert scene.ingests[0].address == DATABASE.address
    assert scene.ingests[0].sent == [[1, 2]]
    assert ("confirm", [1, 2]) in scene.spool.log
    assert scene.spool.destination == DATABASE
    assert scene.around.vitals.database == DATABASE.stamp


def test_the_database_of_the_last_time_needs_nobody_to_name_it(scene: Scene) -> None:
    scene.spool.told = DATABASE
    scene.spool.waiting = [SpooledRow(1, "s", 1, 1, Sample("tank", "ph", "ph", 7.0, "pH", "ok", 1))]
    scene.shipper.begin()
    scene.settle()
    assert scene.ingests[0].sent == [[1]]
    assert "resend" not in scene.spool.log


def test_the_database_of_the_last_time_is_asked_for_until_the_spool_tells(scene: Scene) -> None:
    scene.spool.told, scene.spool.full = DATABASE, True
    scene.shipper.begin()
    scene.spool.full = False
    scene.rows(1)
    assert scene.ingests[0].sent == [[1]]


def test_a_database_that_was_named_is_not_forgotten_for_that_of_the_last_time(scene: Scene) -> None:
    scene.spool.told, scene.spool.full = DATABASE, True
    scene.shipper.begin()
    scene.shipper.handle(LogTo(structs.replace(DATABASE, schema_major=MAJOR + 1)))
    scene.spool.full = False
    scene.rows(1)
    assert scene.ingests == []


def test_it_does_not_look_while_there_is_nothing_and_gathers_what_comes_within_a_second(scene: Scene) -> None:
    scene.tell(LogTo(DATABASE))
    assert scene.settle(3600) == 0
    scene.rows(1)
    assert scene.ingests[0].sent == [[1]]
    scene.rows(2)
    scene.rows(3)
    assert scene.ingests[0].sent == [[1]]
    scene.settle(1)
    assert scene.ingests[0].sent == [[1], [2, 3]]
    scene.settle(1)
    assert scene.settle(3600) == 0


def test_rows_that_come_while_it_looks_are_not_overlooked(scene: Scene) -> None:
    scene.shipper.handle(LogTo(DATABASE))
    scene.around.ticker.ring()
    scene.shipper.handle(scene.shipper.actor_inbox.get().message)
    assert scene.spool.log == ["batch"]
    scene.rows(1)
    scene.settle(1)
    assert scene.ingests[0].sent == [[1]]


def test_a_database_that_is_away_is_tried_again_and_shown(scene: Scene) -> None:
    scene.tell(LogTo(DATABASE))
    scene.ingests[0].outcomes = [TryLater("connection refused")] * 3
    scene.settle(1)
    scene.rows(1)
    assert scene.around.faults.current() == ["database: connection refused"]
    for _ in range(3):
        scene.settle(30)
    assert scene.around.faults.current() == []
    assert scene.spool.waiting == []


def test_a_refused_row_is_set_aside_and_the_others_stored(scene: Scene) -> None:
    scene.tell(LogTo(DATABASE))
    scene.ingests[0].outcomes = [RowRefused(1, "bad")]
    scene.settle(1)
    scene.rows(1, 2, 3)
    assert scene.ingests[0].sent == [[1, 2, 3], [1, 3]]
    assert [did for did in scene.spool.log if did != "batch"] == [("confirm", [1, 3]), ("refuse", 2, "bad")]


@pytest.mark.parametrize("other", [structs.replace(DATABASE, identity="d2"), structs.replace(DATABASE, incarnation=1)])
def test_what_is_retained_is_sent_again_to_another_history(scene: Scene, other: Database) -> None:
    scene.tell(LogTo(DATABASE))
    scene.tell(LogTo(other))
    assert scene.spool.log.count("resend") == 1
    assert scene.spool.destination == other
    assert [ingest.closed for ingest in scene.ingests] == [True, False]  # an old connection writes into dropped tables


def test_the_same_history_elsewhere_gets_what_waits_and_no_more(scene: Scene) -> None:
    scene.tell(LogTo(DATABASE))
    scene.tell(LogTo(structs.replace(DATABASE, address="http://other:9000", schema_minor=1)))
    assert "resend" not in scene.spool.log
    assert [ingest.closed for ingest in scene.ingests] == [True, False]


def test_a_newer_schema_major_keeps_the_rows_here_and_says_so(scene: Scene) -> None:
    newer = structs.replace(DATABASE, schema_major=MAJOR + 1)
    scene.tell(LogTo(DATABASE))
    scene.tell(LogTo(newer))
    scene.rows(1)
    scene.settle(60)
    assert scene.ingests[0].sent == []
    assert scene.ingests[0].closed
    assert scene.around.faults.current() == [f"database: schema {MAJOR + 1} is newer than {MAJOR}: rows wait"]
    assert scene.around.vitals.database == newer.stamp
    scene.tell(LogTo(DATABASE))
    assert scene.ingests[1].sent == [[1]]
    assert scene.around.faults.current() == []


def test_a_spool_that_fails_while_turning_to_another_database_is_asked_again(scene: Scene) -> None:
    scene.spool.full = True
    scene.tell(LogTo(DATABASE))
    assert scene.around.faults.current() == ["database: disk full"]
    assert scene.ingests == []
    scene.spool.full = False
    scene.settle(5)
    assert scene.spool.destination == DATABASE
    assert scene.around.faults.current() == []


def test_a_spool_that_fails_between_storing_and_confirming_costs_nothing(scene: Scene) -> None:
    scene.tell(LogTo(DATABASE))
    scene.settle(1)
    scene.spool.waiting = [SpooledRow(1, "s", 1, 1, Sample("tank", "ph", "ph", 7.0, "pH", "ok", 1))]
    scene.shipper.handle(Step())
    scene.shipper.handle(Step())
    scene.spool.full = True
    scene.settle()
    scene.spool.full = False
    scene.settle(60)
    assert scene.spool.waiting == []


def test_it_forgets_what_was_retained_long_enough(scene: Scene) -> None:
    scene.shipper.begin()
    scene.settle(60)
    scene.spool.full = True
    scene.settle(60)
    scene.spool.full = False
    scene.settle(60)
    assert scene.spool.log == ["prune", "prune"]


def test_letting_go_closes_the_connection(scene: Scene) -> None:
    scene.tell(LogTo(DATABASE))
    scene.shipper.release()
    assert scene.ingests[0].closed
