"""A fleet of links for a whole system, in a process of its own (fleet.py), as its parent sees it."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.system.whole import Whole, wait_for
from transport.keys import Peer, load_or_make, write_peer
from transport.messages import Overview

ROOT = Path(__file__).parents[2]
REACTORS, CAPACITY = 200, 50
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


@contextmanager
def running_fleet(system: Whole) -> Iterator[Fleet]:
    """Run all but one, which is the system's own, until they are attached."""
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
