"""The link: the reactor's one connection to the outside. link_core.py decides, this carries out."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random

from loguru import logger

from actors import link_core as core
from actors.files import write_whole
from actors.inventory import Inventory
from actors.keeper import Kept, Report, tell
from actors.live import Around
from actors.progress import Part
from transport.errors import EnvelopeError
from transport.messages import (
    MAX_COUNT,
    Ack,
    Act,
    Attach,
    Attached,
    Change,
    Database,
    Error,
    Hello,
    Message,
    Reading,
    Status,
    Welcome,
)
from transport.wire import Connection, Down, Happening, Received, Up, Wire

ACCEPT = (Welcome, Attached, Ack, Change, Act, Error)
MOST_READINGS = 512  # that a status carries
MOST_FAULTS = 64


@dataclass(frozen=True, slots=True)
class Wake:
    """The core wanted to be woken."""


@dataclass(frozen=True, slots=True)
class News:
    """There are new readings."""


@dataclass(frozen=True, slots=True)
class Happened:
    """What a connection brought."""

    connection: int
    batch: list[Happening]


@dataclass(frozen=True, slots=True)
class Tell:
    """Tell the manager this, in answer to one of its messages; not when we are not attached."""

    message: Message
    reply_to: int


class EpochFile:
    """The highest epoch that this reactor has seen, as decimal text in a file of its state folder."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> int:
        """Return it; 0 when there is none, or none that can be read."""
        try:
            epoch = int(self._path.read_text(encoding="ascii"))
        except FileNotFoundError:
            return 0
        except (OSError, ValueError) as error:
            logger.warning("the epoch is forgotten: {}", error)
            return 0
        if 0 <= epoch <= MAX_COUNT:
            return epoch
        logger.warning("the epoch is forgotten: {} is none", epoch)
        return 0

    def write(self, epoch: int) -> None:
        """Replace it, whole or not at all. Raises OSError."""
        write_whole(self._path, str(epoch).encode("ascii"))


@dataclass(frozen=True, slots=True)
class Node:
    """What a reactor says of itself, where it finds the coordinator, and what it remembers of it.

    `instance` is random, of this start of its process.
    """

    label: str
    software: str
    instance: str
    inventory: Inventory
    coordinator: core.Server
    epochs: EpochFile


@dataclass(frozen=True, slots=True)
class Hearers:
    """Who is told what the link hears, and never blocks.

    Where to log; the server's time (microseconds) and the moments between which it was (monotonic nanoseconds); what
    the manager asks for, when it came (monotonic nanoseconds), and the message to answer.
    """

    database: Callable[[Database], None]
    server_time: Callable[[int, int, int], None]
    asked: Callable[[Change | Act, int, int], None]


