"""Whether anything was lost, doubled or changed on its way: the vessels' journals against the rows in the database.

In the manner of Jepsen: what the circuits delivered is the history, noted by a process that nobody kills; what the
database holds is what the system made of it. Everything here is pure and gives mistakes as texts, none when all is
well.

What may be missing, exactly: of each sensor and each `kill -9` of its reactor, the last reading that the circuit was
asked for before the kill, if it was delivered. It may have been on its way from the circuit to the spool. And
what a circuit without processor time answered so late that its driver had given it up, a failed read. Nothing else,
unless the way between circuit and reactor was itself disturbed: such a time is `Blurred`.
"""

import itertools
import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hardware.vessel.journal import Entry

READING = re.compile(r"RT?(,.*)?", re.IGNORECASE)  # not what a serial circuit says unasked before its reactor comes
MISSED = re.compile(r"(\d+) samples missed")
LATE = 2_000_000_000  # ns: no driver gives an answer up before
SLACK = 0.001  # seconds: dates are rounded, and a tick begins with its reactor
TAIL = 5  # rows: not all of them are later than an interval

Values = tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Quantity:
    """What a circuit's number becomes: outside the limits of physics it is none."""

    name: str
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Delivery:
    """A reading that a circuit was asked for (CLOCK_BOOTTIME), and what it delivered: nothing, if `values` is empty."""

    asked_ns: int
    values: Values
    late: bool = False  # so much that its driver may have given it up, which is a failed read


@dataclass(frozen=True, slots=True)
class Tick:
    """The samples of one tick: when it was taken (microseconds since 1970), and all values, none for a failed read."""

    taken_us: int
    values: Values | None


@dataclass(frozen=True, slots=True)
class Blurred:
    """Times (CLOCK_BOOTTIME) in which journal and rows need not be of one mind: the vessel itself was at fault.

    `wall_us` is what is added to that clock's microseconds to have those since 1970.
    """

    spans_ns: Sequence[tuple[int, int]] = ()
    wall_us: int = 0

    def covers(self, ns: int) -> bool:
        """Whether it was then."""
        return any(begin <= ns <= end for begin, end in self.spans_ns)

    def covers_us(self, us: int) -> bool:
        """The same for microseconds since 1970."""
        return self.covers((us - self.wall_us) * 1000)


NOTHING_BLURRED = Blurred()


@dataclass(frozen=True, slots=True)
class Missed:
    """An event that owns up to samples."""

    told_us: int
    count: int


def deliveries(journal: Iterable[Entry], circuit: str, quantities: Sequence[Quantity]) -> list[Delivery]:
    """Take every reading that a circuit was asked for; an answer without numbers (*WARM) delivers nothing."""
    found: list[Delivery] = []
    for entry in journal:
        if entry.circuit != circuit or not READING.fullmatch(entry.command):
            continue
        if entry.do == "write":
            found.append(Delivery(entry.ns, ()))
        elif entry.reading and found:
            asked_ns = found[-1].asked_ns
            found[-1] = Delivery(asked_ns, _values(entry.answer, quantities), entry.ns - asked_ns > LATE)
    return found


def _values(answer: str, quantities: Sequence[Quantity]) -> Values:
    numbers = []
    for field in answer.strip().split(","):
        try:
            numbers.append(float(field))
        except ValueError:
            continue
    if len(numbers) != len(quantities):
        return ()
    return tuple(
        number if one.low <= number <= one.high else None for number, one in zip(numbers, quantities, strict=True)
    )


def missed(events: Iterable[tuple[int, str]]) -> list[Missed]:
    """Read from a sensor's `fault` events (microseconds, text) what it owns up to."""
    return [Missed(told_us, int(found[1])) for told_us, text in events if (found := MISSED.match(text))]


def compare(
    delivered: Sequence[Delivery],
    ticks: Sequence[Tick],
    ends_ns: Iterable[int],
    *,
    until_ns: int | None = None,
    blurred: Blurred = NOTHING_BLURRED,
) -> list[str]:
    """Compare value by value, in order. `until_ns`: what was asked later is not looked at; none: all of both sides.

    `ends_ns` (CLOCK_BOOTTIME) are the moments at which the reactor was killed.
    """
    rows = [tick for tick in ticks if tick.values is not None]
    doomed = _doomed(delivered, ends_ns)
    history = [
        one for one in enumerate(delivered) if one[1].values and (until_ns is None or one[1].asked_ns <= until_ns)
    ]
    reached = _past_free({0}, rows, blurred)  # rows that may have been passed when so much of the history has
    for number, one in history:
        passed = {row + 1 for row in reached if row < len(rows) and rows[row].values == one.values}
        if one.late or number in doomed or blurred.covers(one.asked_ns):
            passed |= reached
        if not passed:
            break
        reached = _past_free(passed, rows, blurred)
    else:
        if until_ns is not None or len(rows) in reached:
            return []
    return [_difference([one.values for _, one in history], [row.values or () for row in rows], len(doomed))]


def _past_free(reached: set[int], rows: Sequence[Tick], blurred: Blurred) -> set[int]:
    """Add what is reached by passing rows that need no delivery."""
    found = set(reached)
    for row in reached:
        later = row
        while later < len(rows) and blurred.covers_us(rows[later].taken_us):
            later += 1
            found.add(later)
    return found


def _doomed(delivered: Sequence[Delivery], ends_ns: Iterable[int]) -> set[int]:
    """Find what was asked for last before each end."""
    asked = [one.asked_ns for one in delivered]
    return {bisect_right(asked, end_ns) - 1 for end_ns in ends_ns}


def _difference(delivered: Sequence[Values], rows: Sequence[Values], kills: int) -> str:
    first = next(
        (number for number, (one, other) in enumerate(zip(delivered, rows, strict=False)) if one != other),
        min(len(delivered), len(rows)),
    )
    around = slice(max(0, first - 2), first + 3)
    return (
        f"{len(delivered)} readings delivered, {len(rows)} in the database; the first difference is number {first}: "
        f"delivered {delivered[around]}, stored {rows[around]}; {kills} kills"
    )


def silent_ticks(
    started_us: Sequence[int], ticks: Sequence[Tick], owned_up: Sequence[Missed], interval: float
) -> list[str]:
    """Find ticks that nothing accounts for: in each run, rows and samples owned up to are as many as ticks fell due.

    Row n of a run is tick n and those that were owned up to before it; it was taken within an interval after the tick.
    A tick that vanished would make every later row a whole interval late; one too many would make them early.
    """
    mistakes = []
    for began_us, ended_us in itertools.pairwise([*started_us, 2**62]):
        run = [tick.taken_us for tick in ticks if began_us <= tick.taken_us < ended_us]
        late = [
            (taken_us - began_us) / 1e6 - interval * (number + _owned_up(owned_up, began_us, taken_us))
            for number, taken_us in enumerate(run)
        ]
        if late and min(late) < -SLACK:
            mistakes.append(f"more rows than ticks: one of them is {-min(late):.3f} s early")
        if late and min(late[-TAIL:]) >= interval:
            mistakes.append(f"fewer rows than ticks: all of the last ones are {min(late[-TAIL:]):.3f} s late")
    early = [tick.taken_us for tick in ticks if not started_us or tick.taken_us < started_us[0]]
    if early:
        mistakes.append(f"{len(early)} rows from before any start")
    return mistakes


def _owned_up(events: Sequence[Missed], began_us: int, until_us: int) -> int:
    return sum(event.count for event in events if began_us <= event.told_us <= until_us + 1000)
