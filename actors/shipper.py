"""The shipper: brings rows from the spool to the database. storage/shipping.py decides, this carries out."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from random import Random

from loguru import logger

from actors.keeper import Kept, Report, tell
from actors.live import Around
from actors.ticker import SECOND
from storage.ilp import Ingest
from storage.schema import STEPS
from storage.shipping import Fetch, Send, Settle, ShippingCore, Wait
from storage.spool import Spool, SpoolError
from transport.messages import Database

MAJOR = STEPS[-1].major  # the newest schema that we can write to
SPOOL_RETRY = 5.0  # seconds
PRUNE = 60 * SECOND  # between two looks for rows that were retained long enough


@dataclass(frozen=True, slots=True)
class Waiting:
    """The spool has rows to ship."""


@dataclass(frozen=True, slots=True)
class LogTo:
    """This is the database from now on."""

    database: Database


@dataclass(frozen=True, slots=True)
class Step:
    """Do the next thing."""


@dataclass(frozen=True, slots=True)
class Prune:
    """Rows may have been retained long enough."""


class Shipper(Kept):
    """Ships on its own thread, where a request may block; hears other messages between two requests.

    `connect` makes what sends to a database's address.
    """

    def __init__(self, report: Report, spool: Spool, around: Around, connect: Callable[[str], Ingest]) -> None:
        super().__init__(report)
        self._spool = spool
        self._around = around
        self._connect = connect
        self._core = ShippingCore(Random())  # noqa: S311 - spreads retries
        self._told: Database | None = None  # the database that was named last, until rows go there
        self._named = False  # somebody named one: the spool, or who knows better
        self._ingest: Ingest | None = None
        self._address = ""
        self._resting = True  # no step is on its way but by the alarm
        self._empty = False  # the spool had nothing, and nobody has said otherwise since
        self._until_ns = 0  # when the core wants to go on
        self._alarm, self._prune = (
            around.ticker.alarm(partial(tell, self.actor_ref, message)) for message in (Step(), Prune())
        )

    def begin(self) -> None:
        """Go on with the database of the last time; nobody need name it."""
        self._prune.set(self._around.clock.monotonic_ns() + PRUNE)
        self._recall()

    def handle(self, message: object) -> None:
        """Ship, or learn where to or that there is something."""
        match message:
            case Step():
                self._step()
            case Waiting():
                self._recall()
                self._empty = False
                if self._resting:
                    self._alarm.set(self._until_ns)
            case LogTo(database):
                self._told, self._named = database, True
                self._around.vitals.database = database.stamp
                if self._resting:
                    self._alarm.set(self._around.clock.monotonic_ns())
            case Prune():
                self._forget()

    def release(self) -> None:
        """Close the connection."""
        self._alarm.cancel()
        self._prune.cancel()
        if self._ingest is not None:
            self._ingest.close()

    def _recall(self) -> None:
        """Take the database of the last time, as soon as the spool can tell it, unless another was named."""
        if self._named:
            return
        try:
            destination = self._spool.destination
        except SpoolError as error:
            logger.warning("the database of the last time is not known: {}", error)
            return
        self._named = True
        if destination is not None:
            self.handle(LogTo(destination))

    def _step(self) -> None:
        try:
            if self._told is not None:
                self._turn_to(self._told)
                self._told = None
            done = self._ingest is not None and self._act(self._ingest)
        except SpoolError as error:
            self._core.spool_failed(str(error), self._now())
            self._rest(self._now() + SPOOL_RETRY)
            done = False
        self._tell_troubles()
        self._resting = not done
        if done:
            tell(self.actor_ref, Step())

    def _act(self, ingest: Ingest) -> bool:
        """Do what the core wants; false when it wants to wait."""
        match self._core.next(self._now()):
            case Fetch(limit, without):
                rows = self._spool.batch(limit, without=without)
                self._empty = not rows
                self._core.fetched(rows, self._now())
            case Send(rows):
                self._core.sent(ingest.send(rows), self._now())
            case Settle(confirmed, refused):
                self._spool.confirm(confirmed)
                for number, reason in refused:
                    self._spool.refuse(number, reason)
                    logger.warning("the database refused a row, which is set aside: {}", reason)
                self._core.settled()
            case Wait(until):
                self._rest(until)
                return False
        return True

    def _rest(self, until: float) -> None:
        """Wait: for the alarm, or with nothing to ship and nothing wrong, for someone to say that there is."""
        self._until_ns = round(until * SECOND)
        if not self._empty or self._core.troubles:
            self._alarm.set(self._until_ns)

    def _turn_to(self, database: Database) -> None:
        """Ship there from now on: what is retained too, when it is another database or an older state of ours."""
        faults = self._around.faults
        if database.schema_major > MAJOR:
            self._close()
            faults.begin("database", "schema", f"schema {database.schema_major} is newer than {MAJOR}: rows wait")
            return
        faults.end("database", "schema")
        before = self._spool.destination
        if before is not None and _history(before) != _history(database):
            resent = self._spool.resend()
            logger.warning("another database, or an older state of it: {} retained rows are sent again", resent)
            self._close()  # QuestDB acknowledges what an old connection writes into a table that was dropped
        if before != database:
            self._spool.set_destination(database)
        if self._ingest is None or self._address != database.address:
            self._close()
            self._ingest, self._address = self._connect(database.address), database.address
            logger.info("rows go to {}", self._ingest.address)
        self._core.redirect()

    def _close(self) -> None:
        if self._ingest is not None:
            self._ingest.close()
            self._ingest = None

    def _tell_troubles(self) -> None:
        if self._core.troubles:
            self._around.faults.begin("database", "shipping", self._core.troubles[0])
        else:
            self._around.faults.end("database", "shipping")

    def _forget(self) -> None:
        try:
            self._spool.prune()
        except SpoolError as error:
            logger.warning("the spool keeps what it might forget: {}", error)
        self._prune.set(self._around.clock.monotonic_ns() + PRUNE)

    def _now(self) -> float:
        return self._around.clock.monotonic_ns() / SECOND


def _history(database: Database) -> tuple[str, int]:
    """What a database holds is its own: another identity or incarnation has not seen what we shipped."""
    return database.identity, database.incarnation
