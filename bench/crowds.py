"""Systems that a benchmark measures, and crowds of light reactors (clients.py) at their manager."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import zmq

from bench.children import Child, child
from tests.system.whole import Whole
from transport.keys import Peer, write_peer

EXAMPLES = ("bioreactor", "aquarium", "hydroponics")


@dataclass(frozen=True, slots=True)
class Server:
    """A manager: where it is, and its process."""

    endpoint: str
    key: str
    pid: int


@contextmanager
def running_system(folder: Path, capacity: int, **variables: object) -> Iterator[Whole]:
    """Run a system whose only manager has room for so many; its reactors are attached and see their hardware.

    They are the three examples on their vessels, unless a file of another is named.
    """
    whole = Whole(folder, MANAGER_CAPACITY=capacity, **variables)
    try:
        whole.start()
        whole.wait_until_attached(*(["board"] if "REACTOR_FILE" in variables else EXAMPLES))
        yield whole
    finally:
        whole.close()


def let_in(whole: Whole, prefix: str, count: int) -> Path:
    """Make reactors that may speak; returns the file with their secrets."""
    lines = []
    for number in reversed(range(count)):  # whoever finds the first finds all
        public, secret = zmq.curve_keypair()
        peer = Peer(f"{prefix}{number}", "reactor", public.decode())
        write_peer(whole.state / "allow", peer)
        lines.append(f"{peer.name} {secret.decode()}\n")
    path = whole.folder / f"{prefix}.secrets"
    path.write_text("".join(reversed(lines)), encoding="ascii")
    return path


def manager_of(whole: Whole) -> Server:
    """Find the only manager."""
    overview, process = whole.overview(), whole.process("reactorium manager 01")
    assert overview
    assert process
    (manager,) = overview.managers
    return Server(manager.endpoint, manager.key, process.pid)


@contextmanager
def attached_crowd(whole: Whole, prefix: str, count: int) -> Iterator[Child]:
    """Run so many light reactors in one process, attached to the only manager; they do not report yet."""
    server = manager_of(whole)
    with child("bench.clients", server.endpoint, server.key, str(let_in(whole, prefix, count))) as crowd:
        crowd.ask(do="attach")
        yield crowd
