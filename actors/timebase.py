"""When this machine's time can be believed, and what wall time a monotonic stamp had. Pure, but for `synchronised`.

Two witnesses: the kernel, while NTP disciplines its clock, and the server's time in `welcome`, for a board that has
neither NTP nor a battery. The kernel's word wins while it stands. A witness that says what is known already changes
nothing; one that is off by more than `DRIFT_US` moves the base, and the spool is told by a new anchor.
"""

import ctypes
from dataclasses import dataclass

EARLIEST_US = 1_767_225_600_000_000  # 2026-01-01: whoever says that it is earlier has no clock
DRIFT_US = 500_000
TIME_ERROR = 5  # adjtimex(2): "the clock is not synchronized"


@dataclass(frozen=True, slots=True)
class Base:
    """One moment of this boot in both times: monotonic nanoseconds and microseconds since 1970."""

    monotonic_ns: int
    wall_us: int

    def date(self, monotonic_ns: int) -> int:
        """Give the wall time of a monotonic stamp of the same boot, in microseconds."""
        return self.wall_us + (monotonic_ns - self.monotonic_ns) // 1000


class Timebase:
    """What is known of the time. `base` is none until a witness was believed; a plain attribute, so readable anywhere.

    The methods that take evidence run on one thread, the recorder's. Each returns the base if it is a new one.
    """

    def __init__(self) -> None:
        self.base: Base | None = None
        self._synchronised = False

    def kernel(self, now_ns: int, wall_us: int, *, synchronised: bool) -> Base | None:
        """Take the machine's own clock, and whether NTP disciplines it."""
        self._synchronised = synchronised
        return self._believe(Base(now_ns, wall_us)) if synchronised else None

    def server(self, at_ns: int, time_us: int) -> Base | None:
        """Take the server's time, and the monotonic time of this machine at that moment."""
        return None if self._synchronised else self._believe(Base(at_ns, time_us))

    def offset(self, now_ns: int, wall_us: int) -> float | None:
        """How many seconds the machine's wall clock is ahead of the time that rows get; none while that is unknown."""
        return None if self.base is None else (wall_us - self.base.date(now_ns)) / 1e6

    def _believe(self, seen: Base) -> Base | None:
        known = self.base
        if seen.wall_us < EARLIEST_US:
            return None
        if known is not None and abs(seen.wall_us - known.date(seen.monotonic_ns)) <= DRIFT_US:
            return None
        self.base = seen
        return seen


def synchronised() -> bool:
    """Whether the kernel says that its clock is disciplined (adjtimex(2) with nothing to change). Any thread."""
    timex = ctypes.create_string_buffer(512)  # struct timex is at most 208 bytes; `modes` 0 only reads
    return ctypes.CDLL(None).adjtimex(timex) in range(TIME_ERROR)
