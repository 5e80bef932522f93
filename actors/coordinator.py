"""The coordinator: the listener that every node knows. placement.py decides, this carries out.

It keeps nothing on disk: what it knows comes back from managers and reactors. `CoordinatorProcess` is the root of the
process.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from loguru import logger

from actors import placement as core
from actors.config import CoordinatorConfig
from actors.database import DatabaseWatch, DatabaseWriter, Outbox
from actors.keeper import Child, Keeper, Kept, Post, Report, tell
from actors.launcher import Halt, Launch, Launched, Launcher, LauncherActor, LaunchFailed, Running
from actors.own_numbers import Numbers, OwnNumbers
from actors.placement import Asker, Placement
from actors.ticker import SECOND, Ticker
from hardware.clock import Clock
from storage.questdb import QuestDB
from storage.readings import Writer
from storage.schema import DatabaseIdentity
from transport.keys import AllowList, Peer, read_allow_list
from transport.links import Types
from transport.messages import (
    Alive,
    Database,
    Heartbeat,
    Hello,
    Message,
    Overview,
    Register,
    Registered,
    Role,
    Welcome,
)
from transport.wire import Listener, Outgoing, Received, Wire

ACCEPT: Mapping[Role, Types] = {"reactor": (Hello,), "operator": (Hello,), "manager": (Register, Heartbeat)}
TICK = 1.0  # seconds
NAME = "coordinator"  # of its own readings
OPERATORS = 100  # that are told of changes: those that said hello last


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the coordinator finds around it; it closes `wire` and `database` when it stops.

    `connect` makes a writer to the database at an address.
    """

    clock: Clock
    wire: Wire
    launcher: Launcher
    database: QuestDB
    connect: Callable[[str], Writer]


@dataclass(frozen=True, slots=True)
class Brought:
    """What one poll brought."""

    batch: list[Received]


@dataclass(frozen=True, slots=True)
class Tick:
    """A second has passed."""


@dataclass(frozen=True, slots=True)
class Found:
    """Which database this is."""

    identity: DatabaseIdentity


