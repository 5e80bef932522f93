"""Who gets in: CURVE and ZAP on real sockets, and what is left when something is missing."""

import ctypes

import pytest
import zmq

from tests.transport.world import Inbox, World, eventually, make_keys, message_in
from transport.envelope import encode
from transport.keys import AllowList, KeyPair, Peer
from transport.messages import Ack, Hello
from transport.wire import Down, Happening, Received
from transport.zap import ENDPOINT

HELLO = Hello(software="test")


def outcome(inbox: Inbox[Happening]) -> str:
    happening = inbox.take()
    return happening.reason if isinstance(happening, Down) else type(happening).__name__


def test_a_key_that_nobody_knows_is_refused_and_counted(world: World) -> None:
    _, inbox = world.connect(world.wire())
    assert outcome(inbox) == "our key is not allowed there"
    assert world.server.denied == 1


def test_a_key_of_a_role_that_has_nothing_to_say_here_is_refused(world: World) -> None:
    _, inbox = world.connect(world.wire(world.admit("ann", "operator")))
    assert outcome(inbox) == "our key is not allowed there"


def test_another_server_behind_the_address_is_not_spoken_to(world: World) -> None:
    _, inbox = world.connect(world.wire(world.admit("tank-1")), key=make_keys().public)
    assert outcome(inbox).startswith("no handshake")
    eventually(lambda: world.server.denied == 1)  # it sees nonsense, and may notice after us


def test_without_a_key_nobody_gets_in(world: World) -> None:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    dealer = context.socket(zmq.DEALER)
    dealer.linger = 0
    events = dealer.get_monitor_socket(zmq.EVENT_DISCONNECTED | zmq.EVENT_HANDSHAKE_SUCCEEDED)
    dealer.connect(world.listener.endpoint)
    dealer.send_multipart([b"RCT1", b"", b""])
    event = int.from_bytes(events.recv_multipart()[0][:2], "little")
    assert event == zmq.EVENT_DISCONNECTED
    dealer.disable_monitor()
    events.close()
    dealer.close()
    context.term()
    assert world.heard.is_empty()


def test_who_speaks_after_his_key_left_the_list_is_not_heard_but_cut_off(world: World) -> None:
    connection, inbox = world.joined("tank-1")
    other, _ = world.joined("tank-2")
    connection.send(HELLO)
    assert world.heard.take().body == HELLO
    revoke(world, "tank-1")
    connection.send(HELLO)
    assert outcome(inbox) == "disconnected"
    other.send(HELLO)
    received = world.heard.take()
    assert received.peer is not None
    assert received.peer.name == "tank-2"
    assert world.listener.counters.refused == 1
    _, inbox = world.connect(world._wires[1])
    assert outcome(inbox) == "our key is not allowed there"


def test_who_is_taken_off_the_list_is_cut_off_though_he_says_nothing(world: World) -> None:
    """Else an operator would go on being told what changes."""
    connection, inbox = world.joined("tank-1")
    other, others = world.joined("tank-2")
    for each in (connection, other):
        each.send(HELLO)
        world.heard.take()
    world.listener.weed()
    revoke(world, "tank-1")
    world.listener.weed()
    assert outcome(inbox) == "disconnected"
    other.send(HELLO)
    world.acknowledge(world.heard.take())
    assert message_in(others.take()) == Ack(next_interval=5.0)


def revoke(world: World, name: str) -> None:
    world.allow = AllowList(
        Peer(one.name, one.role, one.key) for one in world.allow.to_message().peers if one.name != name
    )


def test_a_name_is_the_keys_whatever_its_holder_says(world: World) -> None:
    connection, _ = world.joined("tank-1")
    world.admit("tank-2")
    connection.send(Hello(software="I am tank-2"), session="tank-2")
    received = world.heard.take()
    assert received.peer is not None
    assert received.peer.name == "tank-1"


