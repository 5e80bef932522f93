"""Who stands behind the doors: the pure cores of coordinator, manager and reactor, each with good peers beside.

What was let in goes on into them. Whatever that is, nothing escapes, everything that a core answers would be let in by
whom it is for, the good peers are served all the time, and in the end so is whoever has the strange ones' names.
"""

import gc
import random
from collections.abc import Sequence
from types import FunctionType, ModuleType
from typing import TypeVar
from unicodedata import category

from msgspec.structs import replace

from actors import link_core as link
from actors.desired_store import perform
from actors.desk import Desk
from actors.link_core import LinkCore, Server, State
from actors.placement import OWN, Admit, Answer, Asker, Give, Placement, Refuse, Start, Stop
from actors.placement import Action as Decision
from actors.ticker import SECOND
from actors.wants import Numbering
from tests.actors.archive import Archive
from tests.actors.conftest import FakeClock
from tests.faults.doors import GOLDEN
from transport.envelope import decode, encode
from transport.errors import EnvelopeError
from transport.keys import AllowList, Peer
from transport.links import Outgoing, Received
from transport.messages import (
    MAX_COUNT,
    Accepted,
    Ack,
    Act,
    Alive,
    Applied,
    Attach,
    Attached,
    Change,
    Database,
    Done,
    Header,
    Heartbeat,
    Hello,
    Message,
    Overview,
    Placed,
    Register,
    Registered,
    Set,
    Status,
    Welcome,
)

STRANGE, GOOD = "tank-1", "tank-2"  # two reactors; the golden messages name them
KEY = "k" * 40
INTERVAL = 5.0
MOST_THINGS = 3000  # that a core remembers, of thousands of messages
STEP = 0.05  # seconds from one message to the next, on average
IN_SESSION = 0.8  # of what is said in a session: in the current one, with a rising sequence
ENDURES = 1200.0  # seconds within which an honest server has a reactor attached, whatever it was told before
BREAKS = {"Cc", "Zl", "Zp"}  # control characters and separators of lines: none of them is in a line of the protocol
LONGEST_WAIT = 400  # seconds that a link ever waits
DATABASE = Database(address="http://h:9000", identity="d", incarnation=1, schema_major=1, schema_minor=0)
T = TypeVar("T", bound=Message)


def golden(kind: type[T]) -> T:
    """Give a message as an honest peer says it."""
    body = decode(GOLDEN[kind.TYPE]).body
    assert isinstance(body, kind)
    return body


ATTACH, STATUS, WELCOME = golden(Attach), golden(Status), golden(Welcome)


class Cores:
    """All of them; `hear` what came in by a door, and `end`."""

    def __init__(self, source: random.Random) -> None:
        self.coordinator = Coordinator(source)
        self.manager = Manager(source)
        self.reactor = Reactor(source)

    def hear(self, door: str, received: Received) -> None:
        """Take in what was let in there; of some doors there is no core behind."""
        server, _, role = door.partition(" from ")
        if server == "coordinator":
            self.coordinator.hear(role, received)
        elif server == "manager":
            self.manager.hear(role, received)
        elif server == "reactor":
            self.reactor.hear(received)

    def end(self) -> None:
        """See that all are served who mean well."""
        for behind in (self.coordinator, self.manager, self.reactor):
            assert things(behind.core) < MOST_THINGS, f"{type(behind).__name__} remembers {things(behind.core)} things"
            behind.end()


def things(core: object) -> int:
    """Count what is remembered there: every object that can be reached."""
    seen: set[int] = set()
    left = [core]
    while left:
        one = left.pop()
        if id(one) not in seen and not isinstance(one, (type, ModuleType, FunctionType)):
            seen.add(id(one))
            left += gc.get_referents(one)
    return len(seen)


def see_that_it_is_heard(message: Message, session: str = "", sequence: int = 0) -> None:
    """What we say is let in by whom we say it to."""
    try:
        frames = encode(message, id=1, session=session, sequence=sequence)
    except EnvelopeError as error:
        assert error.code == "too_large", error.text  # noqa: PT017 - the wire says so in the log, and goes on
        return
    assert decode(frames).body == message


