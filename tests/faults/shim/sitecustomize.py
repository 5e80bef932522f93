"""Leads every TCP connection of a reactor, manager or web process through the network of the harness (network.py).

It stands below the product, which notices nothing: Python imports it at its start because it is on PYTHONPATH. For
each address that is connected to, the broker is asked which port leads there for this process.
"""

import os
import socket
import sys
from typing import Any

BROKER = os.environ.get("FAULTS_BROKER")
COMMAND = sys.orig_argv[-1]


def whoami() -> str:
    """Tell whose way it is, as a plan names it."""
    file = os.path.basename(os.environ.get("REACTORIUM_REACTOR_FILE", ""))  # noqa: PTH119 - pathlib costs 5 ms
    return f"reactor {file.split('.')[0]}" if COMMAND == "reactor" else COMMAND


def lead_through(broker: int) -> None:
    """Replace both ways to connect."""
    import zmq  # noqa: PLC0415 - these processes do anyway; a guard does not

    me, plainly, zmq_plainly = whoami(), socket.socket.connect, zmq.Socket.connect
    known: dict[int, int] = {}

    def way(port: int) -> int:
        if port not in known:
            with socket.socket() as asking:
                plainly(asking, ("127.0.0.1", broker))
                asking.sendall(f"{port} {me}\n".encode())
                known[port] = int(asking.makefile().readline())
        return known[port]

    def connect(self: socket.socket, address: Any) -> None:  # noqa: ANN401 - as the original
        if self.family == socket.AF_INET and address[0] in {"127.0.0.1", "localhost"}:
            address = ("127.0.0.1", way(address[1]))
        plainly(self, address)

    def zmq_connect(self: zmq.Socket[Any], endpoint: str) -> Any:  # noqa: ANN401 - as the original
        if endpoint.startswith("tcp://127.0.0.1:"):
            endpoint = f"tcp://127.0.0.1:{way(int(endpoint.rpartition(':')[2]))}"
        return zmq_plainly(self, endpoint)

    socket.socket.connect, zmq.Socket.connect = connect, zmq_connect  # type: ignore[method-assign,assignment]


if BROKER and COMMAND in {"reactor", "manager", "web"}:
    lead_through(int(BROKER))
