"""The referee itself: it sees what is lost, doubled, changed or silently missing, and allows what it may."""

from collections.abc import Sequence

import pytest

from hardware.vessel.journal import Entry
from tests.system.checker import Blurred, Delivery, Missed, Quantity, Tick, compare, deliveries, missed, silent_ticks

SECOND = 1_000_000_000
PH = (Quantity("ph", 0.0, 14.0),)
AIR = (Quantity("humidity", 0.0, 100.0), Quantity("dew_point", -100.0, 125.0))


def delivered(*values: float) -> list[Delivery]:
    """One a second, from second 0."""
    return [Delivery(number * SECOND, (value,)) for number, value in enumerate(values)]


def rows(*values: float | None) -> list[Tick]:
    return [Tick(number * 1_000_000, None if value is None else (value,)) for number, value in enumerate(values)]


def test_equal_is_well() -> None:
    assert compare(delivered(7.0, 7.1), rows(7.0, 7.1), []) == []


def test_a_failed_read_is_a_row_without_a_delivery() -> None:
    assert compare(delivered(7.0, 7.1), rows(7.0, None, 7.1), []) == []


@pytest.mark.parametrize("stored", [(7.0, 7.2), (7.0, 7.1), (7.0, 7.1, 7.1, 7.2), (7.0, 7.9, 7.2), (7.1, 7.0, 7.2)])
def test_lost_doubled_changed_and_swapped_are_seen(stored: Sequence[float]) -> None:
    assert compare(delivered(7.0, 7.1, 7.2), rows(*stored), []) != []


@pytest.mark.parametrize("stored", [(7.0, 7.1, 7.2), (7.0, 7.2)])
def test_the_last_reading_before_a_kill_may_be_missing(stored: Sequence[float]) -> None:
    assert compare(delivered(7.0, 7.1, 7.2), rows(*stored), [SECOND + 1]) == []


@pytest.mark.parametrize("stored", [(7.1, 7.2), (7.0, 7.1), (7.2,)])
def test_no_other_may(stored: Sequence[float]) -> None:
    assert compare(delivered(7.0, 7.1, 7.2), rows(*stored), [SECOND + 1]) != []


def test_a_reading_that_was_complete_may_not() -> None:
    history = [
        *delivered(7.0, 7.1),
        Delivery(2 * SECOND, ()),
        *delivered(*range(6))[3:],
    ]  # killed between ask and answer
    assert compare(history, rows(7.0, 7.1, 3, 4, 5), [2 * SECOND + 1]) == []
    assert compare(history, rows(7.0, 3, 4, 5), [2 * SECOND + 1]) != []


def test_what_came_too_late_may_be_missing_and_nothing_beside_it() -> None:
    history = [*delivered(7.0), Delivery(SECOND, (7.1,), late=True), *delivered(*range(4))[2:]]
    assert compare(history, rows(7.0, 7.1, 2, 3), []) == []
    assert compare(history, rows(7.0, None, 2, 3), []) == []
    assert compare(history, rows(7.0, 3), []) != []


def test_one_may_be_missing_at_each_kill() -> None:
    history = delivered(7.0, 7.0, 7.0, 7.1)
    assert compare(history, rows(7.0, 7.1), [1, SECOND + 1]) == []
    assert compare(history, rows(7.1), [1, SECOND + 1]) != []


def test_what_comes_later_is_not_looked_at() -> None:
    history = delivered(7.0, 7.1, 7.2)
    assert compare(history, rows(7.0, 7.1), [], until_ns=SECOND) == []
    assert compare(history, rows(7.0, 7.1, 7.2), [], until_ns=SECOND) == []
    assert compare(history, rows(7.0), [], until_ns=SECOND) != []


BLURRED = Blurred([(SECOND, 2 * SECOND)], 0)


@pytest.mark.parametrize("stored", [(7.0, 7.1, 7.2, 7.3), (7.0, 7.3), (7.0, 9.9, 7.2, 7.3)])
def test_while_the_vessel_is_disturbed_both_sides_may_differ(stored: Sequence[float]) -> None:
    kept = [Tick(us, (value,)) for us, value in zip((0, 1_000_000, 1_500_000, 3_000_000), stored, strict=False)]
    kept[-1] = Tick(3_000_000, kept[-1].values)
    assert compare(delivered(7.0, 7.1, 7.2, 7.3), kept, [], blurred=BLURRED) == []


@pytest.mark.parametrize("stored", [(7.1, 7.2, 7.3), (7.0, 7.1, 7.2), (7.0, 7.1, 7.2, 9.9)])
def test_before_and_after_they_may_not(stored: Sequence[float]) -> None:
    assert compare(delivered(7.0, 7.1, 7.2, 7.3), rows(*stored), [], blurred=BLURRED) != []


def test_many_kills_take_no_longer() -> None:
    history = delivered(*range(2000))
    ends = range(SECOND + 1, 1500 * SECOND, 3 * SECOND)
    assert compare(history, rows(*(value for value in range(2000) if value % 3 != 1)), ends) != []  # after the last end
    assert compare(history[:1500], rows(*(value for value in range(1500) if value % 3 != 1)), ends) == []


def entry(do: str, command: str, answer: str = "", *, ns: int = 0, reading: bool = False) -> Entry:
    return Entry(ns, 0, "air", do, command, answer, reading=reading)


def test_a_journal_gives_the_readings_that_were_asked_for() -> None:
    journal = [
        entry("read", "C", "50.00,Dew,9.00\r", reading=True),  # said unasked
        entry("write", "R", ns=5),
        entry("read", "R"),  # still processing
        entry("read", "R", "51.00,Dew,9.10\r", reading=True),
        entry("write", "rt,25.00", ns=6),
        entry("read", "rt,25.00", "520.00,Dew,9.20\r", reading=True),  # physics excludes it
        entry("write", "Status", ns=7),
        entry("read", "Status", "?Status,P,5.0\r"),
        entry("write", "R", ns=8),
        entry("read", "R", "*WARM\r", reading=True),
    ]
    assert deliveries(journal, "air", AIR) == [Delivery(5, (51.0, 9.1)), Delivery(6, (None, 9.2)), Delivery(8, ())]
    assert deliveries(journal, "ph", PH) == []


def at(*seconds: float) -> list[Tick]:
    return [Tick(round(second * 1e6), (7.0,)) for second in seconds]


def test_every_tick_has_its_row() -> None:
    assert silent_ticks([0], at(0.1, 1.2, 2.9, 3.0), [], 1.0) == []


def test_a_tick_that_vanished_is_seen() -> None:
    ticks = at(0.1, 1.1, *(second + 0.1 for second in range(3, 10)))
    assert silent_ticks([0], ticks, [], 1.0) != []
    assert silent_ticks([0], ticks, [Missed(3_000_000, 1)], 1.0) == []


def test_a_row_too_many_is_seen() -> None:
    assert silent_ticks([0], at(0.1, 1.1, 1.2, 2.1, 3.1), [], 1.0) != []


def test_a_start_explains_what_is_missing_before_it() -> None:
    assert silent_ticks([0, 7_300_000], at(0.1, 1.1, 7.4, 8.4), [], 1.0) == []
    assert silent_ticks([7_300_000], at(0.1, 1.1, 7.4, 8.4), [], 1.0) != []


def test_events_that_own_up_are_read() -> None:
    events = [(5, "3 samples missed: nothing read at their time"), (6, "over after 3 s: no answer")]
    assert missed(events) == [Missed(5, 3)]
