"""The links of many reactors, the coordinator's placement and the managers' twins, joined by a network that fails.

All cores are the real ones; network, launcher and clock are this file's. While it is bad, the network loses, doubles,
delays and reorders messages and cuts connections, some of them without a word; each side starts again at any moment.
Once it is well again, everybody is attached in the end.
"""

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from actors import link_core, placement
from actors.link_core import LinkCore, State
from actors.placement import Asker, Placement
from actors.registration import Registration, Step
from actors.ticker import SECOND
from actors.twins import Twins
from transport.keys import Peer
from transport.messages import (
    Alive,
    AllowList,
    Attach,
    Backlog,
    Header,
    Heartbeat,
    Hello,
    Message,
    Register,
    Registered,
    Status,
    Welcome,
)
from transport.wire import Received

NUMBERS, CAPACITY, INTERVAL = 4, 3, 5.0
MOST = NUMBERS * CAPACITY
BAD, WELL = 120.0, 300.0  # seconds; the longest way back is some back-offs of 30 s and of a manager's start of 60 s
KEY = "k" * 40
COORDINATOR = "tcp://coordinator:1"
EVERYBODY = AllowList(version="1", peers=[])
HEALTHY = Backlog(waiting=0, oldest=0, refused=0, dropped=0)


@dataclass(eq=False)
class Connection:
    """Both ends of one: what the client's end does when something arrives, and who listens at the other."""

    number: int  # the client's own for it
    route: bytes  # the server's
    client: Callable[[link_core.Event], None]
    server: "Server | None" = None
    open: bool = True
    ids: "count[int]" = field(default_factory=lambda: count(1))


class Server:
    """Who listens at an endpoint, until its process ends."""

    def __init__(self, world: "World", endpoint: str) -> None:
        self.world = world
        self.connections: dict[bytes, Connection] = {}
        world.servers[endpoint] = self
        self.endpoint = endpoint

    def hear(self, connection: Connection, name: str, header: Header, body: Message) -> None:
        raise NotImplementedError

    def answer(self, route: bytes, message: Message, session: str = "", sequence: int = 0) -> None:
        connection = self.connections.get(route)
        if connection is not None:
            header = Header(type=message.TYPE, id=next(connection.ids), session=session, sequence=sequence)
            self.world.carry(partial(self._arrive, connection, header, message))

    @staticmethod
    def _arrive(connection: Connection, header: Header, message: Message) -> None:
        if connection.open:
            connection.client(link_core.Heard(connection.number, header, message))

    def die(self) -> None:
        """The process is gone; clients notice, unless the network is so bad that nothing tells them."""
        del self.world.servers[self.endpoint]
        for connection in self.connections.values():
            connection.server = None
            self.world.cut(connection)


