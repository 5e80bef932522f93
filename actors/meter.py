"""What this process uses of the machine."""

import os
import time
from pathlib import Path

from hardware.clock import Clock

STATM = Path("/proc/self/statm")  # proc(5): sizes in pages, the second is what is resident
PAGE = os.sysconf("SC_PAGE_SIZE")


class Meter:
    """Measures its own process. Of one thread."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._used_ns, self._since_ns = time.process_time_ns(), clock.monotonic_ns()

    def load(self) -> float:
        """Percent of one core since the last call."""
        used_ns, now_ns = time.process_time_ns(), self._clock.monotonic_ns()
        used, passed = used_ns - self._used_ns, now_ns - self._since_ns
        self._used_ns, self._since_ns = used_ns, now_ns
        return 100.0 * used / max(passed, 1)

    def memory(self) -> float:
        """Resident memory in MiB."""
        return int(STATM.read_text(encoding="ascii").split()[1]) * PAGE / 2**20
