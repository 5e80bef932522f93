"""Sees what the system shows to people, and what its processes need."""

import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.system.whole import CLOCK, Whole, title_of
from transport.keys import load_or_make
from transport.wire import Wire
from ui.operator import Operator, OperatorConfig

BEAT, LATE = 0.05, 0.05  # seconds
WARM = 15.0  # seconds after which a process has everything that it needs


@dataclass(frozen=True, slots=True)
class Shown:
    """What was shown of a reactor from a moment (CLOCK_BOOTTIME) on."""

    ns: int
    reactor: str
    life: str


@dataclass(frozen=True, slots=True)
class Needs:
    """What one process needs at a moment: bytes resident, open files, threads. `began` tells it from its successors."""

    title: str
    pid: int
    began: float
    ns: int
    resident: int
    files: int
    threads: int


class Witness:
    """An operator of the system under test, and a log of how each reactor was shown to it."""

    def __init__(self, whole: Whole, interval: float) -> None:
        """`interval` is the system's between two statuses, in seconds."""
        self.shown: list[Shown] = []
        self._lives: dict[str, str] = {}
        self._lock = threading.Lock()
        self._wire = Wire(load_or_make(whole.let_in("witness", "operator")), CLOCK)
        config = OperatorConfig(whole.coordinator, whole.coordinator_key, interval, "witness")
        self.operator = Operator(config, self._wire, CLOCK, self._changed)
        self.operator.start()

    def _changed(self, names: frozenset[str]) -> None:
        now_ns = CLOCK.monotonic_ns()
        for name in names:
            twin = self.operator.twin(name)
            life = twin.life if twin else "lost"
            if self._lives.get(name) != life:
                self._lives[name] = life
                self.shown.append(Shown(now_ns, name, life))

    def unwell(self, reactors: Iterable[str]) -> list[str]:
        """Name what is not as it should be: who is not shown alive, or does not do what is desired."""
        found = []
        for name in reactors:
            twin = self.operator.twin(name)
            if twin is None or twin.life != "ok" or twin.status is None or twin.attach is None:
                found.append(f"{name} is shown {twin.life if twin else 'nowhere'}")
                continue
            for device in twin.attach.devices:
                state, document = twin.state(device.name), twin.desired.get(device.name)
                if state is None or state.fault or state.held_by:
                    found.append(f"{name} {device.name}: {state}")
                elif document is not None and state.revision != document.revision:
                    found.append(f"{name} {device.name} follows {state.revision}, desired is {document.revision}")
        return found

    def close(self) -> None:
        """Hang up."""
        self.operator.close()
        self._wire.close()


class Metronome(threading.Thread):
    """Beats time, and notes (CLOCK_BOOTTIME) when it could not: then the machine itself had no time for anybody."""

    def __init__(self) -> None:
        super().__init__(name="metronome", daemon=True)
        self.missed: list[tuple[int, int]] = []
        self._end = threading.Event()

    def run(self) -> None:
        """Beat."""
        before_ns = CLOCK.monotonic_ns()
        while not self._end.wait(BEAT):
            now_ns = CLOCK.monotonic_ns()
            if (now_ns - before_ns) / 1e9 > BEAT + LATE:
                self.missed.append((before_ns, now_ns))
            before_ns = now_ns

    def stop(self) -> None:
        """Beat no more."""
        self._end.set()
        self.join()


def needs(whole: Whole, others: Iterable[psutil.Process]) -> list[Needs]:
    """Measure every process of the system that is not just starting."""
    found = []
    for process in [psutil.Process(whole.pid), *whole.family(), *others]:
        try:
            with process.oneshot():
                if time.time() - process.create_time() < WARM:
                    continue
                found.append(
                    Needs(
                        "reactorium up" if process.pid == whole.pid else title_of(process),
                        process.pid,
                        process.create_time(),
                        CLOCK.monotonic_ns(),
                        process.memory_info().rss,
                        process.num_fds(),
                        process.num_threads(),
                    )
                )
        except psutil.Error:
            continue  # it ended while we looked
    return found


def count_files(state: Path) -> int:
    """Count the files that the system keeps, the database's and logs left out."""
    return sum(
        path.is_file() for path in state.rglob("*") if not {"questdb", "logs"} & set(path.relative_to(state).parts)
    )