class World:
    """A clock that jumps from event to event, and everybody who lives by it."""

    def __init__(self, seed: int, reactors: int) -> None:
        self.now = 1000.0
        self.random = Random(seed)
        self.bad = True
        self.servers: dict[str, Server] = {}
        self.numbers = count(1)
        self._order = count()
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self.managers: dict[int, Manager] = {}
        self.coordinator = Coordinator(self)
        self.reactors = [Reactor(self, f"r{number}") for number in range(reactors)]
        self.later(0.0, self.tick)

    @property
    def now_ns(self) -> int:
        return round(self.now * SECOND)

    def later(self, seconds: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._events, (self.now + seconds, next(self._order), action))

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while self._events and self._events[0][0] <= end:
            self.now, _, action = heapq.heappop(self._events)
            action()
            for manager in self.managers.values():
                assert len(manager.twins) <= CAPACITY
        self.now = end

    def tick(self) -> None:
        self.coordinator.tick()
        for manager in list(self.managers.values()):
            manager.tick()
        self.later(1.0, self.tick)

    def kill(self, number: int) -> None:
        """A manager's process ends."""
        if number in self.managers:
            self.managers.pop(number).end()

    # the network

    def carry(self, arrive: Callable[[], None]) -> None:
        """Bring a message over, perhaps never, twice, or late enough to be overtaken."""
        copies = self.random.choices([1, 0, 2], [8, 1, 1])[0] if self.bad else 1
        for _ in range(copies):
            self.later(self.random.uniform(0.0, 3.0) if self.bad else 0.01, arrive)

    def connect(self, endpoint: str, client: Callable[[link_core.Event], None], number: int) -> Connection:
        connection = Connection(number, b"%d" % next(self.numbers), client)
        self.later(self.random.uniform(0.0, 1.0) if self.bad else 0.01, partial(self._connected, connection, endpoint))
        return connection

    def _connected(self, connection: Connection, endpoint: str) -> None:
        server = self.servers.get(endpoint)
        if not connection.open:
            return
        if server is None or (self.bad and self.random.random() < 0.1):
            connection.open = False
            connection.client(link_core.Down(connection.number, "nobody listens there"))
            return
        connection.server = server
        server.connections[connection.route] = connection
        connection.client(link_core.Up(connection.number))

    def send(self, connection: Connection, name: str, message: Message, session: str = "", sequence: int = 0) -> None:
        header = Header(type=message.TYPE, id=next(connection.ids), session=session, sequence=sequence)
        self.carry(partial(self._deliver, connection, name, header, message))

    @staticmethod
    def _deliver(connection: Connection, name: str, header: Header, message: Message) -> None:
        if connection.server is not None:
            connection.server.hear(connection, name, header, message)

    def close(self, connection: Connection) -> None:
        """The client leaves; what it said before may still arrive."""
        connection.open = False
        if connection.server is not None:
            connection.server.connections.pop(connection.route, None)

    def cut(self, connection: Connection) -> None:
        """The connection breaks, and the client is told so unless nothing comes through any more."""
        server, connection.server = connection.server, None
        if server is not None:
            server.connections.pop(connection.route, None)
        if not (self.bad and self.random.random() < 0.3):
            self.later(self.random.uniform(0.0, 2.0), partial(self._broken, connection))

    @staticmethod
    def _broken(connection: Connection) -> None:
        if connection.open:
            connection.open = False
            connection.client(link_core.Down(connection.number, "disconnected"))


class Coordinator(Server):
    """Placement, and what carries its decisions out."""

    def __init__(self, world: World) -> None:
        super().__init__(world, COORDINATOR)
        self.core = Placement(numbers=NUMBERS, capacity=CAPACITY, empty_manager=60.0, interval=INTERVAL, now=world.now)

    def restart(self) -> None:
        self.die()
        self.world.coordinator = Coordinator(self.world)

    def hear(self, connection: Connection, name: str, header: Header, body: Message) -> None:
        asker, now = Asker(connection.route, header.id), self.world.now
        match body:
            case Hello():
                self.do(self.core.hello(asker, name, body, now))
            case Register():
                self.do(self.core.register(asker, "host", KEY, body, now))
            case Heartbeat():
                self.do(self.core.heartbeat(asker, body, now))

    def tick(self) -> None:
        self.do(self.core.tick(self.world.now))
        pids = {number: manager.pid for number, manager in self.world.managers.items()}
        self.do(self.core.processes(pids, self.world.now))

    def do(self, actions: list[placement.Action]) -> None:
        for action in actions:
            match action:
                case placement.Give(asker, _, name, endpoint, key, epoch):
                    welcome = Welcome(
                        manager=name,
                        endpoint=endpoint,
                        key=key,
                        epoch=epoch,
                        database=None,
                        status_interval=INTERVAL,
                        time_us=1,
                    )
                    self.answer(asker.route, welcome)
                case placement.Refuse(asker, error):
                    self.answer(asker.route, error)
                case placement.Admit(asker, name):
                    self.answer(asker.route, Registered(manager=name, allow=EVERYBODY, database=None))
                case placement.Answer(asker, known, drain):
                    self.answer(asker.route, Alive(known=known, drain=drain))
                case placement.Start(number):
                    self.start(number)
                case placement.Stop(number):
                    self.world.kill(number)

    def start(self, number: int) -> None:
        if self.world.bad and self.world.random.random() < 0.2:
            self.do(self.core.start_failed(number, "no such program", self.world.now))
        else:
            self.world.managers[number] = Manager(self.world, number)
            self.core.started(number)


