import random
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from hardware.clock import SystemClock
from hardware.vessel.circuits import KINDS
from hardware.vessel.circuits.base import Circuit
from hardware.vessel.circuits.parts import Bench, CircuitConfig, Kept
from hardware.vessel.config import VesselConfig
from hardware.vessel.journal import Journal
from hardware.vessel.server import Server
from hardware.vessel.tank import Actuators, Surroundings, Tank, TankConfig
from hardware.vessel.trace import Feed

STILL = Surroundings(
    temperature=25.0,
    ph=7.0,
    oxygen_share=1.0,
    conductivity=1413.0,
    redox=225.0,
    gauge_pressure=6894.757,
    flow=1e-5,
    circulated=0.0,
    gas_temperature=25.0,
    humidity=48.15,
    carbon_dioxide=420.0,
    gas_oxygen=20.95,
)


class HandClock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.ns = 1_000

    def monotonic_ns(self) -> int:
        return self.ns

    def wall_us(self) -> int:
        return 1_700_000_000_000_000 + self.ns // 1000

    def sleep(self, seconds: float) -> None:
        self.ns += int(seconds * 1e9)


@dataclass
class Workbench:
    """Makes circuits without a tank: what their probes see is `world`."""

    world: Surroundings = STILL

    def see(self, **changes: float) -> None:
        self.world = replace(self.world, **changes)

    def circuit(self, kind: str, *, feed: Feed | None = None, kept: Kept | None = None, **options: object) -> Circuit:
        settings: dict[str, object] = {"wire": "i2c", "address": KINDS[kind].data.address, "noise": 0.0} | options
        config = CircuitConfig(name=kind, kind=kind, **settings)  # type: ignore[arg-type]
        circuit = KINDS[kind](config, Bench(lambda: self.world, random.Random(1), feed, kept))
        circuit.started_at = -60.0  # warm
        return circuit


@pytest.fixture
def workbench() -> Workbench:
    return Workbench()


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def journal(tmp_path: Path, clock: HandClock) -> Iterator[Journal]:
    made = Journal(tmp_path / "journal.jsonl", clock, 1_000_000)
    yield made
    made.close()


@pytest.fixture
def serve() -> Iterator[Callable[[VesselConfig], Server]]:
    """Serve vessels on threads of their own until the test ends."""
    stop = threading.Event()
    running: list[tuple[Server, threading.Thread]] = []

    def start(config: VesselConfig) -> Server:
        config.run_dir.mkdir(exist_ok=True)
        server = Server(config, SystemClock())
        thread = threading.Thread(target=server.run, args=(stop,))
        thread.start()
        running.append((server, thread))
        return server

    yield start
    stop.set()
    for server, thread in running:
        thread.join()
        server.close()


@pytest.fixture
def tank() -> Tank:
    return Tank(TankConfig(), Actuators())
