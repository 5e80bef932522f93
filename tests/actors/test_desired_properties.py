"""Desired against applied, and acts, from operator to hardware, on a network that loses, repeats and reorders.

Two managers share one database; each may be restarted, and so may the reactor, whose devices are the real ones: their
documents and journals are on its disk. Whatever happens: revisions never go back, one revision means one document, what
was accepted is followed or kept, and once the faults end the reactor follows the newest that was accepted, or has
rejected it. An act is done at most once, however often it is asked for and sent, and everybody who asked is answered.
"""

from dataclasses import dataclass
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from msgspec.structs import replace

from actors.asked_acts import LONGEST
from actors.desired_store import Job, perform
from actors.desk import Desk
from actors.targets import Do, Follow
from actors.wants import Numbering
from tests.actors.archive import Archive
from tests.actors.conftest import FakeClock, Kept, make_around
from tests.actors.test_desk import DATABASE, device, wish
from tests.actors.test_device import FakeCircuit, FakeOutput, Scene
from transport.keys import Peer
from transport.messages import (
    Accepted,
    Act,
    AppliedState,
    Attach,
    Attached,
    Backlog,
    Change,
    Conflict,
    Document,
    Done,
    Error,
    Header,
    Message,
    Rejected,
    Status,
)
from transport.session import Session
from transport.wire import Outgoing, Received

TARGETS = ("heater", "light")
PUMP = "pump"  # takes no documents here, but doses
DRIVERS: dict[str, type[FakeOutput]] = {"heater": FakeOutput, "light": FakeOutput, PUMP: FakeCircuit}
BAD = 113.0  # a duty that the reactor rejects
VALID = 5.0  # seconds within which an act may begin
WEB = b"web"
MEMORY = next((folder for folder in ("/dev/shm",) if Path(folder).is_dir()), None)  # a disk that syncs at once