class Link(Kept):
    """Greets, attaches, reports."""

    def __init__(self, report: Report, around: Around, wire: Wire, node: Node, hearers: Hearers) -> None:
        super().__init__(report)
        self._around = around
        self._wire = wire
        self._node = node
        self._hearers = hearers
        self._connection: Connection | None = None
        self._told = -1  # version of the inventory in the last attach
        self._core = core.LinkCore(
            coordinator=node.coordinator,
            epoch=node.epochs.read(),
            random=Random(),  # noqa: S311 - spreads retries
            now_ns=around.clock.monotonic_ns(),
        )
        self._alarm = around.ticker.alarm(partial(tell, self.actor_ref, Wake()))

    def begin(self) -> None:
        """Call the coordinator."""
        self._around.progress.expect(Part.LINK, "link", self._core.due_ns)
        self._alarm.set(self._core.due_ns)

    def handle(self, message: object) -> None:
        """Let the core decide about what happened."""
        match message:
            case Wake():
                self._decide(core.Tick())
            case Happened(connection, batch):
                for happening in batch:
                    self._decide(self._event(connection, happening))
            case News():
                self._decide(core.Fresh())
            case Tell(said, reply_to):
                self._decide(core.Say(said, reply_to))
        if self._told != self._node.inventory.version:
            self._decide(core.Rewired())
        self._contact(attached=self._core.state is core.State.ATTACHED)
        self._around.progress.expect(Part.LINK, "link", self._core.due_ns)
        self._alarm.set(self._core.due_ns)

    def release(self) -> None:
        """Hang up."""
        self._alarm.cancel()
        self._contact(attached=False)
        self._around.progress.forget(Part.LINK, "link")
        self._hang_up()

    def _contact(self, *, attached: bool) -> None:
        vitals = self._around.vitals
        if attached:
            vitals.lost_ns = None
        elif vitals.lost_ns is None:
            vitals.lost_ns = self._around.clock.monotonic_ns()

    def _event(self, connection: int, happening: Happening) -> core.Event:
        match happening:
            case Up():
                return core.Up(connection)
            case Down(reason):
                logger.info("the connection is down: {}", reason)
                return core.Down(connection, reason)
            case Received(header=header, body=body):
                if isinstance(body, Error):
                    logger.warning("answered with an error, {}: {}", body.code, body.text)
                return core.Heard(connection, header, body)

    def _decide(self, event: core.Event) -> None:
        for action in self._core.handle(event, self._around.clock.monotonic_ns()):
            self._do(action)

    def _do(self, action: core.Action) -> None:
        match action:
            case core.Open(number, endpoint, key):
                deliver = partial(self._deliver, number)
                self._connection = self._wire.connect(endpoint, key, accept=ACCEPT, deliver=deliver)
            case core.Close():
                self._hang_up()
            case core.SendHello() | core.SendAttach() | core.SendStatus() | core.SendAnswer():
                self._transmit(action)
            case core.Ask(body, reply_to):
                self._hearers.asked(body, self._around.clock.monotonic_ns(), reply_to)
            case core.Remember(epoch):
                self._remember(epoch)
            case core.LogTo(database):
                self._hearers.database(database)
            case core.ServerTime(asked_ns, at_ns, time_us):
                self._hearers.server_time(asked_ns, at_ns, time_us)
            case core.Note(kind, text):
                logger.info("{} {}", kind, text)
                self._around.faults.event("link", kind, text)
            case core.Refused(why):
                self._refused(why)

    def _transmit(self, action: core.SendHello | core.SendAttach | core.SendStatus | core.SendAnswer) -> None:
        match action:
            case core.SendHello(_, epoch, lost):
                self._send(Hello(software=self._node.software, epoch=epoch, lost=lost, instance=self._node.instance))
            case core.SendAttach(_, epoch):
                self._send(self._attach(epoch))
            case core.SendStatus(_, session, sequence):
                self._send(self._status(), session=session, sequence=sequence)
            case core.SendAnswer(_, session, sequence, message, reply_to):
                self._send(message, session=session, sequence=sequence, reply_to=reply_to)

    def _deliver(self, number: int, batch: list[Happening]) -> None:
        """On the wire's thread."""
        tell(self.actor_ref, Happened(number, batch))

    def _send(self, message: Message, session: str = "", sequence: int = 0, reply_to: int = 0) -> None:
        assert self._connection is not None  # the core sends between Open and Close
        try:
            self._connection.send(message, session=session, sequence=sequence, reply_to=reply_to)
        except EnvelopeError as error:  # more is wired than a message holds: the rest of the reactor goes on
            self._around.faults.begin("link", message.TYPE, f"{message.TYPE} cannot be sent: {error}")

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _attach(self, epoch: int) -> Attach:
        node = self._node
        self._told = node.inventory.version
        return Attach(
            epoch=epoch,
            label=node.label,
            software=node.software,
            sensors=node.inventory.sensors(),
            devices=node.inventory.devices,
            applied=self._around.standings.snapshot(),
        )

    def _status(self) -> Status:
        around = self._around
        now_ns = around.clock.monotonic_ns()
        readings = [
            Reading(sensor, reading.quantity, reading.value, reading.quality.value, reading.taken_ns // 1000)
            for sensor, reading in around.live.snapshot()
        ]
        return Status(
            now_us=now_ns // 1000,
            readings=readings[:MOST_READINGS],
            backlog=around.vitals.backlog,
            clock_known=around.timebase.anchor is not None,
            clock_offset=around.timebase.offset(now_ns, around.clock.wall_us()),
            database=around.vitals.database,
            faults=around.faults.current()[:MOST_FAULTS],
            devices=around.standings.snapshot(),
        )

    def _refused(self, why: str | None) -> None:
        if why is None:
            self._around.faults.end("link", "refused")
        else:
            self._around.faults.begin("link", "refused", f"refused: {why}")

    def _remember(self, epoch: int) -> None:
        try:
            self._node.epochs.write(epoch)
        except OSError as error:
            self._around.faults.begin("link", "epoch", f"the epoch cannot be kept: {error}")
        else:
            self._around.faults.end("link", "epoch")
