"""A reactor that hangs, in whole or in part, and a guard that dies meanwhile: what the vessel's journal says of it."""

import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.progress import LEAST_PATIENCE
from tests.system.guarded import CLOCK, SWITCHED, Guarded, is_gone, running, wait_for

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]

REACTOR = """
name = "tank"
live_interval = 25  # 0.5 s at this pace
sample_interval = 50

[[sensors]]
name = "board"
driver = "host"
address = "host"

[[sensors]]
name = "stuck"
driver = "stuck-sensor"
address = "host"

[[devices]]
name = "heater"
driver = "pca9685"
address = "vessels/tank/i2c.sock:0x40:3"
settings = { on = true, duty = 50 }

[[devices]]
name = "light"
driver = "pwm"
address = "vessels/tank/pwmchip0:1"
settings = { on = true, duty = 50 }

[[devices]]
name = "air"
driver = "stuck-switch"
address = "vessels/tank/gpio.sock:17"
options = { active_low = true }
settings = { on = true }
"""

# They hang for as long as a file is there. A signal makes the main thread hang, as no driver should be able to.
DRIVERS = """
import signal, threading, time
from pathlib import Path
from hardware.driver import Descriptor, SensorDriver
from hardware.drivers.switch import Switch
from hardware.values import Quantity

HERE = Path(__file__).parent
if threading.current_thread() is threading.main_thread():
    def stand_still(*_):
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        threading.Event().wait()

    signal.signal(signal.SIGUSR1, stand_still)

def hang(file):
    while (HERE / file).exists():
        time.sleep(0.05)

class StuckSwitch(Switch):
    def read_back(self):
        hang("device-hangs")
        return super().read_back()

class StuckSensor(SensorDriver):
    descriptor = Descriptor("stuck-sensor", "Hangs", (Quantity("x", "1", 0, 1, 0),), ("none",), 1.0)

    def open(self):
        pass

    def read(self):
        hang("sensor-hangs")
        return {"x": 1.0}
"""


@pytest.fixture
def tank(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    made = Guarded(tmp_path, tmp_path_factory.getbasetemp() / "compiled")
    made.file.write_text(REACTOR)
    made.install(DRIVERS, **{"stuck-sensor": "StuckSensor", "stuck-switch": "StuckSwitch"})
    yield made
    made.close()


def test_a_reactor_that_stands_still_is_killed_and_made_safe_and_tells_of_it_when_it_is_back(tank: Guarded) -> None:
    tank.start()
    reactor = running(tank)
    stopped_ns = CLOCK.monotonic_ns()
    reactor.send_signal(signal.SIGSTOP)
    slowest = max(tank.seconds_to_safe(stopped_ns, *SWITCHED).values())
    assert LEAST_PATIENCE - 2 < slowest < LEAST_PATIENCE + 3
    assert is_gone(reactor)
    running(tank, reactor)
    wait_for(lambda: tank.events("guard"), "an event")
    (told,) = tank.events("guard")
    parts = "sampling and outputs and the link"
    assert re.fullmatch(
        rf"the reactor was killed after 1\d s without proof from {parts}, \d+ s after .*; outputs safe .*", told
    )
    print(f"\n{told}; {slowest:.1f} s after it stood still")  # noqa: T201 - a measurement


def test_a_sensor_that_hangs_is_shown_and_left_alone_and_a_device_that_hangs_is_not(tank: Guarded) -> None:
    tank.start()
    reactor = running(tank)
    sensor, device = tank.folder / "sensor-hangs", tank.folder / "device-hangs"
    sensor.touch()
    wait_for(lambda: any("hangs" in text for text in tank.events("fault")), "a word about the sensor")
    assert tank.reactor() == reactor
    assert tank.are_on(*SWITCHED)
    hangs_ns = CLOCK.monotonic_ns()
    device.touch()
    slowest = max(tank.seconds_to_safe(hangs_ns, *SWITCHED).values())
    assert LEAST_PATIENCE - 1 < slowest < LEAST_PATIENCE + 3
    assert tank.said("without proof from outputs, ")
    device.unlink()
    sensor.unlink()
    running(tank, reactor)


def test_a_guard_that_dies_is_noticed_although_the_main_thread_and_a_device_hang(tank: Guarded) -> None:
    tank.start()
    reactor = running(tank)
    (tank.folder / "device-hangs").touch()
    reactor.send_signal(signal.SIGUSR1)
    time.sleep(0.3)  # until they do
    killed_ns = CLOCK.monotonic_ns()
    os.kill(tank.pid, signal.SIGKILL)
    tank.wait()
    slowest = max(tank.seconds_to_safe(killed_ns, "heater", "light").values())
    assert slowest < 1.0
    wait_for(lambda: is_gone(reactor), "the reactor's end")
    tank.start()
    tank.seconds_to_safe(killed_ns, "air")  # its device hung, and a line is its process's own
    (tank.folder / "device-hangs").unlink()
    running(tank, reactor)


def test_safe_mode_and_the_boards_watchdog(tank: Guarded) -> None:
    board = tank.folder / "watchdog"
    os.mkfifo(board)
    meals = os.open(board, os.O_RDONLY | os.O_NONBLOCK)
    tank.start(SAFE_MODE_AFTER=2, WATCHDOG=board)
    reactor = running(tank)
    assert set(os.read(meals, 1000)) == {0}
    reactor.kill()
    reactor = running(tank, reactor)
    reactor.kill()
    wait_for(lambda: tank.reactor() not in {None, reactor}, "another reactor")
    wait_for(lambda: any("safe mode: 2 ends" in text for text in tank.events("fault")), "a word about safe mode")
    samples = len(tank.rows("samples"))
    wait_for(lambda: len(tank.rows("samples")) > samples, "samples in safe mode")
    assert not any(tank.levels()[name][1] for name in SWITCHED)
    (tank.state / "reactors" / "tank" / "safe-mode").unlink()
    running(tank)
    os.kill(tank.pid, signal.SIGTERM)
    assert tank.wait() == 0
    assert os.read(meals, 10_000)[-1:] == b"V"
    os.close(meals)
