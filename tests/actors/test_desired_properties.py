"""Desired against applied, from operator to reactor, on a network that loses, repeats and reorders.

Two managers share one database; each may be restarted, and so may the reactor, whose applied documents are on its disk.
Whatever happens: revisions never go back, one revision means one document, what was accepted is followed or kept, and
once the faults end the reactor follows the newest that was accepted, or has rejected it.
"""

from dataclasses import dataclass, field
from random import Random

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from actors.desired_store import Job, perform
from actors.desk import Desk
from actors.wants import Numbering
from tests.actors.archive import Archive
from tests.actors.conftest import FakeClock
from tests.actors.test_desk import DATABASE, device, wish
from transport.keys import Peer
from transport.messages import (
    Accepted,
    Applied,
    AppliedState,
    Attach,
    Attached,
    Backlog,
    Change,
    Conflict,
    Document,
    Error,
    Header,
    Message,
    Rejected,
    Status,
)
from transport.session import Session
from transport.wire import Outgoing, Received

TARGETS = ("heater", "light")
BAD = 13.0  # a duty that the reactor rejects
WEB = b"web"


@dataclass
class Reactor:
    """Follows documents as docs/protocol.md says; `applied` is on its disk."""

    applied: dict[str, Document] = field(default_factory=dict)
    rejected: set[int] = field(default_factory=set)
    session: Session | None = None
    manager: int = 0
    attaching: int = 0  # the number of the attach whose answer it waits for

    def states(self) -> list[AppliedState]:
        documents = [
            self.applied.get(target) or Document(target=target, revision=0, author="", values={}) for target in TARGETS
        ]
        return [AppliedState(one.target, one.revision, one.author, one.values, {}) for one in documents]

    def take(self, wanted: Document) -> Message:
        now = self.applied.get(wanted.target)
        if now is None or wanted.revision > now.revision:
            if wanted.values["duty"] == BAD:
                self.rejected.add(wanted.revision)
                return Rejected(target=wanted.target, revision=wanted.revision, reason="bad")
            self.applied[wanted.target] = wanted
        return Applied(target=wanted.target, revision=self.applied[wanted.target].revision, read_back={})


@dataclass(frozen=True)
class Up:
    """On its way to a manager."""

    manager: int
    header: Header
    body: Message


@dataclass(frozen=True)
class Down:
    """On its way to the reactor."""

    manager: int
    out: Outgoing


