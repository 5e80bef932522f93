"""The drivers against the vessel's circuits, an independent second implementation of the protocol, at a fast pace."""

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from threading import Event, Thread

import pytest

from hardware.buses import Buses
from hardware.clock import SystemClock
from hardware.driver import SensorDriver, Wiring
from hardware.drivers.ezo_co2 import EzoCo2
from hardware.drivers.ezo_do import EzoDo
from hardware.drivers.ezo_ec import EzoEc
from hardware.drivers.ezo_flo import EzoFlo
from hardware.drivers.ezo_hum import EzoHum
from hardware.drivers.ezo_o2 import EzoO2
from hardware.drivers.ezo_orp import EzoOrp
from hardware.drivers.ezo_ph import EzoPh
from hardware.drivers.ezo_prs import EzoPrs
from hardware.drivers.ezo_rtd import EzoRtd
from hardware.errors import BadAnswer, BusError, HardwareError, NoAnswer
from hardware.ezo import commands, uart
from hardware.ezo.sensor import EzoSensor
from hardware.values import Quality, judge
from hardware.vessel.circuits import KINDS
from hardware.vessel.circuits.parts import CircuitConfig
from hardware.vessel.client import VesselControl
from hardware.vessel.config import Running, VesselConfig
from hardware.vessel.server import Server

PACE = 100.0
WARM_UP = 11.0  # s, of CO2
BOOT = 2.0  # s, of the others
DRIVERS: Sequence[type[EzoSensor]] = (
    EzoPh, EzoOrp, EzoDo, EzoEc, EzoRtd, EzoHum, EzoCo2, EzoO2, EzoPrs, EzoFlo,
)  # fmt: skip
WITHIN = 20.0  # s of real time
WIRES = pytest.mark.parametrize("wire", ["i2c", "uart"])


