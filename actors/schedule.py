"""When a sensor reads: two grids of ticks, one for the live view and one for what is kept. Pure."""

from dataclasses import dataclass

from actors.ticker import SECOND


@dataclass(slots=True)
class Grid:
    """Ticks at `origin_ns + n * interval_ns`; `tick` is the first n that was not handled yet."""

    origin_ns: int
    interval_ns: int
    tick: int = 0

    @property
    def next_ns(self) -> int:
        """When the first tick that was not handled falls due; past if it is late."""
        return self.origin_ns + self.tick * self.interval_ns

    def due(self, now_ns: int) -> int:
        """How many ticks fell due and were not handled: 0, 1, or more when some were missed."""
        return max(0, (now_ns - self.origin_ns) // self.interval_ns + 1 - self.tick)

    def handled(self, now_ns: int) -> None:
        """Go on behind every tick that fell due up to `now_ns`."""
        self.tick += self.due(now_ns)


@dataclass(frozen=True, slots=True)
class Due:
    """What a sensor has to do now: `read` at all, keep the readings as a `sample`, own up to `missed` samples."""

    read: bool
    sample: bool
    missed: int


class Schedule:
    """The live grid and the sample grid of one sensor. The first tick of both is `origin_ns`.

    It outlives its actor: `due` changes nothing and `handled` is called after the rows were handed on, so a tick at
    which an actor died is due again for its successor, and those in between are counted as missed.
    """

    def __init__(self, origin_ns: int, live_interval: float, sample_interval: float) -> None:
        """Intervals in seconds, above 0."""
        self._live = Grid(origin_ns, round(live_interval * SECOND))
        self._sample = Grid(origin_ns, round(sample_interval * SECOND))

    @property
    def next_ns(self) -> int:
        """When the sensor is due next."""
        return min(self._live.next_ns, self._sample.next_ns)

    def due(self, now_ns: int) -> Due:
        """Say what is due at `now_ns`. Ticks that both grids share are one read; a late tick is read once."""
        samples = self._sample.due(now_ns)
        return Due(samples > 0 or self._live.due(now_ns) > 0, samples > 0, max(0, samples - 1))

    def handled(self, now_ns: int) -> None:
        """Go on behind everything that `due` said for the same `now_ns`."""
        self._live.handled(now_ns)
        self._sample.handled(now_ns)
