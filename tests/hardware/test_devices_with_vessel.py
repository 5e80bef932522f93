"""The devices' drivers against the vessel's outputs, an independent second reading of the same data sheets."""

import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from threading import Event, Thread

import pytest

from hardware.buses import Buses
from hardware.clock import SystemClock
from hardware.device import DeviceDriver, Value
from hardware.driver import Wiring
from hardware.drivers.ezo_pmp import EzoPmp
from hardware.drivers.pca9685 import Pca9685
from hardware.drivers.pump import Pump
from hardware.drivers.pwm import Pwm
from hardware.drivers.switch import Switch
from hardware.errors import BusError, HardwareError, NoAnswer, Refused
from hardware.vessel.circuits.parts import CircuitConfig
from hardware.vessel.client import VesselControl
from hardware.vessel.config import Running, VesselConfig
from hardware.vessel.outputs import OutputConfig
from hardware.vessel.server import Server

PACE = 100.0
WITHIN = 5.0  # s of real time until the tank follows an output
OUTPUTS = (
    OutputConfig("heater", "pca9685", 3, "heater", 60.0),
    OutputConfig("stirrer", "pca9685", 4, "stirrer", 10.0),
    OutputConfig("light", "pwm", 1, "light", 40.0),
    OutputConfig("air", "gpio", 17, "air", 1e-4, active_low=True),
    OutputConfig("nutrients", "gpio", 18, "nutrients", 1e-6),
)
CIRCUITS = (
    CircuitConfig("acid", "pmp", "i2c", 103, drives="acid"),
    CircuitConfig("base", "pmp", "uart", 1, drives="base", capitals=True),
)
ON: Mapping[str, Value] = {"on": True, "duty": 75.0, "frequency": 500.0, "flow": 1.0}


class Stage:
    """A vessel with something on each kind of output, and two dosing pumps."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = SystemClock(PACE)
        self.buses = Buses()
        self.start()

    def start(self) -> None:
        self._server = Server(VesselConfig(self.folder, CIRCUITS, OUTPUTS, running=Running(pace=PACE)), SystemClock())
        self._stop = Event()
        self._thread = Thread(target=self._server.run, args=(self._stop,))
        self._thread.start()
        self.control = VesselControl(self.folder / "control.sock")
        self.clock.sleep(2.0)  # circuits start

    def stop(self) -> None:
        self.control.close()
        self._stop.set()
        self._thread.join()
        self._server.close()

    def make(self, driver: Callable[[Wiring], DeviceDriver], address: str, **options: object) -> DeviceDriver:
        """Make and open a driver of something in the vessel's folder."""
        made = driver(Wiring(f"{self.folder}/{address}", self.buses, self.clock, options))
        made.open()
        return made

    def shows(self, actuator: str, amount: float) -> bool:
        """Wait until the tank follows."""
        deadline = time.monotonic() + WITHIN
        while time.monotonic() < deadline:
            actuators = self.control.state()["actuators"]
            assert isinstance(actuators, dict)
            if actuators[actuator] == pytest.approx(amount, rel=0.001):
                return True
        return False


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    made = Stage(tmp_path)
    yield made
    made.buses.close()
    made.stop()


CASES: Mapping[str, tuple[Callable[[Wiring], DeviceDriver], str, str, float, Mapping[str, object]]] = {
    "pca9685": (Pca9685, "i2c.sock:0x40:3", "heater", 45.0, {}),
    "pwm": (Pwm, "pwmchip0:1", "light", 30.0, {}),
    "switch": (Switch, "gpio.sock:17", "air", 1e-4, {"active_low": True}),
    "pump-gpio": (Pump, "gpio.sock:18", "nutrients", 1e-6, {"output": "gpio"}),
    "pump-pwm": (Pump, "pwmchip0:1", "light", 30.0, {"output": "pwm"}),
    "pump-pca9685": (Pump, "i2c.sock:64:4", "stirrer", 7.5, {"output": "pca9685"}),
}


@pytest.mark.parametrize("case", CASES)
def test_the_tank_follows_a_device(stage: Stage, case: str) -> None:
    kind, address, actuator, amount, options = CASES[case]
    device = stage.make(kind, address, **options)
    assert stage.shows(actuator, 0.0)
    device.apply(ON)
    assert stage.shows(actuator, amount)
    assert device.read_back()["on"] is True
    device.make_safe()
    assert stage.shows(actuator, 0.0)
    assert device.read_back() == {"on": False}
    device.close()


