"""Coordinator and managers in this process, over real sockets; the process engine and the database are fakes."""

import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, Queue
from typing import TypeVar

import pykka
import pytest
import zmq

from actors import coordinator, database, launcher, manager
from actors.config import CoordinatorConfig, DatabaseLogin, ManagerConfig
from actors.coordinator import CoordinatorProcess
from actors.launcher import LauncherError
from actors.manager import ManagerProcess
from hardware.clock import SystemClock
from storage.questdb import QuestDB, Unreachable
from storage.readings import InventoryEntry, LiveReading, Writer, Written
from storage.schema import DatabaseIdentity
from tests.actors.archive import Archive
from tests.conftest import free_ports
from transport.keys import KeyPair, Peer, write_peer
from transport.messages import (
    Accepted,
    Ack,
    Act,
    Applied,
    Attach,
    Attached,
    Backlog,
    Change,
    Conflict,
    Database,
    DeviceInfo,
    Document,
    Done,
    Error,
    Hello,
    Message,
    Overview,
    QuantityInfo,
    Reading,
    Rejected,
    Role,
    SensorInfo,
    Set,
    Snapshot,
    Status,
    Update,
    Watch,
    Watching,
    Welcome,
)
from transport.wire import Connection, Down, Happening, Received, Up, Wire

pytestmark = pytest.mark.system  # many sockets and actors, and their own times
CLOCK = SystemClock()
LOGIN = DatabaseLogin("owner", "secret")
INTERVAL = 0.1
WAIT = 20.0
ANSWERS = (
    *(Welcome, Overview, Attached, Ack, Error, Change, Act),
    *(Accepted, Conflict, Rejected, Done, Snapshot, Update),
)
T = TypeVar("T")
Row = LiveReading | InventoryEntry
Root = pykka.ActorRef[ManagerProcess]
SENSOR = SensorInfo(
    name="water",
    label="Water",
    driver="ezo-ph",
    address="/dev/i2c-1:99",
    quantities=[QuantityInfo(name="ph", unit="pH", low=0, high=14, decimals=3)],
    live_interval=5,
    sample_interval=600,
)
HEATER = DeviceInfo(name="heater", label="", looks="heater", driver="pwm", address="pwmchip0:1", settings=[])


def make_keys() -> KeyPair:
    public, secret = zmq.curve_keypair()
    return KeyPair(public.decode(), secret.decode())


class Store(Writer):
    """What was written to the database."""

    def __init__(self) -> None:
        self.rows: Queue[Row] = Queue()

    def write(self, rows: Sequence[LiveReading] | Sequence[InventoryEntry]) -> Written:
        for row in rows:
            self.rows.put(row)
        return Written(len(rows), 0, "")

    def close(self) -> None:
        pass

    def reading(self, reactor: str, quantity: str) -> LiveReading:
        while True:
            row = self.rows.get(timeout=WAIT)
            if isinstance(row, LiveReading) and (row.reactor, row.quantity) == (reactor, quantity):
                return row

    def entry(self) -> InventoryEntry:
        while not isinstance(row := self.rows.get(timeout=WAIT), InventoryEntry):
            pass
        return row


class Schema(QuestDB):
    """The database that the schema's functions find, when it is there."""

    def __init__(self) -> None:
        self.identity = DatabaseIdentity("a" * 32, 1, 1, 0)
        self.away = False

    def look(self, *_: object) -> DatabaseIdentity:
        if self.away:
            raise Unreachable("away")
        return self.identity

    def close(self) -> None:
        pass


class Engine:
    """Runs managers in this process."""

    def __init__(self, keys: KeyPair, store: Store, path: Path) -> None:
        self.keys, self.store, self.path = keys, store, path
        self.archive = Archive()
        self.roots: dict[int, Root] = {}
        self.started = 0
        self.endpoint = self.key = ""
        self.lock = threading.Lock()

    def start(self, number: int) -> None:
        config = ManagerConfig(number, "127.0.0.1", 2, self.path, self.endpoint, self.key, LOGIN, INTERVAL)
        wire = Wire(self.keys, CLOCK)
        surroundings = manager.Surroundings(CLOCK, wire, lambda _: self.store, self.archive.connect)
        with self.lock:
            self.started += 1
            self.roots[number] = ManagerProcess.start(config, surroundings, threading.Event())

    def stop(self, number: int) -> None:
        with self.lock:
            root = self.roots.pop(number, None)
        if root is None:
            raise LauncherError("it does not run")
        root.stop()

    def running(self) -> Mapping[int, int]:
        with self.lock:
            return {number: id(root) for number, root in self.roots.items()}

    def close(self) -> None:
        pass


