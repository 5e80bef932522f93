"""A whole reactor in this process: real actors, spool and sockets; a scripted server on the other side."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from queue import Queue
from typing import Any, ClassVar

import pykka
import pytest
import zmq

from actors.config import DatabaseLogin, DeviceConfig, DoseLimits, ReactorConfig, SensorConfig
from actors.reactor import Guarded, Outside, Reactor
from actors.safe_mode import FILE as SAFE_MODE
from hardware.acts import Act, Value
from hardware.buses import Buses
from hardware.buses.address import HostAddress
from hardware.clock import SystemClock
from hardware.device import DeviceDescriptor, DeviceDriver, switch
from hardware.driver import Descriptor, SensorDriver
from hardware.errors import BadConfiguration
from hardware.safe import SafeWrite
from hardware.values import Quantity
from storage.rows import Event, Sample
from storage.spool import Anchor, Spool
from transport import messages
from transport.keys import KeyPair, Peer
from transport.messages import (
    Ack,
    Applied,
    Attach,
    Attached,
    Change,
    Document,
    Done,
    Hello,
    Rejected,
    Status,
    Welcome,
)
from transport.wire import Outgoing, Received, Wire

WAIT = 10
CLOCK = SystemClock()
SESSION = "s" * 32


class Probe(SensorDriver):
    """Reads 7.0, until told to fail in a way that no driver may."""

    descriptor: ClassVar[Descriptor] = Descriptor("probe", "Probe", (Quantity("ph", "pH", 0, 14, 3),), ("none",), 1.0)
    broken = False
    was_read = threading.Event()

    def open(self) -> None:
        pass

    def read(self) -> Mapping[str, float]:
        Probe.was_read.set()
        if Probe.broken:
            raise ZeroDivisionError
        return {"ph": 7.0}


class Heater(DeviceDriver):
    """Remembers what its output was told, `safe` among it."""

    descriptor: ClassVar[DeviceDescriptor] = DeviceDescriptor(
        "heater", "Heater", (switch("on"),), (Act("find", "Find"),), ("none",), 1.0, cycled="on"
    )
    log: ClassVar[list[object]] = []
    was_safe = threading.Event()
    address = HostAddress()

    def open(self) -> None:
        self.log.append("open")

    def apply(self, settings: Mapping[str, Value]) -> None:
        self.log.append(settings["on"])

    def read_back(self) -> Mapping[str, Value]:
        return {"on": self.log[-1] is True}

    def make_safe(self) -> None:
        self.log.append("safe")
        Heater.was_safe.set()

    def safe_writes(self) -> tuple[SafeWrite, ...]:
        return ()

    def act(self, name: str, arguments: Mapping[str, float]) -> Mapping[str, Value]:
        assert not arguments
        self.log.append(name)
        return {}


def make_keys() -> KeyPair:
    public, secret = zmq.curve_keypair()
    return KeyPair(public.decode(), secret.decode())


def make_outside(wire: Wire) -> Outside:
    return Outside(
        software="1.2.3",
        instance="one",
        boot="boot",
        clock=CLOCK,
        disciplined=lambda: False,
        driver={"probe": Probe}.__getitem__,
        device={"heater": Heater}.__getitem__,
        buses=Buses(),
        wire=wire,
    )


class Server:
    """Coordinator and manager at once, on one socket; what it heard is in `heard`."""

    def __init__(self, reactor_key: str) -> None:
        keys = make_keys()
        self.key = keys.public
        self.heard: Queue[Any] = Queue()
        self.sequence = 0
        self.desired: list[Document] = []
        self.wire = Wire(keys, CLOCK)
        self.listener = self.wire.listen(
            "tcp://127.0.0.1:*",
            allow=lambda key: Peer("tank", "reactor", key) if key == reactor_key else None,
            accept={"reactor": {Hello, Attach, Status, Applied, Rejected, Done}},
            deliver=self._answer,
        )

    def _answer(self, batch: list[Received]) -> None:
        for received in batch:
            self.heard.put(received.body)
            self.route = received.route
            if not isinstance(received.body, Hello | Attach | Status):
                continue
            answer = Outgoing(received.route, self._reply(received), reply_to=received.header.id)
            if received.header.session:
                self.sequence += 1
                answer = Outgoing(answer.route, answer.message, answer.reply_to, SESSION, self.sequence)
            self.listener.send([answer])

    def _reply(self, received: Received) -> Welcome | Attached | Ack:
        match received.body:
            case Hello(epoch=epoch):
                return Welcome(
                    manager="host-1",
                    endpoint=self.listener.endpoint,
                    key=self.key,
                    epoch=epoch + 1,
                    database=None,
                    status_interval=0.1,
                    time_us=CLOCK.wall_us(),
                )
            case Attach():
                return Attached(session=SESSION, status_interval=0.1, desired=self.desired)
            case _:
                return Ack(next_interval=0.1)

    def ask(self, message: Change | messages.Act) -> None:
        """Say something in the session of the reactor that was heard last."""
        self.sequence += 1
        self.listener.send([Outgoing(self.route, message, 0, SESSION, self.sequence)])

    def answer(self) -> Applied | Rejected | Done:
        """Wait for an answer."""
        while not isinstance(message := self.heard.get(timeout=WAIT), Applied | Rejected | Done):
            pass
        return message

    def status(self, wanted: Callable[[Status], bool]) -> Status:
        """Wait for a status that is as wanted."""
        while True:
            message = self.heard.get(timeout=WAIT)
            if isinstance(message, Status) and wanted(message):
                return message


@pytest.fixture
def keys() -> KeyPair:
    return make_keys()


@pytest.fixture
def server(keys: KeyPair) -> Iterator[Server]:
    server = Server(keys.public)
    yield server
    server.wire.close()


@pytest.fixture
def config(tmp_path: Path, server: Server) -> ReactorConfig:
    sensor = SensorConfig(
        name="ph",
        label="pH",
        driver="probe",
        address="host",
        live_interval=1.0,
        sample_interval=10.0,
        options={},
        compensation={},
    )
    return ReactorConfig(
        name="tank",
        label="Tank",
        sensors=(sensor,),
        state_dir=tmp_path,
        coordinator=server.listener.endpoint,
        coordinator_key=server.key,
        database_login=DatabaseLogin("owner", "secret"),
        status_interval=0.1,
        spool_limit=10_000_000,
        spool_retention=600.0,
        pace=20.0,
    )


@pytest.fixture
def start(keys: KeyPair) -> Iterator[Callable[[ReactorConfig], pykka.ActorRef[Reactor]]]:
    Probe.broken = False
    Heater.log.clear()
    Heater.was_safe.clear()
    started: list[pykka.ActorRef[Reactor]] = []

    def start(config: ReactorConfig) -> pykka.ActorRef[Reactor]:
        outside = make_outside(Wire(keys, CLOCK))
        ready = threading.Event()
        started.append(Reactor.start(config, outside, ready))
        assert ready.wait(WAIT)
        return started[-1]

    yield start
    for ref in started:
        if ref.is_alive():
            ref.stop()


def rows(path: Path) -> tuple[list[Sample], list[Event]]:
    """What a reactor that has stopped left in its spool."""
    with closing(Spool(path / "spool.sqlite", clock=CLOCK, boot="boot", limit=10_000_000, retention=600)) as spool:
        spool.date(Anchor("boot", CLOCK.monotonic_ns(), CLOCK.wall_us()))
        samples = [one.row for one in spool.batch(1000, without=frozenset({"events"}))]
        events = [one.row for one in spool.batch(1000, without=frozenset({"samples"}))]
    return [row for row in samples if isinstance(row, Sample)], [row for row in events if isinstance(row, Event)]


def test_it_attaches_reports_and_keeps_samples(
    start: Callable[[ReactorConfig], pykka.ActorRef[Reactor]], config: ReactorConfig, server: Server, tmp_path: Path
) -> None:
    ref = start(config)
    assert server.heard.get(timeout=WAIT) == Hello(software="1.2.3", instance="one")
    attach = server.heard.get(timeout=WAIT)
    assert (attach.epoch, attach.label) == (1, "Tank")
    assert [(info.name, info.driver, info.live_interval, info.sample_interval) for info in attach.sensors] == [
        ("ph", "probe", 0.05, 0.5),
        ("self", "self", 0.1, 600.0),
    ]
    status = server.status(lambda status: status.clock_known and status.backlog.waiting > 0)
    values = {(reading.sensor, reading.quantity): reading.value for reading in status.readings}
    assert values["ph", "ph"] == 7.0
    assert values["self", "attached"] in {0.0, 1.0}
    ref.stop()
    samples, events = rows(tmp_path)
    assert [row.value for row in samples if row.sensor == "ph"][:1] == [7.0]
    assert {row.sensor for row in samples} == {"ph", "self"}
    assert [(row.source, row.kind) for row in events if row.kind != "fault"] == [
        ("reactor", "started"),
        ("link", "attached"),
    ]


def test_it_samples_with_nothing_else_in_reach_and_says_its_epoch_when_it_is_back(
    start: Callable[[ReactorConfig], pykka.ActorRef[Reactor]], config: ReactorConfig, server: Server, tmp_path: Path
) -> None:
    ref = start(config)
    server.status(lambda _: True)
    ref.stop()
    before, _ = rows(tmp_path)
    Probe.was_read.clear()
    ref = start(replace(config, coordinator="tcp://127.0.0.1:1"))
    assert Probe.was_read.wait(WAIT)
    ref.stop()
    samples, _ = rows(tmp_path)
    assert len(samples) > len(before)
    start(config)
    while not isinstance(hello := server.heard.get(timeout=WAIT), Hello):
        pass
    assert hello.epoch == 1


def test_a_sensor_that_dies_is_shown_and_comes_back_and_the_others_never_notice(
    start: Callable[[ReactorConfig], pykka.ActorRef[Reactor]], config: ReactorConfig, server: Server
) -> None:
    start(config)
    server.status(lambda status: not status.faults)
    Probe.broken = True
    status = server.status(lambda status: any("ZeroDivisionError" in fault for fault in status.faults))
    assert "ph: died and is started again: ZeroDivisionError:" in status.faults
    Probe.broken = False
    status = server.status(lambda status: not status.faults)
    assert {reading.sensor for reading in status.readings} == {"ph", "self"}


def test_a_sensor_that_its_driver_cannot_take_ends_the_start(
    config: ReactorConfig, keys: KeyPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_self: Probe, _wiring: object) -> None:
        raise BadConfiguration("no such address")

    monkeypatch.setattr(Probe, "__init__", refuse)
    with closing(Wire(keys, CLOCK)) as wire:
        outside = make_outside(wire)
        with pytest.raises(BadConfiguration, match="no such address"):
            Reactor.start(config, outside, threading.Event())


HEATER = DeviceConfig("heater", "Heater", "heater", "heater", "host", {}, {}, DoseLimits())


def change(revision: int, *, on: bool, target: str = "heater") -> Change:
    return Change(document=Document(target=target, revision=revision, author="ada", values={"on": on}))


def test_a_setting_reaches_the_hardware_and_is_applied_again_before_anybody_answers(
    start: Callable[[ReactorConfig], pykka.ActorRef[Reactor]], config: ReactorConfig, server: Server
) -> None:
    config = replace(config, devices=(HEATER,))
    ref = start(config)
    server.status(lambda status: len(status.devices) == 1)
    server.ask(change(7, on=True))
    assert server.answer() == Applied(target="heater", revision=7, read_back={"on": True})
    server.status(lambda status: status.devices[0].revision == 7)
    ref.stop()
    assert Heater.log == ["open", False, True, "safe", "safe"]
    Heater.log.clear()
    ref = start(replace(config, coordinator="tcp://127.0.0.1:1"))
    ref.stop()
    assert Heater.log[:2] == ["open", True]
    start(config)
    while not isinstance(attach := server.heard.get(timeout=WAIT), Attach):
        pass
    assert [info.name for info in attach.devices] == ["heater"]
    assert [(state.target, state.revision) for state in attach.applied] == [("heater", 7)]


def test_what_was_desired_meanwhile_comes_with_attached(
    start: Callable[[ReactorConfig], pykka.ActorRef[Reactor]], config: ReactorConfig, server: Server
) -> None:
    server.desired = [change(9, on=True).document, change(9, on=True, target="gone").document]
    start(replace(config, devices=(HEATER,)))
    answers = {type(answer): answer for answer in (server.answer(), server.answer())}
    assert answers[Applied] == Applied(target="heater", revision=9, read_back={"on": True})
    assert answers[Rejected] == Rejected(target="gone", revision=9, reason="there is no gone")


def test_an_act_is_done_and_answered(
    start: Callable[[ReactorConfig], pykka.ActorRef[Reactor]], config: ReactorConfig, server: Server
) -> None:
    start(replace(config, devices=(HEATER,)))
    server.status(lambda status: len(status.devices) == 1)
    for target in ("heater", "gone"):
        server.ask(
            messages.Act(reactor="tank", act=f"act-{target}", target=target, kind="find", valid_for=5.0, author="ada")
        )
    done = {done.act: done.state for done in (server.answer(), server.answer()) if isinstance(done, Done)}
    assert done == {"act-heater": "done", "act-gone": "refused"}
    assert Heater.log == ["open", False, "find"]


def test_a_sensor_that_was_changed_is_told_anew_and_stays_so(
    start: Callable[[ReactorConfig], pykka.ActorRef[Reactor]], config: ReactorConfig, server: Server
) -> None:
    ref = start(config)
    server.status(lambda _: True)
    values: dict[str, Value] = {"label": "pH, left", "sample_interval": 20.0}
    server.ask(Change(document=Document(target="ph", revision=7, author="ada", values=values)))
    assert server.answer() == Applied(target="ph", revision=7, read_back={})
    while not isinstance(attach := server.heard.get(timeout=WAIT), Attach):
        pass
    assert (attach.sensors[0].label, attach.sensors[0].sample_interval) == ("pH, left", 1.0)
    ref.stop()
    while not server.heard.empty():
        server.heard.get()
    start(config)
    while not isinstance(attach := server.heard.get(timeout=WAIT), Attach):
        pass
    assert (attach.sensors[0].label, attach.sensors[0].sample_interval) == ("pH, left", 1.0)


def test_it_takes_over_from_its_guard_tells_of_it_and_gives_proof(
    config: ReactorConfig, keys: KeyPair, tmp_path: Path
) -> None:
    Heater.log.clear()
    before: list[int] = []
    proofs: Queue[Sequence[float]] = Queue()
    guard = Guarded(lambda: before.append(len(Heater.log)), proofs.put, ["the reactor was killed", "and ended"])
    ready = threading.Event()
    outside = replace(make_outside(Wire(keys, CLOCK)), guard=guard)
    ref = Reactor.start(replace(config, devices=(HEATER,)), outside, ready)
    assert ready.wait(WAIT)
    assert len(proofs.get(timeout=WAIT)) == 3
    ref.stop()
    assert before == [0]
    _, events = rows(tmp_path)
    assert [(row.source, row.kind, row.text) for row in events][:3] == [
        ("reactor", "started", "reactorium 1.2.3"),
        ("reactor", "guard", "the reactor was killed"),
        ("reactor", "guard", "and ended"),
    ]


def test_an_output_with_a_lease_is_safe_without_contact(
    start: Callable[[ReactorConfig], pykka.ActorRef[Reactor]], config: ReactorConfig, tmp_path: Path
) -> None:
    leased = replace(HEATER, lease=20.0, settings={"on": True})  # 1 s at this pace, so that it is on first
    ref = start(replace(config, devices=(leased,), coordinator="tcp://127.0.0.1:1"))
    assert Heater.was_safe.wait(WAIT)
    ref.stop()
    assert Heater.log[:3] == ["open", True, "safe"]
    _, events = rows(tmp_path)
    assert ("heater", "held by lease") in [(row.source, row.text) for row in events]


def test_in_safe_mode_it_samples_and_its_outputs_are_safe(
    start: Callable[[ReactorConfig], pykka.ActorRef[Reactor]], config: ReactorConfig, server: Server, tmp_path: Path
) -> None:
    (tmp_path / SAFE_MODE).write_text("5 ends")
    start(replace(config, devices=(replace(HEATER, settings={"on": True}),)))
    status = server.status(lambda status: status.faults == ["reactor: safe mode: 5 ends"] and bool(status.readings))
    assert status.devices[0].held_by == "safe mode"
    assert True not in Heater.log
    asked = messages.Act(
        reactor="tank", act="act-leave", target="self", kind="leave_safe_mode", valid_for=5.0, author="ada"
    )
    server.ask(asked)
    answer = server.answer()
    assert isinstance(answer, Done)
    assert answer.state == "done"
    server.status(lambda status: status.devices[0].held_by == "" and not status.faults)
    assert Heater.log[-1] is True