@pytest.mark.parametrize("case", CASES)
def test_a_vessel_that_starts_again_is_found_again(stage: Stage, case: str) -> None:
    kind, address, actuator, amount, options = CASES[case]
    device = stage.make(kind, address, **options)
    device.apply(ON)
    stage.stop()
    if "pwm" not in case:  # files stay
        with pytest.raises(BusError):
            device.apply(ON)
    stage.start()
    device.open()
    device.apply(ON)
    assert stage.shows(actuator, amount)
    device.close()


def test_two_channels_want_two_frequencies(stage: Stage) -> None:
    heater, stirrer = (stage.make(Pca9685, f"i2c.sock:0x40:{channel}") for channel in (3, 4))
    heater.apply(ON)
    with pytest.raises(Refused, match="serves channel 3"):
        stirrer.apply({**ON, "frequency": 100.0})
    stirrer.apply(ON)
    assert stirrer.read_back()["frequency"] == pytest.approx(500.0, rel=0.02)


def test_a_line_has_one_owner(stage: Stage) -> None:
    first = stage.make(Switch, "gpio.sock:17", active_low=True)
    with pytest.raises(BusError, match="used by another program"):
        stage.make(Switch, "gpio.sock:17", active_low=True)
    first.close()
    stage.make(Switch, "gpio.sock:17", active_low=True).close()


def test_a_chip_that_is_cut_off(stage: Stage) -> None:
    heater = stage.make(Pca9685, "i2c.sock:0x40:3")
    stage.control.fault("pca9685-0x40", "absent")
    with pytest.raises(NoAnswer):
        heater.apply(ON)
    stage.control.clear()
    heater.apply(ON)
    assert stage.shows("heater", 45.0)


PUMPS = pytest.mark.parametrize(("address", "actuator"), [("i2c.sock:103", "acid"), ("uart-base", "base")])


@PUMPS
def test_a_dose_is_counted(stage: Stage, address: str, actuator: str) -> None:
    pump = stage.make(EzoPmp, address)
    before = pump.read_back()
    pump.act("dose", {"volume": 10.0})
    deadline = time.monotonic() + WITHIN
    while pump.read_back()["running"] and time.monotonic() < deadline:
        pass
    after = pump.read_back()
    assert after["running"] is False
    assert after["dispensed"] == pytest.approx(10.0, abs=0.05)
    assert float(after["total"]) - float(before["total"]) == pytest.approx(10.0, abs=0.05)
    assert stage.shows(actuator, 0.0)


@PUMPS
def test_a_dose_is_stopped_in_its_middle(stage: Stage, address: str, actuator: str) -> None:
    pump = stage.make(EzoPmp, address)
    pump.act("dose_over_time", {"volume": 1000.0, "duration": 1000.0})
    assert pump.read_back()["running"] is True
    assert 0.0 < float(pump.act("stop", {})["dispensed"]) < 1000.0
    assert pump.read_back()["running"] is False
    assert stage.shows(actuator, 0.0)


@PUMPS
def test_a_pump_turns_round_and_back(stage: Stage, address: str, actuator: str) -> None:
    pump = stage.make(EzoPmp, address)
    for inverted in (True, True, False):
        pump.apply({"inverted": inverted})
        assert pump.read_back()["inverted"] is inverted
    assert stage.shows(actuator, 0.0)


@PUMPS
def test_every_act_of_a_pump(stage: Stage, address: str, actuator: str) -> None:
    pump = stage.make(EzoPmp, address)
    for act in pump.descriptor.acts:
        low = {each.name: max(each.low, 1.0) for each in act.arguments}
        try:
            pump.act(act.name, low)
        except Refused:
            assert act.name == "calibrate"  # no tube explains 1 ml for a dose that had just begun
        pump.make_safe()
    assert stage.shows(actuator, 0.0)


def test_too_fast_a_dose_is_refused(stage: Stage) -> None:
    pump = stage.make(EzoPmp, "uart-base")
    with pytest.raises(Refused, match="TOOFAST"):
        pump.act("dose_over_time", {"volume": 10_000.0, "duration": 1.0})
    assert pump.read_back()["running"] is False


@PUMPS
def test_a_pump_that_falls_silent(stage: Stage, address: str, actuator: str) -> None:
    pump = stage.make(EzoPmp, address)
    stage.control.fault(actuator, "absent")
    if address.startswith("i2c"):
        with pytest.raises(HardwareError):
            pump.read_back()
    stage.control.clear()
    pump.open()
    assert pump.read_back()["running"] is False
