"""The shipper's decisions, alone and joined with a real spool and a database that misbehaves."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.ilp import LoginFailed, Outcome, RowRefused, SchemaMismatch, Stored, TryLater
from storage.rows import Row
from storage.shipping import BATCH, IDLE, ISOLATIONS, TABLE_REST, Fetch, Send, Settle, ShippingCore, Wait
from storage.spool import Spool, SpooledRow
from tests.storage.conftest import BOOT, NOON, ManualClock, anchor, event, sample


@pytest.fixture
def core() -> ShippingCore:
    return ShippingCore(random.Random(1))


def spooled(number: int, row: Row | None = None) -> SpooledRow:
    return SpooledRow(number, "spool", number, NOON + number, sample(number) if row is None else row)


ROWS = [spooled(number) for number in range(1, 6)]
NONE: frozenset[str] = frozenset()


def fetch(core: ShippingCore, rows: Sequence[SpooledRow], now: float) -> Fetch:
    action = core.next(now)
    assert isinstance(action, Fetch)
    core.fetched(rows, now)
    return action


def test_a_batch_is_fetched_sent_settled_and_the_next_waits_a_little(core: ShippingCore) -> None:
    assert fetch(core, ROWS, 0.0) == Fetch(BATCH, NONE)
    assert core.next(0.0) == Send(ROWS)
    core.sent(Stored(), 0.1)
    assert core.next(0.1) == Settle([1, 2, 3, 4, 5], [])
    core.settled()
    assert core.next(0.1) == Wait(IDLE)
    assert core.next(IDLE) == Fetch(BATCH, NONE)


def test_an_empty_spool_is_looked_at_again_when_someone_says_so(core: ShippingCore) -> None:
    fetch(core, [], 0.0)
    assert core.next(0.5) == Wait(IDLE)
    core.wake()
    assert core.next(0.5) == Fetch(BATCH, NONE)


def test_a_full_batch_is_followed_at_once_by_the_next(core: ShippingCore) -> None:
    fetch(core, [spooled(number) for number in range(BATCH)], 0.0)
    core.sent(Stored(), 0.1)
    core.settled()
    assert core.next(0.1) == Fetch(BATCH, NONE)


def test_a_refused_row_is_left_out_and_refused_once_the_others_are_stored(core: ShippingCore) -> None:
    fetch(core, ROWS, 0.0)
    core.sent(RowRefused(1, "cast error"), 0.1)
    assert core.next(0.1) == Send([ROWS[0], ROWS[2], ROWS[3], ROWS[4]])
    core.sent(RowRefused(2, "another"), 0.2)
    core.sent(Stored(), 0.3)
    assert core.next(0.3) == Settle([1, 3, 5], [(2, "cast error"), (4, "another")])
    assert not core.troubles


def test_when_every_row_is_refused_none_is_to_blame(core: ShippingCore) -> None:
    fetch(core, ROWS, 0.0)
    for _ in ROWS:
        core.sent(RowRefused(0, "cast error"), 0.0)
    assert core.next(0.0) == Fetch(BATCH, frozenset({"samples"}))
    assert "cast error" in core.troubles


def test_too_many_refusals_let_the_table_rest_and_the_others_go_on(core: ShippingCore) -> None:
    fetch(core, [spooled(number) for number in range(100)], 0.0)
    for _ in range(ISOLATIONS + 1):
        assert isinstance(core.next(0.0), Send)
        core.sent(RowRefused(0, "cast error"), 0.0)
    assert fetch(core, [spooled(200, event(1))], 0.0).without == {"samples"}
    core.sent(Stored(), 0.0)
    assert core.next(0.0) == Settle([200], [])
    core.settled()
    assert "cast error" in core.troubles
    assert core.next(TABLE_REST * 1.5) == Fetch(BATCH, NONE)


def test_a_table_may_give_up_more_rows_after_each_rest(core: ShippingCore) -> None:
    now, given_up = 0.0, []
    for _ in range(3):
        fetch(core, [spooled(number) for number in range(100)], now)
        count = 0
        while isinstance(core.next(now), Send):
            core.sent(RowRefused(0, "cast error"), now)
            count += 1
        given_up.append(count - 1)
        now += TABLE_REST * 1.5
    assert given_up == [ISOLATIONS, 2 * ISOLATIONS, 4 * ISOLATIONS]


def test_a_missing_table_blames_no_row(core: ShippingCore) -> None:
    fetch(core, ROWS, 0.0)
    core.sent(SchemaMismatch("table does not exist"), 0.0)
    assert core.next(0.0) == Fetch(BATCH, frozenset({"samples"}))
    assert "table does not exist" in core.troubles
    assert fetch(core, ROWS, TABLE_REST * 1.5).without == NONE
    core.sent(Stored(), 200.0)
    assert not core.troubles


def test_a_server_that_is_away_is_tried_again_ever_more_patiently(core: ShippingCore) -> None:
    now, waits = 0.0, []
    for _ in range(40):
        fetch(core, ROWS, now)
        core.sent(TryLater("no answer"), now)
        began = now
        while "samples" in fetch(core, [], now).without:
            core.wake()
            now += 0.01
            assert now - began < 31
        core.wake()
        waits.append(now - began)
    assert max(waits[:2]) <= 2.1
    assert max(waits) > 15.0
    assert core.troubles == ("no answer",)


def test_a_refused_login_lets_everything_wait_long(core: ShippingCore) -> None:
    fetch(core, ROWS, 0.0)
    core.sent(LoginFailed(), 0.0)
    action = core.next(0.0)
    assert isinstance(action, Wait)
    assert 30.0 <= action.until <= 60.0
    assert "the database refuses the login" in core.troubles
    core.wake()
    assert core.next(29.0) == action
    assert core.next(action.until) == Send(ROWS)
    core.sent(Stored(), 61.0)
    core.settled()
    assert not core.troubles


def test_what_the_spool_could_not_do_is_done_later(core: ShippingCore) -> None:
    core.next(0.0)
    core.spool_failed("disk full", 0.0)
    action = core.next(0.0)
    assert isinstance(action, Wait)
    assert action.until <= 1.0
    assert "disk full" in core.troubles
    fetch(core, ROWS, 1.0)
    assert not core.troubles
    core.sent(Stored(), 1.0)
    settle = core.next(1.0)
    core.spool_failed("disk full", 1.0)
    assert core.next(3.0) == settle


def test_another_database_gets_even_what_the_old_one_stored_last(core: ShippingCore) -> None:
    fetch(core, ROWS, 0.0)
    core.sent(SchemaMismatch("no table"), 0.0)
    fetch(core, [spooled(9, event(1))], 0.0)
    core.sent(Stored(), 0.0)
    core.redirect()
    assert core.next(0.0) == Fetch(BATCH, NONE)
    assert not core.troubles


@dataclass
class FakeDatabase:
    """Stores rows by their key, refuses poison, and fails as it is told."""

    poison: set[tuple[str, int]]
    script: list[Outcome]
    stored: dict[tuple[str, int], SpooledRow] = field(default_factory=dict)

    def send(self, rows: Sequence[SpooledRow]) -> Outcome:
        assert len({row.row.TABLE for row in rows}) == 1
        if self.script:
            outcome = self.script.pop()
            if isinstance(outcome, Stored):  # stored, but the answer was lost
                self._store(rows)
                return TryLater("no answer")
            return outcome
        for index, row in enumerate(rows):
            if (row.row.TABLE, row.seq) in self.poison:
                return RowRefused(index, "poison")
        self._store(rows)
        return Stored()

    def _store(self, rows: Sequence[SpooledRow]) -> None:
        for row in rows:
            if (row.row.TABLE, row.seq) not in self.poison:
                assert self.stored.setdefault((row.row.TABLE, row.seq), row) == row  # the same in every byte


def drive(core: ShippingCore, spool: Spool, database: FakeDatabase, until: float) -> None:
    """The loop of the module's docstring, with time that flies."""
    now = 0.0
    while now < until:
        match core.next(now):
            case Fetch(limit, without):
                core.fetched(spool.batch(limit, without=without), now)
            case Send(rows):
                core.sent(database.send(rows), now)
            case Settle(confirmed, refused):
                spool.confirm(confirmed)
                for number, reason in refused:
                    spool.refuse(number, reason)
                core.settled()
            case Wait(later):
                assert later > now
                now = later


