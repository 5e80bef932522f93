"""The operator: one thread that speaks the protocol for all people and programs of this process.

It keeps a twin of every reactor (`fleet`), sets documents and asks for acts. Methods may be called from any thread.
"""

import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from queue import Empty, SimpleQueue
from random import Random
from typing import Any

from loguru import logger

from hardware.clock import Clock
from transport.errors import EnvelopeError
from transport.liveness import back_off
from transport.messages import (
    Accepted,
    Act,
    Attach,
    Conflict,
    Database,
    Document,
    Done,
    Error,
    Hello,
    ManagerInfo,
    Message,
    Overview,
    Rejected,
    Set,
    Snapshot,
    Update,
)
from transport.wire import Connection, Down, Happening, Received, Up, Wire
from ui.errors import Declined, NoAnswer, NoManager
from ui.fleet import Action, Connect, Fleet, HangUp, Say, Twin

FROM_COORDINATOR = (Overview, Error)
FROM_MANAGER = (Snapshot, Update, Accepted, Conflict, Rejected, Done, Error)
TICK = 0.5  # seconds
SECOND = 1_000_000_000
SET_ANSWER = 16.0  # seconds that a manager has for a `set`, docs/protocol.md, and a little
ACT_ANSWER = 6.0  # beyond the act's validity

Settled = Accepted | Conflict | Rejected


@dataclass(frozen=True, slots=True)
class OperatorConfig:
    """Where the coordinator is, whose key it has, how often watches are renewed (seconds), and who we say we are."""

    coordinator: str
    coordinator_key: str
    status_interval: float
    software: str


@dataclass(frozen=True, slots=True)
class System:
    """What is known of the servers. `coordinator` tells whether it is connected."""

    coordinator: bool
    managers: Mapping[str, ManagerInfo]
    database: Database | None


@dataclass(slots=True)
class _Waiting:
    """A request that was sent, and who waits for its answer until then."""

    future: "Future[Any]"
    until: float


