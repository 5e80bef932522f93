"""What others do wrong, said and answered at a bounded rate: a flood of nonsense must not become a flood of ours."""

from dataclasses import dataclass

from loguru import logger

from hardware.clock import Clock

WINDOW_NS = 60_000_000_000
PER_WINDOW = 10  # of each culprit
MAX_CULPRITS = 1000


@dataclass(slots=True)
class _Tally:
    since_ns: int
    count: int = 0


class Complaints:
    """Counts faults by culprit. Used on the wire's thread alone."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._tallies: dict[str, _Tally] = {}

    def note(self, culprit: str, fault: str) -> bool:
        """Log that `culprit` did `fault`; false, and nothing said, once it did so too often in this minute.

        Neither text may hold anything that a peer chose, other than a name from the allow-list.
        """
        now = self._clock.monotonic_ns()
        tally = self._tallies.get(culprit)
        if tally is None or now - tally.since_ns >= WINDOW_NS:
            if tally is not None and tally.count > PER_WINDOW:
                logger.warning("{}: {} more faults since", culprit, tally.count - PER_WINDOW)
            tally = self._open(culprit, now)
        tally.count += 1
        if tally.count > PER_WINDOW:
            return False
        logger.warning("{}: {}", culprit, fault)
        return True

    def _open(self, culprit: str, now: int) -> _Tally:
        self._tallies.pop(culprit, None)  # a tally's place is by its age, so that the oldest is the first
        if len(self._tallies) >= MAX_CULPRITS:
            del self._tallies[next(iter(self._tallies))]
        tally = self._tallies[culprit] = _Tally(now)
        return tally
