"""The basic commands as plain functions of a circuit; drivers use some, acts the others.

Each blocks for the command's delay and raises what `Circuit` does; a circuit that lacks a command refuses it.
Setting functions of what a circuit keeps without power wear its memory: not for every reading.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from hardware.errors import BadAnswer, Refused
from hardware.ezo import replies
from hardware.ezo.circuit import COMPENSATED, Circuit

_NAME = re.compile(r"[!-+\--~]{0,16}")  # printable, no space; no comma, which separates fields


class RestartReason(StrEnum):
    """Why a circuit last started, as it spells it."""

    POWER = "P"
    SOFTWARE = "S"
    BROWN_OUT = "B"
    WATCHDOG = "W"
    UNKNOWN = "U"


@dataclass(frozen=True, slots=True)
class Information:
    """What a circuit is: `kind` in capitals without dots (`DO`, `PH`, `RTD`), and its firmware."""

    kind: str
    firmware: str


@dataclass(frozen=True, slots=True)
class Status:
    """How a circuit is: why it started last, and its supply in volts."""

    restarted: RestartReason
    volts: float


@dataclass(frozen=True, slots=True)
class Slope:
    """A pH probe against an ideal one: acid and base side in percent, zero offset in mV (older firmware: none)."""

    acid: float
    base: float
    offset: float | None


@dataclass(frozen=True, slots=True)
class Salinity:
    """The salinity that a DO circuit computes with. `unit` is `ppt` or `µS`."""

    value: float
    unit: str


def spell(value: float) -> str:
    """Write a number as circuits read it: up to three decimals, never an exponent."""
    return f"{value:.3f}".rstrip("0").rstrip(".")


def reading(circuit: Circuit) -> list[str]:
    """Take a reading: its fields as text."""
    return circuit.read("R", circuit.delays.read)


def compensated_reading(circuit: Circuit, temperature: float) -> list[str]:
    """Set the temperature in °C and take a reading in one command (pH, DO, EC, O2; firmware of about 2.12 or newer)."""
    return circuit.read(f"RT,{temperature:.2f}", COMPENSATED)


def information(circuit: Circuit) -> Information:
    """Ask what it is."""
    match circuit.query("i"):
        case [kind, firmware]:
            return Information(kind.upper().replace(".", ""), firmware)
        case fields:
            raise _odd(circuit, "i", fields)


def status(circuit: Circuit) -> Status:
    """Ask how it is."""
    fields = circuit.query("Status")
    match fields:
        case [("P" | "S" | "B" | "W" | "U") as reason, volts] if (value := replies.number(volts)) is not None:
            return Status(RestartReason(reason), value)
        case _:
            raise _odd(circuit, "Status", fields)


def led(circuit: Circuit) -> bool:
    """Ask whether its light shows what it does."""
    return _number(circuit, "L,?") == 1


def set_led(circuit: Circuit, *, on: bool) -> None:
    """Switch its light on or off."""
    circuit.order(f"L,{on:d}")


def find(circuit: Circuit) -> None:
    """Blink white until the next command."""
    circuit.order("Find")


def name(circuit: Circuit) -> str:
    """Ask for the name that someone gave it; empty when nobody did (and always on some circuits over I2C)."""
    return ",".join(circuit.query("Name,?"))


def set_name(circuit: Circuit, text: str) -> None:
    """Name it: up to 16 printable characters without space and comma; empty takes the name away."""
    if not _NAME.fullmatch(text):
        raise Refused(f"{circuit.where}: a name is up to 16 printable characters without space and comma, not {text!r}")
    circuit.order(f"Name,{text}")


def calibrate(circuit: Circuit, *point: str | float, command: str = "Cal") -> None:
    """Take a calibration point: `(7.0, )` of ORP, `("mid", 7.0)` of pH, `("dry",)` of EC, none at all of DO in air.

    HUM's temperature has the command `Tcal` for this and the next two.
    """
    parts = [command, *(part if isinstance(part, str) else spell(part) for part in point)]
    circuit.order(",".join(parts), circuit.delays.calibrate)


def calibration_points(circuit: Circuit, command: str = "Cal") -> int:
    """Ask how many points (on PRS: which) it is calibrated with; 0 is none."""
    return int(_number(circuit, f"{command},?"))


def clear_calibration(circuit: Circuit, command: str = "Cal") -> None:
    """Forget every calibration point."""
    circuit.order(f"{command},clear", circuit.delays.calibrate)


def slope(circuit: Circuit) -> Slope:
    """Ask how far a pH probe is from an ideal one."""
    fields = circuit.query("Slope,?")
    match [replies.number(field) for field in fields]:
        case [float(acid), float(base)]:
            return Slope(acid, base, None)
        case [float(acid), float(base), float(offset)]:
            return Slope(acid, base, offset)
        case _:
            raise _odd(circuit, "Slope,?", fields)


def temperature(circuit: Circuit) -> float:
    """Ask for the temperature in °C that it compensates for (pH, DO, EC, O2)."""
    return _number(circuit, "T,?")


def set_temperature(circuit: Circuit, celsius: float) -> None:
    """Compensate for a temperature in °C; lost with the power."""
    circuit.order(f"T,{celsius:.2f}")


def salinity(circuit: Circuit) -> Salinity:
    """Ask for the salinity that DO compensates for."""
    fields = circuit.query("S,?")
    value = replies.number(fields[0]) if fields else None
    if value is None:
        raise _odd(circuit, "S,?", fields)
    # The micro sign is one byte above ASCII, which the mask of I2C spoils: what is not ppt is µS.
    return Salinity(value, "ppt" if fields[-1].lower() == "ppt" else "µS")


def set_salinity(circuit: Circuit, ppt: float) -> None:
    """Compensate DO for a salinity in ppt; newer firmware loses it with the power, older keeps it."""
    circuit.order(f"S,{spell(ppt)},ppt")


def pressure(circuit: Circuit) -> float:
    """Ask for the absolute pressure in kPa that DO compensates for."""
    return _number(circuit, "P,?")


def set_pressure(circuit: Circuit, kilopascal: float) -> None:
    """Compensate DO for an absolute pressure in kPa; newer firmware loses it with the power, older keeps it."""
    circuit.order(f"P,{spell(kilopascal)}")


def outputs(circuit: Circuit) -> frozenset[str]:
    """Ask which outputs stand in a reading, in capitals."""
    return replies.outputs_on(circuit.query("O,?"))


def set_output(circuit: Circuit, code: str, *, on: bool) -> None:
    """Put an output (`MG`, `TDS`) into the reading or take it out; kept without power."""
    circuit.order(f"O,{code},{on:d}")


def probe_constant(circuit: Circuit) -> float:
    """Ask for the K of the EC probe that it expects."""
    return _number(circuit, "K,?")


def set_probe_constant(circuit: Circuit, k: float) -> None:
    """Say which K the EC probe has, 0.1 to 10; kept without power."""
    circuit.order(f"K,{spell(k)}")


def highest_rate(circuit: Circuit) -> float:
    """Ask a pump for the highest rate in ml/min that it can meter with its tube."""
    fields = circuit.query("DC,?", "MAXRATE")
    value = replies.number(fields[0]) if fields else None
    if value is None:
        raise _odd(circuit, "DC,?", fields)
    return value


def ensure(circuit: Circuit, command: str, value: str) -> None:
    """See that something that the circuit keeps has this value (`K` is `1.0`); written only when it has not."""
    fields = circuit.query(f"{command},?")
    if not fields or not _same(fields[0], value):
        circuit.order(f"{command},{value}")


def _same(one: str, other: str) -> bool:
    first, second = replies.number(one), replies.number(other)
    return one.upper() == other.upper() if first is None or second is None else first == second


def _number(circuit: Circuit, command: str) -> float:
    fields = circuit.query(command)
    value = replies.number(fields[0]) if fields else None
    if value is None:
        raise _odd(circuit, command, fields)
    return value


def _odd(circuit: Circuit, command: str, fields: list[str]) -> BadAnswer:
    return BadAnswer(f"{circuit.where} answered {command} with {replies.shown(','.join(fields))}")
