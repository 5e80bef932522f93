"""The network that can be broken: what is cut, held and delayed, over real sockets of one process."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress

import pytest

from tests.faults.network import Network

WAIT = 10.0
ASK = """
import json, socket, sys
with socket.create_connection(("127.0.0.1", int(sys.argv[1])), 10) as one:
    print(json.dumps(one.getpeername()[1]))
"""


@pytest.fixture
def server() -> Iterator[int]:
    """One that says everything twice; its port."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve(one: socket.socket) -> None:
        with one, suppress(ConnectionError):
            while data := one.recv(100):
                one.sendall(data + data)

    def accept() -> None:
        while True:
            try:
                one, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=[one], daemon=True).start()

    thread = threading.Thread(target=accept)
    thread.start()
    yield listening.getsockname()[1]
    listening.shutdown(socket.SHUT_RDWR)
    thread.join()
    listening.close()


@pytest.fixture
def network(server: int) -> Iterator[Network]:
    with closing(Network({server: "database"})) as made:
        yield made


@pytest.fixture
def client(network: Network, server: int) -> Iterator[socket.socket]:
    with connect(network, server) as made:
        yield made


def connect(network: Network, server: int) -> socket.socket:
    """Go the way that the shim would."""
    with socket.create_connection(("127.0.0.1", network.port), WAIT) as broker:
        broker.sendall(f"{server} reactor tank\n".encode())
        port = int(broker.makefile().readline())
    return socket.create_connection(("127.0.0.1", port), WAIT)


def say(client: socket.socket, text: bytes) -> bytes:
    client.sendall(text)
    return client.recv(100)


def ask(network: Network, server: int, text: bytes) -> bytes:
    """Say something over a connection of its own."""
    with connect(network, server) as client:
        return say(client, text)


def test_it_carries_both_ways(client: socket.socket) -> None:
    assert say(client, b"a") == b"aa"


def test_what_is_cut_is_reset_and_refused_until_it_is_mended(
    network: Network, server: int, client: socket.socket
) -> None:
    assert say(client, b"a") == b"aa"
    network.turn("reactor tank", "all", cut=True)
    with pytest.raises(ConnectionError):
        say(client, b"b")
    with pytest.raises(ConnectionError):
        ask(network, server, b"c")
    network.turn("reactor tank", "all")
    assert ask(network, server, b"d") == b"dd"


@pytest.mark.parametrize("direction", ["out", "in"])
def test_what_is_held_comes_later(network: Network, client: socket.socket, direction: str) -> None:
    assert say(client, b"a") == b"aa"
    network.turn("reactor tank", "database", held=frozenset({direction}))
    client.settimeout(0.1)
    with pytest.raises(TimeoutError):
        say(client, b"b")
    client.settimeout(WAIT)
    network.turn("reactor tank", "database")
    assert client.recv(100) == b"bb"


def test_what_is_done_to_another_or_elsewhere_is_not_noticed(network: Network, client: socket.socket) -> None:
    network.turn("reactor other", "all", cut=True)
    network.turn("reactor tank", "servers", cut=True)
    assert say(client, b"a") == b"aa"


def test_delay(network: Network, client: socket.socket) -> None:
    network.turn("reactor tank", "all", delay=0.05)
    began = time.monotonic()
    assert say(client, b"a") == b"aa"
    assert time.monotonic() - began > 0.09


def test_a_process_with_the_shim_goes_that_way(network: Network, server: int) -> None:
    """It is the process's last argument that makes it one of ours."""
    command = [sys.executable, "-c", ASK, str(server), "web"]
    environment = os.environ | network.environment
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True, timeout=60)
    assert json.loads(done.stdout) != server
    plain = subprocess.run([*command[:-1], "guard"], env=environment, check=True, capture_output=True, text=True)
    assert json.loads(plain.stdout) == server
