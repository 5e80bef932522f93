"""What a manager knows of its reactors: one small twin each, a pure core.

A reactor attaches and gets a session; each status that carries the session and a rising sequence is acknowledged and
becomes the twin's newest. A twin that is silent for too long is lost: its session ends and its place is free. Times
are monotonic seconds of the manager, wall times microseconds.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from actors.ticker import SECOND
from actors.wants import Wants
from storage.readings import InventoryEntry, LiveReading
from transport.liveness import Life, life_of
from transport.messages import (
    Ack,
    Attach,
    Attached,
    Database,
    DeviceInfo,
    Error,
    Message,
    Name,
    Placed,
    SensorInfo,
    Status,
)
from transport.session import Session, new_session
from transport.wire import Outgoing, Received

ASK_AGAIN = 1.0  # seconds; the coordinator knows a manager that has room
COLUMNS = frozenset({"name", "label", "driver", "address"})  # of the inventory; its descriptor holds the rest
CLOCK_STEP_US = 1_000_000  # a reactor's clock is followed only when it is off by more: a reading keeps its time


@dataclass(slots=True)
class Twin:
    """One attached reactor, as it described itself and as it last reported; `route` leads to it."""

    reactor: str
    attach: Attach
    session: Session
    route: bytes
    heard: float
    wants: Wants
    status: Status | None = None
    units: dict[tuple[Name, Name], str] = field(default_factory=dict)
    offset_us: int = 0  # the reactor's monotonic clock to wall time
    written: dict[tuple[Name, Name], int] = field(default_factory=dict)  # `taken_us` of what `fresh` gave last

    def hear(self, status: Status, now: float, wall_us: int) -> None:
        """Take in a report that came at `wall_us`."""
        self.status = status
        self.heard = now
        offset_us = wall_us - status.now_us
        if abs(offset_us - self.offset_us) > CLOCK_STEP_US:  # the first report, a reboot, or a clock that was set
            self.offset_us = offset_us
            self.written.clear()

    def tell(self, message: Message) -> Outgoing:
        """Say something in the session."""
        return Outgoing(self.route, message, session=self.session.id, sequence=self.session.stamp())

    def fresh(self) -> list[LiveReading]:
        """Give the readings that are newer than those given before.

        Passed over is what was not declared, and what no clock can date: such rows would cost others theirs.
        """
        if self.status is None:
            return []
        rows = []
        latest_us = self.offset_us + self.status.now_us + CLOCK_STEP_US
        for reading in self.status.readings:
            series = (reading.sensor, reading.quantity)
            unit = self.units.get(series)
            wall_us = self.offset_us + reading.taken_us
            if unit is None or reading.taken_us <= self.written.get(series, -1) or not 0 <= wall_us <= latest_us:
                continue
            self.written[series] = reading.taken_us
            rows.append(LiveReading(self.reactor, *series, reading.value, unit, reading.quality, wall_us))
        return rows


class Twins:
    """The twins of one manager: at most `capacity`, each reporting every `interval` seconds. One actor owns it."""

    def __init__(self, *, capacity: int, interval: float) -> None:
        self.capacity = capacity
        self.draining = False  # nobody new is taken
        self.superseded = 0  # reports whose readings were never asked for, because a newer one came first
        self._interval = interval
        self._twins: dict[str, Twin] = {}
        self._dirty: dict[str, Twin] = {}  # those that reported since `fresh`
        self._rewired: set[str] = set()  # those whose inventory `wired` has to tell
        self._stamp = ""
        self.database = None

    @property
    def database(self) -> Database | None:
        """Where reactors shall log; none while nobody said."""
        return self._database

    @database.setter
    def database(self, database: Database | None) -> None:
        self._database = database
        stamp = database.stamp if database else ""
        if stamp != self._stamp:
            self._rewired.update(self._twins)
        self._stamp = stamp
        self._stamp_acks(0)

    def _stamp_acks(self, wall_us: int) -> None:
        """Make the two acks there are at a time: those that one poll brought share them."""
        self._acks_us = wall_us
        self._ack = Ack(next_interval=self._interval, time_us=wall_us)
        self._ack_other = msgspec.structs.replace(self._ack, database=self._database)

    def __len__(self) -> int:
        return len(self._twins)

    def __iter__(self) -> Iterator[Twin]:
        return iter(self._twins.values())

    def of(self, reactor: str) -> Twin | None:
        """Give the twin of a reactor, none when it is not attached."""
        return self._twins.get(reactor)

    def life(self, reactor: str, now: float) -> Life:
        """Judge a reactor by how long it has been silent; one that is not attached is lost."""
        twin = self._twins.get(reactor)
        return life_of(now - twin.heard, self._interval) if twin else "lost"

    def placed(self) -> list[Placed]:
        """Every attached reactor with the epoch of its placement."""
        return [Placed(twin.reactor, twin.attach.epoch) for twin in self._twins.values()]

    def count(self, life: Life, now: float) -> int:
        """How many of the attached are `ok` or `stale`."""
        return sum(life_of(now - twin.heard, self._interval) == life for twin in self._twins.values())

    def hear(self, received: Received, wall_us: int) -> Outgoing | None:
        """Take in an `attach` or a `status` and answer it; an old or repeated status deserves no answer."""
        header, body = received.header, received.body
        assert received.peer is not None  # a listener names who speaks
        reactor = received.peer.name
        if isinstance(body, Status):
            return self._report(received, body, wall_us)
        assert isinstance(body, Attach)
        return Outgoing(received.route, self._attach(reactor, body, received), reply_to=header.id)

    def speaking(self, received: Received) -> Twin | Outgoing | None:
        """Tell in whose session a message was said: the error to answer, if in none; none, if it is to be dropped."""
        assert received.peer is not None  # a listener names who speaks
        twin = self._twins.get(received.peer.name)
        verdict = "session" if twin is None else twin.session.hear(received.header)
        if twin is None or verdict == "session":
            error = Error(code="session", text="no such session: attach")
            return Outgoing(received.route, error, reply_to=received.header.id)
        return twin if verdict == "ok" else None

    def _attach(self, reactor: str, message: Attach, received: Received) -> Attached | Error:
        """Open a session for a reactor, ending the one it had."""
        old = self._twins.get(reactor)
        if old is None:
            if self.draining:
                return Error(code="later", text="this manager is about to be stopped", retry=ASK_AGAIN)
            if len(self._twins) >= self.capacity:
                return Error(code="full", text=f"this manager has its {self.capacity} reactors", retry=ASK_AGAIN)
        elif message.epoch < old.attach.epoch:
            return Error(code="epoch", text=f"epoch {message.epoch} is over: {old.attach.epoch} attached since")
        now, wants = received.at_ns / SECOND, old.wants if old else Wants()
        session = Session(new_session())
        twin = Twin(reactor, message, session, received.route, now, wants, units=_units(message.sensors))
        if old is not None:  # a reading that it reports again keeps the time that it was written with
            twin.offset_us, twin.written = old.offset_us, old.written
        if old is None or (old.attach.sensors, old.attach.devices) != (message.sensors, message.devices):
            self._rewired.add(reactor)
        self._twins[reactor] = twin
        return Attached(session=twin.session.id, status_interval=self._interval)

    def _report(self, received: Received, status: Status, wall_us: int) -> Outgoing | None:
        twin = self.speaking(received)
        if not isinstance(twin, Twin):
            return twin
        twin.hear(status, received.at_ns / SECOND, wall_us)
        if twin.reactor in self._dirty:
            self.superseded += 1
        self._dirty[twin.reactor] = twin
        if wall_us != self._acks_us:
            self._stamp_acks(wall_us)
        ack = self._ack if status.database == self._stamp else self._ack_other
        return Outgoing(received.route, ack, received.header.id, twin.session.id, twin.session.stamp())

    def fresh(self) -> list[LiveReading]:
        """Give every reading that is new since the last call, of each quantity the newest only."""
        rows = [row for twin in self._dirty.values() for row in twin.fresh()]
        self._dirty.clear()
        return rows

    def wired(self, wall_us: int) -> list[InventoryEntry]:
        """Describe what is wired to those that attached, or changed, since the last call; all, to a new database."""
        entries = [
            entry for name in self._rewired if name in self._twins for entry in _inventory(self._twins[name], wall_us)
        ]
        self._rewired.clear()
        return entries

    def tick(self, now: float) -> list[str]:
        """Let go of those that are lost, and name them."""
        lost = [name for name, twin in self._twins.items() if life_of(now - twin.heard, self._interval) == "lost"]
        for name in lost:
            del self._twins[name]
            self._dirty.pop(name, None)
        return lost


def _units(sensors: list[SensorInfo]) -> dict[tuple[Name, Name], str]:
    return {(sensor.name, quantity.name): quantity.unit for sensor in sensors for quantity in sensor.quantities}


def _inventory(twin: Twin, wall_us: int) -> list[InventoryEntry]:
    """Describe what is wired as rows whose descriptors are JSON, every value under its name."""
    entries = []
    wired: list[tuple[str, Sequence[SensorInfo | DeviceInfo]]] = [
        ("sensor", twin.attach.sensors),
        ("device", twin.attach.devices),
    ]
    for kind, infos in wired:
        for info in infos:
            descriptor = {key: value for key, value in _by_name(info).items() if key not in COLUMNS}
            told = msgspec.json.encode(descriptor).decode()
            entries.append(
                InventoryEntry(twin.reactor, kind, info.name, info.label, info.driver, info.address, told, wall_us)
            )
    return entries


def _by_name(value: object) -> Any:  # noqa: ANN401 - JSON
    """Turn records into maps, those too that are arrays on the wire."""
    match value:
        case msgspec.Struct():
            return {name: _by_name(getattr(value, name)) for name in value.__struct_fields__}
        case list():
            return [_by_name(one) for one in value]
        case _:
            return value
