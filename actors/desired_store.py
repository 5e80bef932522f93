"""The manager's actor that reads and writes documents in the database, so that nobody else waits for it.

It does one job after the other and tells what came of each; the manager's desk gives it the next one then.
"""

from collections.abc import Callable
from dataclasses import dataclass

from loguru import logger

from actors.keeper import Kept, Report
from actors.wants import Numbering
from hardware.clock import Clock
from storage.desired import Desired, DesiredTable
from storage.questdb import DatabaseError
from transport.messages import Accepted, Conflict, Document, Rejected, Set, line

Verdict = Accepted | Conflict | Rejected


@dataclass(frozen=True, slots=True)
class Job:
    """What to do in the database at `address`, in this order.

    `sets` are of reactors that are not attached: each is judged and kept. `rows` are kept. The documents of `reactors`
    are read, and whatever is newer than the revision `since`, unless it is none.
    """

    number: int
    address: str
    sets: tuple[Set, ...] = ()
    rows: tuple[Desired, ...] = ()
    reactors: tuple[str, ...] = ()
    since: int | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a job. `verdicts` answer its sets, in order; with `trouble` the rest was not done.

    `found` are documents that were read, and those that were kept for sets.
    """

    job: Job
    verdicts: tuple[Verdict, ...]
    found: tuple[Desired, ...]
    trouble: str = ""


class DesiredStore(Kept):
    """Does jobs."""

    def __init__(
        self,
        report: Report,
        *,
        connect: Callable[[str], DesiredTable],
        clock: Clock,
        numbering: Numbering,
        hearer: Callable[[Result], None],
    ) -> None:
        """`connect` opens the table at an address; `hearer` is told what came of a job, on this thread."""
        super().__init__(report)
        self._numbering = numbering
        self._connect = connect
        self._clock = clock
        self._hearer = hearer
        self._table: DesiredTable | None = None
        self._address = ""
        self._trouble = ""

    def handle(self, message: object) -> None:
        """Do a job."""
        assert isinstance(message, Job)
        if self._table is None or message.address != self._address:
            self.release()
            self._table, self._address = self._connect(message.address), message.address
        result = perform(message, self._table, self._clock, self._numbering)
        self._note(result.trouble)
        self._hearer(result)

    def release(self) -> None:
        """Close the connection."""
        if self._table is not None:
            self._table.close()
            self._table = None

    def _note(self, trouble: str) -> None:
        """Say when it stops working, and when it works again."""
        if trouble and not self._trouble:
            logger.warning("desired settings are neither read nor kept: {}", trouble)
        if self._trouble and not trouble:
            logger.info("desired settings are read and kept again")
        self._trouble = trouble


def perform(job: Job, table: DesiredTable, clock: Clock, numbering: Numbering) -> Result:
    """Do a job, as far as the database lets it."""
    verdicts: list[Verdict] = []
    found: list[Desired] = []
    trouble = ""
    try:
        verdicts.extend(
            _judge(table, wish, found, clock.wall_us(), numbering) for wish in job.sets
        )  # those before a failure stay
        table.keep(job.rows)
        found += table.latest(job.reactors)
        if job.since is not None:
            found += table.since(job.since)
    except DatabaseError as error:
        trouble = line(str(error))
    return Result(job, tuple(verdicts), tuple(found), trouble)


def _judge(table: DesiredTable, wish: Set, found: list[Desired], wall_us: int, numbering: Numbering) -> Verdict:
    """Keep what is wanted of a reactor that is away, or say why not."""
    if not table.is_wired(wish.reactor, wish.target):
        return refusal(wish, f"{wish.reactor} never had a device or sensor named {wish.target}")
    kept = [row.document for row in table.latest([wish.reactor]) if row.document.target == wish.target]
    newest = kept[0] if kept else no_document(wish.target)
    revision = numbering.next(wish, newest.revision, wall_us)
    if revision is None:
        return Conflict(reactor=wish.reactor, document=newest)
    document = Document(target=wish.target, revision=revision, author=wish.author, values=wish.values)
    table.keep([Desired(wish.reactor, document)])
    found.append(Desired(wish.reactor, document))
    return Accepted(reactor=wish.reactor, target=wish.target, revision=revision, delivered=False)


def no_document(target: str) -> Document:
    """Make what stands where nobody ever wanted anything."""
    return Document(target=target, revision=0, author="", values={})


def refusal(wish: Set, reason: str, revision: int = 0) -> Rejected:
    """Make the answer to a set that changed nothing."""
    return Rejected(reactor=wish.reactor, target=wish.target, revision=revision, reason=line(reason))
