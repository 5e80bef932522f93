"""What circuits are made of: commands and replies taken apart, a kind as data, what a circuit is given and keeps."""

import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum

import msgspec

from hardware.vessel.circuits.calibration import Point
from hardware.vessel.options import number
from hardware.vessel.tank import Surroundings
from hardware.vessel.trace import Feed

DELAY = 0.3  # s, of every command that is not named otherwise
NUMBER = re.compile(r"-?(\d+\.?\d*|\.\d+)")


class Refusal(Exception):  # noqa: N818 - what the circuit does, not a mistake of ours
    """The circuit does not accept the command: `*ER`, or status 2."""


class After(Enum):
    """What a circuit does once it has answered."""

    NOTHING = "nothing"
    RESTART = "restart"
    SLEEP = "sleep"
    LEAVE = "leave"  # goes to the other wire and is heard no more on this one


@dataclass(frozen=True, slots=True)
class Reply:
    """What a command leads to: a data line or none, `*OK` behind it or not (UART), after `delay` s."""

    text: str | None = None
    delay: float = DELAY
    code: bool = True
    reading: bool = False
    refused: bool = False
    after: After = After.NOTHING


REFUSED = Reply(refused=True)


@dataclass(frozen=True, slots=True)
class Request:
    """A command taken apart: its words behind the name in capitals, and as they were spelled; when it came."""

    words: tuple[str, ...]
    spelled: tuple[str, ...]
    now: float


Handler = Callable[[Request], Reply]


@dataclass(frozen=True, slots=True)
class CircuitConfig:
    """One `[circuits.NAME]`. `noise` -1: that of its kind. `capitals`: replies as real firmware spells them.

    `drives`: what of the tank a pump drives.
    """

    name: str
    kind: str
    wire: str  # "i2c" or "uart"
    address: int  # on I2C
    capitals: bool = False
    drives: str = ""
    noise: float = number(-1.0, "of the reading's unit, standard deviation; -1: that of its kind", -1.0, 1e4)
    drift: float = number(0.0, "of the reading's unit a day", -1e4, 1e4)
    offset: float = number(0.0, "of the reading's unit", -1e4, 1e4)
    gain: float = number(1.0, "1", 0.0, 100.0)
    slower: float = number(0.0, "s beyond the data sheet's delay", 0.0, 60.0)
    probe_k: float = number(1.0, "1/cm, cell constant of an EC probe", 0.01, 20.0)


class Kept(msgspec.Struct):
    """What a circuit keeps without power."""

    kind: str
    name: str = ""
    outputs: list[str] = msgspec.field(default_factory=list)
    points: dict[str, Point] = msgspec.field(default_factory=dict)
    numbers: dict[str, float] = msgspec.field(default_factory=dict)
    words: dict[str, str] = msgspec.field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Bench:
    """What a circuit is put to work with: what its probe is exposed to, chance, a recorded trace, what it kept.

    A pump tells `drive` its rate in m³/s whenever it changes.
    """

    surroundings: Callable[[], Surroundings]
    chance: random.Random
    feed: Feed | None = None
    kept: Kept | None = None
    drive: Callable[[float], None] = lambda rate: None  # noqa: ARG005 - nothing hangs there


@dataclass(frozen=True, slots=True)
class Data:
    """A kind of circuit as data: how it presents itself, its delays in s, what it is in the factory."""

    device: str
    address: int
    firmware: str
    read_delay: float = DELAY
    calibration_delay: float = DELAY
    compensated_delay: float = 0.9
    noise: float = 0.0
    reference_temperature: float | None = None  # °C, of a circuit that takes T
    outputs: tuple[str, ...] = ()  # in the order of a reading
    outputs_on: tuple[str, ...] = ()
    numbers: Mapping[str, float] = field(default_factory=dict)
    words: Mapping[str, str] = field(default_factory=dict)
    calibrates: bool = True
    exports: bool = False
    unplugged: float | None = None  # what it reads without a probe; none: something that wanders


def capitals(text: str) -> str:
    """Capital letters as firmware has them: ASCII alone, the micro sign stays."""
    return text.encode("latin-1").upper().decode("latin-1")


def exactly(words: tuple[str, ...], count: int) -> tuple[str, ...]:
    """Refuse a command with another number of words."""
    if len(words) != count:
        raise Refusal
    return words


def parse(word: str, low: float, high: float) -> float:
    """Read a number from `low` to `high`, or refuse."""
    if not NUMBER.fullmatch(word) or not low <= float(word) <= high:
        raise Refusal
    return float(word)


def whole(word: str, allowed: range | tuple[int, ...]) -> float:
    """Read one of the whole numbers `allowed`, or refuse."""
    if not word.isascii() or not word.isdigit() or int(word) not in allowed:
        raise Refusal
    return float(word)
