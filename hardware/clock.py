"""Time, passed in: everything that waits or stamps asks a clock, so that tests need no sleep."""

import time
from pathlib import Path
from typing import Protocol


class Clock(Protocol):
    """What time it is, and how to wait. Callable from any thread."""

    def monotonic_ns(self) -> int:
        """Nanoseconds since this boot, suspended time included; never steps."""

    def wall_us(self) -> int:
        """Microseconds since 1970 as this machine believes; may jump at any moment."""

    def sleep(self, seconds: float) -> None:
        """Block the calling thread for a circuit's or an interval's time."""


class SystemClock:
    """The machine's own clock.

    `pace` shortens every wait alike (a delay of 0.9 s lasts 0.9 / pace), for simulated vessels that run faster than
    life. Stamps are never scaled.
    """

    def __init__(self, pace: float = 1.0) -> None:
        self.pace = pace

    def monotonic_ns(self) -> int:
        """CLOCK_BOOTTIME: the same for every process of this boot."""
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME)

    def wall_us(self) -> int:
        """CLOCK_REALTIME in microseconds."""
        return time.time_ns() // 1000

    def sleep(self, seconds: float) -> None:
        """Sleep `seconds / pace`."""
        time.sleep(seconds / self.pace)


def boot_id() -> str:
    """The kernel's random id of this boot: monotonic times of two boots cannot be compared (Linux random(4))."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
