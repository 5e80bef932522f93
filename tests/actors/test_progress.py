"""How late a reactor is, from what its actors say of themselves."""

import pytest

from actors.progress import LEAST_PATIENCE, Part, Progress, patience
from actors.ticker import SECOND

NOW = 1000 * SECOND


@pytest.fixture
def progress() -> Progress:
    return Progress("self")


def test_who_is_not_due_is_not_late(progress: Progress) -> None:
    assert progress.lateness(NOW) == (0.0, 0.0, 0.0)
    for part in Part:
        progress.expect(part, "one", NOW)
    assert progress.lateness(NOW) == (0.0, 0.0, 0.0)
    assert progress.lateness(NOW + SECOND // 2) == (0.5, 0.5, 0.5)


def test_one_sensor_that_hangs_is_no_reactor_that_hangs(progress: Progress) -> None:
    progress.expect(Part.SAMPLING, "ph", NOW - 60 * SECOND)
    progress.expect(Part.SAMPLING, "slow", NOW + 600 * SECOND)
    assert progress.lateness(NOW)[Part.SAMPLING] == 0.0
    assert progress.late(Part.SAMPLING, NOW) == {"ph": 60.0, "slow": 0.0}


def test_all_sensors_that_hang_are_and_the_reactors_own_proves_nothing(progress: Progress) -> None:
    progress.expect(Part.SAMPLING, "ph", NOW - 60 * SECOND)
    progress.expect(Part.SAMPLING, "rtd", NOW - 20 * SECOND)
    progress.expect(Part.SAMPLING, "self", NOW + SECOND)
    assert progress.lateness(NOW)[Part.SAMPLING] == 20.0


@pytest.mark.parametrize("part", [Part.OUTPUTS, Part.LINK])
def test_one_output_that_nobody_looks_after_is_too_much(progress: Progress, part: Part) -> None:
    progress.expect(part, "heater", NOW - 20 * SECOND)
    progress.expect(part, "light", NOW + SECOND)
    assert progress.lateness(NOW)[part] == 20.0
    progress.expect(part, "heater", NOW + SECOND)
    assert progress.lateness(NOW)[part] == 0.0


def test_who_has_ended_is_expected_no_more(progress: Progress) -> None:
    progress.expect(Part.OUTPUTS, "heater", NOW - 20 * SECOND)
    progress.forget(Part.OUTPUTS, "heater")
    progress.forget(Part.OUTPUTS, "heater")
    assert progress.lateness(NOW)[Part.OUTPUTS] == 0.0


def test_patience_is_three_of_the_longest_operations_and_ten_seconds_at_least() -> None:
    assert patience([], 1.0) == patience([1.0, 2.0], 50.0) == LEAST_PATIENCE
    assert patience([1.0, 5.0], 1.0) == patience([5.0], 50.0) == 15.0
    assert patience([5.0], 0.1) == pytest.approx(150.0)
