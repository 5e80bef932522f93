"""Two wires on loopback: what is said, answered, lost and cut."""

import socket
import threading
from pathlib import Path

import pytest

from tests.transport.world import Inbox, World, make_keys, message_in
from transport.errors import EndpointError, EnvelopeError, TransportError
from transport.links import BATCH
from transport.messages import Ack, Error, Heartbeat, Hello, Overview, Register
from transport.wire import Down, Happening, Outgoing, Received, Up

HELLO = Hello(software="test", epoch=3)


def down_reason(inbox: Inbox[Happening]) -> str:
    last = inbox.take()
    assert isinstance(last, Down)
    return last.reason


def test_a_question_and_its_answer(world: World) -> None:
    connection, inbox = world.joined("tank-1")
    number = connection.send(HELLO, session="s" * 16, sequence=4)
    received = world.heard.take()
    assert received.body == HELLO
    assert received.peer == world.allow.peer_of(received.peer.key if received.peer else "")
    assert received.peer is not None
    assert (received.peer.name, received.peer.role) == ("tank-1", "reactor")
    assert (received.header.id, received.header.session, received.header.sequence) == (number, "s" * 16, 4)
    world.listener.send([Outgoing(received.route, Ack(next_interval=2.0), number, "t" * 16, 9)])
    answer = inbox.take()
    assert isinstance(answer, Received)
    assert (answer.peer, answer.body) == (None, Ack(next_interval=2.0))
    assert (answer.header.reply_to, answer.header.session, answer.header.sequence) == (number, "t" * 16, 9)
    assert received.at_ns <= answer.at_ns
    assert received.header.sent_us <= answer.header.sent_us


def test_ids_rise(world: World) -> None:
    connection, _ = world.joined()
    assert [connection.send(HELLO) for _ in range(3)] == [1, 2, 3]
    assert [world.heard.take().header.id for _ in range(3)] == [1, 2, 3]


def test_what_one_poll_brings_is_one_batch(world: World) -> None:
    first, _ = world.joined("tank-1")
    second, _ = world.joined("tank-2")
    gate = threading.Event()
    world.server._common.loop.post(gate.wait)  # type: ignore[arg-type]
    for _ in range(40):  # within the high-water marks of both sides
        first.send(HELLO)
        second.send(HELLO)
    for wire in world._wires[1:]:
        wire._common.loop.call(lambda: None)
    gate.set()
    names = [received.peer.name for received in (world.heard.take() for _ in range(80)) if received.peer]
    assert (names.count("tank-1"), names.count("tank-2")) == (40, 40)
    assert len(world.heard.batches) < 40
    assert max(map(len, world.heard.batches)) <= BATCH


def test_a_peer_that_left_costs_only_its_own_message(world: World) -> None:
    leaving, inbox = world.joined("tank-1")
    staying, answers = world.joined("tank-2")
    leaving.send(HELLO)
    staying.send(HELLO)
    routes = {received.peer.name: received for received in (world.heard.take(), world.heard.take()) if received.peer}
    leaving.close()
    unsent = 0
    while unsent == 0:  # until libzmq has noticed
        for name in ("tank-1", "tank-2"):
            world.acknowledge(routes[name])
        assert message_in(answers.take()) == Ack(next_interval=5.0)
        unsent = world.listener.counters.unsent
    assert unsent == 1
    assert inbox.is_empty()


def test_a_message_above_its_limit_stays_here(world: World) -> None:
    connection, inbox = world.joined()
    with pytest.raises(EnvelopeError, match="hello of"):
        connection.send(Hello(software="x" * 70_000))
    connection.send(HELLO)
    route = world.heard.take().route
    world.listener.send([Outgoing(route, Error(code="full", text="x" * 70_000)), Outgoing(route, Ack(next_interval=1))])
    assert message_in(inbox.take()) == Ack(next_interval=1)
    assert world.listener.counters.unsent == 1


def test_a_wide_message_passes_where_it_is_awaited(world: World) -> None:
    connection, inbox = world.joined("host-1", "manager")
    connection.send(Register(number=1, error="e"))
    route = world.heard.take().route
    large = Overview(managers=[], database=None, time_us=1)
    world.listener.send([Outgoing(route, large)])
    assert message_in(inbox.take()) == large


def test_a_role_is_held_to_its_messages(world: World) -> None:
    connection, inbox = world.joined("tank-1", "reactor")
    number = connection.send(Heartbeat(reactors=[], allow_version=""))
    answer = inbox.take()
    assert isinstance(answer, Received)
    assert answer.body == Error(code="role", text="not yours to send here")
    assert answer.header.reply_to == number
    connection.send(HELLO)
    assert world.heard.take().body == HELLO
    assert world.listener.counters.refused == 1