def test_a_list_that_fails_lets_nobody_in_and_ends_nothing(world: World) -> None:
    def broken(_key: str) -> Peer | None:
        raise LookupError

    listener = world.server.listen(
        "tcp://127.0.0.1:*", allow=broken, accept={"reactor": {Hello}}, deliver=world.heard.put
    )
    _, inbox = world.connect(world.wire(world.admit("tank-1")), listener.endpoint)
    assert outcome(inbox) == "our key is not allowed there"
    _, inbox = world.connect(world._wires[-1])
    assert outcome(inbox) == "Up"


def test_each_listener_asks_its_own_list(world: World) -> None:
    keys = make_keys()
    other: Inbox[Received] = Inbox()
    listener = world.server.listen(
        "tcp://127.0.0.1:*",
        allow=AllowList([Peer("tank-9", "reactor", keys.public)]).peer_of,
        accept={"reactor": {Hello}},
        deliver=other.put,
    )
    wire = world.wire(keys)
    _, inbox = world.connect(wire)
    assert outcome(inbox) == "our key is not allowed there"
    connection, inbox = world.connect(wire, listener.endpoint)
    assert outcome(inbox) == "Up"
    connection.send(HELLO)
    peer = other.take().peer
    assert peer is not None
    assert peer.name == "tank-9"


def test_without_its_gate_a_listener_lets_nobody_in(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transport.connection.HANDSHAKE_NS", 300_000_000)  # 200 times what a handshake takes
    gate = world.server._common.gate.socket
    world.server._common.loop.call(lambda: gate.unbind(ENDPOINT))
    _, inbox = world.connect(world.wire(world.admit("tank-1")))
    assert outcome(inbox).startswith(("no answer", "no handshake"))  # libzmq waits, or hangs up


def test_a_domain_that_nobody_guards_lets_nobody_in(world: World) -> None:
    world.server._common.loop.call(lambda: world.server._common.gate.forget(world.listener._domain))
    _, inbox = world.connect(world.wire(world.admit("tank-1")))
    assert outcome(inbox) == "our key is not allowed there"
    world.server._common.loop.call(
        lambda: world.server._common.gate.guard(world.listener._domain, world.listener._is_welcome)
    )


def test_a_peer_that_takes_anothers_routing_id_gets_nothing_of_it(world: World) -> None:
    connection, inbox = world.joined("tank-1")
    connection.send(HELLO)
    received = world.heard.take()
    context, thief = curve_dealer(world, world.admit("tank-2"), received.route)
    assert int.from_bytes(thief.get_monitor_socket().recv_multipart()[0][:2], "little") == zmq.EVENT_HANDSHAKE_SUCCEEDED
    thief.send_multipart(encode(Hello(software="I am tank-1"), id=1))
    world.acknowledge(received)
    assert message_in(inbox.take()) == Ack(next_interval=5.0)
    connection.send(HELLO)
    again = world.heard.take()
    assert (again.route, again.peer, again.body) == (received.route, received.peer, HELLO)
    assert not thief.poll(20)
    thief.get_monitor_socket().close()
    thief.close()
    context.term()


def test_routes_cannot_be_guessed() -> None:
    """libzmq counts them up from rand(): who takes the next one for his own routing id ends the process."""
    routes = []
    for _ in range(2):
        ctypes.CDLL(None).srand(1)
        world = World()
        connection, _ = world.joined()
        connection.send(HELLO)
        routes.append(world.heard.take().route)
        world.close()
    assert routes[0] != routes[1]


def curve_dealer(
    world: World, keys: KeyPair, routing_id: bytes
) -> tuple[zmq.Context[zmq.Socket[bytes]], zmq.Socket[bytes]]:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    dealer = context.socket(zmq.DEALER)
    dealer.linger = 0
    dealer.get_monitor_socket(zmq.EVENT_HANDSHAKE_SUCCEEDED)
    dealer.routing_id = routing_id
    dealer.curve_publickey, dealer.curve_secretkey = keys.public.encode(), keys.secret.encode()
    dealer.curve_serverkey = world.keys.public.encode()
    dealer.connect(world.listener.endpoint)
    return context, dealer
