"""The recorder: commits what is kept to the spool, brings it to the disk, and gives it its date."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from loguru import logger

from actors.keeper import Kept, Report, tell
from actors.live import Around
from actors.ticker import SECOND
from storage.rows import Row
from storage.spool import Anchor, Spool, SpoolError

SYNC = SECOND  # a power cut costs no more than this
RETRY = 5 * SECOND  # after a spool that would not take rows
LOOK = 10 * SECOND  # between two looks at the clock
OFF = 2.0  # seconds by which the machine's clock may be off before it is a fault
HELD = 10_000  # rows in memory while the spool takes none; about 3 MiB


@dataclass(frozen=True, slots=True)
class Keep:
    """Commit these rows."""

    rows: Sequence[Row]


@dataclass(frozen=True, slots=True)
class ServerClock:
    """The server's wall time at a moment between two monotonic ones of ours."""

    asked_ns: int
    at_ns: int
    time_us: int


@dataclass(frozen=True, slots=True)
class Sync:
    """Rows have waited a second for the disk."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Offer the spool again what it would not take."""


@dataclass(frozen=True, slots=True)
class Look:
    """Look at the clock."""


class Recorder(Kept):
    """The only one who appends to the spool. `waiting` is told, on this thread, that there are rows to ship."""

    def __init__(self, report: Report, spool: Spool, around: Around, waiting: Callable[[], None]) -> None:
        super().__init__(report)
        self._spool = spool
        self._timebase = around.timebase
        self._clock = around.clock
        self._faults = around.faults
        self._waiting = waiting
        self._held: deque[Row] = deque(maxlen=HELD)
        self._lost = 0  # rows that `_held` had no place for
        self._refused = False  # the spool took none, last time
        self._recalled = False  # what the spool knows of earlier starts was asked for
        self._syncing = False  # a sync is on its way
        self._anchor: Anchor | None = None  # one that the spool has not taken yet
        self._sync, self._retry, self._look = (
            around.ticker.alarm(partial(tell, self.actor_ref, message)) for message in (Sync(), Retry(), Look())
        )

    def begin(self) -> None:
        """Set aside what can never be dated, and see what time it is."""
        try:
            self._recall()
        except SpoolError as error:
            self._fail(error)
        self._see_time()

    def handle(self, message: object) -> None:
        """Keep rows, sync them, date them."""
        match message:
            case Keep(rows):
                self._lost += max(0, len(self._held) + len(rows) - HELD)
                self._held.extend(rows)
                if not self._refused:
                    self._commit()
            case Sync():
                self._bring_to_disk()
            case Retry():
                self._commit()
            case Look():
                self._see_time()
            case ServerClock(asked_ns, at_ns, time_us):
                self._date(self._timebase.server(asked_ns, at_ns, time_us))

    def release(self) -> None:
        """Commit what is held, and bring it to the disk."""
        for alarm in (self._sync, self._retry, self._look):
            alarm.cancel()
        self._commit()
        self._bring_to_disk()
        if self._held:
            logger.error("{} rows that the spool did not take are lost", len(self._held) + self._lost)

    def _recall(self) -> None:
        self._timebase.recall(self._spool.anchor)
        if undatable := self._spool.refuse_undatable():
            self._faults.event("spool", "fault", f"{undatable} rows of earlier starts can never be dated")
        self._recalled = True

    def _commit(self) -> None:
        if not self._held:
            return
        try:
            if not self._recalled:
                self._recall()
            dropped = self._spool.append(list(self._held), self._lost)
        except SpoolError as error:
            self._refused = True
            self._retry.set(self._clock.monotonic_ns() + RETRY)
            self._fail(error)
            return
        self._held.clear()
        self._refused = False
        self._faults.end("spool", "spool")
        if dropped or self._lost:
            text = f"{dropped} oldest rows dropped at the spool's limit, {self._lost} lost while it took none"
            self._faults.event("spool", "fault", text)
            self._lost = 0
        if not self._syncing:
            self._syncing = True
            self._sync.set(self._clock.monotonic_ns() + SYNC)
        self._waiting()

    def _bring_to_disk(self) -> None:
        self._syncing = False
        try:
            self._spool.sync()
        except SpoolError as error:
            self._fail(error)  # the next commit asks for a sync again

    def _see_time(self) -> None:
        disciplined = self._timebase.disciplined()  # before the clock is read: it may be set at any moment
        now_ns, wall_us = self._clock.monotonic_ns(), self._clock.wall_us()
        self._date(self._timebase.kernel(now_ns, wall_us) if disciplined else None)
        self._look.set(now_ns + LOOK)

    def _date(self, anchor: Anchor | None) -> None:
        """Give the spool a new anchor, or one that it would not take before."""
        anchor = anchor or self._anchor
        if anchor is not None:
            try:
                dated = self._spool.date(anchor)
            except SpoolError as error:
                self._anchor = anchor
                self._fail(error)
            else:
                self._anchor = None
                logger.info("the time is known: {} rows dated", dated)
                self._waiting()
        if self._timebase.anchor is None:
            self._faults.begin("clock", "clock", "the time is not known: rows wait undated")
        else:
            self._faults.end("clock", "clock")
        offset = self._timebase.offset(self._clock.monotonic_ns(), self._clock.wall_us()) or 0.0
        if abs(offset) > OFF:
            way = "ahead" if offset > 0 else "behind"
            text = f"the machine's clock is {abs(offset):.0f} s {way}: rows get the right time all the same"
            self._faults.begin("clock", "offset", text)
        else:
            self._faults.end("clock", "offset")

    def _fail(self, error: SpoolError) -> None:
        """Say what is wrong, and what it costs: `dropped` has that once the spool takes rows again."""
        waiting = f"{len(self._held)} rows wait in memory, {self._lost} are lost"
        self._faults.begin("spool", "spool", f"{error}: {waiting}")
