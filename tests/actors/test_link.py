from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest
from msgspec.structs import replace

from actors.inventory import Inventory
from actors.link import EpochFile, Happened, Hearers, Link, Node, Tell
from actors.link_events import Server
from actors.live import Around
from hardware.values import Quality, Reading
from tests.actors.conftest import DATABASE, SESSION, START_NS, START_US, WELCOME, FakeClock, Kept
from transport import messages
from transport.errors import EnvelopeError
from transport.messages import (
    Ack,
    Act,
    Applied,
    AppliedState,
    Attach,
    Attached,
    Change,
    Database,
    Document,
    Error,
    Header,
    Hello,
    Message,
    SensorInfo,
    Status,
    Welcome,
)
from transport.wire import Down, Happening, Received, Up, Wire

SENSOR = SensorInfo(
    name="ph", label="pH", driver="ezo-ph", address="host", quantities=[], live_interval=5.0, sample_interval=60.0
)
DOCUMENT = Document(target="heater", revision=7, author="ada", values={"on": True})


class FakeConnection:
    """Remembers what was sent."""

    def __init__(self, endpoint: str, deliver: Callable[[list[Happening]], None]) -> None:
        self.endpoint = endpoint
        self.deliver = deliver
        self.sent: list[tuple[Message, str, int]] = []
        self.replies: list[int] = []
        self.error: Exception | None = None
        self.closed = False

    def send(self, message: Message, *, session: str, sequence: int, reply_to: int) -> int:
        assert not self.closed
        if self.error is not None:
            raise self.error
        self.replies.append(reply_to)
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
        assert set(accept) == {Welcome, Attached, Ack, Change, Act, Error}
        self.connections.append(FakeConnection(endpoint, deliver))
        return self.connections[-1]


class Scene:
    """A link that was not started, joined to a fake wire; `bring` is what its newest connection delivers."""

    def __init__(self, around: Around, clock: FakeClock, folder: Path) -> None:
        self.around = around
        self.clock = clock
        self.wire = FakeWire()
        self.databases: list[Database] = []
        self.times: list[tuple[int, int, int]] = []
        coordinator = Server("coordinator", "tcp://10.0.0.1:5000", "C" * 40)
        self.asked: list[tuple[Message, int, int]] = []
        self.inventory = Inventory([SENSOR], [])
        node = Node("Tank", "1.2.3", "one", self.inventory, coordinator, EpochFile(folder / "epoch"))
        hearers = Hearers(
            database=self.databases.append,
            server_time=lambda *times: self.times.append(times),
            asked=lambda body, at_ns, reply_to: self.asked.append((body, at_ns, reply_to)),
        )
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
    assert coordinator.sent == [(Hello(software="1.2.3", instance="one"), "", 0)]
    assert coordinator.closed
    assert manager.sent[0] == (Attach(epoch=8, label="Tank", software="1.2.3", sensors=[SENSOR]), "", 0)
    assert [(type(message), session, sequence) for message, session, sequence in manager.sent[1:]] == [
        (Status, SESSION, 1)
    ]
    assert scene.databases == [DATABASE]
    assert scene.times == [(START_NS, START_NS, START_US)]
    assert scene.around.vitals.lost_ns is None
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
    assert scene.around.vitals.lost_ns == scene.around.clock.monotonic_ns()
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


def test_what_targets_do_is_told_in_attach_and_status(scene: Scene) -> None:
    state = AppliedState("heater", 7, "ada", {"on": True}, {"on": False}, "guard")
    scene.around.standings.put(state)
    scene.attach()
    sent = [message for message, _, _ in scene.connection.sent]
    assert isinstance(sent[0], Attach)
    assert isinstance(sent[1], Status)
    assert sent[0].applied == sent[1].devices == [state]


def test_what_is_desired_is_passed_on_and_answers_go_back_in_the_session(scene: Scene, clock: FakeClock) -> None:
    scene.attach()
    scene.hear(Change(document=DOCUMENT), SESSION, 1)
    asked = Act(reactor="tank", act="act-0001", target="pump", kind="dose", valid_for=5.0, author="ada")
    scene.hear(asked, SESSION, 2)
    assert scene.asked == [(Change(document=DOCUMENT), clock.now_ns, 1), (asked, clock.now_ns, 1)]
    applied = Applied(target="heater", revision=7, read_back={})
    scene.link.handle(Tell(applied, 1))
    assert scene.connection.sent[-1] == (applied, SESSION, 2)
    assert scene.connection.replies[-1] == 1


def test_more_than_a_message_holds_is_a_fault_and_no_death(scene: Scene) -> None:
    scene.attach()
    scene.connection.error = EnvelopeError("too_large", "70000 bytes, limit 65536")
    scene.settle(5.5)
    assert "link: status cannot be sent" in scene.around.faults.current()[0]


def test_an_answer_without_a_manager_is_lost(scene: Scene) -> None:
    scene.link.handle(Tell(Applied(target="heater", revision=7, read_back={}), 1))
    assert scene.connection.sent == []


def test_an_older_manager_that_wakes_up_is_not_heard(scene: Scene) -> None:
    scene.attach()
    scene.hear(Change(document=DOCUMENT), "t" * 32, 1)
    old = scene.connection
    scene.bring(Down("disconnected"))
    scene.settle(2)
    header = Header(type="change", id=1, session=SESSION, sequence=9)
    old.deliver([Received(None, b"", header, Change(document=DOCUMENT), 0)])
    scene.settle()
    assert scene.asked == []


def test_what_is_wired_otherwise_is_told_by_attaching_again(scene: Scene) -> None:
    scene.attach()
    renamed = replace(SENSOR, label="pH, left")
    scene.inventory.change(SENSOR)
    scene.settle(5.5)
    assert not isinstance(scene.connection.sent[-1][0], Attach)
    scene.inventory.change(renamed)
    scene.settle(5.5)
    attach = scene.connection.sent[-1][0]
    assert isinstance(attach, Attach)
    assert attach.sensors == [renamed]
    scene.hear(Attached(session="u" * 32, status_interval=5.0, desired=[DOCUMENT]))
    assert isinstance(scene.connection.sent[-1][0], Status)
    assert scene.connection.sent[-1][1:] == ("u" * 32, 1)
    assert [body for body, _, _ in scene.asked] == [Change(document=DOCUMENT)]
    assert not scene.connection.closed


def test_the_servers_time_in_an_ack_is_passed_on(scene: Scene, clock: FakeClock) -> None:
    scene.attach()
    scene.hear(Ack(next_interval=5.0, time_us=77), SESSION, 1)
    assert scene.times[-1] == (clock.now_ns, clock.now_ns, 77)


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
    assert scene.around.vitals.lost_ns == scene.around.clock.monotonic_ns()
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
    for garbage in ("garbage", "-1", "9007199254740993", "9" * 5000):  # no coordinator would hear such a hello
        (tmp_path / "epoch").write_text(garbage)
        assert epochs.read() == 0
    assert [path.name for path in tmp_path.iterdir()] == ["epoch"]


def test_an_epoch_that_cannot_be_kept_is_a_fault_and_no_more(scene: Scene, tmp_path: Path) -> None:
    (tmp_path / "epoch.new").mkdir()
    scene.attach()
    assert scene.around.vitals.lost_ns is None
    assert scene.around.faults.current()[0].startswith("link: the epoch cannot be kept")
