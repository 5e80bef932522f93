"""Status: a real manager process against a bare ROUTER that only unpacks and acknowledges; then at a fleet's pace."""

import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import zmq

from bench.children import Child, child, used
from bench.figures import Figure, ratio
from storage.questdb import QuestDB
from tests.system.fleets import BOARD
from tests.system.whole import Whole
from transport.keys import Peer, write_peer

FLOODERS, REPORTS, ROUNDS = 50, 10_000, 9
FLEET, PROCESSES, INTERVAL = 2_000, 2, 5.0
SETTLE, MEASURE = 15.0, 60.0  # seconds
CPU, P99 = 50.0, 20.0  # percent of a core, ms


def run() -> list[Figure]:
    """Measure both with one manager, QuestDB beside it: `readings` are written."""
    with tempfile.TemporaryDirectory() as name, _managed(Path(name)) as whole:
        folder = Path(name)
        return [*_flood(whole, folder), *_fleet(whole, folder)]


@contextmanager
def _managed(folder: Path) -> Iterator[Whole]:
    """Run a system whose only manager has room for everybody; one small reactor has it started."""
    file = folder / "board.toml"
    file.write_text(BOARD)
    whole = Whole(folder, REACTOR_FILE=file, MANAGER_CAPACITY=FLOODERS + FLEET + 1)
    try:
        whole.start()
        whole.wait_until_attached("board")
        yield whole
    finally:
        whole.close()


def _let_in(whole: Whole, folder: Path, prefix: str, count: int) -> Path:
    """Make reactors that may speak; returns the file with their secrets."""
    lines = []
    for number in range(count):
        public, secret = zmq.curve_keypair()
        peer = Peer(f"{prefix}{number}", "reactor", public.decode())
        write_peer(whole.state / "allow", peer)
        lines.append(f"{peer.name} {secret.decode()}\n")
    path = folder / f"{prefix}.secrets"
    path.write_text("".join(lines), encoding="ascii")
    return path


def _manager(whole: Whole) -> tuple[str, str, int]:
    """Tell the manager's endpoint, key and process."""
    overview, process = whole.overview(), whole.process("reactorium manager 01")
    assert overview
    assert process
    (manager,) = overview.managers
    return manager.endpoint, manager.key, process.pid


def _flood(whole: Whole, folder: Path) -> list[Figure]:
    endpoint, key, pid = _manager(whole)
    secrets = _let_in(whole, folder, "flood", FLOODERS)
    rates: dict[str, list[float]] = {"manager": [], "bare": []}
    costs: dict[str, list[float]] = {"manager": [], "bare": []}
    with child("bench.bare") as bare:
        bare_at = bare.line(), bare.line()
        with (
            child("bench.clients", endpoint, key, str(secrets)) as to_manager,
            child("bench.clients", *bare_at, str(secrets)) as to_bare,
        ):
            for _ in range(ROUNDS):
                to_manager.ask(do="attach")
                for name, clients, server in (("manager", to_manager, pid), ("bare", to_bare, bare.pid)):
                    before = used(server)
                    told = clients.ask(do="flood", count=REPORTS)
                    rates[name].append(told["acked"] / told["seconds"])
                    costs[name].append((used(server) - before) / told["acked"] * 1e6)
    return [
        ratio("Status: messages/s, manager against bare ROUTER", rates["manager"], rates["bare"], 0.5),
        *(Figure(f"- {name}", statistics.median(values), "messages/s") for name, values in rates.items()),
        *(
            Figure(f"- {name}, processor time", statistics.median(values), "µs a message")
            for name, values in costs.items()
        ),
    ]


def _fleet(whole: Whole, folder: Path) -> list[Figure]:
    endpoint, key, pid = _manager(whole)
    with ExitStack() as stack:
        crowds: list[Child] = []
        for number in range(PROCESSES):
            secrets = _let_in(whole, folder, f"fleet{number}x", FLEET // PROCESSES)
            crowds.append(stack.enter_context(child("bench.clients", endpoint, key, str(secrets))))
        for crowd in crowds:
            crowd.ask(do="attach")
        _pace(crowds, SETTLE)
        before, rows, began = used(pid), _rows(whole.database), time.monotonic()
        latencies = _pace(crowds, MEASURE)
        seconds = time.monotonic() - began
        share = 100 * (used(pid) - before) / seconds
        written = (_rows(whole.database) - rows) / seconds
    return [
        Figure(f"Status: one manager, {FLEET} reactors at {INTERVAL:g} s", share, "% of a core", at_most=CPU),
        Figure("- 99th percentile of the answer", statistics.quantiles(latencies, n=100)[98], "ms", at_most=P99),
        Figure("- median of the answer", statistics.median(latencies), "ms"),
        Figure("- answered", len(latencies) / seconds, "messages/s"),
        Figure("- rows of `readings` written", written, "rows/s"),
    ]


def _pace(crowds: list[Child], seconds: float) -> list[float]:
    for crowd in crowds:
        crowd.say({"do": "pace", "interval": INTERVAL, "seconds": seconds})
    return [latency for crowd in crowds for latency in crowd.answer()["latencies"]]


def _rows(database: QuestDB) -> int:
    return int(database.query("SELECT count() FROM readings")[0][0])
