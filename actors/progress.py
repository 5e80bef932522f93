"""What shows that a reactor gets on: who has to come round when, and how late each part of it is.

A sensor comes round when it has dealt with its tick, a device when it has looked after its output, the link when it has
decided, the wire when its loop has turned. Each says itself, then and only then, when it will be round again. The
reactor tells its guard how late its parts are, and the guard kills it when one is late for too long.

Sampling is as late as its most punctual sensor: one that hangs keeps none of the others, what it measures is stale,
and what needs it is held. Outputs are as late as their latest device: what nobody looks after, nobody switches off. Who
died is not late: its keeper starts it again. But a device that died and could not be left safe stays expected.
"""

import threading
from collections.abc import Iterable, Sequence
from enum import IntEnum

from actors.ticker import SECOND

LEAST_PATIENCE = 10.0  # seconds
OPERATIONS = 3.0  # that may fail one after the other, each as long as the longest that a driver declares


class Part(IntEnum):
    """What gets on for itself."""

    SAMPLING = 0
    OUTPUTS = 1
    LINK = 2


class Progress:
    """When each member of each part has to come round next. Thread safe; nothing blocks.

    `own` is the sensor that is the reactor itself: it proves nothing of the others.
    """

    def __init__(self, own: str = "") -> None:
        self._own = own
        self._lock = threading.Lock()
        self._due_ns: dict[Part, dict[str, int]] = {part: {} for part in Part}

    def expect(self, part: Part, member: str, due_ns: int) -> None:
        """Say, as `member` or before it is there, when it has to come round next."""
        with self._lock:
            self._due_ns[part][member] = due_ns

    def forget(self, part: Part, member: str) -> None:
        """Expect it no more: it has ended, and left nothing that somebody has to look after."""
        with self._lock:
            self._due_ns[part].pop(member, None)

    def late(self, part: Part, now_ns: int) -> dict[str, float]:
        """Give the seconds by which each member is late, 0 for those who are not due."""
        with self._lock:
            due_ns = dict(self._due_ns[part])
        return {member: max(0.0, (now_ns - due) / SECOND) for member, due in due_ns.items()}

    def lateness(self, now_ns: int) -> Sequence[float]:
        """Give the seconds by which each part is late, in the order of `Part`."""
        sampling = (late for member, late in self.late(Part.SAMPLING, now_ns).items() if member != self._own)
        others = (max(self.late(part, now_ns).values(), default=0.0) for part in (Part.OUTPUTS, Part.LINK))
        return (min(sampling, default=0.0), *others)


def patience(longest_operations: Iterable[float], pace: float) -> float:
    """Seconds that a part may be late, from the longest operations that its drivers declare."""
    return max(LEAST_PATIENCE, OPERATIONS * max(longest_operations, default=0.0) / min(pace, 1.0))
