"""200 reactors at 50 a manager: the real coordinator and managers under the real supervisor, links over real sockets.

One of them is a whole reactor; the links of the others live in one process (fleet.py).
"""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.system.whole import CLOCK, Whole, wait_for
from transport.keys import Peer, load_or_make, write_peer
from transport.messages import Overview

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]
ROOT = Path(__file__).parents[2]
REACTORS, CAPACITY = 200, 50
ELSEWHERE = 30.0  # seconds after the death of a manager
HEARTBEATS = 2 * 5.0  # that a new coordinator listens before it starts anything
BOARD = """
name = "board"
[[sensors]]
name = "host"
driver = "host"
address = "host"
"""


@dataclass
class Fleet:
    """The process with the links, and what it said."""

    process: "subprocess.Popen[str]"
    attached: dict[str, str] = field(default_factory=dict)  # reactor -> endpoint
    epochs: dict[str, list[int]] = field(default_factory=dict)
    moved_ns: dict[str, int] = field(default_factory=dict)  # when it attached or was lost last

    def read(self) -> None:
        assert self.process.stdout
        with self.process.stdout:
            for line in self.process.stdout:
                said = json.loads(line)
                name = said["reactor"]
                self.moved_ns[name] = said["ns"]
                if said["attached"]:
                    self.epochs.setdefault(name, []).append(said["epoch"])
                    self.attached[name] = said["endpoint"]
                else:
                    self.attached.pop(name)


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    """One whole reactor that reads its own board, and managers for fifty each."""
    folder = tmp_path_factory.mktemp("fleet")
    (folder / "board.toml").write_text(BOARD)
    whole = Whole(folder, MANAGER_CAPACITY=CAPACITY, REACTOR_FILE=folder / "board.toml")
    try:
        whole.start()
        yield whole
        assert whole.interrupt() == 0
    finally:
        whole.close()


@pytest.fixture(scope="module")
def fleet(system: Whole) -> Iterator[Fleet]:
    """All the others, attached."""
    keys = system.folder / "fleet"
    keys.mkdir()
    for number in range(1, REACTORS):
        name = f"r{number:03d}"
        write_peer(system.state / "allow", Peer(name, "reactor", load_or_make(keys / f"{name}.key").public))
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.system.fleet", system.coordinator, system.coordinator_key, str(keys)],
        cwd=ROOT,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    fleet = Fleet(process)
    reader = threading.Thread(target=fleet.read, daemon=True)
    reader.start()
    try:
        wait_until_all_are_attached(system, fleet, "the start")
        yield fleet
    finally:
        assert process.stdin
        process.stdin.close()
        process.kill()
        process.wait()
        reader.join()


def wait_until_all_are_attached(system: Whole, fleet: Fleet, since: str) -> Overview:
    """Wait until all are attached, by their own word and by the coordinator's; never more than 50 at a manager."""
    last: list[Overview] = []

    def all_attached() -> bool:
        overview = system.overview()
        if overview is None:
            return False
        last[:] = [overview]
        loads = [len(one.reactors) for one in overview.managers]
        assert max(loads, default=0) <= CAPACITY, loads
        return sum(loads) == REACTORS and len(fleet.attached) == REACTORS - 1

    seconds = wait_for(all_attached, f"{REACTORS} attached after {since}")
    sys.stdout.write(f"{REACTORS} reactors seen attached {seconds:.1f} s after {since}\n")
    return last[0]


def managers(system: Whole) -> list[str]:
    return [title for title in system.titles() if "manager" in title]


def test_they_are_spread_over_four_managers(system: Whole, fleet: Fleet) -> None:
    overview = wait_until_all_are_attached(system, fleet, "a look")
    assert [len(one.reactors) for one in overview.managers] == [CAPACITY] * 4
    assert len(managers(system)) == 4


def test_a_killed_managers_reactors_are_elsewhere_in_time(system: Whole, fleet: Fleet) -> None:
    before = wait_until_all_are_attached(system, fleet, "a look")
    victim = before.managers[1]
    theirs = {place.reactor for place in victim.reactors}
    others = {name: fleet.moved_ns[name] for name in fleet.attached if name not in theirs}
    killed_ns = CLOCK.monotonic_ns()
    system.kill(f"reactorium manager {victim.name.removeprefix('host-').zfill(2)}")
    wait_for(lambda: victim.endpoint not in fleet.attached.values(), "its reactors notice")
    after = wait_until_all_are_attached(system, fleet, "the death of a manager")

    seconds = sorted((fleet.moved_ns[name] - killed_ns) / 1e9 for name in theirs if name in fleet.moved_ns)
    sys.stdout.write(
        f"attached elsewhere: first {seconds[0]:.1f} s, half {seconds[25]:.1f} s, last {seconds[-1]:.1f} s\n"
    )
    assert seconds[0] > 0
    assert seconds[-1] <= ELSEWHERE
    assert victim.endpoint not in {one.endpoint for one in after.managers}
    assert {name: fleet.moved_ns[name] for name in others} == others
    assert all(epochs == sorted(set(epochs)) for epochs in fleet.epochs.values())


def test_a_killed_coordinator_moves_nobody_and_starts_nothing(system: Whole, fleet: Fleet) -> None:
    before = wait_until_all_are_attached(system, fleet, "a look")
    running, moved = managers(system), dict(fleet.moved_ns)
    pids = {process.pid for process in system.family()}
    old = system.process("reactorium coordinator")
    system.kill("reactorium coordinator")
    system.wait_for_another("reactorium coordinator", old)
    again_ns = CLOCK.monotonic_ns()
    after = wait_until_all_are_attached(system, fleet, "the death of the coordinator")
    wait_for(lambda: CLOCK.monotonic_ns() - again_ns > (HEARTBEATS + 2) * 1e9, "it has listened")
    assert [one.endpoint for one in after.managers] == [one.endpoint for one in before.managers]
    assert managers(system) == running
    assert len({process.pid for process in system.family()} - pids) == 1
    assert fleet.moved_ns == moved
