"""When a process that ended is started again: soon, then later and later, until it has run steadily."""

from dataclasses import dataclass, field

FIRST, LONGEST = 1.0, 60.0  # seconds from an end to the next start; it doubles in between
STEADY = 60.0  # seconds that it must have run for its end to count as the first one


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
