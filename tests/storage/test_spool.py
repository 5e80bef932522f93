"""The life of a row in the spool: appended, dated, sent, confirmed or refused, resent, pruned, dropped."""

import sqlite3
import threading
from pathlib import Path

import pytest

from storage import spool as spool_module
from storage.rows import Sample
from storage.spool import ROOM, Anchor, Spool, SpoolFull
from tests.storage.conftest import BOOT, NOON, SECOND, MakeSpool, ManualClock, anchor, event, sample, setting
from transport.messages import Database

DATABASE = Database(address="http://db:9000", identity="abc", incarnation=1, schema_major=1, schema_minor=0)


def waiting(spool: Spool) -> list[tuple[int, float | None]]:
    return [(row.seq, row.row.value) for row in spool.batch(1000) if isinstance(row.row, Sample)]


def test_an_appended_row_comes_back_dated_and_whole(make_spool: MakeSpool) -> None:
    spool = make_spool()
    spool.date(anchor(second=100))
    spool.append([sample(101.5, 6.98)])
    (row,) = spool.batch(10)
    assert row.row == sample(101.5, 6.98)
    assert row.wall_us == NOON + 1_500_000
    assert row.spool == spool.id
    assert row.seq == 1


def test_a_row_without_value_stays_without(make_spool: MakeSpool) -> None:
    spool = make_spool()
    spool.date(anchor())
    spool.append([sample(101, None)])
    assert waiting(spool) == [(1, None)]


def test_settings_come_back_whole_and_are_numbered_by_device_setting_and_state(make_spool: MakeSpool) -> None:
    spool = make_spool()
    spool.date(anchor())
    rows = [setting(101), setting(102, "on", None), setting(103, state="rejected")]
    spool.append(rows)
    batch = spool.batch(10)
    assert [one.row for one in batch] == rows
    assert [one.seq for one in batch] == [1, 2, 1]


def test_seq_counts_each_sensor_and_quantity_and_goes_on_in_the_next_process(make_spool: MakeSpool) -> None:
    first = make_spool()
    first.date(anchor())
    first.append([sample(101), sample(102), sample(102, sensor="ph2"), sample(102, quantity="temperature")])
    first.close()
    second = make_spool()
    second.append([sample(103), event(103), event(104)])
    samples = second.batch(10)
    assert [row.seq for row in samples] == [1, 2, 1, 1, 3]
    assert {row.spool for row in samples} == {first.id}
    second.confirm([row.id for row in samples])
    assert [row.seq for row in second.batch(10)] == [1, 2]


def test_rows_wait_undated_until_the_clock_is_known(make_spool: MakeSpool) -> None:
    spool = make_spool()
    spool.append([sample(101), sample(102)])
    assert spool.batch(10) == []
    assert spool.backlog().waiting == 2
    assert spool.date(anchor(second=103)) == 2
    assert [row.wall_us for row in spool.batch(10)] == [NOON - 2_000_000, NOON - 1_000_000]


def test_dating_that_is_cut_short_goes_on_with_the_rest(make_spool: MakeSpool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool_module, "CHUNK", 2)
    spool = make_spool()
    spool.append([sample(100 + number) for number in range(5)])
    with monkeypatch.context() as failing:
        moments = iter([NOON, NOON + 1])
        failing.setattr(spool_module, "_free_moment", lambda *_: next(moments, None) or full())
        with pytest.raises(SpoolFull):
            spool.date(anchor())
    assert spool.anchor is None  # whoever starts now looks for the time again
    assert len(waiting(spool)) == 2
    assert spool.date(anchor()) == 3
    assert [seq for seq, _ in waiting(spool)] == [1, 2, 3, 4, 5]


def full() -> int:
    raise sqlite3.OperationalError("database or disk is full")


def test_a_date_once_given_stays_when_the_clock_is_set_again(make_spool: MakeSpool) -> None:
    spool = make_spool()
    spool.append([sample(101)])
    spool.date(anchor(second=101))
    before = spool.batch(10)
    assert spool.date(Anchor(BOOT, 101 * SECOND, NOON + 3_600_000_000)) == 0
    assert spool.batch(10) == before
    spool.append([sample(102)])
    assert spool.batch(10)[1].wall_us == NOON + 3_601_000_000