FAILURES = st.sampled_from([Stored(), TryLater("away"), LoginFailed(), SchemaMismatch("no table")])


@settings(max_examples=15)
@given(
    samples=st.integers(0, 60),
    events=st.integers(0, 5),
    poison=st.sets(st.integers(1, 60), max_size=40),
    script=st.lists(FAILURES, max_size=12),
    seed=st.integers(0, 1000),
)
def test_whatever_happens_every_good_row_is_stored_and_only_poison_refused(
    samples: int, events: int, poison: set[int], script: list[Outcome], seed: int
) -> None:
    with TemporaryDirectory() as folder:
        spool = Spool(Path(folder) / "spool.db", clock=ManualClock(), boot=BOOT, limit=10**8, retention=1e6)
        spool.date(anchor())
        spool.append([sample(200 + number) for number in range(samples)])
        spool.append([event(200 + number) for number in range(events)])
        bad = {("samples", number) for number in poison if number < samples}  # the newest is good
        database = FakeDatabase(bad, list(script))
        drive(ShippingCore(random.Random(seed)), spool, database, until=3000.0)
        assert set(database.stored) == {("samples", seq + 1) for seq in range(samples)} - bad | {
            ("events", seq + 1) for seq in range(events)
        }
        assert spool.backlog().waiting == 0
        assert {("samples", seq) for _, seq, _ in spool.refused(100)} == bad
        spool.close()
