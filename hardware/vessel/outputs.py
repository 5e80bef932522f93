"""A vessel's outputs: which pin drives what in the tank, as its file says, and what each does now.

[outputs.heater]
wire = "pca9685"       # or "pwm", "gpio"
address = 0x40         # of the chip; PCA9685 alone
channel = 0            # of the chip; "pwm" too; a GPIO output has line = 17
drives = "heater"      # one of the tank's actuators
full = 60              # what it does at 100 %, in the actuator's unit
active_low = true      # GPIO and PWM: what hangs there is on while the pin is low
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

from hardware.vessel.options import numbers_of
from hardware.vessel.tank import Actuators

GPIO_LINES = 54  # as many as a Raspberry Pi has
PWM_CHANNELS = 4
CHIP_CHANNELS = 16
CHIP_ADDRESSES = range(0x40, 0x80)
CHIP_ADDRESS = 0x40

PinLevel = Callable[[int, float], None]  # pin, share of the time that it is high

_PINS = {"pca9685": ("channel", CHIP_CHANNELS), "pwm": ("channel", PWM_CHANNELS), "gpio": ("line", GPIO_LINES)}


@dataclass(frozen=True, slots=True)
class OutputConfig:
    """One `[outputs.NAME]`. `full` in the unit of the actuator that it drives."""

    name: str
    wire: str  # "pca9685", "pwm" or "gpio"
    pin: int  # channel or line
    drives: str
    full: float
    address: int = CHIP_ADDRESS  # of a PCA9685
    active_low: bool = False

    def amount(self, high: float) -> float:
        """Give what it does while its pin is high for this share of the time."""
        return self.full * (1.0 - high if self.active_low else high)


def read_outputs(tables: Mapping[str, object], mistakes: list[str]) -> tuple[OutputConfig, ...]:
    """Check `[outputs.…]`; what is wrong goes to `mistakes`."""
    outputs = []
    taken: dict[tuple[str, int, int], str] = {}
    for name, table in tables.items():
        where = f"outputs.{name}"
        if not isinstance(table, dict):
            mistakes.append(f"{where}: {table!r} is not a table")
            continue
        output = _Reader(name, cast("dict[str, object]", table), where, mistakes).output()
        if output is not None:
            pin = (output.wire, output.address, output.pin)
            if taken.setdefault(pin, name) != name:
                mistakes.append(f"{where}.{_PINS[output.wire][0]}: {output.pin} is taken by {taken[pin]}")
            outputs.append(output)
    return tuple(outputs)


class _Reader:
    """Takes one table apart."""

    def __init__(self, name: str, table: Mapping[str, object], where: str, mistakes: list[str]) -> None:
        self._name = name
        self._where = where
        self._mistakes = mistakes
        self._before = len(mistakes)
        self._left = dict(table)

    def output(self) -> OutputConfig | None:
        """Give the output; none when something is wrong with it."""
        wire = self._choice("wire", tuple(_PINS))
        drives = self._choice("drives", tuple(numbers_of(Actuators)))
        if wire is None or drives is None:
            return None
        key, count = _PINS[wire]
        pin = self._whole(key, range(count))
        address = CHIP_ADDRESS
        if wire == "pca9685":
            address = self._whole("address", CHIP_ADDRESSES, CHIP_ADDRESS)
        active_low = wire != "pca9685" and self._flag("active_low")
        full = self._amount("full", drives)
        self._mistakes.extend(f"{self._where}.{key}: an output on {wire} has no such key" for key in self._left)
        if len(self._mistakes) > self._before:
            return None
        return OutputConfig(self._name, wire, pin, drives, full, address, active_low)

    def _choice(self, key: str, choices: tuple[str, ...]) -> str | None:
        value = self._left.pop(key, None)
        if isinstance(value, str) and value in choices:
            return value
        self._mistake(key, value, f"is none of {', '.join(choices)}")
        return None

    def _whole(self, key: str, allowed: range, default: int | None = None) -> int:
        value = self._left.pop(key, default)
        if type(value) is int and value in allowed:
            return value
        self._mistake(key, value, f"is not a whole number from {allowed[0]} to {allowed[-1]}")
        return allowed[0]

    def _flag(self, key: str) -> bool:
        value = self._left.pop(key, False)
        if isinstance(value, bool):
            return value
        self._mistake(key, value, "is neither true nor false")
        return False

    def _amount(self, key: str, drives: str) -> float:
        value, limits = self._left.pop(key, None), numbers_of(Actuators)[drives]
        if isinstance(value, int | float) and not isinstance(value, bool) and 0.0 < value <= limits.high:
            return float(value)
        self._mistake(key, value, f"is not a number above 0, to {limits.high:g} {limits.unit}")
        return 0.0

    def _mistake(self, key: str, value: object, text: str) -> None:
        self._mistakes.append(f"{self._where}.{key}: {value!r} {text}")
