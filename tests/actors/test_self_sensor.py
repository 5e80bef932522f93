from pathlib import Path
from typing import cast

import pytest

from actors.live import Around
from actors.safe_mode import SafeMode
from actors.self_sensor import SelfSensor
from hardware.buses import Buses
from hardware.driver import Wiring
from hardware.errors import HardwareError, Refused
from storage.spool import Spool, SpoolFull
from tests.actors.conftest import FakeClock, Kept
from transport.messages import Backlog

BACKLOG = Backlog(waiting=5, oldest=60.0, refused=1, dropped=2)


class FakeSpool:
    full = False

    def backlog(self) -> Backlog:
        if self.full:
            raise SpoolFull("disk full")
        return BACKLOG


@pytest.fixture
def spool() -> FakeSpool:
    return FakeSpool()


@pytest.fixture
def sensor(around: Around, clock: FakeClock, spool: FakeSpool) -> SelfSensor:
    return SelfSensor(Wiring("host", Buses(), clock), around, cast("Spool", spool))


def test_every_quantity_is_delivered_within_its_limits(sensor: SelfSensor, around: Around, clock: FakeClock) -> None:
    around.timebase.kernel(clock.monotonic_ns(), clock.wall_us())
    clock.advance(5)
    clock.step_wall(0.25)
    sensor.open()
    numbers = sensor.read()
    for quantity in sensor.quantities:
        assert quantity.low <= numbers[quantity.name] <= quantity.high
    assert numbers["waiting"] == 5
    assert numbers["oldest"] == 60
    assert numbers["clock_offset"] == 0.25
    assert 5 < numbers["memory"] < 1000


def test_the_backlog_is_left_for_the_status(sensor: SelfSensor, around: Around) -> None:
    sensor.read()
    assert around.vitals.backlog == BACKLOG


def test_the_offset_of_a_clock_that_is_not_known_is_left_out(sensor: SelfSensor) -> None:
    assert "clock_offset" not in sensor.read()


def test_a_spool_that_does_not_answer_is_a_failed_read(sensor: SelfSensor, spool: FakeSpool) -> None:
    spool.full = True
    with pytest.raises(HardwareError, match="disk full"):
        sensor.read()


@pytest.fixture
def safe_mode(around: Around, tmp_path: Path) -> Path:
    """In safe mode, by this file."""
    file = tmp_path / "safe-mode"
    file.write_text("5 ends within 10 min\n")
    object.__setattr__(around, "safe_mode", SafeMode(file))
    return file


@pytest.mark.parametrize("by_hand", [True, False])
def test_safe_mode_is_a_fault_until_a_person_leaves_it(
    sensor: SelfSensor, around: Around, safe_mode: Path, kept: Kept, by_hand: bool
) -> None:
    sensor.read()
    assert around.faults.current() == ["reactor: safe mode: 5 ends within 10 min"]
    if by_hand:
        safe_mode.unlink()
        sensor.read()
    else:
        assert sensor.act("leave_safe_mode", {}) == {}
        assert not safe_mode.exists()
    assert (around.safe_mode.reason, around.faults.current()) == ("", [])
    assert [event.text[:9] for event in kept.events] == ["safe mode", "over afte"]


def test_there_is_nothing_to_leave_otherwise(sensor: SelfSensor) -> None:
    with pytest.raises(Refused, match="not in safe mode"):
        sensor.act("leave_safe_mode", {})


def test_safe_mode_that_cannot_be_left_is_said(sensor: SelfSensor, around: Around, safe_mode: Path) -> None:
    safe_mode.unlink()
    safe_mode.mkdir()
    around.safe_mode.look()
    assert around.safe_mode.reason.endswith("Is a directory")
    with pytest.raises(Refused, match="cannot be left"):
        sensor.act("leave_safe_mode", {})
    assert around.safe_mode.reason