class Manager(Server):
    """Twins, and the link to the coordinator."""

    def __init__(self, world: World, number: int) -> None:
        self.pid = next(world.numbers)
        super().__init__(world, f"tcp://manager:{self.pid}")
        self.number = number
        self.twins = Twins(capacity=CAPACITY, interval=INTERVAL)
        self.registration = Registration(interval=INTERVAL, random=world.random, now=world.now)
        self.connection: Connection | None = None

    def hear(self, connection: Connection, name: str, header: Header, body: Message) -> None:
        peer = Peer(name, "reactor", KEY)
        out = self.twins.hear(Received(peer, connection.route, header, body, self.world.now_ns), 0)
        if out is not None:
            self.answer(out.route, out.message, out.session, out.sequence)

    def tick(self) -> None:
        self.do(self.registration.tick(self.world.now))
        self.twins.tick(self.world.now)

    def happened(self, event: link_core.Event) -> None:
        now = self.world.now
        match event:
            case link_core.Up():
                self.do(self.registration.up(now))
            case link_core.Down():
                self.do(self.registration.down(now))
            case link_core.Heard(_, _, Registered()):
                self.do(self.registration.answered(now, known=True))
            case link_core.Heard(_, _, Alive() as alive):
                self.twins.draining = alive.drain
                self.do(self.registration.answered(now, known=alive.known))
            case link_core.Heard():
                self.registration.refused(INTERVAL, now)

    def do(self, steps: list[Step]) -> None:
        for step in steps:
            match step:
                case Step.CONNECT:
                    self.connection = self.world.connect(COORDINATOR, self.happened, 0)
                case Step.HANG_UP:
                    self.hang_up()
                case Step.REGISTER:
                    placed = self.twins.placed()
                    self.say(Register(number=self.number, endpoint=self.endpoint, capacity=CAPACITY, reactors=placed))
                case Step.HEARTBEAT:
                    self.say(Heartbeat(reactors=self.twins.placed(), allow_version="1"))

    def say(self, message: Message) -> None:
        assert self.connection
        self.world.send(self.connection, "host", message)

    def hang_up(self) -> None:
        if self.connection is not None:
            self.world.close(self.connection)

    def end(self) -> None:
        self.hang_up()
        self.die()


class Reactor:
    """A link, the epoch that it keeps on its disk, and its connection."""

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.name = name
        self.epoch = 0
        self.session = ""
        self.attached_epochs: list[int] = []
        self.lives = 0
        self.refused: str | None = None
        self.connections: dict[int, Connection] = {}
        self.start()

    def start(self) -> None:
        """Begin, or begin again, with nothing but the epoch of the life before."""
        self.instance = str(next(self.world.numbers))
        self.leave()
        self.join()

    def leave(self) -> None:
        """Be heard no more."""
        for connection in self.connections.values():
            self.world.close(connection)
        self.connections = {}
        self.lives += 1

    def join(self) -> None:
        self.core = LinkCore(
            coordinator=link_core.Server("coordinator", COORDINATOR, KEY),
            epoch=self.epoch,
            random=self.world.random,
            now_ns=self.world.now_ns,
        )
        self.wake(self.lives)

    def wake(self, life: int) -> None:
        """Tick when the core wants it, and look again when it wants the next."""
        if life == self.lives:
            self.handle(link_core.Tick())
            self.world.later(max(0.05, self.core.due_ns / SECOND - self.world.now), partial(self.wake, life))

    def handle(self, event: link_core.Event) -> None:
        for action in self.core.handle(event, self.world.now_ns):
            self.do(action)
        assert self.core.epoch >= self.epoch

    def do(self, action: link_core.Action) -> None:
        match action:
            case link_core.Open(number, endpoint, _):
                self.connections[number] = self.world.connect(endpoint, self.handle, number)
            case link_core.Close(number):
                self.world.close(self.connections[number])
            case link_core.SendHello(number, epoch, lost):
                self.send(number, Hello(software="1", epoch=epoch, lost=lost, instance=self.instance))
            case link_core.SendAttach(number, epoch):
                self.send(number, Attach(epoch=epoch, label="", software="1", sensors=[]))
            case link_core.SendStatus(number, session, sequence):
                self.session = session
                self.send(number, self.status(), session, sequence)
            case link_core.Remember(epoch):
                assert epoch >= self.epoch
                self.epoch = epoch
            case link_core.Note("attached"):
                self.attached_epochs.append(self.core.epoch)
            case link_core.Refused(why):
                self.refused = why

    def send(self, number: int, message: Message, session: str = "", sequence: int = 0) -> None:
        self.world.send(self.connections[number], self.name, message, session, sequence)

    def status(self) -> Status:
        return Status(
            now_us=self.world.now_ns // 1000,
            readings=[],
            backlog=HEALTHY,
            clock_known=True,
            clock_offset=0.0,
            database="",
        )


def kill_a_manager(world: World, which: int) -> None:
    world.kill(which % NUMBERS + 1)


