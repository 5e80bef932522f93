"""The example files are right, and every circuit that a reactor expects stands in its vessel."""

import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest

from deploy import reactor_file
from deploy.up import EXAMPLES
from hardware.buses.address import I2cAddress, UartAddress, parse
from hardware.driver import SensorDriver
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


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_right_and_its_vessel_has_every_circuit(name: str, make_settings: MakeSettings) -> None:
    settings = make_settings()
    found = reactor_file.load(FOLDER / f"{name}.toml", settings, find)
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


def test_the_examples_are_wired_differently(make_settings: MakeSettings) -> None:
    settings = make_settings()
    wired = [
        {sensor.driver for sensor in reactor_file.load(FOLDER / f"{name}.toml", settings, find).sensors}
        for name in EXAMPLES
    ]
    assert len({frozenset(each) for each in wired}) == len(EXAMPLES)
