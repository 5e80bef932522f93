from typing import cast

import pytest

from actors.live import Around
from actors.self_sensor import SelfSensor
from hardware.buses import Buses
from hardware.driver import Wiring
from hardware.errors import HardwareError
from storage.spool import Spool, SpoolFull
from tests.actors.conftest import FakeClock
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
