"""Acts are run at most once, whatever moment a crash or a full disk chooses."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from actors.config import DoseLimits
from actors.journal import DAY, MOST_LINES, REMEMBERED, Dosed, Journal
from actors.ticker import SECOND
from tests.actors.conftest import START_US, FakeClock

MakeJournal = Callable[..., Journal]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "acts" / "pump.jsonl"


@pytest.fixture
def make(path: Path, clock: FakeClock) -> MakeJournal:
    """Open the journal as a process that starts would."""

    def make(boot: str = "boot", *, known: bool = True, limits: DoseLimits | None = None) -> Journal:
        journal = Journal(
            path, limits or DoseLimits(), clock=clock, boot=boot, wall=lambda: clock.wall_us() if known else None
        )
        journal.cut = journal.open()  # type: ignore[attr-defined]
        journal.tidy()
        return journal

    return make


def test_what_was_begun_and_ended_is_known_to_the_next_process(make: MakeJournal) -> None:
    first = make()
    first.begin("a1", "dose", 5.0)
    first.end("a1", "done", "", {"dispensed": 4.9}, 4.9)
    entry = make().known("a1")
    assert entry is not None
    assert (entry.state, entry.kind, entry.ml, entry.result) == ("done", "dose", 4.9, {"dispensed": 4.9})
    assert make().known("a2") is None


def test_beginning_and_end_are_on_the_disk_when_they_return(
    make: MakeJournal, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = make()
    synced: list[int] = []
    monkeypatch.setattr(os, "fdatasync", lambda _: synced.append(len(path.read_bytes().splitlines())))
    journal.begin("a1", "dose", 5.0)
    journal.end("a1", "done", "", {}, 5.0)
    assert synced == [1, 2]


def test_what_a_crash_cut_off_is_unknown_for_ever_and_counts_whole(make: MakeJournal) -> None:
    make().begin("a1", "dose", 5.0)
    second = make()
    assert [(entry.act, entry.state) for entry in second.cut] == [("a1", "unknown")]  # type: ignore[attr-defined]
    assert second.dosed() == Dosed(5.0, 5.0, 5.0)
    third = make()
    assert third.cut == []  # type: ignore[attr-defined]
    entry = third.known("a1")
    assert entry is not None
    assert entry.state == "unknown"


def test_a_file_that_ends_anywhere_tells_all_that_was_synced(make: MakeJournal, path: Path) -> None:
    journal = make()
    journal.begin("a1", "dose", 1.0)
    journal.end("a1", "done", "", {}, 1.0)
    whole = path.read_bytes()
    journal.begin("a2", "dose", 2.0)
    torn = path.read_bytes()
    for length in range(len(whole), len(torn) + 1):
        path.write_bytes(torn[:length])
        after = make()
        assert after.known("a1") is not None
        after.begin("a3", "find")
        again = make()
        assert again.known("a3") is not None, length
        found = again.known("a2")
        assert found is None or found.state == "unknown"


def test_garbage_costs_its_own_line(make: MakeJournal, path: Path) -> None:
    make().begin("a1", "dose", 1.0)
    path.write_bytes(b"\xff garbage\n[]\n" + path.read_bytes())
    assert make().known("a1") is not None


def test_doses_are_summed_within_an_hour_a_day_and_ever(make: MakeJournal, clock: FakeClock) -> None:
    journal = make()
    for act, ml in (("a", 1.0), ("b", 2.0), ("c", 4.0)):
        journal.begin(act, "dose", ml)
        journal.end(act, "done", "", {}, ml)
        clock.advance(1801)
    assert journal.dosed() == Dosed(6.0 - 2.0, 7.0, 7.0)
    clock.advance(DAY)
    assert make().dosed() == Dosed(0.0, 0.0, 7.0)


def test_a_dose_that_runs_counts_whole_and_one_that_was_ended_early_what_it_pumped(make: MakeJournal) -> None:
    journal = make()
    journal.begin("a", "dose", 10.0)
    assert journal.dosed().hour == 10.0
    journal.begin("f", "find")
    journal.end("f", "done", "", {}, 0.0)
    journal.end("a", "failed", "stopped", {}, 3.0)
    assert journal.dosed() == Dosed(3.0, 3.0, 3.0)
    assert make().dosed() == Dosed(3.0, 3.0, 3.0)


@pytest.mark.parametrize(
    ("ml", "told"),
    [
        (5.0, None),
        (5.1, "5.1 ml is more than the limit of 5 ml a dose"),
    ],
)
def test_the_limit_of_a_dose(make: MakeJournal, ml: float, told: str | None) -> None:
    assert make(limits=DoseLimits(dose=5.0)).against(ml) == told


def test_the_limits_of_an_hour_and_a_day_say_what_is_left(make: MakeJournal, clock: FakeClock) -> None:
    journal = make(limits=DoseLimits(hour=10.0, day=12.0))
    journal.begin("a", "dose", 8.0)
    assert journal.against(2.0) is None
    assert journal.against(3.0) == "3 ml is more than the 2 ml left of 10 ml within any hour"
    clock.advance(3601)
    assert journal.against(4.0) is None
    assert journal.against(5.0) == "5 ml is more than the 4 ml left of 12 ml within any day"


def test_after_a_reboot_ages_are_told_by_the_wall_clock(make: MakeJournal, clock: FakeClock) -> None:
    make().begin("a", "dose", 8.0)
    clock.ahead_us += 2 * 3600 * 1_000_000
    clock.now_ns = 5 * SECOND
    clock.ahead_us = START_US + 2 * 3600 * 1_000_000
    assert make("boot2").dosed() == Dosed(0.0, 8.0, 8.0)


def test_after_a_reboot_without_known_time_a_dose_counts_as_if_it_had_been_just_before(
    make: MakeJournal, clock: FakeClock
) -> None:
    make(known=False).begin("a", "dose", 8.0)
    clock.now_ns = 5 * SECOND
    after = make("boot2", known=False)
    assert after.dosed().hour == 8.0
    clock.now_ns = 3601 * SECOND
    assert after.dosed() == Dosed(0.0, 8.0, 8.0)


def test_old_acts_are_forgotten_but_not_the_total(make: MakeJournal, path: Path, clock: FakeClock) -> None:
    journal = make()
    journal.begin("old", "dose", 8.0)
    journal.end("old", "done", "", {}, 8.0)
    clock.advance(REMEMBERED + 1)
    journal.begin("new", "dose", 1.0)
    journal._lines = MOST_LINES
    journal.begin("newest", "dose", 1.0)
    assert journal.known("old") is None
    assert journal.dosed() == Dosed(2.0, 2.0, 10.0)
    assert len(path.read_bytes().splitlines()) == 2


def test_what_cannot_be_written_may_not_begin(make: MakeJournal, path: Path) -> None:
    journal = make()
    journal.begin("a1", "dose", 1.0)
    path.unlink()
    path.mkdir()
    with pytest.raises(OSError, match="directory"):
        journal.begin("a2", "dose", 1.0)
    assert journal.known("a2") is None
    with pytest.raises(OSError, match="directory"):
        journal.end("a1", "done", "", {}, 1.0)
    entry = journal.known("a1")
    assert entry is not None
    assert entry.state == "done"


@pytest.mark.parametrize("written", [0, 1, 40])
def test_a_line_that_a_full_disk_cut_off_spoils_none_behind_it(
    make: MakeJournal, path: Path, written: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = make()
    journal.begin("a1", "dose", 1.0)
    room = path.stat().st_size + written

    def full(descriptor: int) -> None:
        os.ftruncate(descriptor, room)
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(os, "fdatasync", full)
        with pytest.raises(OSError, match="No space"):
            journal.end("a1", "done", "", {}, 1.0)
        with pytest.raises(OSError, match="No space"):
            journal.begin("a2", "dose", 1.0)
    journal.begin("a3", "dose", 1.0)
    after = make()
    assert {act: entry.state for act in ("a1", "a2", "a3") if (entry := after.known(act))} == {
        "a1": "done",
        "a3": "unknown",
    }