class Operator:
    """`start` it, ask it, `close` it."""

    def __init__(
        self, config: OperatorConfig, wire: Wire, clock: Clock, changed: Callable[[frozenset[str]], None]
    ) -> None:
        """`changed` is told on the operator's thread which reactors' twins are others now; it must not block."""
        self._config = config
        self._wire = wire
        self._clock = clock
        self._tell = changed
        random = Random()  # noqa: S311 - spreads retries
        self._random = random
        self._fleet = Fleet(config.status_interval, random)
        self._events: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="operator", daemon=True)
        self._connections: dict[int, Connection] = {}
        self._waiting: dict[tuple[int, int], _Waiting] = {}
        self._coordinator: Connection | None = None
        self._attempt = 0  # numbers the connections to the coordinator
        self._is_up = False
        self._failures = 0
        self._due = 0.0  # of the next connection to the coordinator

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """Hang up and end; whoever still waits is told. The wire stays open."""
        self._events.put(None)
        self._thread.join()

    def is_alive(self) -> bool:
        """Tell whether the thread runs."""
        return self._thread.is_alive()

    @property
    def twins(self) -> Mapping[str, Twin]:
        """What is known of every reactor, now."""
        return self._fleet.twins.copy()

    def twin(self, name: str) -> Twin | None:
        """What is known of one reactor."""
        return self._fleet.twins.get(name)

    @property
    def system(self) -> System:
        """What is known of the servers."""
        return System(self._is_up, self._fleet.managers, self._fleet.database)

    def set(self, wish: Set) -> "Future[Settled]":
        """Ask for a whole document. Gives what the manager says, or raises `OperatorError`; may take 16 s."""
        return self._asked(wish, SET_ANSWER)

    def act(self, act: Act) -> "Future[Done]":
        """Ask for an act. Gives the first word of it, `begun` when it takes a while, or raises `OperatorError`.

        What comes later is in the twin.
        """
        return self._asked(act, act.valid_for + ACT_ANSWER)

    def look(self, names: frozenset[str]) -> None:
        """Hear the readings of these as soon as they are there, of all others when they report."""
        self._post(lambda: self._do(self._fleet.look(names, self._now())))

    def remember(self, name: str, attach: Attach, documents: Iterable[Document]) -> None:
        """Take in what the database knows of a reactor that was never heard."""
        self._post(partial(self._fleet.remember, name, attach, tuple(documents)))

    # the thread

    def _post(self, event: Callable[[], None]) -> None:
        self._events.put(event)

    def _run(self) -> None:
        due = 0.0
        while True:
            try:
                event = self._events.get(timeout=max(0.0, due - self._now()))
            except Empty:
                self._tick()
                due = self._now() + TICK
            else:
                if event is None:
                    break
                event()
            changed = self._fleet.take_changed()
            if changed:
                self._tell(changed)
        for connection in (self._coordinator, *self._connections.values()):
            if connection is not None:
                connection.close()
        for waiting in self._waiting.values():
            waiting.future.set_exception(NoAnswer("this server stops"))

    def _now(self) -> float:
        return self._clock.monotonic_ns() / SECOND

    def _tick(self) -> None:
        now = self._now()
        if self._coordinator is None and now >= self._due:
            self._attempt += 1
            self._coordinator = self._wire.connect(
                self._config.coordinator,
                self._config.coordinator_key,
                accept=FROM_COORDINATOR,
                deliver=partial(self._deliver, self._hear_coordinator, self._attempt),
            )
        self._do(self._fleet.tick(now))
        for key, waiting in list(self._waiting.items()):
            if now >= waiting.until:
                del self._waiting[key]
                waiting.future.set_exception(NoAnswer("the manager has not answered in time"))

    def _deliver(self, hear: Callable[[int, list[Happening]], None], link: int, batch: list[Happening]) -> None:
        """On the wire's thread."""
        self._post(partial(hear, link, batch))

    def _do(self, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case Connect(group, endpoint, key):
                    self._connections[group] = self._wire.connect(
                        endpoint,
                        key,
                        accept=FROM_MANAGER,
                        deliver=partial(self._deliver, self._hear_manager, group),
                    )
                case HangUp(group):
                    self._connections.pop(group).close()
                    self._give_up(group)
                case Say(group, message):
                    self._connections[group].send(message)

    # the coordinator

    def _hear_coordinator(self, attempt: int, batch: list[Happening]) -> None:
        if attempt != self._attempt or self._coordinator is None:
            return
        now = self._now()
        for happening in batch:
            match happening:
                case Up():
                    self._is_up, self._failures = True, 0
                    self._coordinator.send(Hello(software=self._config.software))
                case Down(reason):
                    logger.info("the coordinator: {}", reason)
                    self._coordinator, self._is_up = None, False
                    self._failures += 1
                    self._due = now + back_off(self._failures, self._random)
                    return
                case Received(body=Overview() as said):
                    self._do(self._fleet.overview(said, now))
                case Received(body=Error() as error):
                    logger.warning("the coordinator answers with an error, {}: {}", error.code, error.text)

    # managers

    def _hear_manager(self, group: int, batch: list[Happening]) -> None:
        if group not in self._connections:
            return
        now, wall_us = self._now(), self._clock.wall_us()
        for happening in batch:
            match happening:
                case Up():
                    self._do(self._fleet.up(group, now))
                case Down(reason):
                    logger.info("a manager: {}", reason)
                    del self._connections[group]
                    self._fleet.down(group, now)
                    self._give_up(group)
                case Received(body=Snapshot() | Update() as said):
                    self._do(self._fleet.hear(group, said, now, wall_us))
                case Received(header=header, body=body):
                    self._answer(group, header.reply_to, body)

    def _asked(self, message: Set | Act, patience: float) -> "Future[Any]":
        future: Future[Any] = Future()
        future.set_running_or_notify_cancel()  # from now on nobody takes it back: who asked may be gone, it is sent
        self._post(partial(self._ask, message, future, patience))
        return future

    def _ask(self, message: Set | Act, future: "Future[Any]", patience: float) -> None:
        group = self._fleet.connection_for(message.reactor, attached=isinstance(message, Act))
        if group is None:
            future.set_exception(NoManager(f"no manager can take this for {message.reactor} now"))
            return
        try:
            number = self._connections[group].send(message)
        except EnvelopeError as error:
            future.set_exception(Declined(error.text))
            return
        if isinstance(message, Set):
            future.add_done_callback(partial(self._settled, message))
        self._waiting[group, number] = _Waiting(future, self._now() + patience)

    def _answer(self, group: int, reply_to: int, body: Message) -> None:
        waiting = self._waiting.pop((group, reply_to), None)
        if isinstance(body, Error):
            logger.warning("a manager answers with an error, {}: {}", body.code, body.text)
        if waiting is None:
            return
        if isinstance(body, Error):
            waiting.future.set_exception(Declined(f"the manager refuses: {body.text}"))
        else:
            waiting.future.set_result(body)

    def _settled(self, asked: Set, future: "Future[Settled]") -> None:
        """Show what only the database keeps; on this thread, which sets every result."""
        if future.exception() is None and isinstance(answer := future.result(), Accepted) and not answer.delivered:
            document = Document(target=asked.target, revision=answer.revision, author=asked.author, values=asked.values)
            self._fleet.accepted(answer, document)

    def _give_up(self, group: int) -> None:
        """Tell who waits for answers from a connection that is over."""
        for key in [key for key in self._waiting if key[0] == group]:
            self._waiting.pop(key).future.set_exception(NoAnswer("the manager was lost before it answered"))
