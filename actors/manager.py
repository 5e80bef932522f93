"""The manager: one actor behind a port of its own, serving the reactors that the coordinator places on it.

What one poll of the socket brought comes as one message, and is answered in one batch. `ManagerProcess` is the root
of the process.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from random import Random

from loguru import logger

from actors.config import ManagerConfig
from actors.database import DatabaseWriter, Outbox
from actors.desired_store import DesiredStore, Result
from actors.desk import Desk
from actors.keeper import Child, Keeper, Kept, Post, Report, tell
from actors.own_numbers import Numbers, OwnNumbers
from actors.registration import Registration, Step
from actors.ticker import SECOND, Ticker
from actors.wants import Numbering
from hardware.clock import Clock
from storage.desired import DesiredTable
from storage.readings import Writer
from transport import messages
from transport.errors import EndpointError
from transport.keys import AllowList, Peer
from transport.links import Types
from transport.messages import (
    Act,
    Alive,
    Applied,
    Attach,
    Database,
    Done,
    Error,
    Heartbeat,
    Message,
    Register,
    Registered,
    Rejected,
    Set,
    Status,
    Watch,
    line,
)
from transport.wire import Connection, Down, Happening, Listener, Outgoing, Received, Up, Wire

ACCEPT: Mapping[messages.Role, Types] = {
    "reactor": (Attach, Status, Applied, Rejected, Done),
    "operator": (Set, Act, Watch),
}
FROM_COORDINATOR = (Registered, Alive, Error)
TICKS = 10  # in a status interval


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a server's process finds around it; the process closes `wire` when it stops.

    `connect` makes a writer to the database at an address, `desired` opens its table of documents.
    """

    clock: Clock
    wire: Wire
    connect: Callable[[str], Writer]
    desired: Callable[[str], DesiredTable]


@dataclass(frozen=True, slots=True)
class Brought:
    """What one poll brought from reactors and operators."""

    batch: list[Received]


@dataclass(frozen=True, slots=True)
class Happened:
    """What a connection to the coordinator brought."""

    connection: int
    batch: list[Happening]


@dataclass(frozen=True, slots=True)
class Tick:
    """A tenth of a status interval has passed."""


