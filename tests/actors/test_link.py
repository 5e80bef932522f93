from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

from actors.link import EpochFile, Happened, Hearers, Link, Node
from actors.link_core import Server
from actors.live import Around
from hardware.values import Quality, Reading
from tests.actors.conftest import START_NS, START_US, FakeClock, Kept
from transport import messages
from transport.messages import Ack, Attach, Attached, Database, Error, Header, Hello, Message, Status, Welcome
from transport.wire import Down, Happening, Received, Up, Wire

DATABASE = Database(address="http://db:9000", identity="d1", incarnation=0, schema_major=1, schema_minor=0)
SESSION = "s" * 32
WELCOME = Welcome(
    manager="host-1",
    endpoint="tcp://10.0.0.1:6001",
    key="M" * 40,
    epoch=8,
    database=DATABASE,
    status_interval=5.0,
    time_us=START_US,
)


class FakeConnection:
    """Remembers what was sent."""

    def __init__(self, endpoint: str, deliver: Callable[[list[Happening]], None]) -> None:
        self.endpoint = endpoint
        self.deliver = deliver
        self.sent: list[tuple[Message, str, int]] = []
        self.closed = False

    def send(self, message: Message, *, session: str, sequence: int) -> int:
        assert not self.closed
        self.sent.append((message, session, sequence))
        return len(self.sent)

    def close(self) -> None:
        self.closed = True


class FakeWire:
    """Makes fake connections."""

    def __init__(self) -> None:
        self.connections: list[FakeConnection] = []

    def connect(
        self,
        endpoint: str,
        key: str,
        *,
        accept: tuple[type[Message], ...],
        deliver: Callable[[list[Happening]], None],
    ) -> FakeConnection:
        assert len(key) == 40
        assert set(accept) == {Welcome, Attached, Ack, Error}
        self.connections.append(FakeConnection(endpoint, deliver))
        return self.connections[-1]


class Scene:
    """A link that was not started, joined to a fake wire; `bring` is what its newest connection delivers."""

    def __init__(self, around: Around, clock: FakeClock, folder: Path) -> None:
        self.around = around
        self.clock = clock
        self.wire = FakeWire()
        self.databases: list[Database] = []
        self.times: list[tuple[int, int]] = []
        coordinator = Server("coordinator", "tcp://10.0.0.1:5000", "C" * 40)
        node = Node("Tank", "1.2.3", [], coordinator, EpochFile(folder / "epoch"))
        hearers = Hearers(self.databases.append, lambda at_ns, time_us: self.times.append((at_ns, time_us)))
        self.link = Link(lambda _: None, around, cast("Wire", self.wire), node, hearers)
        self.link.begin()
        self.settle()

    @property
    def connection(self) -> FakeConnection:
        return self.wire.connections[-1]

    def settle(self, seconds: float = 0.0) -> None:
        self.clock.advance(seconds)
        self.around.ticker.ring()
        while not self.link.actor_inbox.empty():
            self.link.handle(self.link.actor_inbox.get().message)

    def bring(self, *happenings: Happening) -> None:
        self.connection.deliver(list(happenings))
        self.settle()

    def hear(self, body: Message, session: str = "", sequence: int = 0) -> None:
        header = Header(type=body.TYPE, id=1, session=session, sequence=sequence)
        self.bring(Received(None, b"", header, body, self.clock.now_ns))

    def attach(self) -> None:
        self.bring(Up())
        self.hear(WELCOME)
        self.bring(Up())
        self.hear(Attached(session=SESSION, status_interval=5.0))


@pytest.fixture
def scene(around: Around, clock: FakeClock, tmp_path: Path) -> Scene:
    return Scene(around, clock, tmp_path)


def test_the_way_to_the_first_status(scene: Scene, kept: Kept, tmp_path: Path) -> None:
    scene.attach()
    coordinator, manager = scene.wire.connections
    assert (coordinator.endpoint, manager.endpoint) == ("tcp://10.0.0.1:5000", "tcp://10.0.0.1:6001")
    assert coordinator.sent == [(Hello(software="1.2.3"), "", 0)]
    assert coordinator.closed
    assert manager.sent[0] == (Attach(epoch=8, label="Tank", software="1.2.3", sensors=[]), "", 0)
    assert [(type(message), session, sequence) for message, session, sequence in manager.sent[1:]] == [
        (Status, SESSION, 1)
    ]
    assert scene.databases == [DATABASE]
    assert scene.times == [(START_NS, START_US)]
    assert scene.around.vitals.attached
    assert (tmp_path / "epoch").read_text() == "8"
    assert [(event.source, event.kind) for event in kept.events] == [("link", "attached")]


