"""A recorded trace in place of the tank: a CSV file whose columns the circuits read out.

A number of the trace is what the circuit delivers, after its own rounding: no noise, drift, calibration or compensation
touches it, so that what arrives in the database can be compared with the file value by value.
"""

import bisect
import csv
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


class Feed(Protocol):
    """Where a circuit's readings come from instead of its probe."""

    def value(self, now: float) -> float:
        """Give the number to deliver at `now`, seconds of the vessel's time."""

    def delivered(self) -> None:
        """Learn that a reading went out over the wire."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a trace: its times in seconds, ascending, and its numbers."""

    times: tuple[float, ...]
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class TraceConfig:
    """A trace and how it is followed: `time` (linear or step between rows) or `reading` (row n at the n-th reading)."""

    follow: str
    interpolation: str
    columns: Mapping[str, Column]  # circuit name -> its column

    def feed(self, circuit: str) -> "Feed | None":
        """Give what a circuit reads out, none when the trace has no column for it."""
        column = self.columns.get(circuit)
        if column is None:
            return None
        return ByReading(column) if self.follow == "reading" else ByTime(column, linear=self.interpolation == "linear")


class ByTime:
    """The row of the vessel's time; before the first row the first, after the last row the last."""

    def __init__(self, column: Column, *, linear: bool) -> None:
        self._column = column
        self._linear = linear

    def value(self, now: float) -> float:
        """Give the row at `now`, or a number between two rows."""
        times, values = self._column.times, self._column.values
        after = bisect.bisect_right(times, now)
        if after == 0:
            return values[0]
        if after == len(times) or not self._linear:
            return values[after - 1]
        share = (now - times[after - 1]) / (times[after] - times[after - 1])
        return values[after - 1] + share * (values[after] - values[after - 1])

    def delivered(self) -> None:
        """Nothing depends on it."""


class ByReading:
    """Row n at the n-th reading, whatever its time; after the last row the last."""

    def __init__(self, column: Column) -> None:
        self._column = column
        self._next = 0

    def value(self, now: float) -> float:  # noqa: ARG002 - a feed by time needs it
        """Give the next row; again until a reading was delivered."""
        return self._column.values[min(self._next, len(self._column.values) - 1)]

    def delivered(self) -> None:
        """Go on to the next row."""
        self._next += 1


def read_columns(path: Path, time_column: str, wanted: Mapping[str, str], mistakes: list[str]) -> dict[str, Column]:
    """Read the columns `wanted` (circuit -> column) of a CSV file with a header; what is wrong goes to `mistakes`."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        mistakes.append(f"trace.file: {path}: {error}")
        return {}
    if not rows:
        mistakes.append(f"trace.file: {path}: no rows")
        return {}
    times = _numbers(path, rows, time_column, mistakes)
    if any(later <= earlier for earlier, later in itertools.pairwise(times)):
        mistakes.append(f"trace.file: {path}: column {time_column} does not ascend")
    return {name: Column(times, _numbers(path, rows, column, mistakes)) for name, column in wanted.items()}


def _numbers(
    path: Path, rows: Sequence[Mapping[str, str | None]], column: str, mistakes: list[str]
) -> tuple[float, ...]:
    if column not in rows[0]:
        mistakes.append(f"trace.file: {path}: no column {column}; it has {', '.join(rows[0])}")
        return ()
    numbers = []
    for line, row in enumerate(rows, start=2):
        try:
            number = float(row[column] or "")
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            mistakes.append(f"trace.file: {path}: line {line}: {column}: {row[column]!r} is not a number")
            break
        numbers.append(number)
    return tuple(numbers)
