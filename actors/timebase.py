"""When this machine's time can be believed, and what wall time a monotonic stamp had. Pure, but for `disciplined`.

Two witnesses: the kernel, while NTP disciplines its clock, and the server's time in `welcome`, for a board that has
neither NTP nor a battery. The kernel's word wins while it stands. A witness that says what is known already changes
nothing; one that is off by more than `DRIFT_US` makes a new anchor, by which the spool dates what comes from then on.
"""

import ctypes
from collections.abc import Callable

from storage.spool import Anchor

EARLIEST_US = 1_767_225_600_000_000  # 2026-01-01: whoever says that it is earlier has no clock
LATEST_US = 4_102_444_800_000_000  # 2100-01-01: so has whoever says that it is later
DRIFT_US = 500_000
TIME_ERROR = 5  # adjtimex(2): "the clock is not synchronized"


class Timebase:
    """What is known of the time. `anchor` is none until a witness was believed; it is only ever assigned whole.

    The methods that take evidence run on one thread, the recorder's. Each returns the anchor if it is a new one.
    """

    def __init__(self, boot: str, disciplined: Callable[[], bool]) -> None:
        """`disciplined` says whether NTP disciplines the machine's clock at the moment."""
        self.anchor: Anchor | None = None
        self.disciplined = disciplined
        self._boot = boot

    def recall(self, anchor: Anchor | None) -> None:
        """Know what a process before this one knew in the same boot."""
        if self.anchor is None:
            self.anchor = anchor

    def kernel(self, now_ns: int, wall_us: int) -> Anchor | None:
        """Take the machine's own clock, read while it was `disciplined`: it is asked again whether it still is."""
        return self._believe(now_ns, now_ns, wall_us) if self.disciplined() else None

    def server(self, asked_ns: int, at_ns: int, time_us: int) -> Anchor | None:
        """Take the server's time, and when it was asked and heard, on this machine's monotonic clock.

        It is from a moment in between: an answer that was long on its way does not move what it does not contradict.
        """
        return None if self.disciplined() else self._believe(asked_ns, at_ns, time_us)

    def offset(self, now_ns: int, wall_us: int) -> float | None:
        """How many seconds the machine's wall clock is ahead of the time that rows get; none while that is unknown."""
        return None if self.anchor is None else (wall_us - self.anchor.wall(now_ns)) / 1e6

    def _believe(self, from_ns: int, at_ns: int, wall_us: int) -> Anchor | None:
        if not EARLIEST_US <= wall_us < LATEST_US:
            return None
        known = self.anchor
        if known is not None and known.wall(from_ns) - DRIFT_US <= wall_us <= known.wall(at_ns) + DRIFT_US:
            return None
        self.anchor = Anchor(self._boot, at_ns, wall_us)
        return self.anchor


def disciplined() -> bool:
    """Whether the kernel says that its clock is disciplined (adjtimex(2) with nothing to change). Any thread."""
    timex = ctypes.create_string_buffer(512)  # struct timex is at most 208 bytes; `modes` 0 only reads
    return ctypes.CDLL(None).adjtimex(timex) in range(TIME_ERROR)
