"""Status: a real manager process against a bare ROUTER that only unpacks and acknowledges; then at a fleet's pace."""

import statistics
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from bench.children import Child, child, used
from bench.crowds import attached_crowd, let_in, manager_of, running_system
from bench.figures import Figure, ratio
from storage.questdb import QuestDB
from tests.system.fleets import BOARD
from tests.system.whole import Whole

FLOODERS, REPORTS, ROUNDS = 50, 10_000, 7
FLEET, PROCESSES, INTERVAL = 2_000, 2, 5.0
SETTLE, MEASURE = 10.0, 40.0  # seconds
CPU, P99 = 50.0, 20.0  # percent of a core, ms


def run() -> list[Figure]:
    """Measure both with one manager, QuestDB beside it: `readings` are written. One small reactor has it started."""
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "board.toml"
        file.write_text(BOARD)
        with running_system(Path(name), FLOODERS + FLEET + 1, REACTOR_FILE=file) as whole:
            return [*_flood(whole), *_fleet(whole)]


def _flood(whole: Whole) -> list[Figure]:
    server = manager_of(whole)
    secrets = let_in(whole, "flood", FLOODERS)
    rates: dict[str, list[float]] = {"manager": [], "bare": []}
    costs: dict[str, list[float]] = {"manager": [], "bare": []}
    with child("bench.bare") as bare:
        bare_at = bare.line(), bare.line()
        with (
            child("bench.clients", server.endpoint, server.key, str(secrets)) as to_manager,
            child("bench.clients", *bare_at, str(secrets)) as to_bare,
        ):
            to_bare.ask(do="connect")
            for number in range(ROUNDS):
                print(f"flood {number + 1} of {ROUNDS}", flush=True)
                to_manager.ask(do="attach")  # again: who waits for its turn on a busy machine may be lost
                for name, clients, pid in (("manager", to_manager, server.pid), ("bare", to_bare, bare.pid)):
                    before = used(pid)
                    told = clients.ask(do="flood", count=REPORTS)
                    rates[name].append(told["acked"] / told["seconds"])
                    costs[name].append((used(pid) - before) / told["acked"] * 1e6)
    return [
        ratio("Status: messages/s, manager against bare ROUTER", rates["manager"], rates["bare"], 0.5),
        *(Figure(f"- {name}", statistics.median(values), "messages/s") for name, values in rates.items()),
        *(
            Figure(f"- {name}, processor time", statistics.median(values), "µs a message")
            for name, values in costs.items()
        ),
    ]


def _fleet(whole: Whole) -> list[Figure]:
    pid = manager_of(whole).pid
    bare = _of_bare(let_in(whole, "fleet-", FLEET // PROCESSES))
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
    with child("bench.bare") as bare, ExitStack() as stack:
        at = bare.line(), bare.line()
        crowds = [stack.enter_context(child("bench.clients", *at, str(secrets))) for _ in range(PROCESSES)]
        for crowd in crowds:
            crowd.ask(do="connect")
        _pace(crowds, SETTLE)
        return _pace(crowds, SETTLE)


def _p99(latencies: list[float]) -> float:
    return statistics.quantiles(latencies, n=100)[98]


def _pace(crowds: list[Child], seconds: float) -> list[float]:
    for crowd in crowds:
        crowd.say({"do": "pace", "interval": INTERVAL, "seconds": seconds})
    return [latency for crowd in crowds for latency in crowd.answer()["latencies"]]


def _rows(database: QuestDB) -> int:
    return int(database.query("SELECT count() FROM readings")[0][0])
