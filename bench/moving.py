"""The death of a manager: how soon its reactors are attached elsewhere, with 200 reactors at 50 a manager."""

import statistics
import tempfile
from pathlib import Path

from bench.figures import Figure
from tests.system.fleets import BOARD, CAPACITY, REACTORS, running_fleet, wait_until_all_are_attached
from tests.system.whole import CLOCK, Whole, wait_for

ELSEWHERE = 30.0  # seconds


def run() -> list[Figure]:
    """Kill one of four managers."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file = folder / "board.toml"
        file.write_text(BOARD)
        whole = Whole(folder, REACTOR_FILE=file, MANAGER_CAPACITY=CAPACITY)
        try:
            whole.start()
            seconds = _kill_one(whole)
        finally:
            whole.close()
    return [
        Figure(
            f"Death of a manager: its reactors attached elsewhere, {REACTORS} in all",
            seconds[-1],
            "s, the last",
            at_most=ELSEWHERE,
        ),
        Figure("- half of them", statistics.median(seconds), "s"),
    ]


def _kill_one(whole: Whole) -> list[float]:
    with running_fleet(whole) as fleet:
        victim = wait_until_all_are_attached(whole, fleet, "a look").managers[1]
        theirs = {place.reactor for place in victim.reactors} & fleet.attached.keys()
        killed_ns = CLOCK.monotonic_ns()
        whole.kill(f"reactorium manager {victim.name.removeprefix('host-').zfill(2)}")
        wait_for(lambda: victim.endpoint not in fleet.attached.values(), "its reactors notice")
        wait_until_all_are_attached(whole, fleet, "the death of a manager")
        return sorted((fleet.moved_ns[name] - killed_ns) / 1e9 for name in theirs)