def test_two_samples_never_share_a_moment_though_the_clock_is_set_back(make_spool: MakeSpool) -> None:
    spool = make_spool()
    spool.date(anchor(second=100))
    spool.append([sample(110)])
    spool.date(anchor(second=110))  # ten seconds back
    spool.append([sample(120), sample(120, sensor="ph2")])
    spool.append([sample(130)])
    dates = [row.wall_us - NOON for row in spool.batch(10)]
    assert dates == [10_000_000, 10_000_001, 10_000_000, 20_000_000]


def test_undated_rows_step_aside_too(make_spool: MakeSpool) -> None:
    spool = make_spool()
    spool.append([sample(101), sample(101)])
    spool.date(anchor(second=101))
    assert [row.wall_us - NOON for row in spool.batch(10)] == [0, 1]


def test_the_anchor_outlives_the_process_but_not_the_boot(make_spool: MakeSpool) -> None:
    first = make_spool()
    first.date(anchor(second=100))
    first.close()
    same_boot = make_spool()
    same_boot.append([sample(105)])
    assert [row.wall_us for row in same_boot.batch(10)] == [NOON + 5_000_000]
    same_boot.close()
    next_boot = make_spool(boot="22222222-boot")
    next_boot.append([sample(5)])
    assert len(next_boot.batch(10)) == 1


def test_rows_of_a_boot_that_never_knew_the_time_are_set_aside_when_asked(make_spool: MakeSpool) -> None:
    first = make_spool()
    first.append([sample(101)])
    first.close()
    spool = make_spool(boot="22222222-boot")
    spool.append([sample(5)])
    assert spool.date(Anchor("22222222-boot", 5 * SECOND, NOON)) == 1
    assert spool.refuse_undatable() == 1
    assert spool.refuse_undatable() == 0
    assert [row.wall_us for row in spool.batch(10)] == [NOON]
    assert spool.refused(10) == [("samples/ph1/ph", 1, "the clock was never known in its boot")]


def test_a_batch_is_of_one_table_the_one_that_waits_longest(make_spool: MakeSpool) -> None:
    spool = make_spool()
    spool.date(anchor())
    spool.append([event(101), sample(102), sample(103), event(104)])
    assert [row.row for row in spool.batch(10)] == [event(101), event(104)]
    assert [row.row for row in spool.batch(1)] == [event(101)]
    assert [row.row for row in spool.batch(10, without=frozenset({"events"}))] == [sample(102), sample(103)]
    assert spool.batch(10, without=frozenset({"events", "samples"})) == []


def test_a_confirmed_row_waits_no_more_and_can_be_sent_again_byte_for_byte(make_spool: MakeSpool) -> None:
    spool = make_spool()
    spool.date(anchor())
    spool.append([sample(101), sample(102), sample(103)])
    sent = spool.batch(2)
    spool.confirm([row.id for row in sent])
    assert waiting(spool) == [(3, 7.0)]
    assert spool.resend() == 2
    assert spool.batch(2) == sent
    assert spool.resend() == 0


def test_a_refused_row_blocks_nobody_and_is_not_sent_again(make_spool: MakeSpool) -> None:
    spool = make_spool()
    spool.date(anchor())
    spool.append([sample(101), sample(102)])
    spool.refuse(spool.batch(1)[0].id, "cast error")
    assert waiting(spool) == [(2, 7.0)]
    spool.resend()
    assert waiting(spool) == [(2, 7.0)]
    assert spool.backlog().refused == 1
    assert spool.refused(10) == [("samples/ph1/ph", 1, "cast error")]


def test_the_backlog_says_how_many_wait_and_since_when(make_spool: MakeSpool, clock: ManualClock) -> None:
    spool = make_spool()
    assert spool.backlog().oldest == 0.0
    spool.append([sample(101), event(105)])
    clock.now_ns = 131 * SECOND
    assert (spool.backlog().waiting, spool.backlog().oldest) == (2, 30.0)
    spool.date(anchor())
    spool.confirm([row.id for row in spool.batch(1)])
    assert (spool.backlog().waiting, spool.backlog().oldest) == (1, 26.0)