class Manager(Kept):
    """Serves reactors and operators, and lets the coordinator know. Nobody is heard before it sent the allow-list."""

    def __init__(  # noqa: PLR0913 - what it shares with the process's other actors, by name
        self,
        report: Report,
        *,
        config: ManagerConfig,
        surroundings: Surroundings,
        outbox: Outbox,
        store: Post,
        numbering: Numbering,
        ticker: Ticker,
    ) -> None:
        super().__init__(report)
        self._config = config
        self._wire = surroundings.wire
        self._clock = surroundings.clock
        self._outbox = outbox
        self._store = store
        self._name = ""  # until the coordinator gives one
        self._allow = AllowList()  # assigned here, read on the wire's thread
        random = Random()  # noqa: S311 - spreads retries and numbers
        self._desk = Desk(capacity=config.capacity, interval=config.status_interval, numbering=numbering, random=random)
        self._twins = self._desk.twins
        self._registration = Registration(interval=config.status_interval, random=random, now=self._now())
        self._listener: Listener | None = None
        self._error = ""  # what kept it from listening
        self._connection: Connection | None = None
        self._connections = 0
        self._reports = 0  # since the last own reading
        self._own = OwnNumbers(self._clock, config.status_interval, self._count)
        self._alarm = ticker.alarm(partial(tell, self.actor_ref, Tick()))

    def begin(self) -> None:
        """Bind a free port, or remember why not: the coordinator is told either way."""
        try:
            self._listener = self._wire.listen(
                f"tcp://{self._config.bind}:*",
                allow=self._peer_of,
                accept=ACCEPT,
                deliver=self._deliver,
                busy=self.is_behind,
            )
        except EndpointError as error:
            logger.error("{}", error)
            self._error = line(str(error))
        else:
            logger.info("listens on {}", self._listener.endpoint)
        self._tick()

    def handle(self, message: object) -> None:
        """Serve."""
        match message:
            case Brought(batch):
                self._serve(batch)
            case Happened(connection, batch):
                if connection == self._connections:
                    for happening in batch:
                        self._hear(happening)
            case Result() as result:
                self._send(self._desk.finish(result, self._now()))
            case Tick():
                self._tick()
        self._file()

    def release(self) -> None:
        """Stop serving."""
        self._alarm.cancel()
        self._hang_up()
        if self._listener is not None:
            self._listener.close()

    # reactors

    def _peer_of(self, key: str) -> Peer | None:
        """On the wire's thread."""
        return self._allow.peer_of(key)

    def _deliver(self, batch: list[Received]) -> None:
        """On the wire's thread."""
        tell(self.actor_ref, Brought(batch))

    def _deliver_from(self, connection: int, batch: list[Happening]) -> None:
        """On the wire's thread."""
        tell(self.actor_ref, Happened(connection, batch))

    def _serve(self, batch: list[Received]) -> None:
        wall_us = self._clock.wall_us()
        hear = self._desk.hear
        self._reports += len(batch)
        self._send([out for received in batch for out in hear(received, wall_us)])

    def _send(self, batch: list[Outgoing]) -> None:
        if batch and self._listener is not None:
            self._listener.send(batch)

    def _file(self) -> None:
        """Have the database asked what there is to ask."""
        job = self._desk.job(self._now(), self._clock.wall_us())
        if job is not None:
            self._store.tell(job)

    # the coordinator

    def _hear(self, happening: Happening) -> None:
        now = self._now()
        match happening:
            case Up():
                self._do(self._registration.up(now))
            case Down(reason):
                logger.info("the coordinator: {}", reason)
                self._do(self._registration.down(now))
            case Received(body=Registered() as body):
                if body.manager != self._name:
                    logger.info("registered as {}", body.manager)
                self._name = body.manager
                self._take(body.allow, body.database, drain=False)
                self._do(self._registration.answered(now, known=True))
            case Received(body=Alive() as body):
                self._take(body.allow, body.database, drain=body.drain)
                self._do(self._registration.answered(now, known=body.known))
            case Received(body=Error() as error):
                logger.warning("the coordinator answered with an error, {}: {}", error.code, error.text)
                self._registration.refused(error.retry, now)

    def _take(self, allow: messages.AllowList | None, database: Database | None, *, drain: bool) -> None:
        if allow is not None:
            self._allow = AllowList.from_message(allow)
            self._desk.names = frozenset(peer.name for peer in allow.peers if peer.role == "reactor")
            if self._listener is not None:
                self._listener.weed()
        if database is not None:
            self._desk.move_to(database)
            self._outbox.address = database.address
        self._twins.draining = drain

    def _do(self, steps: list[Step]) -> None:
        for step in steps:
            match step:
                case Step.CONNECT:
                    self._connect()
                case Step.HANG_UP:
                    self._hang_up()
                case Step.REGISTER:
                    self._say(self._register())
                case Step.HEARTBEAT:
                    self._say(Heartbeat(reactors=self._twins.placed(), allow_version=self._allow.version))

    def _connect(self) -> None:
        self._connections += 1
        self._connection = self._wire.connect(
            self._config.coordinator,
            self._config.coordinator_key,
            accept=FROM_COORDINATOR,
            deliver=partial(self._deliver_from, self._connections),
        )

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _say(self, message: Message) -> None:
        assert self._connection is not None  # the registration speaks between connect and hang up
        self._connection.send(message)

    def _register(self) -> Register:
        if self._listener is None:
            return Register(number=self._config.number, error=self._error)
        return Register(
            number=self._config.number,
            endpoint=self._listener.endpoint,
            capacity=self._config.capacity,
            reactors=self._twins.placed(),
        )

    # time

    def _now(self) -> float:
        return self._clock.monotonic_ns() / SECOND

    def _tick(self) -> None:
        now, wall_us = self._now(), self._clock.wall_us()
        self._do(self._registration.tick(now))
        out, lost = self._desk.tick(now)
        self._send(out)
        for reactor in lost:
            logger.warning("{} is lost", reactor)
        own = self._own.rows(self._name) if self._name else []
        self._outbox.put([*self._twins.fresh(), *own], self._twins.wired(wall_us))
        self._alarm.set(self._clock.monotonic_ns() + round(self._config.status_interval / TICKS * SECOND))

    def _count(self) -> Numbers:
        reports, self._reports = self._reports, 0
        return {
            "attached": (len(self._twins), "reactors"),
            "stale": (self._twins.count("stale", self._now()), "reactors"),
            "reports": (reports, "1"),
            "refused": (self._listener.counters.refused if self._listener else 0, "1"),
            "denied": (self._wire.denied, "1"),
            "dropped": (self._outbox.dropped, "rows"),
        }


class ManagerProcess(Keeper):
    """Root of a manager's process: `ManagerProcess.start(config, surroundings, ready)`."""

    def __init__(self, config: ManagerConfig, surroundings: Surroundings, ready: threading.Event) -> None:
        clock = surroundings.clock
        self._wire = surroundings.wire
        self._ticker = Ticker(clock)
        outbox = Outbox()
        write = partial(
            DatabaseWriter.start, outbox=outbox, connect=surroundings.connect, clock=clock, ticker=self._ticker
        )
        store, manager, numbering = Post(), Post(), Numbering(config.number)
        keep = partial(
            DesiredStore.start, connect=surroundings.desired, clock=clock, numbering=numbering, hearer=manager.tell
        )
        manage = partial(
            Manager.start,
            config=config,
            surroundings=surroundings,
            outbox=outbox,
            store=store,
            numbering=numbering,
            ticker=self._ticker,
        )
        children = [
            Child("database", write),
            Child("desired", keep, store),
            Child("manager", manage, manager),
        ]
        super().__init__(children, ticker=self._ticker, clock=clock, fault=lambda *_: None, ready=ready)

    def on_start(self) -> None:
        """Start the children."""
        self._ticker.start()
        super().on_start()

    def on_stop(self) -> None:
        """Stop the children, then let go of what they shared."""
        super().on_stop()
        self._ticker.stop()
        self._wire.close()
