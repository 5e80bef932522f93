"""The reactor's file becomes sensors, or one line for each mistake."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from deploy.errors import ConfigurationError
from deploy.reactor_file import ReactorFile, load
from deploy.settings import Settings
from hardware.buses.address import parse_for
from hardware.driver import Descriptor, SensorDriver, Wiring
from hardware.errors import BadConfiguration
from hardware.values import Quantity
from tests.deploy.conftest import MakeSettings


class Probe(SensorDriver):
    descriptor = Descriptor("probe", "Probe", (Quantity("ph", "pH", 0, 14, 3),), ("i2c", "uart"), 1.0, ("temperature",))

    def __init__(self, wiring: Wiring) -> None:
        parse_for("probe", self.descriptor.buses, wiring.address)
        if wiring.options:
            raise BadConfiguration(f"probe takes no option {next(iter(wiring.options))}")
        super().__init__(wiring)

    def open(self) -> None:
        raise AssertionError("a file is checked without touching hardware")

    def read(self) -> Mapping[str, float]:
        raise AssertionError("a file is checked without touching hardware")


class Thermometer(Probe):
    descriptor = Descriptor("warm", "Warm", (Quantity("temperature", "°C", -50, 150, 3),), ("i2c",), 1.0)


class Host(Probe):
    descriptor = Descriptor("host", "Host", (Quantity("load", "1", 0, 99, 2),), ("none",), 1.0)


def find(name: str) -> type[SensorDriver]:
    drivers = {"probe": Probe, "warm": Thermometer, "host": Host}
    if name not in drivers:
        raise BadConfiguration(f"no driver {name}: known are {', '.join(drivers)}")
    return drivers[name]


GOOD = """
name = "tank"
label = "Reef tank"
sample_interval = 60

[[sensors]]
name = "ph"
driver = "probe"
address = "vessels/tank/i2c.sock:0x63"
live_interval = 2
compensation = { temperature = "water.temperature" }

[[sensors]]
name = "water"
label = "Water"
driver = "warm"
address = "/dev/i2c-1:102"

[[sensors]]
name = "board"
driver = "host"
address = "host"
"""


def mistakes(path: Path, text: str, settings: Settings) -> list[str]:
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError) as raised:
        load(path, settings, find)
    return [mistake.removeprefix(f"{path}: ") for mistake in raised.value.mistakes]


def read(path: Path, text: str, settings: Settings) -> ReactorFile:
    path.write_text(text, encoding="utf-8")
    return load(path, settings, find)


def test_a_good_file(path: Path, settings: Settings) -> None:
    found = read(path, GOOD, settings)
    assert (found.name, found.label) == ("tank", "Reef tank")
    ph, water, board = found.sensors
    assert ph.address == f"{settings.state_dir}/vessels/tank/i2c.sock:0x63"
    assert water.address == "/dev/i2c-1:102"
    assert board.address == "host"
    assert (ph.label, water.label) == ("ph", "Water")
    assert ph.compensation == {"temperature": ("water", "temperature")}
    assert (ph.live_interval, ph.sample_interval) == (2.0, 60.0)
    assert (water.live_interval, water.sample_interval) == (5.0, 60.0)


def test_the_environment_wins_over_the_file(path: Path, make_settings: MakeSettings) -> None:
    found = read(path, GOOD, make_settings(LIVE_INTERVAL=0.5))
    assert [sensor.live_interval for sensor in found.sensors] == [0.5, 0.5, 0.5]
    assert found.sensors[0].sample_interval == 60.0


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('name = "tank"', 'name = "Tank 1"', "name = 'Tank 1' must be a-z, then up to 31 of a-z 0-9 _ -"),
        ('name = "tank"', "", "name is missing"),
        ('label = "Reef tank"', "label = 7", "label = 7 must be printable text of at most 200 characters"),
        ("sample_interval = 60", "sample_interval = 0", "sample_interval = 0 must be 0.05 to 31622400 s"),
        ("sample_interval = 60", "sample_interval = true", "sample_interval = True must be 0.05 to 31622400 s"),
        ("sample_interval = 60", "sample_intervall = 60", "unknown key sample_intervall: sample_interval?"),
        ('driver = "probe"', "", "[[sensors]] ph: driver is missing"),
        ('driver = "probe"', 'driver = "prob"', "[[sensors]] ph: no driver prob: known are probe, warm, host"),
        ("live_interval = 2", 'live_interval = "2"', "[[sensors]] ph: live_interval = '2' must be 0.05 to 31622400 s"),
        ("live_interval = 2", "options = 5", "[[sensors]] ph: options = 5 must be a table { key = value }"),
        ("live_interval = 2", "options = { k = 1 }", "[[sensors]] ph: probe takes no option k"),
        ('name = "water"', 'name = "ph"', "[[sensors]] ph: the name is taken"),
        ('name = "board"', 'name = "self"', "[[sensors]] self: the name is taken"),
        (
            '"/dev/i2c-1:102"',
            '"vessels/tank/i2c.sock:99"',
            "[[sensors]] water: address STATE/vessels/tank/i2c.sock:99 is that of ph too",
        ),
        (
            '"water.temperature"',
            '"warm.temperature"',
            "[[sensors]] ph: compensation temperature: there is no other sensor 'warm' (write sensor.quantity)",
        ),
        (
            '"water.temperature"',
            '"water.heat"',
            "[[sensors]] ph: compensation temperature: water has no 'heat', but temperature",
        ),
        ("{ temperature", "{ pressure", "[[sensors]] ph: compensation pressure: probe takes temperature"),
    ],
)
def test_a_mistake_is_named_with_its_place(path: Path, settings: Settings, old: str, new: str, told: str) -> None:
    first, *_ = mistakes(path, GOOD.replace(old, new, 1), settings)
    assert first == told.replace("STATE", str(settings.state_dir))


def test_every_mistake_is_told_at_once(path: Path, settings: Settings) -> None:
    text = GOOD.replace('name = "tank"', "").replace("live_interval = 2", "live_interval = -2\ncolour = 3")
    assert len(mistakes(path, text, settings)) == 3


def test_no_sensors(path: Path, settings: Settings) -> None:
    assert mistakes(path, 'name = "tank"', settings) == ["must have 1 to 100 tables [[sensors]]"]
    assert mistakes(path, 'name = "tank"\nsensors = [3]', settings) == ["must have 1 to 100 tables [[sensors]]"]


def test_no_file_and_no_toml(path: Path, settings: Settings) -> None:
    with pytest.raises(ConfigurationError, match=r"tank.toml: No such file or directory"):
        load(path, settings, find)
    assert "at line 1" in mistakes(path, "name = tank", settings)[0]
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigurationError, match="codec"):
        load(path, settings, find)
