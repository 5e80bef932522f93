from hypothesis import given
from hypothesis import strategies as st

from actors.schedule import Due, Grid, Schedule
from actors.ticker import SECOND

ORIGIN = 7 * SECOND


def test_the_first_tick_is_read_and_kept_at_once() -> None:
    assert Schedule(ORIGIN, 5, 600).due(ORIGIN) == Due(read=True, sample=True, missed=0)


def test_live_ticks_between_samples_are_not_kept() -> None:
    schedule = Schedule(ORIGIN, 5, 600)
    schedule.handled(ORIGIN)
    assert schedule.next_ns == ORIGIN + 5 * SECOND
    assert schedule.due(ORIGIN + 5 * SECOND - 1) == Due(read=False, sample=False, missed=0)
    assert schedule.due(ORIGIN + 5 * SECOND) == Due(read=True, sample=False, missed=0)


def test_ticks_of_both_grids_are_one_read() -> None:
    schedule = Schedule(ORIGIN, 5, 10)
    for expected in (True, False, True, False):
        now = schedule.next_ns
        assert schedule.due(now) == Due(read=True, sample=expected, missed=0)
        schedule.handled(now)


def test_samples_may_come_more_often_than_live() -> None:
    schedule = Schedule(ORIGIN, 10, 2)
    schedule.handled(ORIGIN)
    assert schedule.next_ns == ORIGIN + 2 * SECOND


def test_a_late_tick_is_no_missed_one_and_the_grid_does_not_shift() -> None:
    schedule = Schedule(ORIGIN, 5, 5)
    schedule.handled(ORIGIN)
    late = ORIGIN + 9 * SECOND
    assert schedule.due(late) == Due(read=True, sample=True, missed=0)
    schedule.handled(late)
    assert schedule.next_ns == ORIGIN + 10 * SECOND


def test_missed_samples_are_counted_and_a_tick_that_was_not_handled_is_due_again() -> None:
    schedule = Schedule(ORIGIN, 5, 5)
    schedule.handled(ORIGIN)
    now = ORIGIN + 21 * SECOND
    assert schedule.due(now).missed == 3
    assert schedule.due(now).missed == 3
    schedule.handled(now)
    assert schedule.due(now) == Due(read=False, sample=False, missed=0)


@given(st.integers(1, 100), st.lists(st.integers(0, 400), max_size=50))
def test_handled_ticks_and_missed_ones_are_all_ticks(interval: int, steps: list[int]) -> None:
    grid = Grid(ORIGIN, interval)
    now, counted = ORIGIN, 0
    for step in steps:
        now += step
        counted += grid.due(now)
        grid.handled(now)
        assert now < grid.next_ns <= now + interval
    assert counted == ((now - ORIGIN) // interval + 1 if steps else 0)
