"""The manager's actor with a wire that only remembers."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import NoReturn

import pytest

from actors.config import DatabaseLogin, ManagerConfig
from actors.database import Outbox
from actors.keeper import Post
from actors.manager import Manager, Surroundings
from actors.ticker import Ticker
from actors.wants import Numbering
from tests.actors.conftest import FakeClock
from transport import messages
from transport.errors import EndpointError
from transport.keys import AllowList, Peer
from transport.links import Types
from transport.messages import Alive, Attach, Attached, Error, Header, Heartbeat, Message, Register, Registered
from transport.wire import Connection, Counters, Down, Happening, Listener, Outgoing, Received, Up, Wire

KEY = "k" * 40
ENDPOINT = "tcp://127.0.0.1:4711"
ALLOWED = AllowList([Peer("r1", "reactor", KEY)]).to_message()
NOBODY = AllowList().to_message()


class FakeConnection(Connection):
    def __init__(self, deliver: Callable[[list[Happening]], None]) -> None:
        self.deliver = deliver
        self.said: list[Message] = []
        self.closed = False

    def send(self, message: Message, *, session: str = "", sequence: int = 0, reply_to: int = 0) -> int:
        assert not self.closed
        assert (session, sequence, reply_to) == ("", 0, 0)
        self.said.append(message)
        return len(self.said)

    def close(self) -> None:
        self.closed = True

    def bring(self, *bodies: Message | Up | Down) -> None:
        header = Header(type="any", id=1)
        self.deliver([body if isinstance(body, Up | Down) else Received(None, b"", header, body, 0) for body in bodies])


class FakeListener(Listener):
    def __init__(
        self, clock: FakeClock, allow: Callable[[str], Peer | None], deliver: Callable[[list[Received]], None]
    ) -> None:
        self.clock = clock
        self.endpoint = ENDPOINT
        self.counters = Counters()
        self.allow = allow
        self.deliver = deliver
        self.said: list[Outgoing] = []
        self.weeded = 0
        self.closed = False

    def send(self, batch: Iterable[Outgoing]) -> None:
        self.said += batch

    def weed(self) -> None:
        self.weeded += 1

    def close(self) -> None:
        self.closed = True

    def bring(self, body: Message) -> None:
        self.deliver(
            [Received(Peer("r1", "reactor", KEY), b"route", Header(type="any", id=9), body, self.clock.now_ns)]
        )


class FakeWire(Wire):
    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.taken = False
        self.connections: list[FakeConnection] = []
        self.listeners: list[FakeListener] = []

    @property
    def denied(self) -> int:
        return 7

    def listen(
        self,
        endpoint: str,
        *,
        allow: Callable[[str], Peer | None],
        accept: Mapping[messages.Role, Types],
        deliver: Callable[[list[Received]], None],
        busy: Callable[[], bool] = lambda: False,
    ) -> Listener:
        assert set(accept) == {"reactor", "operator"}
        assert not busy()
        if self.taken:
            raise EndpointError(f"cannot listen on {endpoint}: it is not this machine's")
        self.listeners.append(FakeListener(self.clock, allow, deliver))
        return self.listeners[-1]

    def connect(
        self, endpoint: str, server_key: str, *, accept: Types, deliver: Callable[[list[Happening]], None]
    ) -> Connection:
        assert (endpoint, server_key) == ("tcp://c:1", "c" * 40)
        assert set(accept) == {Registered, Alive, Error}
        self.connections.append(FakeConnection(deliver))
        return self.connections[-1]


def nobody(_: str) -> NoReturn:
    pytest.fail("nobody asks the database here")


class Stage:
    """A manager that was started, and what it says."""

    def __init__(self, wire: FakeWire, clock: FakeClock, ticker: Ticker, path: Path) -> None:
        self.wire, self.clock, self.ticker = wire, clock, ticker
        self.outbox = Outbox()
        config = ManagerConfig(3, "127.0.0.1", 2, path, "tcp://c:1", "c" * 40, DatabaseLogin("u", "p"), 5.0)
        surroundings = Surroundings(clock, wire, nobody, nobody)
        self.ref = Manager.start(
            lambda _: None,
            config=config,
            surroundings=surroundings,
            outbox=self.outbox,
            store=Post(),
            numbering=Numbering(3),
            ticker=ticker,
        )
        self.settle()

    def settle(self) -> None:
        self.ref.proxy().actor_urn.get(timeout=5)

    def wait(self, seconds: float) -> None:
        """Let time pass in the steps in which the manager looks at the clock."""
        for _ in range(round(seconds * 2)):
            self.clock.advance(0.5)
            self.ticker.ring()
            self.settle()

    def bring(self, *bodies: Message | Up | Down) -> list[Message]:
        """Bring what the coordinator says on the newest connection, and return the answers."""
        connection = self.wire.connections[-1]
        before = len(connection.said)
        connection.bring(*bodies)
        self.settle()
        return connection.said[before:]


@pytest.fixture
def wire(clock: FakeClock) -> FakeWire:
    return FakeWire(clock)


@pytest.fixture
def stage(wire: FakeWire, clock: FakeClock, ticker: Ticker, tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(wire, clock, ticker, tmp_path)
    yield stage
    stage.ref.stop()
    assert all(listener.closed for listener in wire.listeners)
    assert all(connection.closed for connection in wire.connections)


@pytest.fixture
def known(stage: Stage) -> Stage:
    stage.bring(Up(), Registered(manager="host-3", allow=ALLOWED, database=None))
    return stage


def test_it_registers_where_it_listens(stage: Stage) -> None:
    assert stage.bring(Up()) == [Register(number=3, endpoint=ENDPOINT, capacity=2)]


def test_nobody_is_let_in_before_the_coordinator_said_who_may(stage: Stage, wire: FakeWire) -> None:
    assert wire.listeners[0].allow(KEY) is None
    stage.bring(Up(), Registered(manager="host-3", allow=ALLOWED, database=None))
    assert wire.listeners[0].allow(KEY) == Peer("r1", "reactor", KEY)
    stage.bring(Alive(known=True, allow=NOBODY))
    assert wire.listeners[0].allow(KEY) is None


def test_who_may_speak_outlives_the_coordinator(known: Stage, wire: FakeWire) -> None:
    known.bring(Down("gone"))
    known.wait(60)
    assert wire.listeners[0].allow(KEY) is not None


def test_another_list_cuts_off_whom_it_does_not_name(known: Stage, wire: FakeWire) -> None:
    before = wire.listeners[0].weeded
    known.bring(Alive(known=True))
    assert wire.listeners[0].weeded == before
    known.bring(Alive(known=True, allow=NOBODY))
    assert wire.listeners[0].weeded == before + 1


def test_it_tells_whom_it_has_and_which_list(known: Stage, wire: FakeWire) -> None:
    wire.listeners[0].bring(Attach(epoch=4, label="", software="1", sensors=[]))
    known.wait(6)
    heartbeat = wire.connections[-1].said[-1]
    assert heartbeat == Heartbeat(
        reactors=[messages.Placed("r1", 4)], allow_version=AllowList.from_message(ALLOWED).version
    )


def test_what_an_old_connection_still_says_is_not_heard(known: Stage, wire: FakeWire) -> None:
    old = wire.connections[-1]
    known.bring(Down("gone"))
    known.wait(2)
    assert len(wire.connections) == 2
    assert known.bring(Up()) == [Register(number=3, endpoint=ENDPOINT, capacity=2)]
    old.bring(Alive(known=False, allow=NOBODY), Down("gone"))
    known.settle()
    assert wire.listeners[0].allow(KEY) is not None
    assert not wire.connections[-1].closed


def test_drained_it_takes_nobody_new_until_it_is_told_otherwise(known: Stage, wire: FakeWire) -> None:
    attach = Attach(epoch=1, label="", software="1", sensors=[])
    known.bring(Alive(known=True, drain=True))
    wire.listeners[0].bring(attach)
    known.bring(Alive(known=True))
    wire.listeners[0].bring(attach)
    known.settle()
    refused, attached = (out.message for out in wire.listeners[0].said)
    assert isinstance(refused, Error)
    assert refused.code == "later"
    assert isinstance(attached, Attached)


def test_without_a_port_it_registers_its_error(
    wire: FakeWire, clock: FakeClock, ticker: Ticker, tmp_path: Path
) -> None:
    wire.taken = True
    stage = Stage(wire, clock, ticker, tmp_path)
    assert stage.bring(Up()) == [
        Register(number=3, error="cannot listen on tcp://127.0.0.1:*: it is not this machine's")
    ]
    stage.ref.stop()


def test_its_own_numbers_are_readings_once_it_has_a_name(stage: Stage, wire: FakeWire) -> None:
    stage.wait(10)
    assert stage.outbox.take() == ([], [])
    stage.bring(Up(), Registered(manager="host-3", allow=ALLOWED, database=None))
    wire.listeners[0].bring(Attach(epoch=4, label="", software="1", sensors=[]))
    stage.wait(0.5)
    readings, _ = stage.outbox.take()
    assert {(row.reactor, row.sensor) for row in readings} == {("host-3", "self")}
    numbers = {row.quantity: row.value for row in readings}
    assert (numbers["attached"], numbers["stale"], numbers["denied"]) == (1.0, 0.0, 7.0)
    stage.wait(4)
    assert stage.outbox.take() == ([], [])
    stage.wait(1)
    assert stage.outbox.take()[0]
