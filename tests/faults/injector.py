"""Carries out a round of faults on a running system, and says what it really did and when."""

import subprocess
import threading
import xmlrpc.client
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from random import Random

import psutil

from hardware.vessel.client import VesselControl
from tests.faults.boards import Board
from tests.faults.network import Network
from tests.faults.plan import Fault, Round
from tests.system.whole import CLOCK, Whole, command, title_of, wait_for

FLAP = 2.0  # seconds down, and as many up
DELAY = 0.3  # seconds each way
AFTERMATH_NS = 6_000_000_000  # a client of a vessel waits 5 s for its answer
WEATHERS: Mapping[str, Mapping[str, object]] = {
    "cut": {"cut": True},
    "flap": {"cut": True},
    "hold": {"held": frozenset({"in", "out"})},
    "hold-out": {"held": frozenset({"out"})},
    "hold-in": {"held": frozenset({"in"})},
    "delay": {"delay": DELAY},
}


class NothingThere(Exception):  # noqa: N818 - what was found
    """The fault had nobody to befall: who it is for is gone already, or does not know it."""


@dataclass(frozen=True, slots=True)
class Done:
    """A fault that was injected (CLOCK_BOOTTIME); `why_not` when it could not be. `circuit` is that of a probe's."""

    fault: Fault
    began_ns: int
    ended_ns: int
    circuit: str = ""
    why_not: str = ""


class Vessels:
    """The vessels of some boards, each a process."""

    def __init__(self, whole: Whole, boards: Sequence[Board]) -> None:
        self._whole = whole
        self._boards = {board.name: board for board in boards}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._log = (whole.folder / "vessels.log").open("wb")

    def start(self, name: str) -> None:
        """Start one, until it answers."""
        self._processes[name] = subprocess.Popen(
            command("vessel"),
            env=self._whole.environment | {"REACTORIUM_VESSEL_FILE": str(self._boards[name].vessel)},
            cwd=self._whole.folder,
            stdout=self._log,
            stderr=self._log,
            process_group=0,
        )
        wait_for(lambda: self._answers(name), f"the vessel {name}")

    def _answers(self, name: str) -> bool:
        try:
            with self.control(name) as control:
                control.state()
        except OSError:
            return False
        return True

    def kill(self, name: str) -> None:
        """`kill -9`."""
        self._processes[name].kill()
        self._processes[name].wait()

    def process(self, name: str) -> psutil.Process:
        """The process of one."""
        return psutil.Process(self._processes[name].pid)

    def processes(self) -> list[psutil.Process]:
        """All that run."""
        return [psutil.Process(process.pid) for process in self._processes.values() if process.poll() is None]

    @contextmanager
    def control(self, name: str) -> Iterator[VesselControl]:
        """A hand in one. Raises OSError when it is away."""
        with VesselControl(self._whole.state / "vessels" / name / "control.sock") as control:
            yield control

    def close(self) -> None:
        """End all."""
        for process in self._processes.values():
            process.terminate()
        for process in self._processes.values():
            process.wait()
        self._log.close()