class Timed:
    """A clock that goes on from message to message, and what is due each second."""

    def __init__(self, source: random.Random) -> None:
        self.source = source
        self.clock = FakeClock()
        self._beat = self.now

    @property
    def now(self) -> float:
        return self.clock.now_ns / SECOND

    def go_on(self, seconds: float) -> None:
        end = self.now + seconds
        while self._beat <= end:
            self.clock.advance(max(0.0, self._beat - self.now))
            self._beat += 1.0
            self.beat()
        self.clock.advance(max(0.0, end - self.now))

    def beat(self) -> None:
        """Do what a second brings."""
        raise NotImplementedError

    def pause(self) -> float:
        return self.source.expovariate(1 / STEP)


class Coordinator(Timed):
    """A placement with a good manager and a good reactor, and strange ones of every role."""

    def __init__(self, source: random.Random) -> None:
        super().__init__(source)
        self.core = Placement(numbers=3, capacity=2, empty_manager=300.0, interval=INTERVAL, now=self.now)
        self._running = {1: 101}
        self._epoch = 0
        self._gives: list[Give] = []
        self._known = False
        self._seconds = 0
        self._register()

    def _register(self) -> None:
        register = Register(number=1, endpoint="tcp://127.0.0.1:1", capacity=2)
        self._do(self.core.register(Asker(b"host", 1), OWN, KEY, register, self.now))

    def hear(self, role: str, received: Received) -> None:
        """Take in what a strange peer says."""
        self.go_on(self.pause())
        asker = Asker(role.encode(), received.header.id)
        match received.body:
            case Hello() if role == "operator":
                self._do(self.core.operate(self.now))
            case Hello() as hello:
                self._do(self.core.hello(asker, STRANGE, hello, self.now))
            case Register() as register:
                self._do(self.core.register(asker, "strange", "s" * 40, register, self.now))
            case Heartbeat() as heartbeat:
                self._do(self.core.heartbeat(asker, heartbeat, self.now))

    def beat(self) -> None:
        """Let a second pass: the launcher tells, the good manager reports, the good reactor comes back."""
        self._seconds += 1
        self._do(self.core.processes(self._running, self.now))
        self._do(self.core.tick(self.now))
        if self._seconds % 5 == 0:
            self._known = False
            placed = [Placed(GOOD, self._epoch)] if self._epoch else []
            self._do(self.core.heartbeat(Asker(b"host", 1), Heartbeat(reactors=placed, allow_version=""), self.now))
            assert self._known, "the good manager is not known"
        if self._seconds % 20 == 0:
            self._come_back(GOOD, self._epoch)
            see_that_it_is_heard(
                Overview(managers=self.core.managers, database=None, time_us=0, absent=self.core.absent(self.now))
            )

    def _come_back(self, name: str, epoch: int) -> None:
        """Say hello as an honest reactor does."""
        self._gives.clear()
        self._do(self.core.hello(Asker(name.encode(), 1), name, Hello(software="", epoch=epoch), self.now))
        given = [give for give in self._gives if give.reactor == name]
        assert given, f"{name} is not placed"
        assert given[0].epoch > epoch or epoch == MAX_COUNT, "a welcome that is not heard"
        if name == GOOD:
            self._epoch = given[0].epoch

    def _do(self, actions: Sequence[Decision]) -> None:
        for action in actions:
            match action:
                case Give() as give:
                    self._gives.append(give)
                    see_that_it_is_heard(
                        Welcome(
                            manager=give.manager,
                            endpoint=give.endpoint,
                            key=give.key,
                            epoch=give.epoch,
                            database=DATABASE,
                            status_interval=INTERVAL,
                            time_us=0,
                        )
                    )
                case Refuse(_, error):
                    see_that_it_is_heard(error)
                case Admit(_, name):
                    see_that_it_is_heard(Registered(manager=name, allow=AllowList().to_message(), database=None))
                case Answer(asker, known, drain):
                    self._known |= known and asker.route == b"host"
                    see_that_it_is_heard(Alive(known=known, drain=drain))
                case Start(number):
                    self._running[number] = 100 + number
                    self.core.started(number)
                case Stop(number):
                    assert number != 1, "the good manager is stopped"
                    self._running.pop(number, None)

    def end(self) -> None:
        """See that the good reactor is placed, and an honest one in the strange one's place."""
        self.go_on(30.0)
        self._come_back(GOOD, self._epoch)
        self._come_back(STRANGE, 0)


