"""The server's actors that speak to the database, so that nobody else waits for it.

A manager's `DatabaseWriter` writes what its `Outbox` holds; the coordinator's `DatabaseWatch` makes the schema and
says which database it is.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from loguru import logger

from actors.keeper import Kept, Report, tell
from actors.ticker import SECOND, Ticker
from hardware.clock import Clock
from storage.queries import resume, table_health
from storage.questdb import DatabaseError, QuestDB
from storage.readings import InventoryEntry, LiveReading, Writer, Written
from storage.schema import (
    AS_IT_IS,
    TABLES,
    DatabaseIdentity,
    Keeping,
    SchemaDrift,
    ensure_schema,
    missing,
    read_identity,
)
from storage.views import VIEWS, fill_again, invalid_views

WRITE_EVERY = 0.5  # seconds
MOST_READINGS = 50_000  # that wait; ten seconds of 2,000 reactors, about 10 MiB
LOOK_EVERY = 5.0
REST = 5.0  # after a failure
RESUME = 60.0  # between two tries to have suspended tables, invalid views go on; the first so long after one was seen


class Outbox:
    """What waits for the database. Thread safe; `address` names the database, none while nobody said.

    Of the readings it keeps the newest `limit`, and counts the others in `dropped`; inventory waits until it is
    written, the newest of each reactor.
    """

    def __init__(self, limit: int = MOST_READINGS) -> None:
        self.address: str | None = None
        self.dropped = 0
        self._lock = threading.Lock()
        self._readings: deque[LiveReading] = deque(maxlen=limit)
        self._inventory: dict[str, list[InventoryEntry]] = {}

    def put(self, readings: Sequence[LiveReading], inventory: Sequence[InventoryEntry] = ()) -> None:
        """Add what shall be written; never blocks."""
        with self._lock:
            assert self._readings.maxlen is not None
            self.dropped += max(0, len(self._readings) + len(readings) - self._readings.maxlen)
            self._readings.extend(readings)
            self._inventory |= {entry.reactor: [] for entry in inventory}
            for entry in inventory:
                self._inventory[entry.reactor].append(entry)

    def take(self) -> tuple[list[LiveReading], list[InventoryEntry]]:
        """Take everything out."""
        with self._lock:
            readings, inventory = list(self._readings), self._inventory
            self._readings.clear()
            self._inventory = {}
        return readings, [entry for entries in inventory.values() for entry in entries]

    def put_back(self, inventory: Sequence[InventoryEntry]) -> None:
        """Return inventory that could not be written, but for reactors that changed since."""
        with self._lock:
            newer = set(self._inventory)
            for entry in inventory:
                if entry.reactor not in newer:
                    self._inventory.setdefault(entry.reactor, []).append(entry)

    def lose(self, readings: int) -> None:
        """Count readings that were taken and could not be written."""
        with self._lock:
            self.dropped += readings


@dataclass(frozen=True, slots=True)
class Write:
    """It is time to write."""


class DatabaseWriter(Kept):
    """Writes an outbox to the database, in batches. What cannot be written is dropped and counted."""

    def __init__(
        self, report: Report, outbox: Outbox, connect: Callable[[str], Writer], clock: Clock, ticker: Ticker
    ) -> None:
        """`connect` makes a writer for an address; its calls block within a time limit."""
        super().__init__(report)
        self._outbox = outbox
        self._connect = connect
        self._clock = clock
        self._writer: Writer | None = None
        self._address = ""
        self._trouble = ""  # why the last write failed
        self._dropped = 0  # the outbox's count when the trouble began
        self._alarm = ticker.alarm(partial(tell, self.actor_ref, Write()))

    def begin(self) -> None:
        """Write from now on."""
        self._set_alarm(WRITE_EVERY)

    def handle(self, message: object) -> None:  # noqa: ARG002 - there is but one
        """Write what waits."""
        well = self._outbox.address is None or self._write(self._outbox.address)
        self._set_alarm(WRITE_EVERY if well else REST)

    def release(self) -> None:
        """Close the connection."""
        self._alarm.cancel()
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _write(self, address: str) -> bool:
        writer = self._writer_to(address)
        readings, inventory = self._outbox.take()
        well = True
        if readings:
            written = writer.write(readings)
            self._outbox.lose(written.lost)
            well = self._judge(written)
        if inventory:
            written = writer.write(inventory)
            if not written.stored:
                self._outbox.put_back(inventory)
            well = self._judge(written) and well
        return well

    def _writer_to(self, address: str) -> Writer:
        if self._writer is None or address != self._address:
            if self._writer is not None:
                self._writer.close()
            self._writer = self._connect(address)
            self._address = address
        return self._writer

    def _judge(self, written: Written) -> bool:
        """Say when writing stops working, and when it works again."""
        if written.reason and not self._trouble:
            self._dropped = self._outbox.dropped - written.lost
            logger.warning("live readings are dropped: {}", written.reason)
        if self._trouble and not written.reason:
            logger.info("live readings are written again, {} were dropped", self._outbox.dropped - self._dropped)
        self._trouble = written.reason
        return bool(written.stored)

    def _set_alarm(self, seconds: float) -> None:
        self._alarm.set(self._clock.monotonic_ns() + round(seconds * SECOND))


@dataclass(frozen=True, slots=True)
class Look:
    """It is time to look."""


class DatabaseWatch(Kept):
    """Makes and migrates the schema, and looks every 5 s whether the database is still the same one, and well.

    `found` is told at every look, on this thread, which database it is: also for a hearer that started again since.
    What somebody dropped is made again; a table that the server suspended (a full disk) goes on by itself once the
    cause is gone.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - what it is wired to
        self,
        report: Report,
        database: QuestDB,
        found: Callable[[DatabaseIdentity], None],
        clock: Clock,
        ticker: Ticker,
        keeping: Keeping = AS_IT_IS,
    ) -> None:
        super().__init__(report)
        self._database = database
        self._keeping = keeping
        self._found = found
        self._clock = clock
        self._known: DatabaseIdentity | None = None
        self._trouble: DatabaseError | None = None
        self._suspended: frozenset[str] = frozenset()
        self._invalid: frozenset[str] = frozenset()  # views
        self._resume_ns = 0
        self._alarm = ticker.alarm(partial(tell, self.actor_ref, Look()))

    def begin(self) -> None:
        """Look at once."""
        self._alarm.set(self._clock.monotonic_ns())

    def handle(self, message: object) -> None:  # noqa: ARG002 - there is but one
        """Look, and make what is missing."""
        trouble: DatabaseError | None = None
        try:
            self._know(self._look())
            self._look_after()
        except DatabaseError as error:
            trouble = error
            if isinstance(error, SchemaDrift) and error.identity is not None:  # rows that it takes shall come
                self._know(error.identity)
        if trouble and type(trouble) is not type(self._trouble):
            logger.warning("the database: {}", trouble)
        if self._trouble and not trouble:
            logger.info("the database is back")
        self._trouble = trouble
        self._alarm.set(self._clock.monotonic_ns() + round(LOOK_EVERY * SECOND))

    def release(self) -> None:
        """Close the connection."""
        self._alarm.cancel()
        self._database.close()

    def _look(self) -> DatabaseIdentity:
        identity = read_identity(self._database)
        if identity is None or self._known is None or self._trouble or missing(self._database):
            return ensure_schema(self._database, self._keeping)
        return identity

    def _know(self, identity: DatabaseIdentity) -> None:
        if identity != self._known:
            logger.info("the database is {}, schema {}.{}", *_shown(identity))
            self._known = identity
        self._found(identity)

    def _look_after(self) -> None:
        """Say what the server has given up, for lack of room mostly, and have it go on: in vain while that lasts."""
        tables = {one.name: one.error for one in table_health(self._database) if one.suspended and one.name in OURS}
        views = invalid_views(self._database)
        for name in tables.keys() - self._suspended:
            reason = (tables[name] or "").strip()
            logger.error("the table {} is suspended, it takes rows and shows none: {}", name, reason)
        for name in self._suspended - tables.keys():
            logger.info("the table {} is not suspended any more", name)
        for name in views.keys() - self._invalid:
            left = ", and has rows that the samples do not have any more: left to people" if views[name].alone else ""
            logger.error("the view {} is brought up to date no more{}: {}", name, left, views[name].reason)
        for name in self._invalid - views.keys():
            logger.info("the view {} is brought up to date again", name)
        now_ns = self._clock.monotonic_ns()
        if not (tables or views) or not (self._suspended or self._invalid):
            self._resume_ns = now_ns + round(RESUME * SECOND)
        elif now_ns >= self._resume_ns:
            self._resume_ns = now_ns + round(RESUME * SECOND)
            for name in tables:
                resume(self._database, name)
            if not tables:  # they are filled with what stands there
                fill_again(self._database, views)
        self._suspended, self._invalid = frozenset(tables), frozenset(views)


# A view that is but a query has a log too, which only a new start of the server has go on: it loses nothing by that.
OURS = frozenset({table.name for table in TABLES} | {view.name for view in VIEWS if view.refresh})


def _shown(identity: DatabaseIdentity) -> tuple[str, int, int]:
    return f"{identity.identity[:8]}/{identity.incarnation}", identity.schema_major, identity.schema_minor