class Injector:
    """Injects rounds into one system."""

    def __init__(self, whole: Whole, vessels: Vessels, network: Network, boards: Sequence[Board]) -> None:
        self._whole = whole
        self._vessels = vessels
        self._network = network
        self._boards = {board.name: board for board in boards}
        self._stop = threading.Event()
        self._done: list[Done] = []

    def run(self, faults: Round) -> list[Done]:
        """Inject all of a round, each on a thread of its own; returns when the last one is over."""
        threads = [threading.Thread(target=self._inject, args=[fault]) for fault in faults]
        before = len(self._done)
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return self._done[before:]

    def hurry(self) -> None:
        """End what lasts, and begin nothing more."""
        self._stop.set()

    def _inject(self, fault: Fault) -> None:
        if self._stop.wait(fault.at):
            return
        began_ns, why_not, circuit = CLOCK.monotonic_ns(), "", ""
        if fault.kind == "probe":
            circuit = Random(str(fault)).choice(self._boards[_name(fault)].circuits)
        try:
            began_ns = self._do(fault, circuit) or began_ns
        except (NothingThere, OSError, ValueError, psutil.NoSuchProcess) as reason:
            why_not = f"{type(reason).__name__} {reason}"
        self._done.append(Done(fault, began_ns, CLOCK.monotonic_ns(), circuit, why_not))

    def _do(self, fault: Fault, circuit: str) -> int | None:
        """Begin it, wait, and end it; tells of a `kill -9` when it was."""
        match fault.kind:
            case "kill":
                return self._kill(fault)
            case "stop":
                self._suspend(fault)
            case "away":
                programs = ("questdb",) if fault.who == "questdb" else ("coordinator", "manager:*")
                self._leave(programs, fault.seconds)
            case "probe":
                self._disturb(fault, circuit)
            case "bus":
                self._disturb(fault, "bus")
            case "flap":
                end_ns = CLOCK.monotonic_ns() + round(fault.seconds * 1e9)
                while CLOCK.monotonic_ns() < end_ns and not self._stop.is_set():
                    self._break_network(fault, FLAP)
                    self._stop.wait(FLAP)
            case _:
                self._break_network(fault, fault.seconds)
        return None

    def _kill(self, fault: Fault) -> int | None:
        if fault.who.startswith("vessel "):
            self._vessels.kill(_name(fault))
            self._stop.wait(fault.seconds)
            self._vessels.start(_name(fault))
            return None
        process = self._process(fault)
        title = title_of(process)
        killed_ns = CLOCK.monotonic_ns()
        process.kill()
        self._whole.kills_ns.setdefault(title, []).append(killed_ns)
        return killed_ns

    def _suspend(self, fault: Fault) -> None:
        process = self._process(fault)
        process.suspend()
        self._stop.wait(fault.seconds)
        with suppress(psutil.NoSuchProcess):  # somebody ended it meanwhile
            process.resume()

    def _leave(self, programs: Sequence[str], seconds: float) -> None:
        _unless_it_is_so(lambda: self._whole.stop_programs(*programs))
        self._stop.wait(seconds)
        _unless_it_is_so(lambda: self._whole.start_program(programs[0]))

    def _disturb(self, fault: Fault, circuit: str) -> None:
        with self._vessels.control(_name(fault)) as control:
            control.fault(circuit, fault.what)
        self._stop.wait(fault.seconds)
        with suppress(OSError), self._vessels.control(_name(fault)) as control:  # one that was killed has forgotten it
            control.clear(circuit)

    def _break_network(self, fault: Fault, seconds: float) -> None:
        self._network.turn(fault.who, fault.what, **WEATHERS[fault.kind])
        self._stop.wait(seconds)
        self._network.turn(fault.who, fault.what)

    def _process(self, fault: Fault) -> psutil.Process:
        if fault.who.startswith("vessel "):
            return self._vessels.process(_name(fault))
        wanted = f"reactorium {fault.who}"
        found = [
            (title, process) for process in self._whole.family() if (title := title_of(process)).startswith(wanted)
        ]
        if not found:
            raise NothingThere(fault.who)
        return Random(str(fault)).choice(sorted(found, key=lambda one: one[0]))[1]


def _name(fault: Fault) -> str:
    return fault.who.partition(" ")[2]


def _unless_it_is_so(act: Callable[[], None]) -> None:
    """Tell supervisor something; that it is so already is no mistake."""
    with suppress(xmlrpc.client.Fault):
        act()


def blurred(done: Sequence[Done], boards: Sequence[Board]) -> dict[tuple[str, str], list[tuple[int, int]]]:
    """Tell when the vessel's end of which circuit was disturbed."""
    found: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for one in done:
        if not one.fault.who.startswith("vessel "):
            continue
        span = one.began_ns, one.ended_ns + AFTERMATH_NS
        board = next(board for board in boards if board.name == _name(one.fault))
        for circuit in [one.circuit] if one.circuit else board.circuits:
            found.setdefault((board.name, circuit), []).append(span)
    return found
