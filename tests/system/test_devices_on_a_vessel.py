"""The example bioreactor, real drivers on its simulated vessel: what is asked for is what the vessel's journal has."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from queue import Queue

import pykka
import pytest
import zmq

from actors.config import DatabaseLogin, ReactorConfig
from actors.reactor import Outside, Reactor
from deploy import reactor_file
from deploy.settings import load as load_settings
from hardware.buses import Buses
from hardware.clock import SystemClock, boot_id
from hardware.registry import device_class, driver_class
from hardware.vessel.client import VesselControl
from hardware.vessel.journal import entries
from hardware.vessel.main import load, run
from transport.keys import KeyPair, Peer
from transport.messages import (
    Ack,
    Act,
    Applied,
    AppliedState,
    Attach,
    Attached,
    Change,
    Document,
    Done,
    Hello,
    Message,
    Rejected,
    Status,
    Values,
    Welcome,
)
from transport.wire import Outgoing, Received, Wire

pytestmark = pytest.mark.system

EXAMPLES = Path(reactor_file.__file__).parent / "examples"
NAME = "bioreactor"
PACE = 10.0
WAIT = 30.0
SESSION = "s" * 32


def make_keys() -> KeyPair:
    public, secret = zmq.curve_keypair()
    return KeyPair(public.decode(), secret.decode())


class Manager:
    """Coordinator and manager at once; asks in the session of the one reactor that there is."""

    def __init__(self, reactor_key: str) -> None:
        keys = make_keys()
        self.key = keys.public
        self.said: Queue[Message] = Queue()
        self._sequence = 0
        self._route = b""
        self.wire = Wire(keys, SystemClock())
        self.listener = self.wire.listen(
            "tcp://127.0.0.1:*",
            allow=lambda key: Peer(NAME, "reactor", key) if key == reactor_key else None,
            accept={"reactor": {Hello, Attach, Status, Applied, Rejected, Done}},
            deliver=self._hear,
        )

    def ask(self, message: Change | Act) -> None:
        self._sequence += 1
        self.listener.send([Outgoing(self._route, message, 0, SESSION, self._sequence)])

    def wait(self, wanted: Callable[[Message], bool]) -> Message:
        """Wait for what is wanted; everything before is passed over."""
        end = time.monotonic() + WAIT
        while not wanted(message := self.said.get(timeout=max(0.1, end - time.monotonic()))):
            pass
        return message

    def set(self, target: str, revision: int, **values: float | bool | str) -> Applied | Rejected:
        wanted: Values = dict(values)
        document = Document(target=target, revision=revision, author="ada", values=wanted)
        self.ask(Change(document=document))
        answer = self.wait(lambda message: isinstance(message, Applied | Rejected) and message.target == target)
        assert isinstance(answer, Applied | Rejected)
        return answer

    def state(self, target: str, wanted: Callable[[AppliedState], bool]) -> None:
        """Wait until a status says that a target stands so."""
        self.wait(
            lambda message: (
                isinstance(message, Status)
                and any(state.target == target and wanted(state) for state in message.devices)
            )
        )

    def _hear(self, batch: list[Received]) -> None:
        for received in batch:
            self._route = received.route
            answer: Message
            match received.body:
                case Hello():
                    answer = Welcome(
                        manager="host-1",
                        endpoint=self.listener.endpoint,
                        key=self.key,
                        epoch=1,
                        database=None,
                        status_interval=0.2,
                        time_us=SystemClock().wall_us(),
                    )
                case Attach():
                    self._sequence = 0
                    answer = Attached(session=SESSION, status_interval=0.2)
                case Status():
                    answer = Ack(next_interval=0.2)
                case _:
                    self.said.put(received.body)
                    continue
            self.said.put(received.body)
            if isinstance(answer, Ack):
                self._sequence += 1
                sent = Outgoing(received.route, answer, received.header.id, SESSION, self._sequence)
            else:
                sent = Outgoing(received.route, answer, received.header.id)
            self.listener.send([sent])


@pytest.fixture
def vessel(tmp_path: Path) -> Iterator[Path]:
    """The example's vessel on a thread of its own; its folder."""
    folder = tmp_path / "vessels" / NAME
    config = load(EXAMPLES / "vessels" / f"{NAME}.toml", folder)
    config = replace(config, running=replace(config.running, pace=PACE))
    stop = threading.Event()
    thread = threading.Thread(target=run, args=(config, stop))
    thread.start()
    end = time.monotonic() + WAIT
    while not (folder / "control.sock").exists():
        assert time.monotonic() < end
        time.sleep(0.05)
    yield folder
    stop.set()
    thread.join()


@pytest.fixture
def keys() -> KeyPair:
    return make_keys()


@pytest.fixture
def manager(keys: KeyPair) -> Iterator[Manager]:
    manager = Manager(keys.public)
    with closing(manager.wire):
        yield manager