def test_an_error_is_never_answered(world: World) -> None:
    connection, inbox = world.joined()
    connection.send(Error(code="internal", text="from a reactor"))  # none of the listener's accepted types
    connection.send(HELLO)
    world.acknowledge(world.heard.take())
    assert message_in(inbox.take()) == Ack(next_interval=5.0)
    assert world.listener.counters.refused == 1


def test_the_connecting_side_answers_nonsense_too(world: World) -> None:
    connection, inbox = world.joined("host-1", "manager")
    connection.send(Register(number=1))
    received = world.heard.take()
    world.listener.send([Outgoing(received.route, Hello(software="a server never says hello"))])
    world.acknowledge(received)
    assert message_in(inbox.take()) == Ack(next_interval=5.0)
    assert connection.counters.refused == 1
    assert connection.counters.received == 1


def test_a_server_that_ends_is_noticed_and_the_connection_over(world: World) -> None:
    connection, inbox = world.joined()
    world.listener.close()
    assert inbox.take() == Down("disconnected")
    connection.send(HELLO)
    connection.close()
    world._wires[-1]._common.loop.call(lambda: None)
    assert connection.counters.unsent == 1
    assert inbox.is_empty()


def test_a_listener_comes_back_on_its_port_with_new_connections(world: World) -> None:
    _, inbox = world.joined()
    endpoint = world.listener.endpoint
    world.listener.close()
    assert inbox.take() == Down("disconnected")
    again: Inbox[Received] = Inbox()
    world.listener = world.listen(again.put, endpoint)
    connection, inbox = world.connect(world._wires[-1])
    assert inbox.take() == Up()
    connection.send(HELLO)
    assert again.take().body == HELLO


def test_closing_says_nothing_more(world: World) -> None:
    connection, inbox = world.joined()
    connection.close()
    connection.close()
    world._wires[-1]._common.loop.call(lambda: None)
    assert inbox.is_empty()
    assert not world._wires[-1]._common.open


def test_nobody_listens(world: World) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        _, inbox = world.connect(world.wire(), f"tcp://127.0.0.1:{unused.getsockname()[1]}")
        assert down_reason(inbox) == "nobody listens there"


@pytest.mark.parametrize(("endpoint", "key"), [("tcp://nowhere", ""), ("tcp://127.0.0.1:1", "#" * 40)])
def test_an_endpoint_or_key_that_is_none(world: World, endpoint: str, key: str) -> None:
    _, inbox = world.connect(world.wire(), endpoint, key)
    assert down_reason(inbox) == "cannot connect: Invalid argument"


def test_a_port_that_is_taken_is_said_clearly(world: World) -> None:
    with pytest.raises(EndpointError, match=r"cannot listen on tcp://127.0.0.1:\d+: Address already in use"):
        world.listen(world.heard.put, world.listener.endpoint)


def test_an_address_that_is_not_ours(world: World) -> None:
    with pytest.raises(EndpointError, match=r"cannot listen on tcp://192\.0\.2\.1:0: "):
        world.listen(world.heard.put, "tcp://192.0.2.1:0")


def test_an_owner_that_fails_costs_its_batch_alone(world: World) -> None:
    batches = 0
    second = threading.Event()

    def fail_first(_batch: list[Received]) -> None:
        nonlocal batches
        batches += 1
        if batches == 1:
            raise LookupError
        second.set()

    world.listener = world.listen(fail_first)
    connection, _ = world.joined()
    while not second.is_set():
        connection.send(HELLO)
        second.wait(0.01)
    assert world.server.is_alive()


def test_a_name_that_never_answers_is_given_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transport.connection.HANDSHAKE_NS", 20_000_000)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        _, inbox = world.connect(world.wire(), f"tcp://127.0.0.1:{silent.getsockname()[1]}")
        assert down_reason(inbox) == "no answer"


def test_a_closed_wire_says_so() -> None:
    world = World()
    world.close()
    assert not world.server.is_alive()
    world.listener.send([])
    with pytest.raises(TransportError, match="closed"):
        world.listen(world.heard.put)


def test_nothing_leaks() -> None:
    def open_files() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    def live_and_die() -> None:
        world = World()
        connection, inbox = world.joined()
        connection.send(HELLO)
        world.acknowledge(world.heard.take())
        inbox.take()
        for _ in range(5):
            _, refused = world.connect(world.wire(make_keys()))
            down_reason(refused)
        world.close()

    live_and_die()
    before = open_files(), threading.active_count()
    for _ in range(3):
        live_and_die()
    assert (open_files(), threading.active_count()) == before
