"""What a manager's desk wants of the database, one job at a time: a pure core. Times are monotonic seconds.

After a failure it rests, but for what a person waits for: that is tried at once, to be kept or refused.
"""

from collections import deque
from dataclasses import dataclass
from itertools import islice

from actors.desired_store import Job, Result
from storage.desired import Desired
from transport.messages import Set

LOOK = 5.0  # seconds between two looks for what others kept
OVERLAP_US = 600_000_000  # how far behind ours the clock may be of whoever kept it
REST = 5.0  # seconds after a failure
LONGEST_JOB = 60.0  # seconds; what died with the actor that did it is given up then
MOST = 500  # reactors or rows in one job
MOST_SETS = 20  # each costs some ten milliseconds
WAITING = 1000  # sets at once


@dataclass(frozen=True, slots=True)
class Asker:
    """A set of a reactor that is away, and who waits for the answer."""

    wish: Set
    route: bytes
    id: int


class Filing:
    """What waits to be read and kept. Not thread safe: one actor owns it."""

    def __init__(self) -> None:
        self._address: str | None = None
        self._unread: dict[str, None] = {}
        self._unkept: dict[tuple[str, str], Desired] = {}  # by reactor and target, the newest
        self._urgent: set[tuple[str, str]] = set()
        self._away: deque[Asker] = deque()
        self._number = 0
        self._doing: Job | None = None
        self._askers: list[Asker] = []  # of the sets of the job
        self._give_up = 0.0
        self._rest_until = 0.0
        self._look_at = 0.0

    def move_to(self, address: str) -> None:
        """Ask another database from now on, also what is being asked of the one before."""
        self._address = address
        if self._doing is not None:
            self._away.extendleft(reversed(self._askers))
            self._doing = None
        self._rest_until = self._look_at = 0.0

    def is_well(self, now: float) -> bool:
        """Whether the database is known, and answered when it was asked last."""
        return self._address is not None and now >= self._rest_until

    def judge(self, asker: Asker) -> bool:
        """Have a set judged and kept; false, when there is no database or too many wait."""
        if self._address is None or len(self._away) >= WAITING:
            return False
        self._away.append(asker)
        return True

    def read(self, reactor: str) -> None:
        """Have the documents of a reactor read."""
        self._unread[reactor] = None

    def keep(self, row: Desired, *, urgent: bool = False) -> None:
        """Have a document kept; it is tried until it is there, or a newer one is."""
        key = row.reactor, row.document.target
        waiting = self._unkept.get(key)
        if waiting is None or waiting.document.revision <= row.document.revision:
            self._unkept[key] = row
        if urgent:
            self._urgent.add(key)

    def drop(self, row: Desired) -> None:
        """Do not keep this document after all."""
        key = row.reactor, row.document.target
        if self._unkept.get(key) == row:
            del self._unkept[key]

    def forget(self, reactor: str) -> None:
        """Nobody wants to know the documents of this reactor any more."""
        self._unread.pop(reactor, None)

    def job(self, now: float, wall_us: int) -> Job | None:
        """Take the next job, if there is one and none is being done."""
        if self._address is None or self._doing is not None:
            return None
        well = self.is_well(now)
        keys = list(islice(self._unkept, MOST) if well else self._urgent & self._unkept.keys())[:MOST]
        self._askers = [self._away.popleft() for _ in range(min(len(self._away), MOST_SETS))]
        look = well and now >= self._look_at
        job = Job(
            self._number + 1,
            self._address,
            sets=tuple(asker.wish for asker in self._askers),
            rows=tuple(self._unkept[key] for key in keys),
            reactors=tuple(islice(self._unread, MOST)) if well else (),
            since=wall_us - OVERLAP_US if look else None,
        )
        if not (job.sets or job.rows or job.reactors or look):
            return None
        self._urgent.difference_update(keys)
        self._number, self._doing, self._give_up = job.number, job, now + LONGEST_JOB
        if look:
            self._look_at = now + LOOK
        return job

    def finish(self, result: Result, now: float) -> list[Asker] | None:
        """Take in what came of a job; returns who asked for its sets, none when it is no longer waited for."""
        if result.job != self._doing:
            return None
        self._doing = None
        if result.trouble:
            self._rest_until = now + REST
            return self._askers
        if result.job.rows or result.job.reactors or result.job.since is not None:
            self._rest_until = 0.0
        for reactor in result.job.reactors:
            self._unread.pop(reactor, None)
        for row in result.job.rows:
            self.drop(row)
        return self._askers

    def give_up(self, now: float) -> Result | None:
        """Make the result of a job that nobody will finish."""
        if self._doing is None or now < self._give_up:
            return None
        return Result(self._doing, (), (), "the database does not answer")