@pytest.fixture
def config(tmp_path: Path, vessel: Path, manager: Manager, monkeypatch: pytest.MonkeyPatch) -> ReactorConfig:
    assert vessel.is_dir()
    monkeypatch.setenv("REACTORIUM_STATE_DIR", str(tmp_path))
    file = reactor_file.load(EXAMPLES / f"{NAME}.toml", load_settings(), driver_class, device_class)
    return ReactorConfig(
        name=NAME,
        label=file.label,
        sensors=file.sensors,
        state_dir=tmp_path / "reactor",
        coordinator=manager.listener.endpoint,
        coordinator_key=manager.key,
        database_login=DatabaseLogin("nobody", "nothing"),
        status_interval=0.2,
        spool_limit=10**8,
        spool_retention=3600.0,
        pace=PACE,
        devices=file.devices,
        interlocks=file.interlocks,
    )


@pytest.fixture
def start(config: ReactorConfig, keys: KeyPair) -> Iterator[Callable[[], pykka.ActorRef[Reactor]]]:
    config.state_dir.mkdir(exist_ok=True)
    started: list[pykka.ActorRef[Reactor]] = []

    def start() -> pykka.ActorRef[Reactor]:
        clock = SystemClock(PACE)
        outside = Outside(
            software="1.2.3",
            instance="one",
            boot=boot_id(),
            clock=clock,
            disciplined=lambda: True,
            driver=driver_class,
            device=device_class,
            buses=Buses(),
            wire=Wire(keys, clock),
        )
        ready = threading.Event()
        started.append(Reactor.start(config, outside, ready))
        assert ready.wait(WAIT)
        return started[-1]

    yield start
    for ref in started:
        if ref.is_alive():
            ref.stop()


def levels(vessel: Path, output: str) -> list[float]:
    """What an output did, in the unit of its actuator, from its first moment."""
    found = [
        entry.level for entry in entries(vessel / "journal.jsonl") if entry.do == "drive" and entry.circuit == output
    ]
    return [level for level in found if level is not None]


def test_a_setting_reaches_the_vessel_and_comes_back_with_the_reactor(
    start: Callable[[], pykka.ActorRef[Reactor]], manager: Manager, vessel: Path
) -> None:
    ref = start()
    manager.state("light", lambda state: state.read_back.get("on") is True)
    applied = manager.set("light", 7, on=True, duty=75.0, frequency=1000.0)
    assert isinstance(applied, Applied)
    assert applied.read_back["duty"] == pytest.approx(75.0, abs=0.1)
    assert levels(vessel, "light")[-1] == pytest.approx(9.0, abs=0.1)  # W of 12
    ref.stop()
    assert levels(vessel, "light")[-1] == 0.0
    start()
    manager.state("light", lambda state: state.revision == 7 and state.read_back.get("on") is True)
    assert levels(vessel, "light")[-1] == pytest.approx(9.0, abs=0.1)


def test_no_heat_while_nobody_knows_how_warm_it_is(
    start: Callable[[], pykka.ActorRef[Reactor]], manager: Manager, vessel: Path
) -> None:
    start()
    manager.state("heater", lambda state: state.read_back.get("on") is True and not state.held_by)
    with VesselControl(vessel / "control.sock") as control:
        control.fault("broth", "disconnected")
        manager.state("heater", lambda state: "blind-heating" in state.held_by)
        assert levels(vessel, "heater")[-1] == 0.0
        control.clear("broth")
        manager.state("heater", lambda state: not state.held_by)
    assert levels(vessel, "heater")[-1] > 0.0


def test_doses_are_done_once_and_never_both_pumps_together(
    start: Callable[[], pykka.ActorRef[Reactor]], manager: Manager, vessel: Path
) -> None:
    ref = start()
    manager.state("base", lambda state: "running" in state.read_back)

    def dose(act: str, target: str, volume: float) -> None:
        arguments = {"volume": volume}
        manager.ask(
            Act(reactor=NAME, act=act, target=target, kind="dose", arguments=arguments, valid_for=10.0, author="ada")
        )

    def done(act: str, *states: str) -> Done:
        answer = manager.wait(lambda message: isinstance(message, Done) and message.act == act)
        assert isinstance(answer, Done)
        assert answer.state in states, answer
        return answer

    dose("act-acid", "acid", 10.0)
    done("act-acid", "begun")
    dose("act-base", "base", 10.0)
    assert "one-at-a-time" in done("act-base", "refused").text
    assert done("act-acid", "done").result["dispensed"] == pytest.approx(10.0, abs=0.1)
    dose("act-more", "acid", 11.0)
    assert done("act-more", "refused").text == "11 ml is more than the limit of 10 ml a dose"
    dose("act-acid", "acid", 10.0)
    done("act-acid", "done")
    dose("act-long", "acid", 10.0)
    done("act-long", "begun")
    ref.stop()
    assert levels(vessel, "acid")[-1] == 0.0
    started = sum(level > 0 for level in levels(vessel, "acid"))
    start()
    manager.state("acid", lambda state: "running" in state.read_back)
    dose("act-long", "acid", 10.0)
    done("act-long", "unknown", "failed")
    assert sum(level > 0 for level in levels(vessel, "acid")) == started
