"""From calibration points to the line that a circuit draws through them."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Line:
    """What a circuit makes of a raw number: gain·raw + offset."""

    gain: float = 1.0
    offset: float = 0.0

    def __call__(self, raw: float) -> float:
        """Make a reading of a raw number."""
        return self.gain * raw + self.offset


Point = tuple[float, float]  # the raw number seen, the value that it really was


def shifted(point: Point) -> Line:
    """One point that moves every reading alike."""
    raw, value = point
    return Line(1.0, value - raw)


def scaled(point: Point) -> Line:
    """One point that stretches every reading alike; a raw 0 cannot be stretched."""
    raw, value = point
    return Line(value / raw if raw else 1.0, 0.0)


def through(first: Point, second: Point) -> Line:
    """Draw the line of two points; two that see the same raw number, or say the same value, only move it."""
    if first[0] == second[0] or first[1] == second[1]:
        return shifted(second)
    gain = (second[1] - first[1]) / (second[0] - first[0])
    return Line(gain, first[1] - gain * first[0])


def zero_and_high(points: Mapping[str, Point]) -> Line:
    """Draw the line of a zero point, which alone moves, and a high one, which alone stretches."""
    zero, high = points.get("ZERO"), points.get("HIGH")
    if zero is None:
        return Line() if high is None else scaled(high)
    return shifted(zero) if high is None else through(zero, high)
