"""One reactor with everything wrong at once: drivers of others that raise, block, flood and leak, and a bus that hangs.

The good sensor beside them goes on at its pace, and the good outputs stay as they are.
"""

import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from statistics import median

import msgspec
import pytest

from actors.progress import OPERATIONS
from storage.rows import Sample
from tests.system.guarded import Guarded, wait_for

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]
INTERVAL = 0.5  # seconds between two samples
LONGEST = 5.0  # seconds that an EZO driver declares for one operation
HUNG = OPERATIONS * LONGEST + 2.0  # seconds: more than the guard waits for a reactor that hangs
GOOD = ("light", "air")

SENSOR = """
[[sensors]]
name = "{name}"
driver = "{driver}"
address = "{address}"
live_interval = {interval}
sample_interval = {interval}
"""
REACTOR = """
name = "tank"

[[devices]]
name = "heater"
driver = "pca9685"
address = "vessels/tank/i2c.sock:0x40:3"
settings = { on = true, duty = 50 }

[[devices]]
name = "acid"
driver = "ezo-pmp"
address = "vessels/tank/i2c.sock:0x67"

[[devices]]
name = "light"
driver = "pwm"
address = "vessels/tank/pwmchip0:1"
settings = { on = true, duty = 50 }

[[devices]]
name = "air"
driver = "switch"
address = "vessels/tank/gpio.sock:17"
options = { active_low = true }
settings = { on = true }

[[devices]]
name = "broken"
driver = "broken"
address = "vessels/tank/gpio.sock:5"
"""
PROBES = [
    SENSOR.format(name=f"probe-{n}", driver="ezo-rtd", address=f"vessels/tank/i2c.sock:{n}", interval=1)
    for n in range(0x10, 0x18)
]
OTHERS = [
    SENSOR.format(name=name, driver=name, address="host", interval=0.05 if name == "floods" else INTERVAL)
    for name in ("good", "raises", "blocks", "floods", "leaks")
]

DRIVERS = """
import os, threading, time
from hardware.driver import Descriptor, SensorDriver
from hardware.drivers.switch import Switch
from hardware.values import Quantity

class Broken(Switch):
    def apply(self, settings): raise ZeroDivisionError

class Good(SensorDriver):
    descriptor = Descriptor("good", "Good", (Quantity("x", "1", 0, 1, 0),), ("none",), 1.0)
    leaked = []
    def open(self): pass
    def read(self): return {"x": 1.0}

class Raises(Good):
    def read(self): raise ZeroDivisionError

class Blocks(Good):
    def read(self): threading.Event().wait()

class Floods(Good):
    def read(self): return {str(number): float(number) for number in range(20_000)}

class Leaks(Good):
    def read(self):
        self.leaked += [bytearray(100_000), os.open("/dev/null", os.O_RDONLY)]
        threading.Thread(target=threading.Event().wait, daemon=True).start()
        return {"x": 1.0}
"""


@pytest.fixture
def tank(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    made = Guarded(tmp_path, tmp_path_factory.getbasetemp() / "compiled")
    made.file.write_text(REACTOR + "".join([*PROBES, *OTHERS]))
    made.install(
        DRIVERS, good="Good", raises="Raises", blocks="Blocks", floods="Floods", leaks="Leaks", broken="Broken"
    )
    yield made
    made.close()


def good(tank: Guarded) -> list[int]:
    """When the good sensor's samples were taken."""
    samples = (msgspec.json.decode(body, type=Sample) for body in tank.rows("samples"))
    return [one.taken_ns for one in samples if one.sensor == "good"]


def test_the_others_go_on_at_their_pace(tank: Guarded) -> None:
    tank.start(pace=1.0)
    wait_for(lambda: tank.reactor() is not None and tank.are_on("heater", *GOOD), "a reactor with its outputs on")
    reactor = tank.reactor()
    with tank.control() as control:
        control.fault("bus", "hang")
        time.sleep(HUNG)
        assert tank.reactor() == reactor
        assert tank.are_on(*GOOD)
        taken = good(tank)
        control.clear()
    gaps = [(after - before) / 1e9 for before, after in pairwise(taken)]
    print(f"\n{len(gaps)} gaps, median {median(gaps):.4f} s, longest {max(gaps):.3f} s")  # noqa: T201 - a measurement
    assert len(gaps) >= (HUNG - 2.0) / INTERVAL
    assert median(abs(gap - INTERVAL) for gap in gaps) < 0.1 * INTERVAL
    assert max(gaps) < 3 * INTERVAL
    faults = tank.events("fault")
    assert any(text.startswith("died and is started again: ZeroDivisionError") for text in faults)
    assert any(text.startswith("hangs, and should have come round") for text in faults)
    assert any("x was not delivered" in text for text in faults)
    assert any("I2C bus" in text for text in faults)
    wait_for(lambda: tank.said("heater") or tank.are_on("heater"), "a heater that is on again")
