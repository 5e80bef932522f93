"""When the reactor is started again."""

import pytest

from deploy.restarts import FIRST, LONGEST, STEADY, Restarts


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
