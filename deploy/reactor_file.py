"""The reactor's file: TOML that says what is wired, checked as a whole.

name = "tank"                       # a-z, then up to 31 of a-z 0-9 _ -
label = "Reef tank, left"           # for people
live_interval = 5                   # s; for every sensor that names none of its own
sample_interval = 600               # s

[[sensors]]
name = "ph"
label = "pH"
driver = "ezo-ph"
address = "/dev/i2c-1:0x63"         # a path that is not absolute stands in the state folder
live_interval = 2
sample_interval = 60
compensation = { temperature = "water.temperature" }
options = { }                       # what the driver takes

[[devices]]
name = "heater"
label = "Heater"
looks = "heater"                    # its picture; the driver's name without it
driver = "pca9685"
address = "/dev/i2c-1:0x40:3"
settings = { on = true, duty = 20 } # before somebody changes them; the driver's defaults without it
limits = { dose = 5, hour = 20, day = 100 }  # ml, of a device that doses
lease = 600                         # s without contact after which it is made safe; never without it
options = { }

[[interlocks]]                      # each has one rule:
name = "not-too-long"
device = "heater"
max_on = 3600                       # s on at a time, or
# min_off = 60                      # s off at a time, or
# needs = "water.temperature"       # off while this reading is not ok, or
# above = "water.temperature"       # off while it is above the limit, or not ok, or instead of device
# limit = 32
# apart = ["heater", "cooler"]      # never on together
"""

import tomllib
from dataclasses import dataclass
from pathlib import Path

from actors.config import Above, Apart, DeviceConfig, DoseLimits, Interlock, MaxOn, MinOff, Needs, SensorConfig
from deploy.errors import ConfigurationError
from deploy.settings import PREFIX, Settings
from deploy.toml_table import Table
from deploy.wiring import Drivers, FindDevice, FindDriver, check_wiring
from hardware.registry import device_class

LIVE_INTERVAL = 5.0  # seconds
SAMPLE_INTERVAL = 600.0
MOST_SENSORS = 100  # one status carries 512 readings, and a sensor has up to five
MOST_DEVICES = 64
MOST_INTERLOCKS = 128
MOST_ML = 1e6


@dataclass(frozen=True, slots=True)
class ReactorFile:
    """What is wired to one reactor."""

    name: str
    label: str
    sensors: tuple[SensorConfig, ...]
    devices: tuple[DeviceConfig, ...] = ()
    interlocks: tuple[Interlock, ...] = ()


def only_file(settings: Settings) -> Path:
    """Give the file of the one reactor that this process is for. Raises `ConfigurationError`."""
    if len(settings.reactor_file) != 1:
        raise ConfigurationError(f"{PREFIX}REACTOR_FILE names {len(settings.reactor_file)} files: a reactor has one")
    return settings.reactor_file[0]


def load(path: Path, settings: Settings, find: FindDriver, find_device: FindDevice = device_class) -> ReactorFile:
    """Read and check a reactor's file; a driver is found by its name. Raises `ConfigurationError`.

    Intervals: the environment's, else the sensor's own, else the file's, else 5 s live and 600 s kept.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}") from error
    except ValueError as error:  # TOML's and the text codec's errors
        raise ConfigurationError(f"{path}: {error}") from error
    mistakes: list[str] = []
    top = Table(content, str(path), mistakes)
    name, label = top.name(), top.text("label", "")
    defaults = _Intervals(
        top.interval("live_interval", LIVE_INTERVAL), top.interval("sample_interval", SAMPLE_INTERVAL)
    )
    sensors = [_sensor(table, defaults, settings) for table in top.tables("sensors", MOST_SENSORS)]
    devices = [_device(table, settings) for table in top.tables("devices", MOST_DEVICES, least=0)]
    interlocks = [
        interlock
        for table in top.tables("interlocks", MOST_INTERLOCKS, least=0)
        if (interlock := _interlock(table)) is not None
    ]
    top.nothing_else()
    if not mistakes:
        mistakes = list(check_wiring(str(path), sensors, devices, interlocks, Drivers(find, find_device)))
    if mistakes:
        raise ConfigurationError(*mistakes)
    return ReactorFile(name, label or name, tuple(sensors), tuple(devices), tuple(interlocks))


@dataclass(frozen=True, slots=True)
class _Intervals:
    live: float
    sample: float


def _sensor(table: Table, defaults: _Intervals, settings: Settings) -> SensorConfig:
    name = table.name()
    live, sample = (
        table.interval("live_interval", defaults.live),
        table.interval("sample_interval", defaults.sample),
    )
    sensor = SensorConfig(
        name=name,
        label=table.text("label", "") or name,
        driver=table.text("driver"),
        address=_placed(table.text("address"), settings.state_dir),
        live_interval=settings.live_interval or live,
        sample_interval=settings.sample_interval or sample,
        options=table.table("options"),
        compensation={key: _source(value) for key, value in table.table("compensation").items()},
    )
    table.nothing_else()
    return sensor


def _placed(address: str, state_dir: Path) -> str:
    """Give a bus that is not named by an absolute path its place: below the state folder, where vessels are."""
    return address if "/" not in address or address.startswith("/") else f"{state_dir}/{address}"


def _source(value: object) -> tuple[str, str]:
    sensor, _, quantity = str(value).partition(".")
    return sensor, quantity


def _device(table: Table, settings: Settings) -> DeviceConfig:
    name, driver = table.name(), table.text("driver")
    looks = table.text("looks", "") or driver
    limits = table.inner("limits")
    device = DeviceConfig(
        name=name,
        label=table.text("label", "") or name,
        looks=looks,
        driver=driver,
        address=_placed(table.text("address"), settings.state_dir),
        options=table.table("options"),
        settings=table.table("settings"),
        limits=DoseLimits(*(limits.number(span, MOST_ML) for span in ("dose", "hour", "day"))),
        lease=table.optional_interval("lease"),
    )
    limits.nothing_else()
    table.nothing_else()
    return device


def _interlock(table: Table) -> Interlock | None:
    name = table.name()
    interlock: Interlock | None = None
    match table.one_of("max_on", "min_off", "needs", "above", "apart"):
        case "max_on":
            interlock = MaxOn(name, table.text("device"), table.interval("max_on", 0.0))
        case "min_off":
            interlock = MinOff(name, table.text("device"), table.interval("min_off", 0.0))
        case "needs":
            interlock = Needs(name, table.text("device"), *_source(table.text("needs")))
        case "above":
            interlock = Above(name, table.text("device"), *_source(table.text("above")), table.level("limit"))
        case "apart":
            interlock = Apart(name, table.names("apart"))
        case _:
            table.text("device", "")
    table.nothing_else()
    return interlock
