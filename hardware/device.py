"""What a driver of a device is. One file a driver: its settings and acts as data, its protocol, one registration.

A driver sets levels and reads them back. What takes time stays out of it: ramps, cycles of on time and off time and
timed acts belong to the device's actor, which a descriptor tells what there is (`ramped`, `cycled`, `Act.timed`).
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from hardware.acts import Act, Argument, Value
from hardware.buses.address import Address
from hardware.driver import Wiring
from hardware.safe import SafeWrite
from hardware.values import Quantity

__all__ = [
    "Act",
    "Argument",
    "DeviceDescriptor",
    "DeviceDriver",
    "Kind",
    "Mistake",
    "Setting",
    "Value",
    "check_arguments",
    "check_settings",
    "number",
    "switch",
]


class Kind(StrEnum):
    """What values a setting takes: a number from low to high, a bool, one of its choices, at most `high` characters."""

    NUMBER = "number"
    SWITCH = "switch"
    CHOICE = "choice"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Setting:
    """State that lasts, as data.

    `step` is what a page's button adds, and no limit. `default` holds until somebody asks for something else, `safe` is
    what the guard and `make_safe` write. `survives`: applied again by a reactor that starts again; others start with
    their default.
    """

    name: str
    unit: str
    kind: Kind
    low: float
    high: float
    step: float
    default: Value
    safe: Value
    survives: bool
    choices: tuple[str, ...] = ()


def number(  # noqa: PLR0913 - a setting has that many sides; by name after the unit
    name: str, unit: str, *, low: float, high: float, step: float, default: float, safe: float, survives: bool = True
) -> Setting:
    """Make a setting that takes numbers."""
    return Setting(name, unit, Kind.NUMBER, low, high, step, default, safe, survives)


def switch(name: str, *, default: bool = False, safe: bool = False, survives: bool = True) -> Setting:
    """Make a setting that is on or off."""
    return Setting(name, "", Kind.SWITCH, 0.0, 1.0, 1.0, default, safe, survives)


@dataclass(frozen=True, slots=True)
class DeviceDescriptor:
    """A driver as data: what status, database, page and checks know of it.

    `driver` is its registered name, `buses` the kinds of address it takes (`i2c`, `uart`, `pca9685`, `pwm`, `gpio`),
    `longest_operation` the longest time in seconds that one call may take when everything is well, `reported` what
    `read_back` gives beside the settings, `ramped` the number that may move slowly to its value, `cycled` the switch
    that may follow on times and off times.
    """

    driver: str
    title: str
    settings: tuple[Setting, ...]
    acts: tuple[Act, ...]
    buses: tuple[str, ...]
    longest_operation: float
    reported: tuple[Quantity, ...] = ()
    ramped: str | None = None
    cycled: str | None = None


class DeviceDriver(ABC):
    """Drives one device. Every method runs on the device's own thread, may block, and raises `HardwareError`.

    Settings and arguments come checked (`check_settings`, `check_arguments`) and are not checked again.
    """

    descriptor: ClassVar[DeviceDescriptor]
    address: Address  # where it is wired: equal for the same output however it was spelled

    def __init__(self, wiring: Wiring) -> None:
        """Check address and options (`BadConfiguration` names the key, the value and what it may be); touch nothing."""
        self.wiring = wiring

    @property
    def settings(self) -> tuple[Setting, ...]:
        """What it can be told as it is configured: the descriptor's, or some of them, with the file's safe values."""
        return self.descriptor.settings

    def find(self) -> None:  # noqa: B027 - some have nothing to look for
        """See that what the file names is there, and change nothing that lasts."""

    @abstractmethod
    def open(self) -> None:
        """Take the output and bring it into a known state: what it did, it goes on doing, or it is safe.

        Called before the first `apply` and after a failure.
        """

    @abstractmethod
    def apply(self, settings: Mapping[str, Value]) -> None:
        """Write the whole document, every one of `settings`, to the hardware now. Repeating it does no harm."""

    @abstractmethod
    def read_back(self) -> Mapping[str, Value]:
        """Ask the hardware what it does, settings and what is `reported`, in the steps that the hardware has.

        What cannot be told now is left out (the duty of an output that is off); never what was asked.
        """

    def make_safe(self) -> None:
        """Write every safe value; ends what an act began."""
        self.apply({setting.name: setting.safe for setting in self.settings})

    @abstractmethod
    def safe_writes(self) -> tuple[SafeWrite, ...]:
        """The same as plain data, in the order to write it, for the guard. Needs no `open`, touches nothing."""

    def act(self, name: str, arguments: Mapping[str, float]) -> Mapping[str, Value]:
        """Begin an act that is not timed; the result is what there is to say of it.

        `Refused` says that nothing was begun; after any other error nobody knows.
        """
        raise NotImplementedError(f"{name}({arguments})")

    def close(self) -> None:  # noqa: B027 - some hold nothing
        """Let go of what `open` took; the output keeps its level. Never raises."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """What is wrong with one value from outside. `limit` is a text, unit included; `unit` repeats the unit alone."""

    name: str
    value: object
    unit: str
    limit: str

    def __str__(self) -> str:
        shown = repr(self.value)
        return f"{self.name} {shown if len(shown) <= _SHOWN else shown[:_SHOWN] + '…'}: {self.limit}"


_SHOWN = 60  # characters of a bad value that a text repeats


def check_settings(settings: Sequence[Setting], values: Mapping[str, object]) -> tuple[Mistake, ...]:
    """Find every mistake in settings from outside: unknown names, wrong types, values beyond the limits.

    A setting that `values` leaves out is no mistake: what it then has is the caller's rule.
    """
    known = {setting.name: setting for setting in settings}
    return (
        *(Mistake(name, value, "", _unknown(known)) for name, value in values.items() if name not in known),
        *(mistake for name in known if name in values and (mistake := _judge(known[name], values[name]))),
    )


def check_arguments(act: Act, values: Mapping[str, object]) -> tuple[Mistake, ...]:
    """Find every mistake in an act's arguments from outside; all of them are needed."""
    known = {argument.name: argument for argument in act.arguments}
    return (
        *(Mistake(name, value, "", _unknown(known)) for name, value in values.items() if name not in known),
        *(mistake for each in act.arguments if (mistake := _judge_number(each, values.get(each.name)))),
    )


def _judge(setting: Setting, value: object) -> Mistake | None:
    match setting.kind:
        case Kind.NUMBER:
            return _judge_number(setting, value)
        case Kind.SWITCH:
            fits, limit = isinstance(value, bool), "must be true or false"
        case Kind.CHOICE:
            fits, limit = value in setting.choices, f"must be one of {', '.join(setting.choices)}"
        case Kind.TEXT:
            fits = isinstance(value, str) and value.isprintable() and len(value) <= setting.high
            limit = f"must be a line of at most {setting.high:g} characters"
    return None if fits else Mistake(setting.name, value, setting.unit, limit)


def _judge_number(limits: Setting | Argument, value: object) -> Mistake | None:
    if isinstance(value, int | float) and not isinstance(value, bool) and limits.low <= value <= limits.high:
        return None
    limit = f"must be a number from {limits.low:g} to {limits.high:g} {limits.unit}".rstrip()
    return Mistake(limits.name, value, limits.unit, limit)


def _unknown(known: Mapping[str, object]) -> str:
    return f"unknown, there is {', '.join(known) or 'nothing'}"
