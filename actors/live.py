"""What a reactor knows of itself right now, in memory: the newest readings, its own numbers, what is wrong."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from actors.progress import Progress
from actors.safe_mode import SafeMode
from actors.targets import Standings
from actors.ticker import SECOND, Ticker
from actors.timebase import Timebase
from hardware.clock import Clock
from hardware.values import Quality, Reading
from storage.rows import Event
from transport.messages import Backlog, line

SAY_AGAIN = 60.0  # seconds between two events of one fault that comes and goes
MICROSECOND = 1000  # nanoseconds
NO_BACKLOG = Backlog(waiting=0, oldest=0.0, refused=0, dropped=0)


class Live:
    """The newest reading of each quantity. Thread safe.

    `stale_after` gives, for each sensor, the seconds after which a reading that nobody renewed is `stale`. `fresh` is
    called when there are new ones, on the thread that brought them, and must not block.
    """

    def __init__(self, clock: Clock, stale_after: dict[str, float], fresh: Callable[[], None] = lambda: None) -> None:
        self._clock = clock
        self._fresh = fresh
        self._stale_ns = {sensor: round(seconds * SECOND) for sensor, seconds in stale_after.items()}
        self._lock = threading.Lock()
        self._newest: dict[tuple[str, str], Reading] = {}

    def put(self, sensor: str, readings: Sequence[Reading]) -> None:
        """Take a sensor's newest readings."""
        with self._lock:
            for reading in readings:
                self._newest[sensor, reading.quantity] = reading
        self._fresh()

    def expect(self, sensor: str, stale_after: float) -> None:
        """Expect a sensor's readings at another interval."""
        with self._lock:
            self._stale_ns[sensor] = round(stale_after * SECOND)

    def get(self, sensor: str, quantity: str) -> Reading | None:
        """Return the newest reading; none when there never was one."""
        with self._lock:
            reading = self._newest.get((sensor, quantity))
        return None if reading is None else self._aged(sensor, reading)

    def snapshot(self) -> list[tuple[str, Reading]]:
        """Return the newest readings of all sensors."""
        with self._lock:
            newest = list(self._newest.items())
        return [(sensor, self._aged(sensor, reading)) for (sensor, _), reading in newest]

    def _aged(self, sensor: str, reading: Reading) -> Reading:
        age_ns = self._clock.monotonic_ns() - reading.taken_ns
        if reading.quality is Quality.OK and age_ns > self._stale_ns[sensor]:
            return replace(reading, quality=Quality.STALE)
        return reading


@dataclass(slots=True)
class Vitals:
    """The reactor's own numbers. Each is assigned by one actor and read by any."""

    backlog: Backlog = NO_BACKLOG  # by the sensor `self`
    lost_ns: int | None = 0  # by the link: since when there is no contact with a manager, none while there is some
    database: str = ""  # by the shipper: the stamp of the database that it was told last


@dataclass(slots=True)
class _Fault:
    """One thing that is or was wrong. `said_ns` is when an event last told of it, `unsaid` how often none did since."""

    text: str = ""
    since_ns: int = 0
    on: bool = False
    said: bool = False
    said_ns: int | None = None
    unsaid: int = 0


class Faults:
    """What is wrong, each thing by its source and topic. Thread safe.

    Beginning and end of a fault become events, but of one that comes and goes within a minute only the first;
    the next event says how many were not told.
    """

    def __init__(self, reactor: str, clock: Clock, keep: Callable[[Event], None]) -> None:
        """`keep` takes each event on the thread that reports, and must not block."""
        self._reactor = reactor
        self._clock = clock
        self._keep = keep
        self._lock = threading.Lock()
        self._faults: dict[tuple[str, str], _Fault] = {}
        self._stamp_ns = 0

    def begin(self, source: str, topic: str, text: str) -> None:
        """Report that something is wrong, again if it still is: only the first time makes an event."""
        with self._lock:
            fault = self._faults.setdefault((source, topic), _Fault())
            fault.text = text
            if fault.on:
                return
            now_ns = self._clock.monotonic_ns()
            fault.on, fault.since_ns = True, now_ns
            fault.said = fault.said_ns is None or now_ns - fault.said_ns >= SAY_AGAIN * SECOND
            if not fault.said:
                fault.unsaid += 1
                return
            more = f" ({fault.unsaid} more times since the last event)" if fault.unsaid else ""
            fault.said_ns, fault.unsaid = now_ns, 0
            self._event(source, "fault", f"{text}{more}")

    def end(self, source: str, topic: str) -> None:
        """Report that it is well; nothing happens unless it was not."""
        with self._lock:
            fault = self._faults.get((source, topic))
            if fault is None or not fault.on:
                return
            fault.on = False
            if fault.said:
                seconds = (self._clock.monotonic_ns() - fault.since_ns) / SECOND
                self._event(source, "fault", f"over after {seconds:.0f} s: {fault.text}")

    def event(self, source: str, kind: str, text: str, at_ns: int | None = None) -> None:
        """Keep an event that is no fault with an end: told every time. `at_ns`: when it was, if not now."""
        with self._lock:
            self._event(source, kind, text, at_ns)

    def current(self) -> list[str]:
        """Say what is wrong now, one short line each."""
        with self._lock:
            return [line(f"{source}: {fault.text}") for (source, _), fault in self._faults.items() if fault.on]

    def _event(self, source: str, kind: str, text: str, at_ns: int | None = None) -> None:
        """Two events of one source and kind never share a microsecond: the database would keep one of them."""
        self._stamp_ns = max(self._clock.monotonic_ns() if at_ns is None else at_ns, self._stamp_ns + MICROSECOND)
        self._keep(Event(self._reactor, source, kind, line(text), self._stamp_ns))


@dataclass(frozen=True, slots=True)
class Around:
    """What every actor of one reactor shares. It started at `began_ns`, the first tick of all its sensors."""

    reactor: str
    began_ns: int
    clock: Clock
    ticker: Ticker
    timebase: Timebase
    live: Live
    vitals: Vitals
    faults: Faults
    standings: Standings = field(default_factory=Standings)
    progress: Progress = field(default_factory=Progress)
    safe_mode: SafeMode = field(default_factory=SafeMode)