class Life(RuleBasedStateMachine):
    """One reactor's settings."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = FakeClock()
        self.archive = Archive()
        self.reactor = Reactor()
        self.numberings = [Numbering(0), Numbering(1)]
        self.desks = [self.make(0), self.make(1)]
        self.jobs: list[tuple[int, Job]] = []
        self.up: list[Up] = []
        self.down: list[Down] = []
        self.ids = 0
        self.waiting: set[tuple[int, int]] = set()  # sets without an answer: manager and id
        self.accepted: dict[str, int] = dict.fromkeys(TARGETS, 0)
        self.seen: dict[tuple[str, int], Document] = {}
        self.highest: dict[str, int] = dict.fromkeys(TARGETS, 0)
        self.epoch = 0
        self.returns = False

    def make(self, number: int) -> Desk:
        desk = Desk(capacity=5, interval=5.0, numbering=self.numberings[number], random=Random(1))
        desk.names = frozenset({"r1"})
        desk.move_to(DATABASE)
        return desk

    # what happens

    @initialize(returns=st.booleans())
    def begin(self, returns: bool) -> None:
        """It is attached; whether it attaches again once the faults end."""
        self.returns = returns
        self.attach(0)
        self.settle()

    @rule(manager=st.integers(0, 1))
    def attach(self, manager: int) -> None:
        """The reactor was placed, here or there; what was on its way over the old connection is lost."""
        self.epoch += 1
        self.up.clear()
        self.down.clear()
        self.reactor.manager, self.reactor.session = manager, None
        self.ids += 1
        self.reactor.attaching = self.ids
        attach = Attach(
            epoch=self.epoch,
            label="",
            software="1",
            sensors=[],
            devices=[device(target) for target in TARGETS],
            applied=self.reactor.states(),
        )
        self.up.append(Up(manager, Header(type="attach", id=self.ids), attach))

    @precondition(lambda self: self.reactor.session)
    @rule()
    def report(self) -> None:
        self.say(
            Status(
                now_us=self.clock.now_ns // 1000,
                readings=[],
                backlog=Backlog(waiting=0, oldest=0, refused=0, dropped=0),
                clock_known=True,
                clock_offset=None,
                database="",
                devices=self.reactor.states(),
            )
        )

    @precondition(lambda self: self.up)
    @rule(data=st.data(), fate=st.sampled_from(["deliver", "deliver", "lose", "repeat"]))
    def carry_up(self, data: st.DataObject, fate: str) -> None:
        message = self.up[data.draw(st.integers(0, len(self.up) - 1))]
        if fate != "repeat":
            self.up.remove(message)
        if fate != "lose":
            self.hear(message)

    @precondition(lambda self: self.down)
    @rule(data=st.data(), fate=st.sampled_from(["deliver", "deliver", "lose", "repeat"]))
    def carry_down(self, data: st.DataObject, fate: str) -> None:
        message = self.down[data.draw(st.integers(0, len(self.down) - 1))]
        if fate != "repeat":
            self.down.remove(message)
        if fate != "lose":
            self.deliver(message)

    @rule(
        manager=st.integers(0, 1),
        name=st.sampled_from(TARGETS),
        duty=st.sampled_from([1.0, 2.0, BAD]),
        base=st.sampled_from(["newest", "old"]),
    )
    def set(self, manager: int, name: str, duty: float, base: str) -> None:
        self.ids += 1
        known = self.highest[name] if base == "newest" else 0
        wanted = wish(known, name, {"duty": duty})
        header = Header(type="set", id=self.ids)
        self.waiting.add((manager, self.ids))
        peer = Peer("web", "operator", "o" * 40)
        received = Received(peer, WEB, header, wanted, self.clock.now_ns)
        self.send(manager, self.desks[manager].hear(received, self.clock.wall_us()))

    @rule(seconds=st.sampled_from([0.5, 1.0, 3.0, 20.0]))
    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)
        for manager, desk in enumerate(self.desks):
            out, _ = desk.tick(self.now)
            self.send(manager, out)

    @rule(manager=st.integers(0, 1))
    def ask_database(self, manager: int) -> None:
        job = self.desks[manager].job(self.now, self.clock.wall_us())
        if job is not None:
            self.jobs.append((manager, job))

    @precondition(lambda self: self.jobs)
    @rule(data=st.data(), fate=st.sampled_from(["done", "done", "done unseen", "lost"]))
    def do_job(self, data: st.DataObject, fate: str) -> None:
        manager, job = self.jobs.pop(data.draw(st.integers(0, len(self.jobs) - 1)))
        if fate != "lost":
            result = perform(job, self.archive, self.clock, self.numberings[manager])
            if fate == "done":
                self.send(manager, self.desks[manager].finish(result, self.now))

    @rule(away=st.booleans())
    def database(self, away: bool) -> None:
        self.archive.away = away

    @rule(manager=st.integers(0, 1))
    def restart_manager(self, manager: int) -> None:
        self.clock.advance(0.1)
        self.numberings[manager] = Numbering(manager)
        self.desks[manager] = self.make(manager)
        self.waiting = {one for one in self.waiting if one[0] != manager}
        self.jobs = [one for one in self.jobs if one[0] != manager]

    @rule()
    def restart_reactor(self) -> None:
        self.reactor.session = None
        self.attach(self.reactor.manager)

    # how it is carried out

    @property
    def now(self) -> float:
        return self.clock.now_ns / 1e9

    def say(self, body: Message) -> None:
        session = self.reactor.session
        assert session is not None
        self.ids += 1
        header = Header(type=body.TYPE, id=self.ids, session=session.id, sequence=session.stamp())
        self.up.append(Up(self.reactor.manager, header, body))

    def hear(self, message: Up) -> None:
        received = Received(Peer("r1", "reactor", "k" * 40), b"r1", message.header, message.body, self.clock.now_ns)
        self.send(message.manager, self.desks[message.manager].hear(received, self.clock.wall_us()))

    def send(self, manager: int, out: list[Outgoing]) -> None:
        for one in out:
            if one.route == WEB:
                self.answer(manager, one)
            elif manager == self.reactor.manager:
                self.down.append(Down(manager, one))

    def answer(self, manager: int, out: Outgoing) -> None:
        """What an operator is told must be true when it is told."""
        self.waiting.remove((manager, out.reply_to))  # exactly one answer
        match out.message:
            case Accepted(target=target, revision=revision, delivered=True):
                assert self.reactor.applied[target].revision >= revision
                self.accepted[target] = max(revision, self.accepted[target])
            case Accepted(target=target, revision=revision):
                assert self.archive.revision("r1", target) >= revision
                self.accepted[target] = max(revision, self.accepted[target])
            case Conflict(document=newer):
                self.know(newer)
            case Rejected(target=target, revision=revision, reason="bad"):
                assert revision in self.reactor.rejected

    def deliver(self, message: Down) -> None:
        out, reactor = message.out, self.reactor
        header = Header(type=out.message.TYPE, id=1, session=out.session, sequence=out.sequence)
        match out.message:
            case Attached(session=session, desired=desired) if out.reply_to == reactor.attaching:
                if reactor.session is None:
                    reactor.session = Session(session)
                    for wanted in desired or ():
                        self.follow(wanted)
            case Change(document=wanted) if reactor.session and reactor.session.hear(header) == "ok":
                self.follow(wanted)
            case Error(code="session"):
                reactor.session = None

    def follow(self, wanted: Document) -> None:
        self.know(wanted)
        self.say(self.reactor.take(wanted))

    def know(self, wanted: Document) -> None:
        if wanted.revision:
            assert self.seen.setdefault((wanted.target, wanted.revision), wanted) == wanted
            self.highest[wanted.target] = max(wanted.revision, self.highest[wanted.target])

    @invariant()
    def revisions_rise(self) -> None:
        for target, now in self.reactor.applied.items():
            assert now.revision <= self.highest[target]
        for row in self.archive.rows:
            self.know(row.document)

    def teardown(self) -> None:
        """The faults end, and everything comes right."""
        self.archive.away = False
        self.jobs.clear()
        if self.returns:
            self.attach(self.reactor.manager)
        for _ in range(50):
            self.settle()
            if self.reactor.session is None:  # its attach, or the answer, was lost
                self.attach(self.reactor.manager)
        assert not self.waiting
        for target in TARGETS:
            now = self.reactor.applied.get(target)
            followed = now.revision if now else 0
            kept = self.archive.revision("r1", target)
            assert followed >= self.accepted[target] or {kept, self.accepted[target]} & self.reactor.rejected
            assert kept >= followed

    def settle(self) -> None:
        if self.reactor.session:
            self.report()
        while self.up or self.down:
            for message in self.up[:]:
                self.up.remove(message)
                self.hear(message)
            for below in self.down[:]:
                self.down.remove(below)
                self.deliver(below)
        for manager in (0, 1):
            self.ask_database(manager)
        while self.jobs:
            manager, job = self.jobs.pop(0)
            self.send(
                manager,
                self.desks[manager].finish(perform(job, self.archive, self.clock, self.numberings[manager]), self.now),
            )
        self.wait(2.0)


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=120, stateful_step_count=60, deadline=None)