class Server:
    """The whole server side. `restart` restarts the coordinator alone."""

    def __init__(self, path: Path, store: Store, schema: Schema) -> None:
        self.path, self.schema = path, schema
        self.allow_dir = path / "allow"
        self.allow_dir.mkdir()
        self.keys = make_keys()
        self.engine = Engine(self.admit("host", "manager"), store, path)
        self.endpoint = f"tcp://127.0.0.1:{free_ports(1)[0]}"
        self.start()

    def start(self) -> None:
        wire = Wire(self.keys, CLOCK)
        self.engine.endpoint, self.engine.key = self.endpoint, self.keys.public
        config = CoordinatorConfig(
            endpoint=self.endpoint,
            state_dir=self.path,
            allow_dir=self.allow_dir,
            database_address="http://h:9000",
            database_login=LOGIN,
            manager_numbers=3,
            manager_capacity=2,
            status_interval=INTERVAL,
            empty_manager=600.0,
            supervisor="",
        )
        surroundings = coordinator.Surroundings(CLOCK, wire, self.engine, self.schema, lambda _: self.engine.store)
        self.root = CoordinatorProcess.start(config, surroundings, threading.Event())

    def restart(self) -> None:
        self.root.stop()
        self.start()

    def admit(self, name: str, role: Role) -> KeyPair:
        keys = make_keys()
        write_peer(self.allow_dir, Peer(name, role, keys.public))
        return keys

    def close(self) -> None:
        self.root.stop()
        for number in list(self.engine.running()):
            self.engine.stop(number)


class Line:
    """A connection that a test reads from."""

    def __init__(self, wire: Wire, endpoint: str, key: str) -> None:
        self.happenings: Queue[Happening] = Queue()
        self.connection: Connection = wire.connect(endpoint, key, accept=ANSWERS, deliver=self._deliver)

    def _deliver(self, batch: list[Happening]) -> None:
        for happening in batch:
            self.happenings.put(happening)

    def next(self, wait: float = WAIT) -> Message | Up | Down:
        happening = self.happenings.get(timeout=wait)
        return happening.body if isinstance(happening, Received) else happening

    def wait(self, kind: type[T]) -> T:
        while not isinstance(happening := self.next(), kind):
            pass
        return happening


def status(value: float, database: str = "") -> Status:
    now_us = CLOCK.monotonic_ns() // 1000
    return Status(
        now_us=now_us,
        readings=[Reading("water", "ph", value, "ok", now_us)],
        backlog=Backlog(waiting=0, oldest=0, refused=0, dropped=0),
        clock_known=True,
        clock_offset=0.0,
        database=database,
    )


@dataclass
class Peerage:
    """Somebody with a key."""

    server: Server
    wire: Wire
    name: str
    epoch: int = 0
    lost: str = ""
    session: str = ""
    sequence: int = 0
    desired: list[Document] = field(default_factory=list)

    def call(self) -> Line:
        """Connect to the coordinator, however often that takes: a key is let in once its file was read."""
        while True:
            line = Line(self.wire, self.server.endpoint, self.server.keys.public)
            if isinstance(line.next(), Up):
                return line

    def hello(self) -> Welcome:
        line = self.call()
        while True:
            line.connection.send(Hello(software="1", epoch=self.epoch, lost=self.lost))
            answer = line.next()
            if isinstance(answer, Down):
                line = self.call()
            if isinstance(answer, Welcome):
                line.connection.close()
                self.epoch = answer.epoch
                return answer

    def attach(self) -> Line:
        """Say hello and attach, until a manager takes us."""
        while True:
            welcome = self.hello()
            self.lost = welcome.endpoint
            line = Line(self.wire, welcome.endpoint, welcome.key)
            if not isinstance(line.next(), Up):
                continue
            attach = Attach(epoch=self.epoch, label="", software="1", sensors=[SENSOR], devices=[HEATER])
            line.connection.send(attach)
            answer = line.next()
            if isinstance(answer, Attached):
                self.session, self.sequence = answer.session, 0
                self.desired = answer.desired or []
                return line

    def say(self, line: Line, message: Message) -> None:
        self.sequence += 1
        line.connection.send(message, session=self.session, sequence=self.sequence)

    def reach(self, find: Callable[[Overview], tuple[str, str] | None]) -> Line:
        """As an operator, connect to the manager whose endpoint and key the overview shows."""
        line = self.call()
        line.connection.send(Hello(software="1"))
        while (found := find(line.wait(Overview))) is None:
            pass
        line.connection.close()
        while True:
            line = Line(self.wire, *found)
            if isinstance(line.next(), Up):
                return line

    def report(self, line: Line, value: float, database: str = "", wait: float = WAIT) -> Ack | Error | Down:
        self.say(line, status(value, database))
        answer = line.next(wait)
        assert isinstance(answer, Ack | Error | Down)
        return answer


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def schema(monkeypatch: pytest.MonkeyPatch) -> Schema:
    schema = Schema()
    for name in ("read_identity", "ensure_schema"):
        monkeypatch.setattr(database, name, schema.look)
    for name, found in (("missing", {}), ("table_health", ())):
        monkeypatch.setattr(database, name, lambda _, found=found: found)
    for module, name in ((database, "LOOK_EVERY"), (launcher, "LOOK_EVERY"), (coordinator, "TICK")):
        monkeypatch.setattr(module, name, 0.05)
    monkeypatch.setattr(database, "WRITE_EVERY", 0.05)
    return schema


