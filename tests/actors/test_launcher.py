"""The launcher: its actor with a fake engine, and supervisor's interface against a server of the same shape."""

import socketserver
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from xmlrpc.client import Fault
from xmlrpc.server import SimpleXMLRPCDispatcher, SimpleXMLRPCRequestHandler

import pykka
import pytest

from actors.launcher import (
    EngineStops,
    Halt,
    Launch,
    Launched,
    LauncherActor,
    LauncherError,
    LaunchFailed,
    Running,
    SupervisorLauncher,
)
from actors.ticker import Ticker
from tests.actors.conftest import FakeClock


class FakeEngine:
    """Runs whatever it is told to, or fails."""

    def __init__(self) -> None:
        self.pids: dict[int, int] = {}
        self.broken = self.stops = False

    def start(self, number: int) -> None:
        self._check()
        self.pids[number] = 100 + number

    def stop(self, number: int) -> None:
        self._check()
        self.pids.pop(number, None)

    def running(self) -> Mapping[int, int]:
        self._check()
        return dict(self.pids)

    def close(self) -> None:
        pass

    def _check(self) -> None:
        if self.stops:
            raise EngineStops
        if self.broken:
            raise LauncherError("out of order")


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def heard() -> list[object]:
    return []


@pytest.fixture
def actor(
    engine: FakeEngine, heard: list[object], clock: FakeClock, ticker: Ticker
) -> Iterator[pykka.ActorRef[LauncherActor]]:
    ref = LauncherActor.start(lambda _: None, launcher=engine, hearer=heard.append, clock=clock, ticker=ticker)
    yield ref
    ref.stop()


def settle(ref: pykka.ActorRef[LauncherActor]) -> None:
    ref.proxy().actor_urn.get(timeout=5)


def test_it_looks_every_second(
    actor: pykka.ActorRef[LauncherActor], heard: list[object], clock: FakeClock, ticker: Ticker
) -> None:
    settle(actor)
    for _ in range(3):
        ticker.ring()
        settle(actor)
        clock.advance(1)
    assert heard == [Running({})] * 3


def test_what_came_of_an_order_is_told_in_order(
    actor: pykka.ActorRef[LauncherActor], heard: list[object], engine: FakeEngine, ticker: Ticker
) -> None:
    actor.tell(Launch(2))
    settle(actor)
    ticker.ring()
    settle(actor)
    assert heard == [Launched(2), Running({2: 102})]
    actor.tell(Halt(2))
    settle(actor)
    assert engine.pids == {}


def test_an_engine_that_fails_is_no_end(
    actor: pykka.ActorRef[LauncherActor], heard: list[object], engine: FakeEngine, clock: FakeClock, ticker: Ticker
) -> None:
    engine.broken = True
    actor.tell(Launch(1))
    actor.tell(Halt(1))
    settle(actor)
    ticker.ring()
    settle(actor)
    assert heard == [LaunchFailed(1, "out of order")]
    engine.broken = False
    clock.advance(1)
    ticker.ring()
    settle(actor)
    assert heard[1:] == [Running({})]


class FakeSupervisor(SimpleXMLRPCDispatcher, socketserver.UnixStreamServer):
    """The three calls that we make, answered as supervisor 4.3 does."""

    def __init__(self, path: Path) -> None:
        SimpleXMLRPCDispatcher.__init__(self, allow_none=False, encoding=None)
        socketserver.UnixStreamServer.__init__(self, str(path), Handler)
        self.calls: list[tuple[str, object]] = []
        self.fault: Fault | None = None
        self.processes: list[dict[str, Any]] = []
        self.funcs["supervisor.startProcess"] = self.start
        self.funcs["supervisor.stopProcess"] = self.stop
        self.funcs["supervisor.getAllProcessInfo"] = lambda: self.processes

    def start(self, name: object, wait: object) -> bool:
        return self._answer(f"start {name}", wait)

    def stop(self, name: object, wait: object) -> bool:
        return self._answer(f"stop {name}", wait)

    def _answer(self, call: str, wait: object) -> bool:
        self.calls.append((call, wait))
        if self.fault is not None:
            raise self.fault
        return True


class Handler(SimpleXMLRPCRequestHandler):
    rpc_paths = ("/RPC2",)
    disable_nagle_algorithm = False

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass

    def address_string(self) -> str:
        return "unix"


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[FakeSupervisor]:
    server = FakeSupervisor(tmp_path / "s")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def launcher(supervisor: FakeSupervisor) -> Iterator[SupervisorLauncher]:
    launcher = SupervisorLauncher(f"unix://{supervisor.server_address!s}")
    yield launcher
    launcher.close()


def test_supervisor_is_told_the_manager_by_its_number(launcher: SupervisorLauncher, supervisor: FakeSupervisor) -> None:
    launcher.start(3)
    launcher.stop(12)
    assert supervisor.calls == [("start manager:manager_03", False), ("stop manager:manager_12", False)]


def test_managers_that_run_are_told_from_everything_else(
    launcher: SupervisorLauncher, supervisor: FakeSupervisor
) -> None:
    supervisor.processes = [
        {"group": "manager", "name": "manager_01", "state": 20, "pid": 11},
        {"group": "manager", "name": "manager_02", "state": 0, "pid": 0},
        {"group": "manager", "name": "manager_03", "state": 100, "pid": 0},
        {"group": "manager", "name": "manager_04", "state": 30, "pid": 0},
        {"group": "manager", "name": "manager_05", "state": 200, "pid": 0},
        {"group": "reactor", "name": "manager_09", "state": 20, "pid": 19},
        {"group": "questdb", "name": "questdb", "state": 20, "pid": 20},
    ]
    assert launcher.running() == {1: 11, 4: 0}


def test_what_is_so_already_is_no_error(launcher: SupervisorLauncher, supervisor: FakeSupervisor) -> None:
    supervisor.fault = Fault(60, "ALREADY_STARTED: manager:manager_01")
    launcher.start(1)
    supervisor.fault = Fault(70, "NOT_RUNNING: manager:manager_01")
    launcher.stop(1)


def test_a_fault_is_told_in_supervisors_words(launcher: SupervisorLauncher, supervisor: FakeSupervisor) -> None:
    supervisor.fault = Fault(10, "BAD_NAME: manager:manager_01")
    with pytest.raises(LauncherError, match="supervisor: BAD_NAME: manager:manager_01"):
        launcher.start(1)


def test_a_supervisor_that_stops_is_no_error(launcher: SupervisorLauncher, supervisor: FakeSupervisor) -> None:
    supervisor.fault = Fault(6, "SHUTDOWN_STATE")
    with pytest.raises(EngineStops):
        launcher.start(1)


def test_nobody_is_told_of_an_engine_that_stops(
    actor: pykka.ActorRef[LauncherActor], heard: list[object], engine: FakeEngine, clock: FakeClock, ticker: Ticker
) -> None:
    engine.stops = True
    for message in (Launch(1), Halt(1)):
        actor.tell(message)
    ticker.ring()
    settle(actor)
    assert heard == []
    engine.stops = False
    clock.advance(1)
    ticker.ring()
    settle(actor)
    assert heard == [Running({})]


def test_a_supervisor_that_is_away_is_an_error_and_is_found_again(tmp_path: Path) -> None:
    path = tmp_path / "gone"
    launcher = SupervisorLauncher(f"unix://{path}")
    with pytest.raises(LauncherError, match="supervisor does not answer"):
        launcher.running()
    with FakeSupervisor(path) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        assert launcher.running() == {}
        launcher.close()
        thread.join()
