"""What of a sensor can be changed from outside: label, address, intervals, compensation; and what comes of it.

The same rules hold as in the reactor's file (deploy/wiring.py): an address has one sensor, compensation names another
sensor's quantity.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from actors.config import SensorConfig
from actors.schedule import Schedule
from hardware.buses.address import HostAddress, parse
from hardware.device import Kind, Setting, Value, number
from hardware.driver import SensorDriver
from hardware.errors import BadConfiguration
from transport.liveness import GRACE, MISSED_STALE

SHORTEST, LONGEST = 0.05, 366 * 86_400.0  # seconds between two readings
LONGEST_TEXT = 200.0
FROM = "_from"  # behind what is compensated for: which reading to do it with


@dataclass(slots=True)
class Wired:
    """A sensor as it is wired, which outlives its actor. `config` has its intervals at the pace of this node.

    `config.compensation` maps what the driver compensates for to the sensor and quantity that measures it.
    """

    config: SensorConfig
    driver: SensorDriver
    schedule: Schedule


class Addresses:
    """Which address has which name. Thread safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._names: dict[object, str] = {}

    def move(self, name: str, address: object) -> str | None:
        """Give `name` this address instead of its own; names the owner when it has another, and changes nothing."""
        with self._lock:
            owner = self._names.get(address, name)
            if owner != name:
                return owner
            self._names = {at: one for at, one in self._names.items() if one != name} | {address: name}
        return None


@dataclass(frozen=True, slots=True)
class Remaker:
    """Makes one sensor anew from changed settings. `quantities` has those of all sensors, by their names.

    One that is not `movable` has no address to change.
    """

    config: SensorConfig  # as the file and the environment say
    pace: float
    make: Callable[[SensorConfig], SensorDriver]  # raises BadConfiguration
    compensations: tuple[str, ...]
    quantities: Mapping[str, tuple[str, ...]]
    addresses: Addresses
    movable: bool = True

    def settings(self) -> tuple[Setting, ...]:
        """Give what can be changed."""
        values = self.file()
        return tuple(
            Setting(name, "", Kind.TEXT, 0.0, LONGEST_TEXT, 0.0, value, value, survives=True)
            if isinstance(value, str)
            else number(name, "s", low=SHORTEST, high=LONGEST, step=1.0, default=float(value), safe=float(value))
            for name, value in values.items()
        )

    def file(self) -> dict[str, Value]:
        """Give what the file and the environment say."""
        config = self.config
        values: dict[str, Value] = {"label": config.label}
        if self.movable:
            values["address"] = config.address
        for what in self.compensations:
            values[f"{what}{FROM}"] = ".".join(config.compensation.get(what, ()))
        return values | {"live_interval": config.live_interval, "sample_interval": config.sample_interval}

    def against(self, values: Mapping[str, Value]) -> str | None:
        """Say what is wrong with settings that are possible each for itself; takes the address when nothing is."""
        try:
            config = self.configure(values)
            self.make(config)
            address = parse(config.address)
        except BadConfiguration as error:
            return str(error)
        for what, (sensor, quantity) in config.compensation.items():
            if sensor == config.name or quantity not in self.quantities.get(sensor, ()):
                return f"{what}{FROM}: there is no other sensor with {sensor}.{quantity} (write sensor.quantity)"
        owner = None if isinstance(address, HostAddress) else self.addresses.move(config.name, address)
        return None if owner is None else f"address {config.address} is that of {owner}"

    def configure(self, values: Mapping[str, Value]) -> SensorConfig:
        """Make the configuration that follows from settings, at the pace of this node."""
        compensation = {}
        for what in self.compensations:
            if source := str(values[f"{what}{FROM}"]):
                sensor, _, quantity = source.partition(".")
                compensation[what] = (sensor, quantity)
        return replace(
            self.config,
            label=str(values["label"]) or self.config.name,
            address=str(values.get("address", self.config.address)),
            live_interval=float(values["live_interval"]) / self.pace,
            sample_interval=float(values["sample_interval"]) / self.pace,
            compensation=compensation,
        )


def stale_after(sensor: SensorConfig) -> float:
    """Two readings missed, and the wire's grace; seconds."""
    return MISSED_STALE * min(sensor.live_interval, sensor.sample_interval) + GRACE