class Reactor:
    """The real devices over pretended hardware. What is on its disk and its hardware outlives it."""

    def __init__(self, clock: FakeClock, folder: Path) -> None:
        self.clock = clock
        self.folder = folder
        self.session: Session | None = None
        self.manager = 0
        self.attaching = 0  # the number of the attach whose answer it waits for
        self.rejected: set[int] = set()
        self.dosed: list[float] = []  # volumes, as the hardware was told
        self.scenes: dict[str, Scene] = {}
        self.start()

    def start(self) -> None:
        """Begin, after a kill at any moment."""
        self._count()
        for name, driver in DRIVERS.items():
            kept = Kept()
            scene = Scene(make_around(self.clock, kept, reactor="r1"), self.clock, kept, self.folder / name)
            scene.name = name
            self.scenes[name] = scene.start(driver)

    def states(self) -> list[AppliedState]:
        return [scene.state for scene in self.scenes.values()]

    def revision(self, target: str) -> int:
        return self.scenes[target].state.revision

    def take(self, asked: Document | Act, number: int) -> None:
        """Hand over what a manager asks for."""
        target = asked.target
        message = Follow(asked, number) if isinstance(asked, Document) else Do(asked, self.clock.now_ns, number)
        self.scenes[target].device.handle(message)

    def said(self) -> list[Message]:
        """Take what the devices said since."""
        messages = [message for scene in self.scenes.values() for message, _ in scene.said]
        for scene in self.scenes.values():
            scene.said.clear()
        self.rejected |= {message.revision for message in messages if isinstance(message, Rejected)}
        self._count()
        return messages

    def settle(self) -> None:
        """Let the devices do what is due."""
        for scene in self.scenes.values():
            scene.settle()

    def end_dose(self) -> None:
        self.scenes[PUMP].driver.register["running"] = False

    def _count(self) -> None:
        """Note what was dosed, and that it was not dosed before."""
        if PUMP in self.scenes:
            log = self.scenes[PUMP].driver.log
            self.dosed += [entry[1]["volume"] for entry in log if isinstance(entry, tuple)]
            log.clear()
        assert len(set(self.dosed)) == len(self.dosed)


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
        self.disk = TemporaryDirectory(dir=MEMORY)
        folder = Path(self.disk.name)
        for name in DRIVERS:
            (folder / name).mkdir()
        self.reactor = Reactor(self.clock, folder)
        self.defaults = {state.target: state.values for state in self.reactor.states()}
        self.numberings = [Numbering(0), Numbering(1)]
        self.desks = [self.make(0), self.make(1)]
        self.jobs: list[tuple[int, Job]] = []
        self.up: list[Up] = []
        self.down: list[Down] = []
        self.ids = 0
        self.waiting: set[tuple[int, int]] = set()  # sets without an answer: manager and id
        self.acts: dict[int, tuple[int, int]] = {}  # by their number: manager and id of who asked last, unanswered
        self.numbers = 0  # acts so far
        self.accepted: dict[str, int] = dict.fromkeys(TARGETS, 0)
        self.seen: dict[tuple[str, int], Document] = {}
        self.highest: dict[str, int] = dict.fromkeys(TARGETS, 0)
        self.followed: dict[str, int] = dict.fromkeys(TARGETS, 0)
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
        self.settle()  # the database is asked,
        self.settle()  # and it is let in
        assert self.reactor.session

    @rule(manager=st.integers(0, 1), what=st.sampled_from(["move", "manager", "reactor", "away", "back"]))
    def trouble(self, manager: int, what: str) -> None:
        match what:
            case "move":
                self.attach(manager)
            case "manager":
                self.restart_manager(manager)
            case "reactor":
                self.restart_reactor()
            case "away" | "back":
                self.archive.away = what == "away"

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
            devices=[device(target) for target in DRIVERS],
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

    @rule(manager=st.integers(0, 1), old=st.booleans())
    def dose(self, manager: int, old: bool) -> None:
        """Ask for a dose; for one that was asked for before, too."""
        if not old or not self.numbers:
            self.numbers += 1
        self.ask_dose(manager, self.numbers)

    @rule()
    def end_dose(self) -> None:
        self.reactor.end_dose()

    @rule(seconds=st.sampled_from([0.5, 1.0, 3.0, 20.0]))
    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.reactor.settle()
        self.answer_managers()
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

    @rule()
    def calm(self) -> None:
        """All that is on its way arrives."""
        self.settle()

    def restart_manager(self, manager: int) -> None:
        self.clock.advance(0.1)
        self.numberings[manager] = Numbering(manager)
        self.desks[manager] = self.make(manager)
        self.waiting = {one for one in self.waiting if one[0] != manager}
        self.acts = {number: asker for number, asker in self.acts.items() if asker[0] != manager}
        self.jobs = [one for one in self.jobs if one[0] != manager]

    def restart_reactor(self) -> None:
        self.reactor.session = None
        self.reactor.start()
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

    def ask_dose(self, manager: int, number: int) -> None:
        self.ids += 1
        asked = Act(
            reactor="r1",
            act=f"act-{number:08d}",
            target=PUMP,
            kind="dose",
            arguments={"volume": float(number)},
            valid_for=VALID,
            author="eva",
        )
        self.acts[number] = manager, self.ids
        received = Received(
            Peer("web", "operator", "o" * 40), WEB, Header(type="act", id=self.ids), asked, self.clock.now_ns
        )
        self.send(manager, self.desks[manager].hear(received, self.clock.wall_us()))

    def answer(self, manager: int, out: Outgoing) -> None:
        """What an operator is told must be true when it is told."""
        if isinstance(out.message, Done):
            self.answer_dose(manager, out.reply_to, out.message)
            return
        self.waiting.remove((manager, out.reply_to))  # exactly one answer
        match out.message:
            case Accepted(target=target, revision=revision, delivered=True):
                assert self.reactor.revision(target) >= revision
                self.accepted[target] = max(revision, self.accepted[target])
            case Accepted(target=target, revision=revision):
                assert self.archive.revision("r1", target) >= revision
                self.accepted[target] = max(revision, self.accepted[target])
            case Conflict(document=newer):
                self.know(newer)
            case Rejected(revision=revision, mistakes=[_]):
                assert revision in self.reactor.rejected

    def answer_dose(self, manager: int, reply_to: int, done: Done) -> None:
        number = int(done.act.removeprefix("act-"))
        if done.state in {"begun", "done"}:
            assert float(number) in self.reactor.dosed
        if done.state != "begun" and self.acts.get(number) == (manager, reply_to):
            del self.acts[number]

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
            case Act() as act if reactor.session and reactor.session.hear(header) == "ok":
                reactor.take(act, 1)
                self.answer_managers()
            case Error(code="session"):
                reactor.session = None

    def follow(self, wanted: Document) -> None:
        self.know(wanted)
        self.reactor.take(wanted, 1)
        self.answer_managers()

    def answer_managers(self) -> None:
        """Say what the devices said; without a session nobody hears it."""
        for message in self.reactor.said():
            if self.reactor.session is not None:
                self.say(message)

    def know(self, wanted: Document) -> None:
        if wanted.revision:
            # one that a manager learned from the reactor has what was left out, too
            whole = replace(wanted, values={**self.defaults[wanted.target], **wanted.values})
            assert self.seen.setdefault((wanted.target, wanted.revision), whole) == whole
            self.highest[wanted.target] = max(wanted.revision, self.highest[wanted.target])

    @invariant()
    def revisions_rise(self) -> None:
        for target in TARGETS:
            now = self.reactor.revision(target)
            assert self.followed[target] <= now <= self.highest[target]
            self.followed[target] = now
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
        self.know_all_acts()
        self.disk.cleanup()
        for target in TARGETS:
            followed = self.reactor.revision(target)
            kept = self.archive.revision("r1", target)
            assert followed >= self.accepted[target] or {kept, self.accepted[target]} & self.reactor.rejected
            assert kept >= followed

    def know_all_acts(self) -> None:
        """Whoever asked is answered, and every act that was begun is known, whatever became of it."""
        self.wait(LONGEST)  # a word that was lost is waited for so long
        self.settle()
        assert not self.acts
        dosed = list(self.reactor.dosed)
        self.reactor.end_dose()
        self.attach(self.reactor.manager)
        for _ in range(3):
            self.settle()
        for number in map(int, dosed):
            self.ask_dose(self.reactor.manager, number)
            self.settle()
            assert number not in self.acts
        assert self.reactor.dosed == dosed

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
TestLife.settings = settings(max_examples=40, stateful_step_count=60)
