"""Frozen configuration: what deploy/ makes of the environment and the files, and the actors run on.

Checked when it was made; nothing here is checked again. Times in seconds, sizes in bytes, volumes in ml.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hardware.device import Value
from storage.questdb import Certificates
from storage.schema import AS_IT_IS, Keeping


@dataclass(frozen=True, slots=True)
class SensorConfig:
    """One `[[sensors]]` of a reactor's file. `compensation` maps what to compensate to `(sensor, quantity)`."""

    name: str
    label: str
    driver: str
    address: str
    live_interval: float
    sample_interval: float
    options: Mapping[str, object]
    compensation: Mapping[str, tuple[str, str]]


@dataclass(frozen=True, slots=True)
class DoseLimits:
    """The most that one device doses, in ml: at once, within any hour, within any day."""

    dose: float = math.inf
    hour: float = math.inf
    day: float = math.inf


@dataclass(frozen=True, slots=True)
class DeviceConfig:
    """One `[[devices]]` of a reactor's file. `looks` picks its picture; `settings` go before the driver's defaults."""

    name: str
    label: str
    looks: str
    driver: str
    address: str
    options: Mapping[str, object]
    settings: Mapping[str, Value]
    limits: DoseLimits
    lease: float | None = None  # seconds without contact after which it goes to its safe values


@dataclass(frozen=True, slots=True)
class MaxOn:
    """An interlock: never on for longer than so many seconds at a time."""

    name: str
    device: str
    seconds: float


@dataclass(frozen=True, slots=True)
class MinOff:
    """An interlock: once off, it stays off for so many seconds."""

    name: str
    device: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Apart:
    """An interlock: of these devices no two are ever on together."""

    name: str
    devices: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Needs:
    """An interlock: off while this reading is not `ok`."""

    name: str
    device: str
    sensor: str
    quantity: str


@dataclass(frozen=True, slots=True)
class Above:
    """An interlock: off while this reading is above the limit, in the reading's unit, or not `ok`."""

    name: str
    device: str
    sensor: str
    quantity: str
    limit: float


Interlock = MaxOn | MinOff | Apart | Needs | Above


@dataclass(frozen=True, slots=True)
class DatabaseLogin:
    """How to log in; the password stands in a file or the environment, never on a wire or in a representation."""

    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class GatewayLogin:
    """The way to the database across a network, `https://host:port`: certificates instead of a password."""

    address: str
    certificates: Certificates


Login = DatabaseLogin | GatewayLogin


@dataclass(frozen=True, slots=True)
class ReactorConfig:
    """One reactor process."""

    name: str
    label: str
    sensors: tuple[SensorConfig, ...]
    state_dir: Path  # this reactor's own: spool, keys, lock
    coordinator: str  # tcp://host:port
    coordinator_key: str  # its public key, pinned
    database_login: Login
    status_interval: float
    spool_limit: int
    spool_retention: float
    pace: float  # shortens waits and intervals alike; 1 except on simulated vessels
    devices: tuple[DeviceConfig, ...] = ()
    interlocks: tuple[Interlock, ...] = ()


@dataclass(frozen=True, slots=True)
class ManagerConfig:
    """One manager process; `number` tells it from the others of its host."""

    number: int
    bind: str  # address to bind, and to be reached at
    capacity: int
    state_dir: Path
    coordinator: str
    coordinator_key: str
    database_login: Login
    status_interval: float


@dataclass(frozen=True, slots=True)
class CoordinatorConfig:
    """The coordinator process."""

    endpoint: str  # tcp://host:port to listen on
    state_dir: Path
    allow_dir: Path  # one file a peer that may speak
    database_address: str  # http://host:port as reactors reach it
    database_login: DatabaseLogin
    manager_numbers: int  # how many managers supervisor may run
    manager_capacity: int
    status_interval: float
    empty_manager: float  # a manager empty for so long is stopped
    supervisor: str  # XML-RPC of the supervisor that runs the managers: unix:///path
    keeping: Keeping = AS_IT_IS  # of the database's rows