class Manager(Timed):
    """A desk with a good reactor and a good operator, and strange ones of both roles."""

    def __init__(self, source: random.Random) -> None:
        super().__init__(source)
        self.core = Desk(capacity=2, interval=INTERVAL, numbering=Numbering(3), random=source)
        self.core.names = frozenset({STRANGE, GOOD})
        self.core.move_to(DATABASE)
        self._archive, self._numbering = Archive(), Numbering(3)
        self._sessions: dict[str, tuple[str, int]] = {}
        self._follows = 0
        self._answered: list[Message] = []  # to good ones
        self._seconds = 0
        self._attach(GOOD)

    def hear(self, role: str, received: Received) -> None:
        """Take in what a strange peer says."""
        self.go_on(self.pause())
        header, body = received.header, received.body
        if role == "reactor" and not isinstance(body, Attach) and self.source.random() < IN_SESSION:
            header = self._in_session(STRANGE, header)
        self._say(STRANGE if role == "reactor" else "nosy", header, body)

    def _in_session(self, name: str, header: Header) -> Header:
        session, sequence = self._sessions.get(name, ("", 0))
        self._sessions[name] = session, sequence + 1
        return replace(header, session=session, sequence=sequence + 1)

    def _attach(self, name: str) -> None:
        self._say(name, Header(type="attach", id=1), replace(ATTACH, epoch=MAX_COUNT, applied=[]))
        self._work()

    def _say(self, name: str, header: Header, body: Message) -> None:
        peer = Peer(name, "reactor" if name in {STRANGE, GOOD} else "operator", KEY)
        received = Received(peer, name.encode(), header, body, self.clock.now_ns)
        self._send(self.core.hear(received, self.clock.wall_us()))

    def _send(self, batch: Sequence[Outgoing]) -> None:
        for out in batch:
            see_that_it_is_heard(out.message, out.session, out.sequence)
            name = out.route.decode()
            if isinstance(out.message, Attached):
                self._sessions[name] = out.message.session, 0
            if name == GOOD:
                self._obey(out.message)
            if name in {GOOD, "eva"}:
                self._answered.append(out.message)

    def _obey(self, told: Message) -> None:
        """Be a good reactor: follow every document, refuse every act."""
        documents = told.desired or () if isinstance(told, Attached) else ()
        if isinstance(told, Change):
            documents = [told.document]
        for document in documents:
            if document.target == "heater":
                self._follows = max(self._follows, document.revision)
                self._answer(Applied(target="heater", revision=self._follows, read_back={}))
        if isinstance(told, Act):
            self._answer(Done(act=told.act, state="refused"))

    def _answer(self, message: Message, name: str = GOOD) -> None:
        self._say(name, self._in_session(name, Header(type=message.TYPE, id=1)), message)

    def _work(self) -> None:
        """Be the database."""
        while (job := self.core.job(self.now, self.clock.wall_us())) is not None:
            self._send(self.core.finish(perform(job, self._archive, self.clock, self._numbering), self.now))

    def beat(self) -> None:
        """Let a second pass, in which the good reactor reports."""
        out, lost = self.core.tick(self.now)
        assert GOOD not in lost
        self._send(out)
        self._work()
        self._answered.clear()
        self._answer(replace(STATUS, devices=[]))
        assert any(isinstance(message, Ack) for message in self._answered), "the good reactor is not heard"
        self.core.twins.fresh()
        self.core.twins.wired(self.clock.wall_us())
        self._seconds += 1
        if self._seconds % 10 == 0:
            self._change(GOOD)

    def _change(self, name: str) -> None:
        """Change a setting of a reactor that follows at once."""
        twin = self.core.twins.of(name)
        assert twin
        self._answered.clear()
        wish = Set(reactor=name, target="heater", base=twin.wants.revision("heater"), author="eva", values={})
        self._say("eva", Header(type="set", id=1), wish)
        if name == STRANGE:
            self._answer(Applied(target="heater", revision=twin.wants.revision("heater"), read_back={}), name)
        assert any(isinstance(message, Accepted) and message.delivered for message in self._answered), self._answered
        see_that_it_is_heard(wish)

    def end(self) -> None:
        """See that people can change the good reactor, and the strange one once it is honest."""
        self.go_on(30.0)
        self._change(GOOD)
        self._attach(STRANGE)
        self._change(STRANGE)
        for twin in self.core.twins:
            assert all(row.wall_us >= 0 for row in twin.fresh())


