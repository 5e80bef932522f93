"""Gathers what a harness's system left behind, has it judged, and tells the figures."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from hardware.vessel import config as vessel_files
from hardware.vessel.journal import Entry, entries
from storage.desired import DesiredTable
from storage.questdb import QuestDB
from tests.faults import judge
from tests.faults.boards import DOSING, Board
from tests.faults.harness import INTERVAL, PACE, STATUS, Harness, Played
from tests.faults.injector import Done, blurred
from tests.faults.judge import Final, Span, Stored
from tests.faults.plan import NETWORK
from tests.system.checker import deliveries
from tests.system.referee import Hazards, Wired, settle, wiring
from tests.system.whole import CLOCK, wait_for
from transport.liveness import MISSED_STALE

STALE = MISSED_STALE * STATUS + 2 + 6  # seconds until a silent reactor must be shown so, six of them for a busy machine
STANDS_NS = 10_000_000_000  # that a stopped reactor certainly stands still, whoever ends it
GUARDED = 20.0  # seconds until a reactor that stands still is killed, and its outputs are safe
LONG = 20.0  # seconds of standing still that a guard does not put up with
SHARED = frozenset({"manager", "managers"})
ALIGNED = 30.0  # seconds until status, database and hardware are of one mind


@dataclass
class Figures:
    """What there is to tell at the end: seconds, shares of an interval, numbers."""

    wishes: int = 0
    accepted: int = 0
    doses: int = 0
    taken: int = 0
    stored: int = 0
    doubled: int = 0
    settled: float = 0.0
    starved: float = 0.0  # seconds in which the machine had no time for anybody
    safe: list[float] = field(default_factory=list)
    away: list[float] = field(default_factory=list)
    calm: list[float] = field(default_factory=list)


class Verdict:
    """Judges a harness that rests, before it ends. `safe_within`: seconds from a reactor's end to safe outputs."""

    def __init__(self, harness: Harness, *, safe_within: float, pace_within: float) -> None:
        self.figures = Figures()
        self._harness = harness
        self._safe_within = safe_within
        self._pace_within = pace_within
        self._journals = {board.name: list(entries(self._path(board))) for board in harness.boards}

    def judge(self) -> Figures:
        """Have everything judged; the harness complains."""
        for complaints in (
            self._samples(),
            self._wishes(),
            self._doses(),
            self._outputs(),
            judge.of_shown(self._harness.witness.shown, self._silent(), STALE),
            judge.of_bystanders(self._harness.witness.shown, self._bystanders()),
            self._pace(),
        ):
            self._harness.complain(complaints)
        return self.figures

    def _path(self, board: Board) -> Path:
        return self._harness.whole.state / "vessels" / board.name / "journal.jsonl"

    @property
    def _database(self) -> QuestDB:
        return self._harness.whole.database

    # samples

    def _samples(self) -> list[str]:
        harness, figures = self._harness, self.figures
        done = [one for played in harness.played for one in played.done if not one.why_not]
        wired = wiring(harness.whole, {board.name: board.vessel for board in harness.boards})
        try:
            figures.settled = settle(
                harness.whole, wired, hazards=Hazards(blurred(done, harness.boards), restarts=True)
            )
        except AssertionError as error:
            return str(error).splitlines()
        until_ns, until_us = CLOCK.monotonic_ns(), CLOCK.wall_us()
        figures.taken = sum(self._taken(one, until_ns) for one in wired)
        good = f"quality != 'fault' AND sensor != 'self' AND ts <= cast({until_us} AS TIMESTAMP)"
        figures.stored = int(self._database.query(f"SELECT count() FROM samples WHERE {good}")[0][0])
        doubled = self._doubled()
        figures.doubled = len(doubled)
        return [f"a sample is stored more than once: {one}" for one in doubled]

    def _taken(self, one: Wired, until_ns: int) -> int:
        if one.circuit is None:
            return 0
        delivered = deliveries(entries(one.journal), one.circuit, one.quantities)
        return sum(len(each.values) for each in delivered if each.asked_ns <= until_ns)

    def _doubled(self) -> Sequence[Sequence[object]]:
        """Find samples with a number that another has; looked at twice, for rows are coming in."""
        names = "reactor, sensor, quantity, spool, seq"
        sql = f"SELECT * FROM (SELECT {names}, count() times FROM samples) WHERE times > 1"
        return self._database.query(sql) and self._database.query(sql)

    # people's changes

    def _wishes(self) -> list[str]:
        wishes = [wish for person in self._harness.people for wish in person.wishes]
        self.figures.wishes = len(wishes)
        self.figures.accepted = sum(wish.answer == "accepted" for wish in wishes)
        rows = self._database.query(
            "SELECT reactor, device, revision FROM settings WHERE state = 'applied' AND revision > 0 ORDER BY ts"
        )
        applied = [(reactor, device, int(revision)) for reactor, device, revision in rows]
        stored: list[Stored] = []
        finals: list[Final] = []

        def aligned() -> bool:
            stored[:] = self._stored()
            finals[:] = [self._final(board, target) for board in self._harness.boards for target in board.outputs]
            return not judge.of_ends(finals, wishes, stored)

        with suppress(AssertionError):  # then the judge says why
            wait_for(aligned, "everybody of one mind", ALIGNED)
        return [
            *judge.of_ends(finals, wishes, stored),
            *judge.of_wishes(wishes, stored, applied),
            *judge.of_orders(applied),
        ]

    def _stored(self) -> list[Stored]:
        rows = DesiredTable(self._database).since(0)
        return [Stored(row.reactor, (doc := row.document).target, doc.revision, doc.author, doc.values) for row in rows]

    def _final(self, board: Board, target: str) -> Final:
        twin = self._harness.witness.operator.twin(board.name)
        assert twin
        state, document = twin.state(target), twin.desired.get(target)
        assert state
        output = next(one for one in vessel_files.load(board.vessel).outputs if one.name == target)
        levels = [one.level for one in entries(self._path(board)) if one.circuit == target and one.do == "drive"]
        percent = 100 * (levels[-1] or 0.0) / output.full
        revision = document.revision if document else 0
        return Final(board.name, target, revision, state.revision, state.values, state.read_back, percent)

    def _doses(self) -> list[str]:
        doses = [dose for person in self._harness.people for dose in person.doses]
        self.figures.doses = len(doses)
        given = {name: judge.volumes(journal, DOSING) for name, journal in self._journals.items()}
        return judge.of_doses(doses, given)

    # outputs

    def _outputs(self) -> list[str]:
        found = []
        for one, within in self._ends():
            name = one.fault.who.partition(" ")[2]
            for output, seconds in judge.seconds_to_safe(self._journals[name], one.began_ns).items():
                if within == self._safe_within and seconds is not None:
                    self.figures.safe.append(seconds)
                if seconds is None or seconds > within:
                    found.append(f"{name} {output}: not safe {within:g} s after `{one.fault}`, but {seconds}")
        return found

    def _ends(self) -> Iterator[tuple[Done, float]]:
        """Find the ends of reactors that nothing else done to guard, vessel or reactor makes worse."""
        for played in self._harness.played:
            for one in played.done:
                what, _, name = one.fault.who.partition(" ")
                if one.why_not or what not in {"reactor", "guard"} or len(_done_to(name, played)) > 1:
                    continue
                if one.fault.kind == "kill":
                    yield one, self._safe_within
                elif one.fault.kind == "stop" and what == "reactor" and one.fault.seconds >= LONG:
                    yield one, GUARDED

    # what was shown

    def _silent(self) -> Iterator[tuple[str, Span]]:
        for played in self._harness.played:
            for one in played.done:
                what, _, name = one.fault.who.partition(" ")
                if one.why_not:
                    continue
                if one.fault.kind == "away" and what == "managers":
                    from_ns = one.ended_ns - round(one.fault.seconds * 1e9)
                    yield from ((each, (from_ns, one.ended_ns)) for each in self._harness.names)
                elif one.fault.kind == "stop" and what == "reactor":
                    yield name, (one.began_ns, min(one.ended_ns, one.began_ns + STANDS_NS))
                elif (
                    one.fault.kind in {"cut", "hold", "hold-out"} and what == "reactor" and one.fault.what != "database"
                ):
                    yield name, (one.began_ns, one.ended_ns)

    def _bystanders(self) -> Iterator[tuple[str, Span]]:
        for played in self._harness.played:
            if SHARED & {one.who for one in played.faults}:
                continue
            for name in self._harness.names:
                if not _done_to(name, played, network=True):
                    yield name, (played.began_ns, played.calm_ns)

    # pace

    def _pace(self) -> list[str]:
        figures, interval = self.figures, INTERVAL / PACE
        for board in self._harness.boards:
            quiet = [played for played in self._harness.played if not _done_to(board.name, played)]
            circuits = [name for name in board.circuits if name != DOSING]
            journal: Sequence[Entry] = self._journals[board.name]
            away = self._with_time((played.began_ns, played.ended_ns) for played in quiet)
            calm = self._with_time((played.well_ns, played.calm_ns) for played in self._harness.played)
            figures.away += judge.late(journal, circuits, away, interval)
            figures.calm += judge.late(journal, circuits, calm, interval)
        figures.starved = sum(ended - began for began, ended in self._harness.metronome.missed) / 1e9
        return judge.of_pace(figures.away, figures.calm, self._pace_within)

    def _with_time(self, spans: Iterable[Span]) -> list[Span]:
        """Leave out when the machine had no time for anybody, and an interval after it."""
        return list(judge.without(spans, self._harness.metronome.missed, round(INTERVAL / PACE * 1e9)))


def _done_to(name: str, played: Played, *, network: bool = False) -> list[str]:
    """Tell what of a round befell a reactor itself, its guard or its vessel; its network too, if that is asked."""
    return [
        one.kind for one in played.faults if one.who.partition(" ")[2] == name and (network or one.kind not in NETWORK)
    ]
