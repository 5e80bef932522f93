"""A network that goes silent without a word: found by heartbeats, healed by a new connection."""

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest
import zmq

from tests.transport.world import World, message_in
from transport import sockets
from transport.messages import Ack, Hello
from transport.wire import Down, Up


class Proxy:
    """Passes TCP connections on; each direction can be made to swallow what it hears, without closing anything."""

    def __init__(self, endpoint: str) -> None:
        self.swallow_up = threading.Event()
        self.swallow_down = threading.Event()
        self._target = ("127.0.0.1", int(endpoint.rsplit(":", 1)[1]))
        self._door = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"tcp://127.0.0.1:{self._door.getsockname()[1]}"
        self._open = [self._door]
        self._threads: list[threading.Thread] = []
        self._run(self._accept)

    def _run(self, target: object, *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments)  # type: ignore[arg-type] # a bound method
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._door.accept()
                far = socket.create_connection(self._target)
                self._open += [near, far]
                self._run(self._pass_on, near, far, self.swallow_up)
                self._run(self._pass_on, far, near, self.swallow_down)

    def _pass_on(self, source: socket.socket, sink: socket.socket, swallow: threading.Event) -> None:
        with suppress(OSError):
            while heard := source.recv(65536):
                if not swallow.is_set():
                    sink.sendall(heard)
            sink.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        for one in self._open:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for one in self._open:
            one.close()


@pytest.fixture
def proxy(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    for option, value in ((zmq.HEARTBEAT_IVL, 50), (zmq.HEARTBEAT_TIMEOUT, 150), (zmq.HEARTBEAT_TTL, 200)):
        monkeypatch.setitem(sockets._COMMON, option, value)
    world.listener = world.listen(world.heard.put)
    made = Proxy(world.listener.endpoint)
    yield made
    made.close()


@pytest.mark.parametrize("cut", [["swallow_up"], ["swallow_down"], ["swallow_up", "swallow_down"]])
def test_a_silent_cut_is_noticed_and_a_new_connection_heard(world: World, proxy: Proxy, cut: list[str]) -> None:
    wire = world.wire(world.admit("tank-1"))
    connection, inbox = world.connect(wire, proxy.endpoint)
    assert inbox.take() == Up()
    connection.send(Hello(software="before"))
    old = world.heard.take()
    for direction in cut:
        getattr(proxy, direction).set()
    assert inbox.take() == Down("disconnected")
    for direction in cut:
        getattr(proxy, direction).clear()
    connection, inbox = world.connect(wire, proxy.endpoint)
    assert inbox.take() == Up()
    connection.send(Hello(software="after"))
    received = world.heard.take()
    assert received.body == Hello(software="after")
    assert received.route != old.route
    world.acknowledge(received)
    assert message_in(inbox.take()) == Ack(next_interval=5.0)


def test_a_quiet_link_stays_up(world: World, proxy: Proxy) -> None:
    connection, inbox = world.connect(world.wire(world.admit("tank-1")), proxy.endpoint)
    assert inbox.take() == Up()
    threading.Event().wait(0.5)  # several heartbeats, during which nothing is said
    connection.send(Hello(software="still here"))
    world.acknowledge(world.heard.take())
    assert message_in(inbox.take()) == Ack(next_interval=5.0)
