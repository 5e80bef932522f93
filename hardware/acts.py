"""Acts as data: what a sensor or device does once, when somebody asks."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

Value = float | bool | str  # of settings, and of what an act or a device reports


@dataclass(frozen=True, slots=True)
class Argument:
    """A number that an act needs."""

    name: str
    unit: str
    low: float
    high: float
    decimals: int


@dataclass(frozen=True, slots=True)
class Act:
    """Something done once.

    `volume` names the arguments whose product is the ml that count against dose limits, none when it doses nothing.
    `timed`: the device's actor carries it out by switching the output for as long as it takes; any other is the
    driver's own.
    """

    name: str
    title: str
    arguments: tuple[Argument, ...] = ()
    volume: tuple[str, ...] = ()
    timed: bool = False

    def millilitres(self, arguments: Mapping[str, float]) -> float:
        """How much it moves, in whichever direction; 0 when it doses nothing."""
        return abs(prod(arguments[name] for name in self.volume)) if self.volume else 0.0