def test_the_backlog_never_looks_at_confirmed_rows(make_spool: MakeSpool) -> None:
    """They are a hundred times as many as all others, and it is asked for every few seconds."""
    spool = make_spool()
    spool.append([sample(101), event(105)])
    spool.date(anchor())
    asked: list[str] = []
    assert spool._db
    spool._db.set_trace_callback(asked.append)
    spool.backlog()
    spool._db.set_trace_callback(None)
    plans = {
        step[3]
        for query in asked
        if query.startswith("SELECT") and " rows " in query
        for step in spool._db.execute(f"EXPLAIN QUERY PLAN {query}")
    }
    assert plans == {
        "SEARCH rows USING COVERING INDEX by_state (state=?)",
        "SEARCH rows USING COVERING INDEX by_state (state=? AND kind=?)",
        "SEARCH rows USING INTEGER PRIMARY KEY (rowid=?)",
    }
    assert not [query for query in asked if "state = 2" in query]


def test_the_age_of_a_row_of_an_earlier_boot_is_told_by_the_wall_clock(
    make_spool: MakeSpool, clock: ManualClock
) -> None:
    first = make_spool()
    first.date(anchor(second=100))
    first.append([sample(100)])
    first.close()
    spool = make_spool(boot="22222222-boot")
    assert spool.backlog().oldest == 0.0  # 1970 as far as this machine knows
    clock.now_ns = 50 * SECOND
    spool.date(Anchor("22222222-boot", 40 * SECOND, NOON + 60_000_000))
    assert spool.backlog().oldest == 70.0


def test_confirmed_rows_go_after_the_retention(make_spool: MakeSpool, clock: ManualClock) -> None:
    spool = make_spool(retention=3600.0)
    spool.date(anchor(second=100))
    spool.append([sample(101), sample(102), event(102)])
    clock.now_ns = 200 * SECOND
    spool.confirm([row.id for row in spool.batch(1)])
    clock.now_ns = (200 + 3599) * SECOND
    assert spool.prune() == 0
    spool.confirm([row.id for row in spool.batch(1)])
    clock.now_ns = (200 + 3601) * SECOND
    assert spool.prune() == 1
    assert spool.resend() == 1
    assert spool.backlog().waiting == 2


def test_a_clock_that_may_be_wrong_prunes_nothing(make_spool: MakeSpool, clock: ManualClock) -> None:
    first = make_spool(retention=3600.0)
    first.date(anchor())
    first.append([sample(101)])
    first.confirm([row.id for row in first.batch(1)])
    first.close()
    clock.now_us = NOON + 10**15  # the year 2057
    spool = make_spool(boot="22222222-boot", retention=3600.0)
    assert spool.prune() == 0


