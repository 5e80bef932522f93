"""The values that every room speaks of: quantities, readings and their quality, names."""

import math
import re
from dataclasses import dataclass
from enum import StrEnum

NAME_PATTERN = re.compile(r"[a-z][a-z0-9_-]{0,31}")


class Quality(StrEnum):
    """How far a reading can be trusted. Only `ok` and `stale` and `calibrating` readings may carry a value."""

    OK = "ok"
    STALE = "stale"
    FAULT = "fault"
    OUT_OF_RANGE = "out_of_range"
    CALIBRATING = "calibrating"


@dataclass(frozen=True, slots=True)
class Quantity:
    """Something that is measured: its name, unit, the limits that physics or the circuit sets, and decimals shown."""

    name: str
    unit: str
    low: float
    high: float
    decimals: int


@dataclass(frozen=True, slots=True)
class Reading:
    """One value, live. `value` is none unless it can be believed; `taken_ns` is monotonic; `reason` says why not."""

    quantity: str
    value: float | None
    unit: str
    quality: Quality
    taken_ns: int
    reason: str = ""


def judge(quantity: Quantity, value: float, taken_ns: int) -> Reading:
    """Make a reading of a measured number: what physics excludes has no value and says so."""
    if math.isfinite(value) and quantity.low <= value <= quantity.high:
        return Reading(quantity.name, value, quantity.unit, Quality.OK, taken_ns)
    unit = quantity.unit
    reason = f"{quantity.name} {value:g} {unit} is outside {quantity.low:g} to {quantity.high:g} {unit}"
    return Reading(quantity.name, None, quantity.unit, Quality.OUT_OF_RANGE, taken_ns, reason)


def failed(quantity: Quantity, reason: str, taken_ns: int) -> Reading:
    """Make the reading of a read that failed: no value, never 0."""
    return Reading(quantity.name, None, quantity.unit, Quality.FAULT, taken_ns, reason)


def is_name(text: str) -> bool:
    """Whether `text` may name a reactor, sensor, device or quantity: `a-z`, then up to 31 of `a-z 0-9 _ -`."""
    return NAME_PATTERN.fullmatch(text) is not None