class Stage:
    """A vessel with all ten kinds twice: `ph` on I2C and `ph-uart` on a line of its own, and so on."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = SystemClock(PACE)
        self.buses = Buses()
        self._stop = Event()
        self.start()

    def start(self) -> None:
        circuits = [CircuitConfig(kind, kind, "i2c", KINDS[kind].data.address) for kind in KINDS]
        circuits += [CircuitConfig(f"{kind}-uart", kind, "uart", 1, capitals=True) for kind in KINDS]
        self._server = Server(VesselConfig(self.folder, tuple(circuits), running=Running(pace=PACE)), SystemClock())
        self._stop.clear()
        self._thread = Thread(target=self._server.run, args=(self._stop,))
        self._thread.start()
        self.control = VesselControl(self.folder / "control.sock")

    def stop(self) -> None:
        self.control.close()
        self._stop.set()
        self._thread.join()
        self._server.close()

    def driver(self, kind: type[EzoSensor], wire: str, **options: object) -> SensorDriver:
        """A driver for the circuit of its kind; it is not opened."""
        address = f"{self.folder}/i2c.sock:{KINDS[kind.kind.lower()].data.address}"
        if wire == "uart":
            address = f"{self.folder}/uart-{self.name(kind, wire)}"
        return kind(Wiring(address, self.buses, self.clock, options))

    @staticmethod
    def name(kind: type[EzoSensor], wire: str) -> str:
        return kind.kind.lower() + ("-uart" if wire == "uart" else "")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    stage = Stage(tmp_path_factory.mktemp("vessel"))
    stage.clock.sleep(WARM_UP)
    yield stage
    stage.buses.close()
    stage.stop()


@pytest.fixture
def stage(shared: Stage) -> Iterator[Stage]:
    yield shared
    shared.control.clear()


def plausible(driver: SensorDriver, values: Mapping[str, float]) -> bool:
    return list(values) == [quantity.name for quantity in driver.quantities] and all(
        judge(quantity, values[quantity.name], 0).quality is Quality.OK for quantity in driver.quantities
    )


def read_at_last(driver: SensorDriver) -> Mapping[str, float]:
    """Read as soon as the circuit has started again: on a busy machine nobody knows when."""
    deadline = time.monotonic() + WITHIN
    while True:
        try:
            return driver.read()
        except NoAnswer:
            assert time.monotonic() < deadline


@WIRES
@pytest.mark.parametrize("kind", DRIVERS, ids=lambda kind: kind.kind)
def test_opens_and_reads(stage: Stage, kind: type[EzoSensor], wire: str) -> None:
    driver = stage.driver(kind, wire)
    driver.open()
    assert plausible(driver, driver.read())
    for compensation in kind.compensations:
        driver.compensate(compensation.name, 30.0)
    assert plausible(driver, driver.read())


@pytest.mark.parametrize("kind", [EzoEc, EzoRtd], ids=lambda kind: kind.kind)
@pytest.mark.parametrize("fault", ["absent", "silent", "garbage"])
def test_fails_and_comes_back(stage: Stage, kind: type[EzoSensor], fault: str) -> None:
    driver = stage.driver(kind, "i2c")
    driver.open()
    stage.control.fault(stage.name(kind, "i2c"), fault)
    with pytest.raises(HardwareError):
        driver.read()
    stage.control.clear()
    driver.open()
    assert plausible(driver, driver.read())


@pytest.mark.parametrize("fault", ["absent", "silent", "garbage", "cut"])
def test_uart_fails_and_comes_back(stage: Stage, fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    driver = stage.driver(EzoPh, "uart")
    driver.open()
    stage.control.fault("ph-uart", fault)
    with monkeypatch.context() as patch:
        patch.setattr(uart, "PATIENCE", -0.7)  # it waits in real time: 0.2 s are twenty of the vessel's
        with pytest.raises(HardwareError):
            driver.read()
    stage.control.clear()
    driver.open()
    assert plausible(driver, driver.read())


@WIRES
def test_commands(stage: Stage, wire: str) -> None:
    driver = stage.driver(EzoPh, wire)
    driver.open()
    assert isinstance(driver, EzoPh)
    circuit = driver.circuit
    assert commands.information(circuit).kind == "PH"
    assert commands.status(circuit).volts == 5.038
    commands.set_led(circuit, on=False)
    assert not commands.led(circuit)
    commands.find(circuit)
    commands.set_name(circuit, "tank-1")
    assert commands.name(circuit) == "tank-1"
    commands.calibrate(circuit, "mid", 7.0)
    commands.calibrate(circuit, "low", 4.0)
    assert commands.calibration_points(circuit) == 2
    assert commands.slope(circuit).offset is not None
    commands.clear_calibration(circuit)
    assert commands.calibration_points(circuit) == 0
    commands.set_temperature(circuit, 19.5)
    assert commands.temperature(circuit) == 19.5


@WIRES
@pytest.mark.parametrize("kind", DRIVERS, ids=lambda kind: kind.kind)
def test_every_act(stage: Stage, kind: type[EzoSensor], wire: str) -> None:
    driver = stage.driver(kind, wire)
    driver.open()
    for act in driver.descriptor.acts:
        said = driver.act(act.name, {each.name: 0.5 * (max(each.low, 0.0) + each.high) for each in act.arguments})
        if act.name == "clear_calibration":
            assert said["points"] == 0
        elif act.name.startswith("calibrate"):
            assert isinstance(said["points"], int)
    stage.clock.sleep(WARM_UP if kind is EzoCo2 else BOOT)
    assert plausible(driver, read_at_last(driver))  # it was reset last, and is set up again


@WIRES
def test_compensation_is_renewed_after_a_restart(stage: Stage, wire: str) -> None:
    driver = stage.driver(EzoDo, wire)
    assert isinstance(driver, EzoDo)
    driver.open()
    for quantity, value in (("temperature", 12.0), ("salinity", 35.0), ("pressure", 90.0)):
        driver.compensate(quantity, value)
    before = driver.read()
    stage.control.restart(stage.name(EzoDo, wire))
    after = read_at_last(driver)
    assert after == pytest.approx(before, rel=0.02)
    assert commands.temperature(driver.circuit) == 12.0
    assert commands.salinity(driver.circuit) == commands.Salinity(35.0, "ppt")
    assert commands.pressure(driver.circuit) == 90.0


def test_ten_circuits_on_one_bus_at_once(stage: Stage) -> None:
    drivers = [stage.driver(kind, "i2c") for kind in DRIVERS]
    for driver in drivers:
        driver.open()
    readings: list[Mapping[str, float]] = []
    threads = [Thread(target=lambda driver=driver: readings.append(driver.read())) for driver in drivers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {name for values in readings for name in values} == {
        quantity.name for driver in drivers for quantity in driver.quantities
    }


@WIRES
@pytest.mark.parametrize(
    ("kind", "fault", "error"),
    [
        (EzoRtd, "disconnected", BadAnswer),
        (EzoPh, "slow", None),
        (EzoEc, "stray", None),
        (EzoEc, "top-bit", None),
    ],
)
def test_faults(stage: Stage, wire: str, kind: type[EzoSensor], fault: str, error: type[HardwareError] | None) -> None:
    driver = stage.driver(kind, wire)
    driver.open()
    stage.control.fault(stage.name(kind, wire), fault)
    if error is None:
        assert plausible(driver, driver.read())
    else:
        with pytest.raises(error):
            driver.read()


def test_bus_faults_reach_every_circuit_and_pass(stage: Stage) -> None:
    driver = stage.driver(EzoPh, "i2c")
    driver.open()
    for fault, error in (("hang", BusError), ("nack", NoAnswer), ("unplugged", BusError)):
        stage.control.fault("bus", fault)
        with pytest.raises(error):
            driver.read()
        stage.control.clear("bus")
        driver.open()
        assert plausible(driver, driver.read())