@pytest.fixture
def server(tmp_path: Path, store: Store, schema: Schema) -> Iterator[Server]:
    server = Server(tmp_path, store, schema)
    yield server
    server.close()


@pytest.fixture
def join(server: Server) -> Iterator[Callable[[str, Role], Peerage]]:
    wires: list[Wire] = []

    def join(name: str, role: Role = "reactor") -> Peerage:
        wires.append(Wire(server.admit(name, role), CLOCK))
        return Peerage(server, wires[-1], name)

    yield join
    for wire in wires:
        wire.close()


Join = Callable[..., Peerage]


def test_a_reactor_is_welcomed_attaches_and_is_acknowledged(server: Server, join: Join, store: Store) -> None:
    reactor = join("r1")
    line = reactor.attach()
    ack = reactor.report(line, 7.0)
    assert isinstance(ack, Ack)
    assert ack.next_interval == INTERVAL
    assert ack.database == Database(
        address="http://h:9000", identity="a" * 32, incarnation=1, schema_major=1, schema_minor=0
    )
    assert server.engine.started == 1
    reading = store.reading("r1", "ph")
    assert (reading.sensor, reading.value, reading.unit) == ("water", 7.0, "pH")
    assert abs(reading.wall_us - CLOCK.wall_us()) < WAIT * 1e6


def test_what_is_wired_and_the_servers_own_numbers_are_written(server: Server, join: Join, store: Store) -> None:
    join("r1").attach()
    entry = store.entry()
    assert (entry.reactor, entry.name) == ("r1", "water")
    own = store.reading("host-1", "attached")
    assert (own.sensor, own.unit) == ("self", "reactors")
    stranger = Line(join("r2").wire, server.endpoint, make_keys().public)  # nonsense to who has another key
    assert isinstance(stranger.next(), Down)
    while (told := store.reading("coordinator", "denied")).value == 0:
        pass
    assert told.sensor == "self"


def test_reactors_are_spread_and_a_dead_managers_are_placed_again(server: Server, join: Join) -> None:
    reactors = [join(f"r{number}") for number in range(4)]
    lines = [reactor.attach() for reactor in reactors]
    operator = join("web", "operator").call()
    operator.connection.send(Hello(software="1"))
    assert sorted(len(one) for one in placed(operator, 4)) == [2, 2]

    server.engine.stop(1)
    dead = [reactor for reactor, line in zip(reactors, lines, strict=True) if not isinstance(ack(reactor, line), Ack)]
    assert len(dead) == 2
    for reactor in dead:
        reactor.attach()
        assert reactor.epoch > 1
    while sorted(len(one) for one in placed(operator, 4)) != [2, 2]:
        pass


def ack(reactor: Peerage, line: Line) -> Ack | Error | Down:
    return reactor.report(line, 7.0)


def placed(operator: Line, number: int) -> Sequence[list[str]]:
    """Wait until the overview shows so many reactors; who is where."""
    while True:
        found = where(operator.wait(Overview))
        if sum(len(one) for one in found) == number:
            return found


def where(overview: Overview) -> list[list[str]]:
    return [[place.reactor for place in one.reactors] for one in overview.managers]


def test_a_restarted_coordinator_starts_nothing_and_nobody_notices(server: Server, join: Join) -> None:
    first, second = join("r1"), join("r2")
    line = first.attach()
    epoch = first.epoch
    server.restart()
    second.attach()
    assert server.engine.started == 1
    assert isinstance(first.report(line, 7.0), Ack)
    assert first.epoch == epoch


def test_who_is_taken_off_the_list_is_cut_off_though_he_says_nothing(server: Server, join: Join) -> None:
    reactor, other = join("r1"), join("r2")
    line, other_line = reactor.attach(), other.attach()
    (server.allow_dir / "r1.toml").unlink()
    assert line.wait(Down) == Down("disconnected")
    assert isinstance(other.report(other_line, 7.0), Ack)


def test_reactors_are_told_of_another_database(join: Join, schema: Schema) -> None:
    acks = acknowledged(join("r1"))
    next(acks)
    stamp = told(acks, "").stamp
    assert acks.send(stamp).database is None
    schema.identity = DatabaseIdentity("b" * 32, 1, 1, 0)
    assert told(acks, stamp).identity == "b" * 32


