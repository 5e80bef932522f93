"""What the shipper does next: a pure core that takes events and returns actions.

It decides; its driver carries out, in a loop of one thread:

    match core.next(now):
        case Fetch(limit, without):       core.fetched(spool.batch(limit, without=without), now)
        case Send(rows):                  core.sent(ingest.send(rows), now)
        case Settle(confirmed, refused):  spool.confirm(...); spool.refuse(...); core.settled()
        case Wait(until):                 sleep until then, or until someone asks to look again (core.wake())

and `core.spool_failed(reason, now)` instead, when the spool raised. `core.troubles` says at any time what is wrong.

The rules. A row is refused only after the same request without it was stored: when a whole table has changed, no row
is to blame. A table whose batch cannot be stored, for whatever reason, rests while the others go on, with jitter;
after each rest it may give up twice as many rows, so that even a long run of bad ones gets through. Nothing is lost
by resting: the rows wait in the spool. A login that fails lets everything wait.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from storage.ilp import LoginFailed, Outcome, RowRefused, SchemaMismatch, Stored, TryLater
from storage.spool import SpooledRow
from transport.liveness import back_off

BATCH = 1_000  # rows a request
IDLE = 1.0  # seconds between looks into an empty spool
ISOLATIONS = 16  # rows that a batch may lose before its table rests, the first time
TABLE_REST = 60.0
LOGIN_WAIT = 30.0  # at least: someone has to change a password


@dataclass(frozen=True, slots=True)
class Fetch:
    """Take up to `limit` waiting rows of one table out of the spool, passing over the tables in `without`."""

    limit: int
    without: frozenset[str]


@dataclass(frozen=True, slots=True)
class Send:
    """Send these rows in one request."""

    rows: Sequence[SpooledRow]


@dataclass(frozen=True, slots=True)
class Settle:
    """Write into the spool what became of a batch: ids stored; ids refused, each with its reason."""

    confirmed: Sequence[int]
    refused: Sequence[tuple[int, str]]


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do until then (the caller's `now`)."""

    until: float


Action = Fetch | Send | Settle | Wait


@dataclass(slots=True)
class _Resting:
    """A table that the database does not take; `times` in a row."""

    until: float
    times: int
    reason: str


@dataclass(slots=True)
class ShippingCore:
    """State of one shipper. `now` is in seconds of any monotonic clock. Not thread safe: its driver's alone."""

    source: random.Random
    _rows: list[SpooledRow] = field(default_factory=list)
    _blamed: list[tuple[int, str]] = field(default_factory=list)
    _settlement: Settle | None = None
    _idle_until: float = 0.0
    _retry_at: float = 0.0
    _failures: int = 0
    _trouble: str = ""
    _resting: dict[str, _Resting] = field(default_factory=dict)

    @property
    def troubles(self) -> tuple[str, ...]:
        """What is wrong, for the status; empty when all is well."""
        reasons = [self._trouble, *(resting.reason for resting in self._resting.values())]
        return tuple(dict.fromkeys(filter(None, reasons)))

    def next(self, now: float) -> Action:
        """Tell what to do."""
        if now < self._retry_at:
            return Wait(self._retry_at)
        if self._settlement is not None:
            return self._settlement
        if self._rows:
            return Send(self._rows)
        if now < self._idle_until:
            return Wait(self._idle_until)
        return Fetch(BATCH, frozenset(table for table, resting in self._resting.items() if now < resting.until))

    def fetched(self, rows: Sequence[SpooledRow], now: float) -> None:
        """Take what the spool had; nothing, or less than was asked for, and there is time until the next look."""
        self._rows, self._blamed = list(rows), []
        self._trouble, self._failures = "", 0
        if len(rows) < BATCH:
            self._idle_until = now + IDLE

    def sent(self, outcome: Outcome, now: float) -> None:
        """Take what became of the last `Send`."""
        match outcome:
            case Stored():
                self._resting.pop(self._rows[0].row.TABLE, None)
                self._settlement = Settle([row.id for row in self._rows], self._blamed)
                self._rows = []
            case RowRefused(index, reason):
                self._isolate(index, reason, now)
            case SchemaMismatch(reason):
                self._rest(self._rows[0].row.TABLE, reason, self._table_rest(), now)
            case TryLater(reason):
                table = self._rows[0].row.TABLE
                self._rest(table, reason, back_off(self._rests(table) + 1, self.source), now)
            case LoginFailed():
                self._fail("the database refuses the login", self.source.uniform(LOGIN_WAIT, 2 * LOGIN_WAIT), now)

    def settled(self) -> None:
        """The last `Settle` is in the spool."""
        self._settlement = None
        self._trouble, self._failures = "", 0

    def spool_failed(self, reason: str, now: float) -> None:
        """The spool could not do the last action: it comes again later."""
        self._fail(reason, back_off(self._failures + 1, self.source), now)

    def wake(self) -> None:
        """Look into the spool at once instead of after the usual pause (a sample came, the clock became known)."""
        self._idle_until = 0.0

    def redirect(self) -> None:
        """Begin afresh with another database. Whatever is in hand still waits in the spool, stored there or not."""
        self._rows, self._blamed, self._resting, self._settlement = [], [], {}, None
        self._retry_at = self._idle_until = 0.0
        self._trouble, self._failures = "", 0

    def _isolate(self, index: int, reason: str, now: float) -> None:
        """Leave one row out. Whether it is really to blame, only the rest of the batch can show."""
        row = self._rows.pop(index)
        self._blamed.append((row.id, reason))
        table = row.row.TABLE
        allowed = ISOLATIONS * 2 ** self._rests(table)
        if not self._rows or len(self._blamed) > allowed:
            self._rest(table, reason, self._table_rest(), now)

    def _rests(self, table: str) -> int:
        return self._resting[table].times if table in self._resting else 0

    def _table_rest(self) -> float:
        return TABLE_REST * self.source.uniform(0.5, 1.5)

    def _rest(self, table: str, reason: str, wait: float, now: float) -> None:
        """Put a table aside, the batch in hand with it, and look at once whether another has rows."""
        self._resting[table] = _Resting(now + wait, self._rests(table) + 1, reason)
        self._rows, self._blamed = [], []
        self._idle_until = 0.0

    def _fail(self, reason: str, wait: float, now: float) -> None:
        self._trouble = reason
        self._failures += 1
        self._retry_at = now + wait