class AllowFolder:
    """The allow-list's folder, read again when one of its files was changed. Of one thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: object = None

    def changed(self) -> AllowList | None:
        """Return the list as it is now, if it may differ from the one before; its faults are logged."""
        seen = self._look()
        if seen == self._seen:
            return None
        self._seen = seen
        allow, faults = read_allow_list(self._path)
        for fault in faults:
            logger.warning("allow-list: {}", fault)
        logger.info("allow-list: {} keys may speak", len(allow))
        return allow

    def _look(self) -> object:
        try:
            stats = [(path.name, path.stat()) for path in self._path.glob("*.toml")]
        except OSError as error:
            return str(error)
        return sorted((name, stat.st_mtime_ns, stat.st_size, stat.st_ino) for name, stat in stats)


class Coordinator(Kept):
    """Answers hellos and heartbeats, has managers started and stopped, tells operators."""

    def __init__(  # noqa: PLR0913 - what it shares with the process's other actors, by name
        self,
        report: Report,
        *,
        config: CoordinatorConfig,
        surroundings: Surroundings,
        outbox: Outbox,
        launcher: Post,
        ticker: Ticker,
    ) -> None:
        super().__init__(report)
        self._config = config
        self._outbox = outbox
        self._wire = surroundings.wire
        self._clock = surroundings.clock
        self._launcher = launcher
        self._core = Placement(
            numbers=config.manager_numbers,
            capacity=config.manager_capacity,
            empty_manager=config.empty_manager,
            interval=config.status_interval,
            now=self._now(),
        )
        self._folder = AllowFolder(config.allow_dir)
        self._allow = AllowList()  # assigned here, read on the wire's thread
        self._database: Database | None = None  # the last that was found
        self._listener: Listener | None = None
        self._operators: OrderedDict[bytes, None] = OrderedDict()  # their routes
        self._told: object = None  # what operators were told last
        self._out: list[Outgoing] = []  # answers to what is being handled
        self._reports = 0  # messages since the last own reading
        self._own = OwnNumbers(self._clock, config.status_interval, self._count)
        self._alarm = ticker.alarm(partial(tell, self.actor_ref, Tick()))

    def begin(self) -> None:
        """Listen. Raises `EndpointError` when the port is taken."""
        self._read_allow_list()
        self._listener = self._wire.listen(
            self._config.endpoint,
            allow=self._peer_of,
            accept=ACCEPT,
            deliver=self._deliver,
            busy=self.is_behind,
        )
        logger.info("listens on {}", self._listener.endpoint)
        self._set_alarm()

    def handle(self, message: object) -> None:
        """Let the core decide about what happened."""
        now = self._now()
        match message:
            case Brought(batch):
                self._reports += len(batch)
                for received in batch:
                    self._hear(received, now)
            case Tick():
                self._read_allow_list()
                self._do(self._core.tick(now))
                self._tell_operators()
                self._outbox.put(self._own.rows(NAME))
                self._set_alarm()
            case Found(identity):
                self._database = _described(self._config.database_address, identity)
                self._outbox.address = self._config.database_address
            case Launched(number):
                self._core.started(number)
            case LaunchFailed(number, why):
                self._do(self._core.start_failed(number, why, now))
            case Running(pids):
                self._do(self._core.processes(pids, now))
        self._send()

    def release(self) -> None:
        """Stop listening."""
        self._alarm.cancel()
        if self._listener is not None:
            self._listener.close()

    def _peer_of(self, key: str) -> Peer | None:
        """On the wire's thread."""
        return self._allow.peer_of(key)

    def _deliver(self, batch: list[Received]) -> None:
        """On the wire's thread."""
        tell(self.actor_ref, Brought(batch))

    def _hear(self, received: Received, now: float) -> None:
        asker, peer = Asker(received.route, received.header.id), received.peer
        assert peer is not None  # a listener names who speaks
        match received.body:
            case Hello() if peer.role == "operator":
                self._do(self._core.operate(now))
                self._greet_operator(asker)
            case Hello() as hello:
                self._do(self._core.hello(asker, peer.name, hello, now))
            case Register() as register:
                self._do(self._core.register(asker, peer.name, peer.key, register, now))
            case Heartbeat() as heartbeat:
                self._do(self._core.heartbeat(asker, heartbeat, now), heartbeat.allow_version)

    def _do(self, actions: list[core.Action], allow_version: str = "") -> None:
        """Carry out what the core decided; `allow_version` is that of the manager whose heartbeat is answered."""
        for action in actions:
            match action:
                case core.Give() as give:
                    self._answer(give.asker, self._welcome(give))
                case core.Refuse(asker, error):
                    self._answer(asker, error)
                case core.Admit(asker, name):
                    logger.info("{} is registered", name)
                    allow = self._allow.to_message()
                    self._answer(asker, Registered(manager=name, allow=allow, database=self._database))
                case core.Answer(asker, known, drain):
                    newer = None if allow_version == self._allow.version else self._allow.to_message()
                    self._answer(asker, Alive(known=known, allow=newer, database=self._database, drain=drain))
                case core.Start(number):
                    logger.info("starts manager {}", number)
                    self._launcher.tell(Launch(number))
                case core.Stop(number):
                    self._launcher.tell(Halt(number))
                case core.Note(text, warning):
                    logger.log("WARNING" if warning else "INFO", "{}", text)

    def _welcome(self, give: core.Give) -> Welcome:
        return Welcome(
            manager=give.manager,
            endpoint=give.endpoint,
            key=give.key,
            epoch=give.epoch,
            database=self._database,
            status_interval=self._config.status_interval,
            time_us=self._clock.wall_us(),
        )

    def _answer(self, asker: Asker, message: Message) -> None:
        self._out.append(Outgoing(asker.route, message, reply_to=asker.id))

    def _send(self) -> None:
        if self._out and self._listener is not None:
            self._listener.send(self._out)
        self._out = []

    # operators

    def _greet_operator(self, asker: Asker) -> None:
        self._operators[asker.route] = None
        self._operators.move_to_end(asker.route)
        if len(self._operators) > OPERATORS:
            self._operators.popitem(last=False)
        self._answer(asker, self._overview())

    def _tell_operators(self) -> None:
        """Send the overview again if something changed: at most once a tick, and to none twice."""
        told = (self._core.version, self._database, self._core.absent(self._now()))
        if told != self._told and self._operators:
            overview = self._overview()
            self._out += [Outgoing(route, overview) for route in self._operators]
        self._told = told

    def _overview(self) -> Overview:
        return Overview(
            managers=self._core.managers,
            database=self._database,
            time_us=self._clock.wall_us(),
            absent=self._core.absent(self._now()),
        )

    # time

    def _count(self) -> Numbers:
        reports, self._reports = self._reports, 0
        return {
            "reports": (reports, "1"),
            "refused": (self._listener.counters.refused if self._listener else 0, "1"),
            "denied": (self._wire.denied, "1"),
            "dropped": (self._outbox.dropped, "rows"),
        }

    def _now(self) -> float:
        return self._clock.monotonic_ns() / SECOND

    def _read_allow_list(self) -> None:
        allow = self._folder.changed()
        if allow is not None:
            self._allow = allow
            if self._listener is not None:
                self._listener.weed()

    def _set_alarm(self) -> None:
        self._alarm.set(self._clock.monotonic_ns() + round(TICK * SECOND))


def _described(address: str, identity: DatabaseIdentity) -> Database:
    return Database(
        address=address,
        identity=identity.identity,
        incarnation=identity.incarnation,
        schema_major=identity.schema_major,
        schema_minor=identity.schema_minor,
    )


class CoordinatorProcess(Keeper):
    """Root of the coordinator's process: `CoordinatorProcess.start(config, surroundings, ready)`."""

    def __init__(self, config: CoordinatorConfig, surroundings: Surroundings, ready: threading.Event) -> None:
        clock = surroundings.clock
        self._wire = surroundings.wire
        self._ticker = Ticker(clock)
        launcher, coordinator = Post(), Post()
        shared = {"clock": clock, "ticker": self._ticker}
        watch = partial(
            DatabaseWatch.start,
            database=surroundings.database,
            keeping=config.keeping,
            found=lambda identity: coordinator.tell(Found(identity)),
            **shared,
        )
        outbox = Outbox()
        write = partial(DatabaseWriter.start, outbox=outbox, connect=surroundings.connect, **shared)
        launch = partial(LauncherActor.start, launcher=surroundings.launcher, hearer=coordinator.tell, **shared)
        coordinate = partial(
            Coordinator.start,
            config=config,
            surroundings=surroundings,
            outbox=outbox,
            launcher=launcher,
            ticker=self._ticker,
        )
        children = [
            Child("database", watch),
            Child("writer", write),
            Child("launcher", launch, launcher),
            Child("coordinator", coordinate, coordinator),
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
