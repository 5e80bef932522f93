"""The timers that DESIGN.md names, at 5 s and in proportion."""

import random

import pytest

from transport.liveness import back_off, jittered, life_of, lost_after


@pytest.mark.parametrize(
    ("silence", "life"), [(0, "ok"), (11.9, "ok"), (12.0, "stale"), (16.9, "stale"), (17.0, "lost"), (1e6, "lost")]
)
def test_a_silent_peer_goes_stale_and_is_lost(silence: float, life: str) -> None:
    assert life_of(silence, 5.0) == life


def test_other_intervals_keep_the_proportion() -> None:
    assert lost_after(5.0) == 17.0
    assert lost_after(60.0) == 182.0


def test_intervals_are_spread_by_a_tenth() -> None:
    source = random.Random(1)
    spread = [jittered(5.0, source) for _ in range(1000)]
    assert 4.5 <= min(spread) < 4.6
    assert 5.4 < max(spread) <= 5.5


@pytest.mark.parametrize(("failures", "most"), [(1, 1), (2, 2), (3, 4), (4, 8), (5, 16), (6, 30), (7, 30), (10**6, 30)])
def test_back_off_doubles_up_to_half_a_minute_with_full_jitter(failures: int, most: float) -> None:
    source = random.Random(1)
    waits = [back_off(failures, source) for _ in range(1000)]
    assert 0 <= min(waits) < most * 0.01
    assert most * 0.99 < max(waits) <= most
