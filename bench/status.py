"""Status: a real manager process against a bare ROUTER that only unpacks and acknowledges, as fast as each can."""

import statistics
import tempfile
from pathlib import Path

from bench.children import child, used
from bench.crowds import let_in, manager_of, running_system
from bench.figures import Figure, ratio
from tests.system.fleets import BOARD
from tests.system.whole import Whole

FLOODERS, REPORTS, ROUNDS = 50, 10_000, 7


def run() -> list[Figure]:
    """Measure both with one manager, QuestDB beside it: `readings` are written. One small reactor has it started."""
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "board.toml"
        file.write_text(BOARD)
        with running_system(Path(name), FLOODERS + 1, REACTOR_FILE=file) as whole:
            whole.stop_programs("web")  # which watches everybody: each report would be told a second time
            return _flood(whole)


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