def restart_the_coordinator(world: World, _: int) -> None:
    world.coordinator.restart()


def restart_a_reactor(world: World, which: int) -> None:
    world.reactors[which % len(world.reactors)].start()


def cut_a_connection(world: World, which: int) -> None:
    there = [connection for server in world.servers.values() for connection in server.connections.values()]
    if there:
        world.cut(there[which % len(there)])


FAULTS = (kill_a_manager, restart_the_coordinator, restart_a_reactor, cut_a_connection)


def assert_all_is_well(world: World) -> None:
    """Everybody is attached where the manager says so, nowhere else, and the coordinator knows."""
    twins = {(twin.reactor, twin.session.id) for manager in world.managers.values() for twin in manager.twins}
    assert {reactor.core.state for reactor in world.reactors} == {State.ATTACHED}
    assert len(twins) == len(world.reactors)
    assert twins == {(reactor.name, reactor.session) for reactor in world.reactors}
    known = {place.reactor: place.epoch for one in world.coordinator.core.managers for place in one.reactors}
    assert known == {reactor.name: reactor.epoch for reactor in world.reactors}
    for reactor in world.reactors:
        assert reactor.attached_epochs == sorted(reactor.attached_epochs)


@given(
    seed=st.integers(0, 2**32),
    reactors=st.integers(1, MOST),
    faults=st.lists(st.tuples(st.floats(0.0, BAD), st.sampled_from(FAULTS), st.integers(0, MOST)), max_size=12),
)
def test_whatever_happens_everybody_is_attached_in_the_end(
    seed: int, reactors: int, faults: list[tuple[float, Callable[[World, int], None], int]]
) -> None:
    world = World(seed, reactors)
    for seconds, fault, which in faults:
        world.later(seconds, partial(fault, world, which))
    world.run(BAD)
    world.bad = False
    world.run(WELL)
    assert_all_is_well(world)


def test_without_any_fault_everybody_is_attached_after_the_coordinator_has_listened() -> None:
    world = World(1, MOST)
    world.bad = False
    world.run(placement.LISTEN * INTERVAL + 10.0)
    assert_all_is_well(world)
    assert sorted(len(manager.twins) for manager in world.managers.values()) == [CAPACITY] * NUMBERS


def test_a_dead_managers_reactors_are_attached_elsewhere_within_half_a_minute() -> None:
    for seed in range(20):
        world = World(seed, MOST - CAPACITY)
        world.bad = False
        world.run(30.0)
        world.kill(1)
        world.run(30.0)
        assert_all_is_well(world)


def test_a_restarted_coordinator_moves_nobody() -> None:
    world = World(1, MOST)
    world.bad = False
    world.run(60.0)
    before = {manager.pid for manager in world.managers.values()}
    world.coordinator.restart()
    world.run(60.0)
    assert_all_is_well(world)
    assert {manager.pid for manager in world.managers.values()} == before
    assert all(reactor.attached_epochs == [reactor.epoch] for reactor in world.reactors)


def two_machines(seed: int) -> tuple[World, Reactor, Reactor]:
    """A reactor, and a copy of it that was switched on later, after half a minute side by side."""
    world = World(seed, 1)
    world.bad = False
    world.run(40.0)
    (first,) = world.reactors
    copy = Reactor(world, first.name)
    world.reactors.append(copy)
    world.run(60.0)
    return world, first, copy


def assert_is_served(served: Reactor, other: Reactor) -> None:
    assert served.core.state is State.ATTACHED
    assert served.refused is None
    assert other.core.state is not State.ATTACHED
    assert other.refused == "name: another machine is r0: both hold its key, as after copying a card"


def test_of_two_machines_with_one_key_the_first_is_served_and_the_other_told_why() -> None:
    for seed in range(20):
        world, first, copy = two_machines(seed)
        assert_is_served(first, copy)
        before = len(first.attached_epochs)
        first.start()
        world.run(600.0)
        assert_is_served(first, copy)
        assert len(first.attached_epochs) == before + 1  # once more, for it started again; the other disturbs nobody


def test_a_copy_is_served_while_the_first_is_away_and_gives_way_when_it_is_back() -> None:
    for seed in range(20):
        world, first, copy = two_machines(seed)
        first.leave()
        world.run(90.0)
        assert copy.core.state is State.ATTACHED
        assert copy.refused is None
        first.join()
        world.run(60.0)
        assert_is_served(first, copy)