def test_a_status_says_how_things_are(scene: Scene, clock: FakeClock) -> None:
    around = scene.around
    around.live.put("ph", [Reading("ph", 7.0, "pH", Quality.OK, clock.now_ns)])
    around.live.put("rtd", [Reading("temperature", None, "°C", Quality.FAULT, clock.now_ns)])
    around.vitals.database = DATABASE.stamp
    around.vitals.backlog = messages.Backlog(waiting=3, oldest=1.0, refused=0, dropped=0)
    around.timebase.kernel(clock.monotonic_ns(), clock.wall_us())
    around.faults.begin("rtd", "reading", "no probe")
    scene.attach()
    now_us = clock.now_ns // 1000
    assert scene.connection.sent[-1][0] == Status(
        now_us=now_us,
        readings=[
            messages.Reading("ph", "ph", 7.0, "ok", now_us),
            messages.Reading("rtd", "temperature", None, "fault", now_us),
        ],
        backlog=around.vitals.backlog,
        clock_known=True,
        clock_offset=0.0,
        database=DATABASE.stamp,
        faults=["rtd: no probe"],
    )


def test_statuses_go_on_while_they_are_answered(scene: Scene) -> None:
    scene.attach()
    for sequence in range(1, 11):
        scene.hear(Ack(next_interval=5.0), SESSION, sequence)
        scene.settle(5.5)
    assert len(scene.connection.sent) == 1 + 1 + 10
    assert not scene.connection.closed


def test_a_connection_that_breaks_is_replaced(scene: Scene, kept: Kept) -> None:
    scene.attach()
    scene.bring(Down("disconnected"))
    assert not scene.around.vitals.attached
    assert kept.events[-1].kind == "lost"
    scene.settle(1)
    assert len(scene.wire.connections) == 3
    scene.wire.connections[1].deliver([Down("disconnected")])
    scene.settle()
    assert not scene.connection.closed


def test_an_ack_may_name_another_database(scene: Scene) -> None:
    scene.attach()
    scene.hear(Ack(next_interval=5.0, database=DATABASE), SESSION, 1)
    assert scene.databases == [DATABASE, DATABASE]


def test_an_error_from_the_coordinator_makes_it_wait(scene: Scene) -> None:
    scene.bring(Up())
    scene.hear(Error(code="later", text="no manager yet", retry=5.0))
    assert scene.connection.closed
    scene.settle(4)
    assert len(scene.wire.connections) == 1
    scene.settle(2)
    assert len(scene.wire.connections) == 2


def test_letting_go_hangs_up(scene: Scene) -> None:
    scene.attach()
    scene.link.release()
    assert scene.connection.closed
    assert not scene.around.vitals.attached
    scene.settle(60)
    assert len(scene.wire.connections) == 2


def test_the_wires_thread_only_tells(scene: Scene) -> None:
    scene.connection.deliver([Up()])
    assert scene.connection.sent == []
    assert scene.link.actor_inbox.get().message == Happened(1, [Up()])


def test_an_epoch_survives_and_a_file_that_is_none_is_forgotten(tmp_path: Path) -> None:
    epochs = EpochFile(tmp_path / "epoch")
    assert epochs.read() == 0
    epochs.write(41)
    epochs.write(42)
    assert epochs.read() == 42
    (tmp_path / "epoch").write_text("garbage")
    assert epochs.read() == 0
    assert [path.name for path in tmp_path.iterdir()] == ["epoch"]


def test_an_epoch_that_cannot_be_kept_is_a_fault_and_no_more(scene: Scene, tmp_path: Path) -> None:
    (tmp_path / "epoch.new").mkdir()
    scene.attach()
    assert scene.around.vitals.attached
    assert scene.around.faults.current()[0].startswith("link: the epoch cannot be kept")
