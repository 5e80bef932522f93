"""A fleet at the pace of life at one manager, which writes `readings`: its load, and how soon it answers.

The clients measure, on the same machine. What of a latency is their own shows beside it: a server that only answers.
"""

import statistics
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import zmq

from bench.children import Child, child, used
from bench.crowds import attached_crowd, manager_of, running_system
from bench.figures import Figure
from storage.questdb import QuestDB
from tests.system.fleets import BOARD
from tests.system.whole import Whole

FLEET, PROCESSES, INTERVAL = 2_000, 2, 5.0
SETTLE, MEASURE = 10.0, 45.0  # seconds
CPU, P99 = 50.0, 20.0  # percent of a core, ms


def run() -> list[Figure]:
    """Measure a server that only answers, then a manager with QuestDB beside it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        print("a bare ROUTER", flush=True)
        bare = _of_bare(folder / "secrets")
        file = folder / "board.toml"
        file.write_text(BOARD)
        with running_system(folder, FLEET + 1, REACTOR_FILE=file) as whole:
            return _fleet(whole, bare)


def _fleet(whole: Whole, bare: list[float]) -> list[Figure]:
    pid = manager_of(whole).pid
    with ExitStack() as stack:
        names = [f"fleet{number}-" for number in range(PROCESSES)]
        crowds = [stack.enter_context(attached_crowd(whole, name, FLEET // PROCESSES)) for name in names]
        print(f"{FLEET} reactors for {MEASURE:.0f} s", flush=True)
        _pace(crowds, SETTLE)
        before, rows, began = used(pid), _rows(whole.database), time.monotonic()
        theirs = sum(used(crowd.pid) for crowd in crowds)
        latencies = _pace(crowds, MEASURE)
        seconds = time.monotonic() - began
        share = 100 * (used(pid) - before) / seconds
        theirs = 100 * (sum(used(crowd.pid) for crowd in crowds) - theirs) / seconds
        written = (_rows(whole.database) - rows) / seconds
    return [
        Figure(f"Status: one manager, {FLEET} reactors at {INTERVAL:g} s", share, "% of a core", at_most=CPU),
        Figure("- 99th percentile of the answer", _p99(latencies), "ms", at_most=P99),
        Figure("- 99th percentile of a bare ROUTER's", _p99(bare), "ms", remark="the same clients' own part"),
        Figure("- median of the answer", statistics.median(latencies), "ms"),
        Figure("- median of a bare ROUTER's", statistics.median(bare), "ms"),
        Figure("- answered", len(latencies) / seconds, "messages/s"),
        Figure("- rows of `readings` written", written, "rows/s"),
        Figure("- the clients on the same machine", theirs, "% of a core"),
    ]


def _of_bare(secrets: Path) -> list[float]:
    """Tell how long the same clients, at the same pace, wait for a server that does nothing but answer."""
    keys = (zmq.curve_keypair()[1].decode() for _ in range(FLEET // PROCESSES))
    secrets.write_text("".join(f"bare{number} {key}\n" for number, key in enumerate(keys)), encoding="ascii")
    with child("bench.bare") as bare, ExitStack() as stack:
        at = bare.line(), bare.line()
        crowds = [stack.enter_context(child("bench.clients", *at, str(secrets))) for _ in range(PROCESSES)]
        for crowd in crowds:
            crowd.ask(do="connect")
        _pace(crowds, INTERVAL)
        return _pace(crowds, SETTLE)


def _p99(latencies: list[float]) -> float:
    return statistics.quantiles(latencies, n=100)[98]


def _pace(crowds: list[Child], seconds: float) -> list[float]:
    for crowd in crowds:
        crowd.say({"do": "pace", "interval": INTERVAL, "seconds": seconds})
    return [latency for crowd in crowds for latency in crowd.answer()["latencies"]]


def _rows(database: QuestDB) -> int:
    return int(database.query("SELECT count() FROM readings")[0][0])
