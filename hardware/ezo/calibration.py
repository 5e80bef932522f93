"""Calibration points of EZO sensors as data, and the acts that they and their kind are."""

from dataclasses import dataclass

from hardware.acts import Act, Argument

FIND, RESET, STATE, CLEAR = "find", "reset", "calibration", "clear_calibration"


@dataclass(frozen=True, slots=True)
class Point:
    """A calibration point: the act's name and title, the command's words, and the value asked for, if it is."""

    name: str
    title: str
    words: tuple[str | float, ...] = ()
    argument: Argument | None = None


def point(value: Argument, word: str = "") -> Point:
    """Make a point whose solution (or gas, or temperature) has a value: `calibrate`, or `calibrate_` and its word."""
    if word:
        return Point(f"calibrate_{word}", f"Calibrate, {word} point", (word,), value)
    return Point("calibrate", "Calibrate", (), value)


def acts(points: tuple[Point, ...]) -> tuple[Act, ...]:
    """Give the acts of a sensor with these points."""
    own = tuple(Act(each.name, each.title, (each.argument,) if each.argument else ()) for each in points)
    about = (Act(STATE, "Ask how it is calibrated"), Act(CLEAR, "Forget the calibration")) if points else ()
    return (*own, *about, Act(FIND, "Blink"), Act(RESET, "Back to factory settings"))