def fill(spool: Spool, count: int, start: float = 1000.0) -> int:
    dropped = 0
    for block in range(count // 100):
        dropped += spool.append([sample(start + block * 100 + number) for number in range(100)])
    return dropped


def test_the_limit_drops_confirmed_rows_first_and_costs_nothing(make_spool: MakeSpool, tmp_path: Path) -> None:
    spool = make_spool(limit=400_000)
    spool.date(anchor())
    fill(spool, 1000)
    spool.confirm([row.id for row in spool.batch(1000)])
    assert fill(spool, 1000, start=5000.0) == 0
    assert spool.backlog().waiting == 1000
    assert spool.backlog().dropped == 0
    spool.close()
    assert (tmp_path / "spool.db").stat().st_size < 450_000


def test_the_limit_then_drops_the_oldest_that_wait_and_counts_them_for_ever(make_spool: MakeSpool) -> None:
    spool = make_spool(limit=400_000)
    spool.date(anchor())
    said = fill(spool, 4000)
    backlog = spool.backlog()
    assert said > ROOM
    assert backlog.dropped == said
    assert backlog.waiting == 4000 - said
    assert waiting(spool)[0] == (said + 1, 7.0)
    spool.close()
    assert make_spool(limit=400_000).backlog().dropped == said


def test_undated_rows_are_dropped_when_nothing_else_is_left(make_spool: MakeSpool) -> None:
    spool = make_spool(limit=400_000)
    assert fill(spool, 4000) > 0


def test_a_limit_that_nothing_can_meet_ends(make_spool: MakeSpool) -> None:
    spool = make_spool(limit=1)
    assert spool.append([sample(1)]) == 1
    assert spool.backlog().waiting == 0


def test_a_full_disk_is_said_costs_the_call_only_and_passes(make_spool: MakeSpool) -> None:
    spool = make_spool()
    spool.date(anchor())
    spool.append([sample(101)])
    assert spool._db
    (pages,) = spool._db.execute("PRAGMA page_count").fetchone()
    spool._db.execute(f"PRAGMA max_page_count = {pages}")
    many = [sample(200 + number) for number in range(1000)]
    with pytest.raises(SpoolFull, match="full"):
        spool.append(many)
    assert waiting(spool) == [(1, 7.0)]
    spool._db.execute("PRAGMA max_page_count = 100000")
    spool.append(many)
    assert [seq for seq, _ in waiting(spool)] == list(range(1, 1001))


def test_on_a_full_disk_what_the_database_has_gives_its_place(make_spool: MakeSpool) -> None:
    spool = make_spool()
    spool.date(anchor())
    fill(spool, 1000)
    spool.confirm([row.id for row in spool.batch(1000)])
    assert spool._db
    (pages,) = spool._db.execute("PRAGMA page_count").fetchone()
    spool._db.execute(f"PRAGMA max_page_count = {pages}")
    assert fill(spool, 800, start=5000.0) == 0
    with pytest.raises(SpoolFull):
        fill(spool, 4000, start=9000.0)  # what only waits here stays
    backlog = spool.backlog()
    assert (backlog.waiting >= 800, backlog.dropped) == (True, 0)


def test_rows_that_never_came_here_are_counted_too(make_spool: MakeSpool) -> None:
    spool = make_spool()
    spool.append([sample(1)], lost=7)
    spool.append([sample(2)], lost=1)
    assert spool.backlog().dropped == 8


def test_a_folder_that_cannot_be_written_is_said_and_passes(tmp_path: Path, clock: ManualClock) -> None:
    spool = Spool(tmp_path / "later" / "spool.db", clock=clock, boot=BOOT, limit=10**6, retention=1.0)
    with pytest.raises(SpoolFull, match="unable to open"):
        spool.append([sample(1)])
    (tmp_path / "later").mkdir()
    spool.append([sample(1)])
    assert spool.backlog().waiting == 1
    spool.close()


def test_sync_reaches_the_log_once_for_what_is_new(make_spool: MakeSpool, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr("os.fdatasync", synced.append)
    spool = make_spool()
    spool.sync()
    assert synced == []
    spool.append([sample(1)])
    spool.append([sample(2)])
    spool.sync()
    spool.sync()
    assert len(synced) == 1


def test_a_sync_that_fails_is_said_and_tried_again(make_spool: MakeSpool, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = make_spool()
    spool.append([sample(1)])

    def fail(_descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr("os.fdatasync", fail)
        with pytest.raises(SpoolFull, match="Input/output"):
            spool.sync()
    synced: list[int] = []
    monkeypatch.setattr("os.fdatasync", synced.append)
    spool.sync()
    assert len(synced) == 1


def test_the_destination_is_remembered(make_spool: MakeSpool) -> None:
    spool = make_spool()
    assert spool.destination is None
    spool.set_destination(DATABASE)
    spool.close()
    assert make_spool().destination == DATABASE


def test_recorder_and_shipper_share_it(make_spool: MakeSpool) -> None:
    spool = make_spool()
    spool.date(anchor())
    seen: list[int] = []

    def ship() -> None:
        while len(seen) < 500:
            batch = spool.batch(50)
            spool.confirm([row.id for row in batch])
            seen.extend(row.seq for row in batch)

    shipper = threading.Thread(target=ship)
    shipper.start()
    for number in range(500):
        spool.append([sample(200 + number)])
    shipper.join(20)
    assert seen == list(range(1, 501))


def test_a_reader_from_outside_may_look_while_it_is_open(make_spool: MakeSpool, tmp_path: Path) -> None:
    spool = make_spool()
    spool.append([sample(1)])
    outside = sqlite3.connect(tmp_path / "spool.db")
    assert outside.execute("SELECT kind, seq FROM rows").fetchall() == [("samples", 1)]
    outside.close()
