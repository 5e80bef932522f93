"""Whoever has no key, or is nobody that we look for: turned away, counted, named; nobody else notices."""

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
import zmq

from tests.transport.proxy import Proxy
from tests.transport.world import PATIENCE, World, eventually, message_in
from transport import sockets
from transport.complaints import PER_WINDOW
from transport.messages import Ack, Hello
from transport.wire import Down, Up

GREETING = b"\xff\0\0\0\0\0\0\0\x01\x7f"  # ZMTP 3, cut short
TLS = bytes.fromhex("16030100050100000100")
HELLO = Hello(software="something to be read")
FIRST_WORDS = [b"", GREETING, GREETING + b"\x03", b"\xff" * 5000]
UNTOLD = [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", TLS, b"\0" * 5000]  # libzmq hangs up and tells of nothing


@pytest.fixture
def hasty(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """A world whose handshakes have no more than 150 ms."""
    monkeypatch.setitem(sockets._COMMON, zmq.HANDSHAKE_IVL, 150)
    world.listener = world.listen(world.heard.put)
    return world


def address_of(endpoint: str) -> tuple[str, int]:
    return "127.0.0.1", int(endpoint.rsplit(":", 1)[1])


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - no paths needed


def test_who_never_finishes_a_handshake_is_let_go_counted_and_named(hasty: World, said: list[str]) -> None:
    good, inbox = hasty.joined("good")
    before = descriptors()
    first_words = (FIRST_WORDS + UNTOLD) * 10
    strangers = [socket.create_connection(address_of(hasty.listener.endpoint), PATIENCE) for _ in first_words]
    for stranger, words in zip(strangers, first_words, strict=True):
        with suppress(OSError):  # on a busy machine it may be over already
            stranger.sendall(words)
    for stranger in strangers:
        with stranger:
            read_all(stranger)
    eventually(lambda: len(FIRST_WORDS) * 10 <= hasty.server.denied <= len(first_words))
    eventually(lambda: len(hasty.listener._callers) == 1)
    assert descriptors() == before
    assert any(line.startswith("stranger at 127.0.0.1: ") for line in said)
    assert len(said) <= 2 * PER_WINDOW  # the other ten are of those who left before anybody could look
    good.send(HELLO)
    hasty.acknowledge(hasty.heard.take())
    assert message_in(inbox.take()) == Ack(next_interval=5.0)


def read_all(connection: socket.socket) -> bytes:
    """Read until the other side hangs up."""
    heard = b""
    try:
        while more := connection.recv(4096):
            heard += more
    except ConnectionResetError:
        pass
    return heard


def test_a_port_scan_leaves_nothing_and_waits_for_nobody(world: World) -> None:
    """libzmq tells of each connection: were its thread to wait for ours to listen, our `close` would wait for it."""
    good, inbox = world.joined("good")
    before = descriptors()
    held, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        held.set()
        go_on.wait()

    world.server._common.loop.post(hold)
    held.wait()
    strangers = [socket.create_connection(address_of(world.listener.endpoint), PATIENCE) for _ in range(800)]
    try:
        for stranger in strangers:
            stranger.shutdown(socket.SHUT_WR)
        for stranger in strangers:
            with stranger:
                read_all(stranger)
    finally:
        go_on.set()
    eventually(lambda: world.server.denied == len(strangers))
    assert len(world.listener._callers) == 1
    assert descriptors() == before
    good.send(HELLO)
    world.acknowledge(world.heard.take())
    assert message_in(inbox.take()) == Ack(next_interval=5.0)


def test_above_the_most_connections_the_newest_is_cut_off_and_said_so(world: World, said: list[str]) -> None:
    world.listener._callers._most = 10
    good, inbox = world.joined("good")
    strangers = [socket.create_connection(address_of(world.listener.endpoint), PATIENCE) for _ in range(12)]
    for stranger in strangers[-3:]:
        read_all(stranger)
    assert any("too many connections" in line for line in said)
    good.send(HELLO)
    world.acknowledge(world.heard.take())
    assert message_in(inbox.take()) == Ack(next_interval=5.0)
    for stranger in strangers:
        stranger.close()


@pytest.fixture
def proxy(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    for option, value in ((zmq.HEARTBEAT_IVL, 50), (zmq.HEARTBEAT_TIMEOUT, 150), (zmq.HEARTBEAT_TTL, 200)):
        monkeypatch.setitem(sockets._COMMON, option, value)
    made = Proxy(world.listener.endpoint)
    yield made
    made.close()


def test_bytes_that_come_twice_are_heard_once_and_end_the_connection(world: World, proxy: Proxy) -> None:
    """CURVE numbers what it seals: whoever sits between repeats nothing."""
    connection, inbox = world.connect(world.wire(world.admit("tank-1")), proxy.endpoint)
    assert inbox.take() == Up()
    connection.send(HELLO)
    assert world.heard.take().body == HELLO
    proxy.twice.set()
    connection.send(Hello(software="once"))
    assert world.heard.take().body == Hello(software="once")
    assert inbox.take() == Down("disconnected")
    assert world.heard.is_empty()


def test_what_was_recorded_says_nothing_on_another_connection(world: World, proxy: Proxy) -> None:
    connection, inbox = world.connect(world.wire(world.admit("tank-1")), proxy.endpoint)
    assert inbox.take() == Up()
    connection.send(HELLO)
    assert world.heard.take().body == HELLO
    with socket.create_connection(address_of(world.listener.endpoint), PATIENCE) as thief:
        thief.sendall(proxy.tapes[0])
        assert HELLO.software.encode() not in read_all(thief)
    eventually(lambda: world.server.denied == 1)
    assert world.heard.is_empty()


# --- the other side of it: whoever took the port of a server that is gone


def answer(words: bytes) -> Callable[[socket.socket], None]:
    def say(client: socket.socket) -> None:
        client.recv(4096)
        client.sendall(words)

    return say


def echo(client: socket.socket) -> None:
    while heard := client.recv(4096):
        client.sendall(heard)


def nothing(client: socket.socket) -> None:
    client.recv(1)
    while client.recv(4096):
        pass


@pytest.mark.parametrize(
    "foreigner",
    [answer(b"HTTP/1.1 400 Bad Request\r\n\r\n"), answer(GREETING), answer(TLS * 100), lambda _: None, echo, nothing],
    ids=["http", "half a greeting", "noise", "hangs up", "echo", "silence"],
)
def test_a_foreign_process_on_the_port_hears_nothing_of_us(
    world: World, monkeypatch: pytest.MonkeyPatch, foreigner: Callable[[socket.socket], None]
) -> None:
    monkeypatch.setitem(sockets._COMMON, zmq.HANDSHAKE_IVL, 50)
    heard: list[bytes] = []

    def serve() -> None:
        client, _ = door.accept()
        with client, suppress(OSError):
            heard.append(client.recv(4096, socket.MSG_PEEK))
            foreigner(client)

    with socket.create_server(("127.0.0.1", 0)) as door:
        thread = threading.Thread(target=serve)
        thread.start()
        connection, inbox = world.connect(world.wire(), f"tcp://127.0.0.1:{door.getsockname()[1]}")
        connection.send(HELLO)
        happening = inbox.take()
        thread.join()
    assert isinstance(happening, Down)
    assert b"".join(heard)[:10] == GREETING
    assert HELLO.software.encode() not in b"".join(heard)


def test_a_server_without_our_curve_is_not_spoken_to(world: World) -> None:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    router = context.socket(zmq.ROUTER)
    router.linger = 0
    port = router.bind_to_random_port("tcp://127.0.0.1")
    connection, inbox = world.connect(world.wire(), f"tcp://127.0.0.1:{port}")
    connection.send(HELLO)
    happening = inbox.take()
    assert isinstance(happening, Down)
    assert happening.reason.startswith("no handshake")
    assert not router.poll(20)
    router.close()
    context.term()
