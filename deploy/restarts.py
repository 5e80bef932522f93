"""When a process that ended is started again: soon, then later and later, until it has run steadily; when too often."""

from dataclasses import dataclass, field

FIRST, LONGEST = 1.0, 60.0  # seconds from an end to the next start; it doubles in between
STEADY = 60.0  # seconds that it must have run for its end to count as the first one
WITHIN = 600.0  # seconds in which ends are counted


@dataclass(slots=True)
class Restarts:
    """The delays of one process; all times are divided by `pace`."""

    pace: float = 1.0
    _next: float = field(default=FIRST, init=False)

    def after(self, ran: float) -> float:
        """Say how many seconds to wait with the next start of a process that ran for so many."""
        if ran * self.pace >= STEADY:
            self._next = FIRST
        delay, self._next = self._next, min(2 * self._next, LONGEST)
        return delay / self.pace


@dataclass(slots=True)
class Failures:
    """How often a process ended lately. `most` ends within `WITHIN` seconds, divided by `pace`, are too many."""

    most: int
    pace: float = 1.0
    _ends: list[float] = field(default_factory=list, init=False)

    def add(self, now: float) -> bool:
        """Count an end, at this second of a monotonic clock; true when it is one too many, and counting starts anew."""
        self._ends = [one for one in self._ends if now - one < WITHIN / self.pace] + [now]
        if len(self._ends) < self.most:
            return False
        self._ends.clear()
        return True
