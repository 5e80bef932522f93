"""A reactor with ten sensors on a simulated vessel, in a whole system of its own: what it needs, and how it starts."""

import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from queue import Empty, SimpleQueue

import psutil

from bench.children import used
from bench.figures import Figure
from tests.system.whole import CLOCK, STARTED, Whole, command, wait_for
from transport.keys import load_or_make
from transport.messages import Snapshot, Status, Update, Watch, Watching
from transport.wire import Down, Happening, Received, Up, Wire

NAME = "tank"
TITLE = f"reactorium reactor {NAME}"
KINDS = {
    "rtd": 102,
    "ph": 99,
    "orp": 98,
    "do": 97,
    "ec": 100,
    "hum": 111,
    "co2": 105,
    "o2": 108,
    "prs": 106,
    "flo": 104,
}
COMPENSATED = {"ph", "do", "ec"}
SETTLE, MEASURE = 20.0, 45.0  # seconds
STARTS = 5
MEMORY, CPU = 60.0, 3.0  # MiB, percent of a core
RENEW = 1.0  # seconds between two looks
HEAVY = ("numpy", "questdb", "psycopg", "pydantic_core", "uvloop", "jpype")


def reactor_file() -> str:
    """Write the reactor's file: each sensor read every 5 s; kept every minute, ten times as often as by default."""
    sensors = [
        f'[[sensors]]\nname = "{kind}"\ndriver = "ezo-{kind}"\naddress = "vessels/{NAME}/i2c.sock:{address}"\n'
        + ('compensation = { temperature = "rtd.temperature" }\n' if kind in COMPENSATED else "")
        for kind, address in KINDS.items()
    ]
    return f'name = "{NAME}"\nlive_interval = 5\nsample_interval = 60\n' + "".join(sensors)


def vessel_file() -> str:
    """Write its vessel's."""
    return "".join(f'[circuits.{kind}]\nkind = "{kind}"\naddress = {address}\n' for kind, address in KINDS.items())


@contextmanager
def running_tank(folder: Path, **variables: object) -> Iterator[Whole]:
    """Run vessel, QuestDB, coordinator, a manager and the reactor, until it is attached."""
    reactor, vessel = folder / "reactor.toml", folder / f"{NAME}.toml"
    reactor.write_text(reactor_file())
    vessel.write_text(vessel_file())
    whole = Whole(folder, REACTOR_FILE=reactor, **variables)
    whole.state.mkdir()
    environment = whole.environment | {"REACTORIUM_VESSEL_FILE": str(vessel)}
    with (folder / "vessel.log").open("w") as log:
        served = subprocess.Popen(command("vessel"), env=environment, cwd=folder, stdout=log, stderr=log)
    try:
        wait_for((whole.state / "vessels" / NAME / "i2c.sock").exists, "the vessel")
        whole.start()
        whole.wait_until_attached(NAME)
        yield whole
    finally:
        whole.close()
        served.terminate()
        served.wait()


def run() -> list[Figure]:
    """Measure a reactor at work, then how long its successors take to come up."""
    with tempfile.TemporaryDirectory() as name, running_tank(Path(name)) as whole, closing(Operator(whole)) as operator:
        return [*_at_work(whole, operator), *_starts(whole, operator)]


def _at_work(whole: Whole, operator: "Operator") -> list[Figure]:
    process = _process(whole)
    print(f"ten sensors for {SETTLE + MEASURE:.0f} s", flush=True)
    time.sleep(SETTLE)
    before, began = used(process.pid), time.monotonic()
    memory = 0.0
    while time.monotonic() < began + MEASURE:
        memory = max(memory, process.memory_info().rss / 2**20)
        time.sleep(1)
    share = 100 * (used(process.pid) - before) / (time.monotonic() - began)
    status = operator.status_after(CLOCK.monotonic_ns())
    bad = [reading for reading in status.readings if reading.quality != "ok"]
    if bad or {reading.sensor for reading in status.readings} < set(KINDS):
        raise RuntimeError(f"not all ten sensors are read: {bad}")
    rows = whole.database.query("SELECT count() FROM samples")[0][0]
    guard = process.parent()
    assert guard
    heavy = {name for name in HEAVY if any(f"/{name}" in one.path for one in process.memory_maps())}
    return [
        Figure("Reactor with ten sensors at 5 s: resident memory", memory, "MiB", at_most=MEMORY),
        Figure("- processor time", share, "% of a core", at_most=CPU),
        Figure("- its guard: resident memory", guard.memory_info().rss / 2**20, "MiB"),
        Figure("- compiled packages loaded that only servers use", len(heavy), "", at_most=0, remark=", ".join(heavy)),
        Figure("- readings a status, all ok", len(status.readings), ""),
        Figure("- samples in QuestDB meanwhile", rows, "rows"),
    ]


def _starts(whole: Whole, operator: "Operator") -> list[Figure]:
    """Kill it, and time its successor from the process's start to when its first status is acknowledged."""
    seconds = []
    for _ in range(STARTS):
        killed_ns = CLOCK.monotonic_ns()
        old = _process(whole)
        whole.kill(TITLE)
        operator.status_after(killed_ns)
        now = time.time()
        whole.wait_for_another(TITLE, old)
        seconds.append(now - _process(whole).create_time())
    return [
        Figure(
            "Start of a reactor to its first acknowledged status",
            statistics.median(seconds),
            "s",
            remark=f"{STARTS} starts, {min(seconds):.2f} to {max(seconds):.2f}",
        )
    ]


def _process(whole: Whole) -> psutil.Process:
    process = whole.process(TITLE)
    if process is None:
        raise RuntimeError("the reactor has ended")
    return process


class Operator:
    """Watches the reactor: a manager tells those who watch in the moment in which it acknowledges."""

    def __init__(self, whole: Whole) -> None:
        overview = whole.overview()
        assert overview
        (self._manager,) = overview.managers
        self._wire = Wire(load_or_make(whole.let_in("watcher", "operator")), CLOCK)
        self._heard: SimpleQueue[list[Happening]] = SimpleQueue()
        self._connect()

    def close(self) -> None:
        """Hang up."""
        self._wire.close()

    def status_after(self, after_ns: int) -> Status:
        """Wait for a status that was made after a moment; the watch is said again as the protocol wants."""
        end = time.monotonic() + STARTED
        while time.monotonic() < end:
            try:
                batch = self._heard.get(timeout=RENEW)
            except Empty:
                self._watch()
                continue
            for happening in batch:
                match happening:
                    case Up():
                        self._watch()
                    case Down():
                        time.sleep(RENEW)  # the manager has not heard yet that we may speak
                        self._connect()
                    case Received(body=(Snapshot(status=Status() as status) | Update(status=Status() as status))):
                        if status.now_us * 1000 > after_ns:
                            return status
                    case _:
                        pass
        raise RuntimeError("no status came")

    def _connect(self) -> None:
        self._connection = self._wire.connect(
            self._manager.endpoint, self._manager.key, accept=(Snapshot, Update), deliver=self._heard.put
        )

    def _watch(self) -> None:
        self._connection.send(Watch(reactors=[Watching(NAME, 0)]))
