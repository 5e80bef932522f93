from types import SimpleNamespace

import psutil
import pytest

from hardware.driver import Wiring
from hardware.drivers.host import Host
from hardware.errors import BadConfiguration, HardwareError
from hardware.values import Quality, judge
from tests.hardware.fakes import Bench


def host(bench: Bench, address: str = "host", **options: object) -> Host:
    return Host(Wiring(address, bench.buses, bench.clock, options))


def thermometers(monkeypatch: pytest.MonkeyPatch, **chips: float) -> None:
    found = {chip: [SimpleNamespace(current=value)] for chip, value in chips.items()}
    monkeypatch.setattr(psutil, "sensors_temperatures", lambda: found)


def test_reads_this_machine(bench: Bench) -> None:
    sensor = host(bench)
    sensor.open()
    values = sensor.read()
    assert list(values) == [quantity.name for quantity in sensor.quantities]
    for quantity in sensor.quantities:
        assert judge(quantity, values[quantity.name], 0).quality is Quality.OK
    assert 0 < values["memory_used"] < 100


def test_prefers_the_processors_thermometer(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    thermometers(monkeypatch, nvme=30.0, coretemp=61.5)
    assert host(bench).read()["cpu_temperature"] == 61.5
    thermometers(monkeypatch, nvme=30.0)
    assert host(bench).read()["cpu_temperature"] == 30.0


def test_a_machine_without_thermometer_has_no_such_quantity(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    thermometers(monkeypatch)
    sensor = host(bench)
    assert "cpu_temperature" not in [quantity.name for quantity in sensor.quantities]
    assert "cpu_temperature" not in sensor.read()


def test_a_disk_that_is_not_there(bench: Bench) -> None:
    with pytest.raises(HardwareError, match="No such file"):
        host(bench, disk="/nowhere/at/all").read()


@pytest.mark.parametrize(
    ("address", "options", "text"),
    [
        ("/dev/ttyAMA0", {}, 'host takes "host"'),
        ("host", {"disc": "/"}, "no option 'disc', only disk"),
        ("host", {"disk": 1}, "absolute path, not 1"),
        ("host", {"disk": "data"}, "absolute path, not 'data'"),
    ],
)
def test_bad_configuration(bench: Bench, address: str, options: dict[str, object], text: str) -> None:
    with pytest.raises(BadConfiguration, match=text):
        host(bench, address, **options)