def acknowledged(reactor: Peerage) -> Generator[Ack, str, None]:
    """Report the stamps that are sent here, attaching again whenever a busy machine has let the session end."""
    stamp = yield Ack(next_interval=INTERVAL)
    while True:
        line = reactor.attach()
        while isinstance(answer := reactor.report(line, 7.0, stamp), Ack):
            stamp = yield answer


def told(acks: Generator[Ack, str, None], stamp: str) -> Database:
    """Report until the ack names a database."""
    while (database := acks.send(stamp).database) is None:
        threading.Event().wait(INTERVAL / 10)  # the coordinator tells the manager at its next heartbeat
    return database


def test_without_a_database_reactors_are_placed_all_the_same(join: Join, schema: Schema) -> None:
    schema.away = True
    reactor = join("r1")
    welcome = reactor.hello()
    assert welcome.manager == "host-1"
    assert isinstance(reactor.report(reactor.attach(), 7.0), Ack)


def test_operators_are_told_when_something_changes(join: Join) -> None:
    operator = join("web", "operator").call()
    operator.connection.send(Hello(software="1"))
    assert operator.wait(Overview).managers == []
    join("r1").attach()
    assert placed(operator, 1) == [["r1"]]


def serving(reactor: str) -> Callable[[Overview], tuple[str, str] | None]:
    def find(overview: Overview) -> tuple[str, str] | None:
        for info in overview.managers:
            if reactor in {placed.reactor for placed in info.reactors}:
                return info.endpoint, info.key
        return None

    return find


def for_absent(overview: Overview) -> tuple[str, str] | None:
    for info in overview.managers:
        if info.name == overview.absent:
            return info.endpoint, info.key
    return None


def follow(reactor: Peerage, line: Line) -> None:
    """Be a reactor that does what it is told, until it has done an act."""
    while True:
        try:
            message = line.next(INTERVAL)
        except Empty:
            reactor.say(line, status(7.0))
            continue
        match message:
            case Change(document=wanted):
                reactor.say(line, Applied(target=wanted.target, revision=wanted.revision, read_back=wanted.values))
            case Act(act=act):
                reactor.say(line, Done(act=act, state="done"))
                return


def test_an_operator_watches_changes_and_acts(join: Join) -> None:
    reactor = join("r1")
    thread = threading.Thread(target=follow, args=(reactor, reactor.attach()))
    thread.start()
    line = join("web", "operator").reach(serving("r1"))
    line.connection.send(Watch(reactors=[Watching("r1", 0)]))
    snapshot = line.wait(Snapshot)
    assert (snapshot.life, snapshot.attach is not None) == ("ok", True)
    line.connection.send(Set(reactor="r1", target="heater", base=0, author="eva", values={"duty": 40.0}))
    accepted = line.wait(Accepted)
    assert accepted.delivered
    line.connection.send(Set(reactor="r1", target="heater", base=0, author="max", values={}))
    newer = line.wait(Conflict).document
    assert (newer.author, newer.revision) == ("eva", accepted.revision)
    line.connection.send(Act(reactor="r1", act="0123456789", target="heater", kind="stop", valid_for=9, author="eva"))
    assert line.wait(Done).state == "done"
    thread.join()


def test_what_is_set_of_an_absent_reactor_is_there_when_it_attaches(server: Server, join: Join) -> None:
    reactor = join("r1")
    line = join("web", "operator").reach(for_absent)
    for target, answer in (("ghost", Rejected), ("heater", Accepted), ("heater", Conflict)):
        line.connection.send(Set(reactor="r1", target=target, base=0, author="eva", values={"duty": 40.0}))
        line.wait(answer)
    reactor.attach()
    assert [(one.author, one.values) for one in reactor.desired] == [("eva", {"duty": 40.0})]
    assert [row.document for row in server.engine.archive.rows] == reactor.desired


@pytest.mark.parametrize(
    "message",
    [
        Set(reactor="r1", target="heater", base=0, author="r1", values={}),
        Act(reactor="r1", act="0123456789", target="heater", kind="stop", valid_for=9, author="r1"),
        Watch(reactors=[]),
    ],
    ids=lambda message: message.TYPE,
)
def test_only_an_operator_may_ask(join: Join, message: Message) -> None:
    reactor = join("r1")
    line = reactor.attach()
    reactor.say(line, message)
    assert line.wait(Error).code == "role"


def test_an_operator_is_no_reactor(join: Join) -> None:
    join("r1").attach()
    line = join("web", "operator").reach(serving("r1"))
    line.connection.send(status(7.0))
    assert line.wait(Error).code == "role"
