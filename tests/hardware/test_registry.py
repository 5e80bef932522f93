import tomllib
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path

import pytest

from hardware import registry
from hardware.device import DeviceDriver
from hardware.driver import SensorDriver
from hardware.drivers.ezo_ph import EzoPh
from hardware.errors import BadConfiguration

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"


def register(monkeypatch: pytest.MonkeyPatch, entries: dict[str, str]) -> None:
    def entry_points(group: str) -> EntryPoints:
        return EntryPoints(EntryPoint(name, value, group) for name, value in entries.items())

    monkeypatch.setattr(registry, "entry_points", entry_points)


def ours() -> dict[str, str]:
    table: dict[str, str] = tomllib.loads(PYPROJECT.read_text())["project"]["entry-points"][registry.GROUP]
    return table


@pytest.mark.parametrize("name", ours())
def test_every_driver_is_found_under_its_own_name(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    register(monkeypatch, ours())
    driver = registry.drivers()[name]()
    assert isinstance(driver, type)
    found = registry.device_class if issubclass(driver, DeviceDriver) else registry.driver_class
    assert found(name) is driver
    assert found(name).descriptor.driver == name


def test_every_driver_file_is_registered() -> None:
    files = {path.stem for path in (PYPROJECT.parent / "hardware" / "drivers").glob("*.py")} - {"__init__"}
    assert {value.split(":")[0].rpartition(".")[2] for value in ours().values()} == files


def test_others_packages_add_drivers(monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch, {"theirs": "hardware.drivers.ezo_ph:EzoPh"})
    found = registry.driver_class("theirs")
    assert found is EzoPh
    assert issubclass(found, SensorDriver)


def test_a_sensor_is_no_device(monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch, ours())
    with pytest.raises(BadConfiguration, match=r"driver ezo-ph .* is not a DeviceDriver"):
        registry.device_class("ezo-ph")
    with pytest.raises(BadConfiguration, match=r"driver pwm .* is not a SensorDriver"):
        registry.driver_class("pwm")


def test_an_unknown_driver_is_told_the_known_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch, {"host": "a:B", "ezo-ph": "c:D"})
    with pytest.raises(BadConfiguration, match="no driver 'ezo-hp'; there are ezo-ph, host"):
        registry.driver_class("ezo-hp")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("no.such.package:Driver", "cannot be imported"),
        ("hardware.drivers.ezo_ph:Missing", "cannot be imported"),
        ("hardware.values:Quantity", "is not a SensorDriver"),
        ("hardware.values:judge", "is not a SensorDriver"),
    ],
)
def test_a_driver_that_cannot_be_used(monkeypatch: pytest.MonkeyPatch, value: str, text: str) -> None:
    register(monkeypatch, {"theirs": value})
    with pytest.raises(BadConfiguration, match=f"theirs .*{text}"):
        registry.driver_class("theirs")
