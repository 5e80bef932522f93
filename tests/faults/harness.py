"""A whole system of real processes that is broken round by round while people use it, and then judged.

`start` it, `play` rounds, let it `rest`, judge it (verdict.py), `end` it; `close` it in any case. Reactors and vessels
run five times faster than life, each sensor is read and kept once a second.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from storage.questdb import DatabaseError
from tests.faults import judge
from tests.faults.boards import make
from tests.faults.injector import Done, Injector, Vessels
from tests.faults.network import Network
from tests.faults.people import Person
from tests.faults.plan import Round
from tests.faults.witness import Metronome, Needs, Witness, count_files, needs
from tests.system.whole import CLOCK, Whole

PACE, INTERVAL = 5, 5.0  # a sample a second
STATUS = 3.0  # seconds between two statuses
CAPACITY = 2  # reactors a manager, so that there are several
RECOVERY = 120.0  # seconds until all is well after a round
CALM = 4.0  # seconds in which nothing is done, from when all is well
GROWTH = {"files": 16, "threads": 8, "resident": 48 << 20}
FILES = 60  # more files in the state folder at the end: two generations of some logs


@dataclass(frozen=True, slots=True)
class Played:
    """A round that was played, and what became of it."""

    faults: Round
    done: Sequence[Done]
    began_ns: int
    ended_ns: int
    well_ns: int  # when all was well again
    calm_ns: int  # until when it was left alone


class Harness:
    """One system under faults."""

    def __init__(self, folder: Path, seed: int, reactors: int, say: Callable[[str], None]) -> None:
        self.complaints: list[str] = []
        self.played: list[Played] = []
        self.needs: list[Needs] = []
        self.boards = make(folder / "boards", reactors)
        self._say = say
        self.whole = Whole(
            folder,
            REACTOR_FILE=":".join(str(board.reactor) for board in self.boards),
            PACE=PACE,
            SAMPLE_INTERVAL=INTERVAL,
            LIVE_INTERVAL=INTERVAL,
            STATUS_INTERVAL=STATUS,
            MANAGER_CAPACITY=CAPACITY,
            SAFE_MODE_AFTER=1000,  # reactors end often here, and not by themselves
        )
        self.whole.state.mkdir()
        self.network = Network({self.whole.questdb_port: "database"})
        self.whole.others |= self.network.environment
        self.vessels = Vessels(self.whole, self.boards)
        self._injector = Injector(self.whole, self.vessels, self.network, self.boards)
        self._seed = seed
        self.people: list[Person] = []
        self.metronome = Metronome()
        self._witness: Witness | None = None
        self._files = 0

    @property
    def witness(self) -> Witness:
        assert self._witness
        return self._witness

    @property
    def names(self) -> list[str]:
        return [board.name for board in self.boards]

    # the run

    def start(self) -> None:
        """Start everything, until it is well; people begin."""
        for board in self.boards:
            self.vessels.start(board.name)
        self.whole.start()
        self._witness = Witness(self.whole, STATUS)
        self._wait_until_well()
        self._files = count_files(self.whole.state)
        self.people = [Person(self.witness.operator, board, self._seed) for board in self.boards]
        for thread in (self.metronome, *self.people):
            thread.start()

    def play(self, faults: Round) -> None:
        """Inject a round, and wait until all is well again."""
        began_ns = CLOCK.monotonic_ns()
        self._say("; ".join(map(str, faults)))
        done = self._injector.run(faults)
        ended_ns = CLOCK.monotonic_ns()
        seconds = self._wait_until_well()
        well_ns = CLOCK.monotonic_ns()
        time.sleep(CALM)
        self.needs += needs(self.whole, self.vessels.processes())
        self.played.append(Played(faults, done, began_ns, ended_ns, well_ns, CLOCK.monotonic_ns()))
        missed = [f"{one.fault}: {one.why_not}" for one in done if one.why_not]
        self._say(f"    well after {seconds:.1f} s" + (f"; not injected: {'; '.join(missed)}" if missed else ""))

    def hurry(self) -> None:
        """End the round that is played."""
        self._injector.hurry()

    def _wait_until_well(self) -> float:
        began = time.monotonic()
        while unwell := [*self.witness.unwell(self.names), *self._unwell_database()]:
            if time.monotonic() - began > RECOVERY:
                self.complain(f"not well {RECOVERY:.0f} s after a round: {one}" for one in unwell)
                break
            time.sleep(0.2)
        return time.monotonic() - began

    def _unwell_database(self) -> list[str]:
        try:
            self.whole.database.query("SELECT 1")
        except DatabaseError as error:
            return [str(error)]
        return []

    def complain(self, complaints: Iterable[str]) -> None:
        """Note what is wrong, and say it at once."""
        for complaint in complaints:
            self.complaints.append(complaint)
            self._say(f"COMPLAINT {complaint}")

    # the end

    def rest(self) -> None:
        """End people's wishes, and wait until all is well."""
        for person in self.people:
            person.stop()
        self.metronome.stop()
        self._wait_until_well()
        self.complain(judge.of_needs(self.needs, GROWTH))
        files = count_files(self.whole.state)
        if files > self._files + FILES:
            self.complain([f"{self._files} files in the state folder became {files}"])

    def end(self) -> None:
        """End the system in order, as Ctrl-C does."""
        if (status := self.whole.interrupt()) != 0:
            self.complain([f"reactorium up ended with {status}"])

    def close(self) -> None:
        """End whatever is left."""
        self._injector.hurry()
        if self._witness is not None:
            self._witness.close()
        self.whole.close()
        self.vessels.close()
        self.network.close()
