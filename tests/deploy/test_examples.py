"""The example files are right, and every circuit that a reactor expects stands in its vessel."""

import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest

from deploy import reactor_file
from deploy.up import EXAMPLES
from hardware.buses import Buses
from hardware.buses.address import ChipChannelAddress, I2cAddress, LineAddress, PwmAddress, UartAddress, parse
from hardware.clock import SystemClock
from hardware.device import DeviceDriver
from hardware.driver import SensorDriver, Wiring
from hardware.vessel.config import load as load_vessel
from tests.deploy.conftest import MakeSettings

FOLDER = Path("deploy/examples")


def drivers() -> Mapping[str, str]:
    table = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))
    found: Mapping[str, str] = table["project"]["entry-points"]["reactorium.drivers"]
    return found


def find(name: str) -> type[SensorDriver]:
    """Find a driver as pyproject registers it, installed or not."""
    module, _, attribute = drivers()[name].partition(":")
    found: type[SensorDriver] = getattr(__import__(module, fromlist=[attribute]), attribute)
    return found


def find_device(name: str) -> type[DeviceDriver]:
    """Find a device's driver likewise."""
    found: type[DeviceDriver] = find(name)  # type: ignore[assignment]
    return found


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_right_and_its_vessel_has_every_circuit(name: str, make_settings: MakeSettings) -> None:
    settings = make_settings()
    found = reactor_file.load(FOLDER / f"{name}.toml", settings, find, find_device)
    assert found.name == name
    run_dir = settings.state_dir / "vessels" / name
    vessel = load_vessel(FOLDER / "vessels" / f"{name}.toml")
    circuits = {
        (f"{run_dir}/i2c.sock", each.address) if each.wire == "i2c" else (f"{run_dir}/uart-{each.name}", 0): each.kind
        for each in vessel.circuits
        if not each.drives
    }
    for sensor in found.sensors:
        match parse(sensor.address):
            case I2cAddress(path, address):
                assert sensor.driver == f"ezo-{circuits.pop((path, address))}"
            case UartAddress(path):
                assert sensor.driver == f"ezo-{circuits.pop((path, 0))}"
    assert circuits == {}


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_device_hangs_on_every_output_of_the_vessel(name: str, make_settings: MakeSettings) -> None:
    settings = make_settings()
    found = reactor_file.load(FOLDER / f"{name}.toml", settings, find, find_device)
    run_dir = f"{settings.state_dir}/vessels/{name}"
    vessel = load_vessel(FOLDER / "vessels" / f"{name}.toml")
    wired: dict[object, tuple[str, bool]] = {}
    for output in vessel.outputs:
        places = {
            "pca9685": ChipChannelAddress(f"{run_dir}/i2c.sock", output.address, output.pin),
            "pwm": PwmAddress(f"{run_dir}/pwmchip0", output.pin),
            "gpio": LineAddress(f"{run_dir}/gpio.sock", output.pin),
        }
        wired[places[output.wire]] = output.name, output.active_low
    for pump in vessel.circuits:
        if pump.drives:
            on_i2c, on_uart = (
                I2cAddress(f"{run_dir}/i2c.sock", pump.address),
                UartAddress(f"{run_dir}/uart-{pump.name}"),
            )
            wired[on_i2c if pump.wire == "i2c" else on_uart] = pump.name, False
    buses = Buses()
    for device in found.devices:
        driver = find_device(device.driver)(Wiring(device.address, buses, SystemClock(), device.options))
        assert wired.pop(driver.address) == (device.name, device.options.get("active_low", False))
    assert wired == {}


def test_the_examples_are_wired_differently(make_settings: MakeSettings) -> None:
    settings = make_settings()
    wired = [
        {sensor.driver for sensor in reactor_file.load(FOLDER / f"{name}.toml", settings, find, find_device).sensors}
        for name in EXAMPLES
    ]
    assert len({frozenset(each) for each in wired}) == len(EXAMPLES)
