"""Many reactors in one process: their links over real sockets, each with its own key, and nothing behind them.

    python -m tests.system.fleet COORDINATOR KEY FOLDER

FOLDER holds one secret key a reactor, `NAME.key`. Each change of a link's state is printed as a line of JSON, with
CLOCK_BOOTTIME in nanoseconds. It ends when its standard input does.
"""

import heapq
import json
import os
import sys
import threading
from dataclasses import replace
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from random import Random

from actors import link_core as core
from actors.link import ACCEPT
from actors.link_core import LinkCore, Server
from hardware.clock import SystemClock
from transport.keys import load_or_make
from transport.links import Common
from transport.messages import Attach, Backlog, Hello, QuantityInfo, Reading, SensorInfo, Status
from transport.wire import Connection, Down, Happening, Received, Up, Wire

CLOCK = SystemClock()
SENSOR = SensorInfo(
    name="bottle",
    label="A bottle of water",
    driver="none",
    address="none",
    quantities=[QuantityInfo(name="temperature", unit="°C", low=-10.0, high=120.0, decimals=2)],
    live_interval=5.0,
    sample_interval=600.0,
)
Brought = tuple["Reactor", int, list[Happening]]


class Reactor:
    """One link: the core that reactors have, on a connection of the process's one wire."""

    def __init__(
        self, number: int, name: str, common: Common, coordinator: Server, brought: "SimpleQueue[Brought]"
    ) -> None:
        self.number = number
        self.name = name
        self.core = LinkCore(coordinator=coordinator, epoch=0, random=Random(), now_ns=CLOCK.monotonic_ns())
        self._common = common
        self._brought = brought
        self._connection: Connection | None = None
        self._endpoint = ""
        self._database = ""
        self._told = self.core.state

    def handle(self, event: core.Event) -> None:
        """Do what the core says, and print what became of it."""
        for action in self.core.handle(event, CLOCK.monotonic_ns()):
            self._do(action)
        if (self.core.state is core.State.ATTACHED) != (self._told is core.State.ATTACHED):
            said = {"reactor": self.name, "attached": self.core.state is core.State.ATTACHED, "epoch": self.core.epoch}
            sys.stdout.write(json.dumps({"ns": CLOCK.monotonic_ns(), "endpoint": self._endpoint, **said}) + "\n")
            sys.stdout.flush()
        self._told = self.core.state

    def happened(self, number: int, happening: Happening) -> None:
        """Take what a connection brought."""
        match happening:
            case Up():
                self.handle(core.Up(number))
            case Down(reason):
                self.handle(core.Down(number, reason))
            case Received(header=header, body=body):
                self.handle(core.Heard(number, header, body))

    def _do(self, action: core.Action) -> None:
        match action:
            case core.Open(number, endpoint, key):
                self._endpoint = endpoint
                deliver = partial(self._deliver, number)
                self._connection = Connection(self._common, endpoint, key, accept=ACCEPT, deliver=deliver)
            case core.Close():
                assert self._connection
                self._connection.close()
            case core.SendHello(_, epoch, lost):
                self._open.send(Hello(software="fleet", epoch=epoch, lost=lost))
            case core.SendAttach(_, epoch):
                self._open.send(Attach(epoch=epoch, label=self.name, software="fleet", sensors=[SENSOR]))
            case core.SendStatus(_, session, sequence):
                self._open.send(self._status(), session=session, sequence=sequence)
            case core.LogTo(database):
                self._database = database.stamp

    @property
    def _open(self) -> Connection:
        assert self._connection
        return self._connection

    def _deliver(self, number: int, batch: list[Happening]) -> None:
        """On the wire's thread."""
        self._brought.put((self, number, batch))

    def _status(self) -> Status:
        now_us = CLOCK.monotonic_ns() // 1000
        return Status(
            now_us=now_us,
            readings=[Reading("bottle", "temperature", 20.0 + now_us % 100 / 100, "ok", now_us)],
            backlog=Backlog(waiting=0, oldest=0, refused=0, dropped=0),
            clock_known=True,
            clock_offset=0.0,
            database=self._database,
        )


def run(coordinator: Server, folder: Path) -> None:
    """Keep all of them alive, for ever."""
    paths = sorted(folder.glob("*.key"))
    wire = Wire(load_or_make(paths[0]), CLOCK)
    brought: SimpleQueue[Brought] = SimpleQueue()
    reactors = [
        Reactor(number, path.stem, replace(wire._common, keys=load_or_make(path)), coordinator, brought)  # one thread
        for number, path in enumerate(paths)
    ]
    due = [(reactor.core.due_ns, number) for number, reactor in enumerate(reactors)]  # an entry counts while it is true
    heapq.heapify(due)
    while True:
        due_ns, number = due[0]
        if due_ns != reactors[number].core.due_ns:
            heapq.heappop(due)
            continue
        try:
            reactor, connection, batch = brought.get(timeout=max(0.0, (due_ns - CLOCK.monotonic_ns()) / 1e9))
        except Empty:
            reactor = reactors[number]
            reactor.handle(core.Tick())
        else:
            for happening in batch:
                reactor.happened(connection, happening)
        heapq.heappush(due, (reactor.core.due_ns, reactor.number))


def end_with_parent() -> None:
    """Wait for the end of standard input."""
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    threading.Thread(target=end_with_parent, daemon=True).start()
    run(Server("coordinator", sys.argv[1], sys.argv[2]), Path(sys.argv[3]))
