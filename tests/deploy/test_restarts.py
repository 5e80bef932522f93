"""When the reactor is started again."""

import pytest

from deploy.restarts import FIRST, LONGEST, STEADY, Failures, Restarts


def test_each_end_makes_the_next_start_later_up_to_a_limit() -> None:
    restarts = Restarts()
    assert [restarts.after(0.5) for _ in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]


def test_a_steady_run_is_forgiven_everything() -> None:
    restarts = Restarts()
    for _ in range(10):
        restarts.after(STEADY - 0.1)
    assert restarts.after(STEADY) == FIRST
    assert restarts.after(0.0) == 2 * FIRST


@pytest.mark.parametrize("pace", [0.5, 100.0])
def test_pace_shortens_delays_and_what_is_steady(pace: float) -> None:
    restarts = Restarts(pace)
    delays = [restarts.after(0.9 * STEADY / pace) for _ in range(10)]
    assert delays[0] == FIRST / pace
    assert delays[-1] == LONGEST / pace
    assert restarts.after(STEADY / pace) == FIRST / pace


def test_so_many_ends_within_ten_minutes_are_too_many() -> None:
    failures = Failures(3)
    assert [failures.add(second) for second in (0.0, 300.0, 599.0)] == [False, False, True]
    assert [failures.add(second) for second in (600.0, 601.0, 1300.0, 1301.0, 1302.0)] == [
        False,
        False,
        False,
        False,
        True,
    ]


def test_pace_shortens_the_time_in_which_they_count() -> None:
    failures = Failures(2, pace=10.0)
    assert [failures.add(second) for second in (0.0, 60.0, 119.0)] == [False, False, True]
