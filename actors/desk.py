"""What a manager does with what reactors and operators say: a pure core around the twins.

Twins keep the sessions and what is desired of each reactor (`Wants`). Here it is asked for, told to reactors, shown to
those who watch, and filed in the database. Each event returns what to send. Times are monotonic seconds of the manager.

A `set` of an attached reactor becomes a document that is told at once, whatever the database does. It is accepted when
the reactor follows it, or when the reactor did not answer within `PATIENCE` and the database keeps it; with neither, it
is withdrawn and refused. What a reactor follows and the database does not have is kept there as soon as it can be.
A `set` of any other reactor is the database's alone.

A reactor that attaches is answered when its documents were read, or after `HOLD` without them: they follow. What others
kept in the database is found by looking there again and again: managers share nothing else.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from random import Random

from msgspec.structs import replace

from actors.asked_acts import AskedActs, done
from actors.desired_store import Job, Result, no_document, refusal
from actors.filing import Asker, Filing
from actors.showing import Showing
from actors.ticker import SECOND
from actors.twins import Twin, Twins
from actors.wants import Numbering
from storage.desired import Desired
from transport.messages import (
    Accepted,
    Ack,
    Act,
    Applied,
    Attach,
    Attached,
    Change,
    Conflict,
    Database,
    Document,
    Done,
    Message,
    Rejected,
    Set,
    Status,
    Watch,
)
from transport.wire import Outgoing, Received

PATIENCE = 3.0  # seconds that an attached reactor has for a change before the database is asked to keep it
HOLD = 1.0  # seconds that an attach waits for the database
MOST = 1000  # sets of attached reactors on their way at once


@dataclass(slots=True)
class _Asked:
    """A set of an attached reactor, the document that it became, and who waits for the answer."""

    asker: Asker
    document: Document
    until: float
    filed: bool = False

    @property
    def row(self) -> Desired:
        return Desired(self.asker.wish.reactor, self.document)

    def accept(self, *, delivered: bool, held_by: str = "") -> Outgoing:
        document = self.document
        accepted = Accepted(
            reactor=self.asker.wish.reactor,
            target=document.target,
            revision=document.revision,
            delivered=delivered,
            held_by=held_by,
        )
        return _answer(self.asker, accepted)

    def unreachable(self, why: str) -> Rejected:
        wish = self.asker.wish
        text = f"neither delivered nor kept, as far as is known: {wish.reactor} does not answer, and {why}"
        return refusal(wish, text, self.document.revision)


@dataclass(frozen=True, slots=True)
class _Held:
    """An attach that waits for the database."""

    answer: Outgoing
    until: float


class Desk:
    """Serves the reactors and operators of one manager. Not thread safe: one actor owns it.

    `names` are the reactors that there may be.
    """

    def __init__(self, *, capacity: int, interval: float, numbering: Numbering, random: Random) -> None:
        self._numbering = numbering
        self.twins = Twins(capacity=capacity, interval=interval)
        self.names: frozenset[str] = frozenset()
        self._filing = Filing()
        self._acts = AskedActs()
        self._showing = Showing(self.twins, interval, random)
        self._asked: dict[tuple[str, str, int], _Asked] = {}  # by reactor, target and revision
        self._held: dict[str, _Held] = {}

    def move_to(self, database: Database) -> None:
        """Use this database from now on; another one knows nothing of what the one before was told."""
        known = self.twins.database
        self.twins.database = database
        if known is not None and known.stamp == database.stamp:
            return
        self._filing.move_to(database.address)
        for twin in self.twins:
            twin.wants.is_read = False
            self._filing.read(twin.reactor)

    def hear(self, received: Received, wall_us: int) -> list[Outgoing]:
        """Take in a message."""
        now = received.at_ns / SECOND
        match received.body:
            case Status() as status:
                return self._report(received, status, now, wall_us)
            case Attach() as attach:
                return self._attach(received, attach, now, wall_us)
            case Applied() | Rejected() | Done() as body:
                return self._answered(received, body, now)
            case Set() as wish:
                return self._set(Asker(wish, received.route, received.header.id), now, wall_us)
            case Act() as act:
                return self._act(received, act, now)
            case Watch() as watch:
                return self._showing.watch(received.route, watch, now)
            case _:
                raise AssertionError(received)  # the listener accepts nothing else

    def tick(self, now: float) -> tuple[list[Outgoing], list[str]]:
        """Let time pass: called ten times in an interval. Returns what to send, and who is lost."""
        lost = self.twins.tick(now)
        out: list[Outgoing] = []
        for reactor in lost:
            self._held.pop(reactor, None)
            self._filing.forget(reactor)
            out += self._acts.lose(reactor)
        for reactor, held in list(self._held.items()):
            twin = self.twins.of(reactor)
            if twin is not None and now >= held.until:
                out += self._let_in(twin, now)
        for key, asked in list(self._asked.items()):
            if now >= asked.until and not asked.filed:
                asked.filed = True
                self._filing.keep(asked.row, urgent=True)
                if self.twins.database is None:
                    del self._asked[key]
                    out.append(self._refuse(asked, asked.unreachable("there is no database")))
        result = self._filing.give_up(now)
        if result is not None:
            out += self.finish(result, now)
        out += self._acts.tick(now)
        return out + self._showing.tick(now), lost

    # reactors

    def _attach(self, received: Received, attach: Attach, now: float, wall_us: int) -> list[Outgoing]:
        answer = self.twins.hear(received, wall_us)
        assert answer is not None  # an attach is always answered
        if not isinstance(answer.message, Attached):
            return [answer]
        twin = self._twin(received)
        mine = [one.document for one in self._asked.values() if one.row.reactor == twin.reactor]
        unknown = twin.wants.attach(_targets(attach), attach.applied, mine)
        self._held[twin.reactor] = _Held(answer, now + HOLD)
        out = self._confirm_all(twin)
        if twin.wants.is_read:
            self._file(twin, unknown)
        else:
            self._filing.read(twin.reactor)
        if twin.wants.is_read or not self._filing.is_well(now):
            out += self._let_in(twin, now)
        return out + self._showing.introduce(twin.reactor, now)

    def _let_in(self, twin: Twin, now: float) -> list[Outgoing]:
        """Answer an attach that waited, with everything that is desired, if that is known."""
        held = self._held.pop(twin.reactor, None)
        if held is None:
            return []
        answer = held.answer
        if twin.wants.is_read:
            assert isinstance(answer.message, Attached)
            twin.wants.due(now)  # it is told hereby
            answer = replace(answer, message=replace(answer.message, desired=twin.wants.desired()))
        acts = [twin.tell(act) for act in self._acts.again(twin.reactor)]
        return [answer, *acts, *self._tell(twin, now)]

    def _report(self, received: Received, status: Status, now: float, wall_us: int) -> list[Outgoing]:
        """Take in a status: the path of almost every message."""
        answer = self.twins.hear(received, wall_us)
        if answer is None:
            return []
        out = [answer]
        if type(answer.message) is not Ack:
            return out
        twin = self._twin(received)
        unknown = twin.wants.show(status.devices)
        if unknown and twin.wants.is_read:
            self._file(twin, unknown)
        if self._asked:
            out += self._confirm_all(twin)
        if twin.wants.is_behind:
            out += self._tell(twin, now)
        if self._showing.is_watched(twin.reactor):
            if self._showing.is_watched_closely(twin.reactor):
                out[0] = replace(answer, message=replace(answer.message, closely=True))
            out += self._showing.show(twin.reactor, now, status=status, desired=unknown)
        return out

    def _answered(self, received: Received, body: Applied | Rejected | Done, now: float) -> list[Outgoing]:
        """Take in what became of a change or an act."""
        twin = self.twins.speaking(received)
        if not isinstance(twin, Twin):
            return [] if twin is None else [twin]
        match body:
            case Applied():
                twin.wants.apply(body)
                out = self._confirm(twin, body.target, body.revision, body.held_by)
                shown = self._showing.show(twin.reactor, now, applied=[body])
            case Rejected():
                body = replace(body, reactor=twin.reactor)
                twin.wants.reject(body)
                asked = self._asked.pop((twin.reactor, body.target, body.revision), None)
                out = [self._refuse(asked, body)] if asked else []
                wanted = [twin.wants.newest(body.target) or no_document(body.target)] if asked else []
                shown = self._showing.show(twin.reactor, now, desired=wanted, rejected=[body])
            case Done():
                out = self._acts.answer(twin.reactor, body, now)
                shown = self._showing.show(twin.reactor, now, done=[body])
        return [*out, *self._tell(twin, now), *shown]

    def _tell(self, twin: Twin, now: float) -> list[Outgoing]:
        """Tell a reactor what it does not follow yet."""
        if twin.reactor in self._held:
            return []
        return [twin.tell(Change(document=document)) for document in twin.wants.due(now)]

    def _twin(self, received: Received) -> Twin:
        """Give the twin of who just spoke and was understood."""
        assert received.peer is not None  # a listener names who speaks
        twin = self.twins.of(received.peer.name)
        assert twin is not None
        return twin

    # operators

    def _set(self, asker: Asker, now: float, wall_us: int) -> list[Outgoing]:
        wish = asker.wish
        twin = self.twins.of(wish.reactor)
        if twin is None:
            return self._set_away(asker)
        if wish.target not in twin.wants:
            return [_answer(asker, refusal(wish, f"{wish.reactor} has no device or sensor named {wish.target}"))]
        if len(self._asked) >= MOST:
            return [_answer(asker, refusal(wish, "too many changes are on their way"))]
        document = twin.wants.ask(wish, wall_us, self._numbering)
        if document is None:
            newest = twin.wants.newest(wish.target) or no_document(wish.target)
            return [_answer(asker, Conflict(reactor=wish.reactor, document=newest))]
        self._asked[wish.reactor, wish.target, document.revision] = _Asked(asker, document, now + PATIENCE)
        return [*self._tell(twin, now), *self._showing.show(wish.reactor, now, desired=[document])]

    def _set_away(self, asker: Asker) -> list[Outgoing]:
        wish = asker.wish
        if wish.reactor not in self.names:
            return [_answer(asker, refusal(wish, f"there is no reactor named {wish.reactor}"))]
        if not self._filing.judge(asker):
            why = f"{wish.reactor} is not attached, and the database cannot be asked to keep it"
            return [_answer(asker, refusal(wish, why))]
        return []

    def _act(self, received: Received, act: Act, now: float) -> list[Outgoing]:
        twin = self.twins.of(act.reactor)
        if twin is None or twin.reactor in self._held:
            refused = done(act, "refused", f"{act.reactor} is not attached here")
        elif act.target not in twin.wants:
            refused = done(act, "refused", f"{act.reactor} has no device or sensor named {act.target}")
        elif not self._acts.ask(act, received.route, received.header.id, now):
            refused = done(act, "refused", f"too many acts of {act.reactor} are on their way")
        else:
            return [twin.tell(act)]
        return [Outgoing(received.route, refused, reply_to=received.header.id)]

    def _take(self, target: tuple[str, str], revision: int) -> list[_Asked]:
        """Take out every set of a target up to a revision: a later one stands for those before it."""
        keys = [key for key in self._asked if key[:2] == target and key[2] <= revision]
        return [self._asked.pop(key) for key in keys]

    def _confirm(self, twin: Twin, target: str, revision: int, held_by: str) -> list[Outgoing]:
        """Accept what a reactor follows."""
        out = []
        for asked in self._take((twin.reactor, target), revision) if twin.wants.may_follow(target, revision) else ():
            twin.wants.settle(asked.document)
            self._filing.keep(asked.row)
            out.append(asked.accept(delivered=True, held_by=held_by))
        return out

    def _confirm_all(self, twin: Twin) -> list[Outgoing]:
        """As `_confirm`, of all that a reactor shows."""
        if not any(reactor == twin.reactor for reactor, _, _ in self._asked):
            return []
        states = twin.status.devices if twin.status else twin.attach.applied
        return [
            answer for state in states for answer in self._confirm(twin, state.target, state.revision, state.held_by)
        ]

    def _refuse(self, asked: _Asked, rejected: Rejected) -> Outgoing:
        """Withdraw what was asked for, and say so."""
        self._filing.drop(asked.row)
        for other in self._asked.values():  # it may have stood for one before it
            if (other.row.reactor, other.document.target) == (asked.row.reactor, asked.document.target):
                other.filed = False
        twin = self.twins.of(asked.asker.wish.reactor)
        if twin is not None:
            twin.wants.withdraw(asked.document)
        return _answer(asked.asker, rejected)

    # the database

    def job(self, now: float, wall_us: int) -> Job | None:
        """Give what the database is to be asked next, if anything and if it is not busy."""
        return self._filing.job(now, wall_us)

    def finish(self, result: Result, now: float) -> list[Outgoing]:
        """Take in what came of a job."""
        askers = self._filing.finish(result, now)
        if askers is None:
            return []
        out = []
        for asker, verdict in zip_longest(askers, result.verdicts):
            why = f"{asker.wish.reactor} is not attached, and the database does not keep it: {result.trouble}"
            out.append(_answer(asker, verdict or refusal(asker.wish, why)))
        for row in result.job.rows:
            out += self._filed(row, result.trouble)
        out += self._learn(result.found, now)
        for reactor in () if result.trouble else result.job.reactors:
            twin = self.twins.of(reactor)
            if twin is not None:
                self._compare(twin, result.found)
                twin.wants.is_read = True
                out += self._let_in(twin, now)
        if result.trouble:
            out += [each for reactor in list(self._held) for each in self._let_in(self._attached(reactor), now)]
        return out

    def _attached(self, reactor: str) -> Twin:
        twin = self.twins.of(reactor)
        assert twin is not None  # it is held
        return twin

    def _filed(self, row: Desired, trouble: str) -> list[Outgoing]:
        """Answer who still waits for a document, or one before it, to be kept."""
        out = []
        twin = self.twins.of(row.reactor)
        for asked in self._take((row.reactor, row.document.target), row.document.revision):
            if trouble:
                out.append(self._refuse(asked, asked.unreachable(trouble)))
                continue
            if twin is not None:
                twin.wants.settle(asked.document)
            out.append(asked.accept(delivered=False))
        return out

    def _learn(self, found: Sequence[Desired], now: float) -> list[Outgoing]:
        """Take in documents of the database; reactors that are attached are told, and those who watch them."""
        documents: dict[str, list[Document]] = {}
        for row in found:
            documents.setdefault(row.reactor, []).append(row.document)
        out = []
        for reactor, several in documents.items():
            twin = self.twins.of(reactor)
            news = twin.wants.learn(several) if twin else []
            if twin is not None and news:
                out += [*self._tell(twin, now), *self._showing.show(reactor, now, desired=news)]
        return out

    def _compare(self, twin: Twin, found: Sequence[Desired]) -> None:
        """Have everything kept that is settled and that the database does not have."""
        kept = {row.document.target: row.document.revision for row in found if row.reactor == twin.reactor}
        self._file(twin, [each for each in twin.wants.settled() if each.revision > kept.get(each.target, 0)])

    def _file(self, twin: Twin, documents: Iterable[Document]) -> None:
        for document in documents:
            self._filing.keep(Desired(twin.reactor, document))


def _answer(asker: Asker, message: Message) -> Outgoing:
    return Outgoing(asker.route, message, reply_to=asker.id)


def _targets(attach: Attach) -> list[str]:
    return [info.name for infos in (attach.sensors, attach.devices) for info in infos]