class Reactor(Timed):
    """A link to servers that say anything, and then to honest ones."""

    def __init__(self, source: random.Random) -> None:
        super().__init__(source)
        server = Server("coordinator", "tcp://127.0.0.1:1", KEY)
        self.core = LinkCore(coordinator=server, epoch=0, random=source, now_ns=self.clock.now_ns)
        self._connection = 0
        self._honest = False
        self._said: list[Message] = []  # by an honest server, in answer

    def hear(self, received: Received) -> None:
        """Take in what a strange server says."""
        self.go_on(self.pause())
        header, session = received.header, self.core._session
        if session is not None and self.source.random() < IN_SESSION:
            header = replace(header, session=session.id, sequence=session._heard + 1)
        self._handle(link.Heard(self._connection, header, received.body))
        if self.source.random() < 0.1:
            applied = Applied(target="heater", revision=1, read_back={})
            ours = (link.Say(applied, 1), link.Fresh(), link.Rewired(), link.Down(self._connection, "gone"))
            self._handle(self.source.choice(ours))

    def beat(self) -> None:
        """Let a second pass. What became due in it is done now, once: a link that stays due would never rest."""
        self._handle(link.Tick())
        assert self.core.due_ns > self.clock.now_ns

    def _handle(self, event: link.Event) -> None:
        now_ns = self.clock.now_ns
        opened = False
        for action in self.core.handle(event, now_ns):
            match action:
                case link.Open(number, _, _):
                    self._connection, opened = number, True
                case link.SendHello(_, epoch, lost):
                    see_that_it_is_heard(Hello(software="", epoch=epoch, lost=lost))
                    self._said.append(replace(WELCOME, epoch=min(epoch + 1, MAX_COUNT)))
                case link.SendAttach(_, epoch):
                    see_that_it_is_heard(replace(ATTACH, epoch=epoch))
                    self._said.append(Attached(session="s" * 32, status_interval=INTERVAL))
                case link.SendAnswer(_, session, sequence, message, _):
                    see_that_it_is_heard(message, session, sequence)
                case link.Note(_, text):
                    assert not any(category(each) in BREAKS for each in text), text
        assert self.core.due_ns <= now_ns + LONGEST_WAIT * SECOND, "a link that never wakes"
        if opened:
            self._handle(link.Up(self._connection))
        said, self._said = self._said, []
        for message in said if self._honest else ():
            self._handle(link.Heard(self._connection, Header(type=message.TYPE, id=1), message))

    def end(self) -> None:
        """See that honest servers have it attached in the end."""
        self._honest = True
        self._handle(link.Down(self._connection, "gone"))
        end = self.now + ENDURES
        while self.core.state is not State.ATTACHED:
            assert self.now < end, f"it is {self.core.state}"
            self.go_on(1.0)
