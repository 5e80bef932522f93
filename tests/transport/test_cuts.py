"""A network that goes silent without a word: found by heartbeats, healed by a new connection."""

import threading
from collections.abc import Iterator

import pytest
import zmq

from tests.transport.proxy import Proxy
from tests.transport.world import World, eventually, message_in
from transport import sockets
from transport.messages import Ack, Hello
from transport.wire import Down, Up


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
    eventually(lambda: len(world.listener._callers) == 0)  # the server noticed too
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
