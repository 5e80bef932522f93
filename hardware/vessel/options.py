"""Numbers that a file may set, each with unit and limits, declared where the dataclass that holds them is."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

LIMITS = "limits"


@dataclass(frozen=True, slots=True)
class Limits:
    """What a number may be."""

    unit: str
    low: float
    high: float


def number(default: float, unit: str, low: float, high: float) -> float:
    """Declare a dataclass field that holds a number from `low` to `high` in `unit`."""
    return field(default=default, metadata={LIMITS: Limits(unit, low, high)})


def numbers_of(kind: "type[DataclassInstance]") -> dict[str, Limits]:
    """Give the numbers that a dataclass declares."""
    return {entry.name: entry.metadata[LIMITS] for entry in fields(kind) if LIMITS in entry.metadata}


def checked(
    kind: "type[DataclassInstance]", table: Mapping[str, object], where: str, mistakes: list[str]
) -> dict[str, float]:
    """Take the numbers of `table` that `kind` declares; what is unknown or out of limits goes to `mistakes`."""
    known = numbers_of(kind)
    good: dict[str, float] = {}
    for key, value in table.items():
        limits = known.get(key)
        if limits is None:
            mistakes.append(f"{where}.{key}: unknown key; known are {', '.join(sorted(known))}")
        elif isinstance(value, bool) or not isinstance(value, int | float) or not limits.low <= value <= limits.high:
            mistakes.append(
                f"{where}.{key}: {value!r} is not a number from {limits.low:g} to {limits.high:g} {limits.unit}"
            )
        else:
            good[key] = float(value)
    return good
