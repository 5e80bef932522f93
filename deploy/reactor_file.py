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
"""

import difflib
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from actors.config import SensorConfig
from deploy.errors import ConfigurationError
from deploy.settings import Settings
from hardware.buses import Buses
from hardware.buses.address import HostAddress, parse
from hardware.clock import SystemClock
from hardware.driver import SensorDriver, Wiring
from hardware.errors import BadConfiguration
from hardware.values import is_name

LIVE_INTERVAL = 5.0  # seconds
SAMPLE_INTERVAL = 600.0
SHORTEST, LONGEST = 0.05, 366 * 86_400.0
MOST_SENSORS = 100  # one status carries 512 readings, and a sensor has up to five
LONGEST_TEXT = 200
RESERVED = frozenset({"self"})  # the reactor's own sensor

FindDriver = Callable[[str], type[SensorDriver]]


@dataclass(frozen=True, slots=True)
class ReactorFile:
    """What is wired to one reactor."""

    name: str
    label: str
    sensors: tuple[SensorConfig, ...]


def load(path: Path, settings: Settings, find: FindDriver) -> ReactorFile:
    """Read and check a reactor's file; `find` gives a driver by its name. Raises `ConfigurationError`.

    Intervals: the environment's, else the sensor's own, else the file's, else 5 s live and 600 s kept.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}") from error
    except ValueError as error:  # TOML's and the text codec's errors
        raise ConfigurationError(f"{path}: {error}") from error
    mistakes: list[str] = []
    top = _Table(content, str(path), mistakes)
    name, label = top.name(), top.text("label", "")
    defaults = _Intervals(
        top.interval("live_interval", LIVE_INTERVAL), top.interval("sample_interval", SAMPLE_INTERVAL)
    )
    sensors = [_sensor(table, defaults, settings) for table in top.tables("sensors", MOST_SENSORS)]
    top.nothing_else()
    if not mistakes:
        mistakes = list(_check(path, sensors, find))
    if mistakes:
        raise ConfigurationError(*mistakes)
    return ReactorFile(name, label or name, tuple(sensors))


@dataclass(frozen=True, slots=True)
class _Intervals:
    live: float
    sample: float


class _Table:
    """A TOML table that is taken apart key by key; what is wrong or left over becomes a mistake."""

    def __init__(self, values: Mapping[str, Any], where: str, mistakes: list[str]) -> None:
        self._left = dict(values)
        self._known: list[str] = []
        self._where = where
        self._mistakes = mistakes

    def name(self) -> str:
        value = self.text("name")
        if value and not is_name(value):
            self._mistake("name", value, "must be a-z, then up to 31 of a-z 0-9 _ -")
        return value

    def text(self, key: str, default: str | None = None) -> str:
        value = self._take(key, default)
        if value is None:
            self._mistakes.append(f"{self._where}: {key} is missing")
        elif not isinstance(value, str) or len(value) > LONGEST_TEXT or not (value.isprintable()):
            self._mistake(key, value, f"must be printable text of at most {LONGEST_TEXT} characters")
        else:
            return value
        return ""

    def interval(self, key: str, default: float) -> float:
        value = self._take(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not SHORTEST <= value <= LONGEST:
            self._mistake(key, value, f"must be {SHORTEST:g} to {LONGEST:.0f} s")
            return default
        return float(value)

    def table(self, key: str) -> Mapping[str, Any]:
        value = self._take(key, {})
        if not isinstance(value, dict):
            self._mistake(key, value, "must be a table { key = value }")
            return {}
        return value

    def tables(self, key: str, most: int) -> "list[_Table]":
        value = self._take(key, [])
        if (
            not isinstance(value, list)
            or not 1 <= len(value) <= most
            or not all(isinstance(one, dict) for one in value)
        ):
            self._mistakes.append(f"{self._where}: must have 1 to {most} tables [[{key}]]")
            return []
        return [
            _Table(one, f"{self._where}: [[{key}]] {one.get('name', number)}", self._mistakes)
            for number, one in enumerate(value, 1)
        ]

    def nothing_else(self) -> None:
        for key in self._left:
            near = difflib.get_close_matches(key, self._known, n=1)
            hint = f"{near[0]}?" if near else f"known are {', '.join(self._known)}"
            self._mistakes.append(f"{self._where}: unknown key {key}: {hint}")

    def _take(self, key: str, default: object) -> Any:  # noqa: ANN401 - TOML's own types
        self._known.append(key)
        return self._left.pop(key, default)

    def _mistake(self, key: str, value: object, text: str) -> None:
        self._mistakes.append(f"{self._where}: {key} = {value!r} {text}")


def _sensor(table: _Table, defaults: _Intervals, settings: Settings) -> SensorConfig:
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


def _check(path: Path, sensors: list[SensorConfig], find: FindDriver) -> Iterable[str]:
    """Check what takes the drivers and all sensors to know; one line for each mistake."""
    drivers: dict[str, SensorDriver] = {}
    wired: dict[object, str] = {}
    buses = Buses()  # opens nothing
    for sensor in sensors:
        where = f"{path}: [[sensors]] {sensor.name}"
        if sensor.name in drivers or sensor.name in RESERVED:
            yield f"{where}: the name is taken"
        try:
            wiring = Wiring(sensor.address, buses, SystemClock(), sensor.options)
            drivers[sensor.name] = find(sensor.driver)(wiring)
            address = parse(sensor.address)
        except BadConfiguration as error:
            yield f"{where}: {error}"
            continue
        other = wired.setdefault(address, sensor.name)
        if other != sensor.name and not isinstance(address, HostAddress):
            yield f"{where}: address {sensor.address} is that of {other} too"
    for sensor in sensors:
        if sensor.name in drivers:
            yield from _check_compensation(f"{path}: [[sensors]] {sensor.name}", sensor, drivers)


def _check_compensation(where: str, sensor: SensorConfig, drivers: Mapping[str, SensorDriver]) -> Iterable[str]:
    possible = drivers[sensor.name].descriptor.compensations
    for what, (source, quantity) in sensor.compensation.items():
        if what not in possible:
            takes = f"takes {', '.join(possible)}" if possible else "takes none"
            yield f"{where}: compensation {what}: {sensor.driver} {takes}"
        elif source not in drivers or source == sensor.name:
            yield f"{where}: compensation {what}: there is no other sensor {source!r} (write sensor.quantity)"
        elif quantity not in (names := [one.name for one in drivers[source].quantities]):
            yield f"{where}: compensation {what}: {source} has no {quantity!r}, but {', '.join(names)}"
