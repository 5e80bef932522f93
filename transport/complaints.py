"""What others do wrong, said and answered at a bounded rate: a flood of nonsense must not become a flood of ours."""

from dataclasses import dataclass

from loguru import logger

from hardware.clock import Clock

WINDOW_NS = 60_000_000_000
PER_WINDOW = 10  # of each culprit
MOST_LINES = 200  # in a window, whoever they are about: a culprit may have a thousand addresses
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
        self._lines = _Tally(clock.monotonic_ns())

    def note(self, culprit: str, fault: str) -> bool:
        """Count that `culprit` did `fault`, and log it; false, and nothing said, once it did too much in this minute.

        Neither text may hold anything that a peer chose, other than a name from the allow-list.
        """
        now = self._clock.monotonic_ns()
        tally = self._tallies.get(culprit)
        if tally is None or now - tally.since_ns >= WINDOW_NS:
            if tally is not None and tally.count > PER_WINDOW:
                self._say(now, f"{culprit}: {tally.count - PER_WINDOW} more faults since")
            tally = self._open(culprit, now)
        tally.count += 1
        if tally.count > PER_WINDOW:
            return False
        self._say(now, f"{culprit}: {fault}")
        return True

    def count(self, culprit: str) -> int:
        """Tell how many faults of a culprit this minute saw."""
        tally = self._tallies.get(culprit)
        return tally.count if tally and self._clock.monotonic_ns() - tally.since_ns < WINDOW_NS else 0

    def _say(self, now: int, text: str) -> None:
        lines = self._lines
        if now - lines.since_ns >= WINDOW_NS:
            if lines.count > MOST_LINES:
                logger.warning("{} more faults of others since", lines.count - MOST_LINES)
            lines = self._lines = _Tally(now)
        lines.count += 1
        if lines.count <= MOST_LINES:
            logger.warning("{}", text)

    def _open(self, culprit: str, now: int) -> _Tally:
        self._tallies.pop(culprit, None)  # a tally's place is by its age, so that the oldest is the first
        if len(self._tallies) >= MAX_CULPRITS:
            del self._tallies[next(iter(self._tallies))]
        tally = self._tallies[culprit] = _Tally(now)
        return tally
