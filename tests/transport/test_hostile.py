"""Whatever comes to an open port, the good peers are served."""

import random
import resource
import socket
import threading
from contextlib import suppress

import pytest
import zmq

from tests.transport.world import World, eventually, message_in
from transport.complaints import PER_WINDOW
from transport.envelope import encode
from transport.links import BATCH
from transport.listener import TOO_MANY
from transport.loop import Loop
from transport.messages import Ack, Backlog, Hello, Reading, Status
from transport.sockets import Watched
from transport.wire import Counters, Down, Outgoing, Up

STATUS = Status(
    now_us=5,
    readings=[Reading("ph", "ph", 7.0, "ok", 4)] * 12,
    backlog=Backlog(waiting=0, oldest=0.0, refused=0, dropped=0),
    clock_known=True,
    clock_offset=None,
    database="",
)


def mutated(source: random.Random, frames: list[bytes]) -> list[bytes]:
    """Change one to four spots: a bit, a byte more or less, a cut, a frame more, less or twice."""
    frames = list(frames)
    for _ in range(source.randint(1, 4)):
        spot = source.randrange(len(frames))
        frame = bytearray(frames[spot])
        where = source.randrange(len(frame) + 1)
        match source.randrange(7):
            case 0 if frame:
                frame[where - 1] ^= 1 << source.randrange(8)
            case 1:
                frame[where:where] = source.randbytes(source.randint(1, 8))
            case 2:
                del frame[where : where + source.randint(1, 8)]
            case 3:
                del frame[where:]
            case 4:
                frames.insert(spot, source.randbytes(source.randrange(20)))
                continue
            case 5 if len(frames) > 1:
                del frames[spot]
                continue
            case _:
                frames.append(frames[spot])
                continue
        frames[spot] = bytes(frame)
    return frames


def test_ten_thousand_mutated_messages_harm_nobody(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transport.listener.TOO_MANY", 10_000)  # nobody is cut off
    good, inbox = world.joined("good")
    evil = world.raw(world.admit("evil"))
    source = random.Random(4)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    valid = encode(STATUS, id=7)
    for number in range(10_000):
        evil.socket.send_multipart(mutated(source, valid))
        if number % 1000 == 0:
            good.send(Hello(software="still here"))
    served = 0
    while served < 10:
        received = world.heard.take()
        if received.peer is not None and received.peer.name == "good":
            served += 1
            world.acknowledge(received)
            assert message_in(inbox.take()) == Ack(next_interval=5.0)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 20 * 1024  # KiB
    assert world.server.is_alive()
    eventually(lambda: world.listener.counters.refused > 5000)
    evil.close()


def test_nonsense_is_answered_only_so_often(world: World) -> None:
    evil = world.raw(world.admit("evil"))
    for _ in range(10 * PER_WINDOW):
        evil.socket.send_multipart([b"nonsense"])
    evil.socket.send_multipart(encode(STATUS, id=7))
    world.acknowledge(world.heard.take())
    answers = 0
    while b"malformed" in evil.socket.recv_multipart()[2]:
        answers += 1
    assert answers == PER_WINDOW
    evil.close()


def test_who_goes_on_doing_wrong_is_cut_off_for_the_rest_of_the_minute(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, inbox = world.joined("good")
    keys = world.admit("evil")
    evil = world.raw(keys)
    for _ in range(TOO_MANY):
        evil.socket.send_multipart([b"nonsense"])
    assert evil.is_cut_off()
    _, again = world.connect(world.wire(keys))
    assert again.take() == Down("our key is not allowed there")
    good.send(Hello(software=""))
    world.acknowledge(world.heard.take())
    assert message_in(inbox.take()) == Ack(next_interval=5.0)
    monkeypatch.setattr("transport.complaints.WINDOW_NS", 0)  # the minute is over
    _, again = world.connect(world.wire(keys))
    assert again.take() == Up()
    evil.close()


def test_bombs_cost_their_sender_his_answer_and_nobody_else(world: World) -> None:
    good, inbox = world.joined("good")
    evil = world.raw(world.admit("evil"))
    tag, header, _ = encode(STATUS, id=7)
    deep, wide = b"\x91" * 60_000, b"\xdd\xff\xff\xff\xff" * 10_000
    bombs = [
        deep,
        wide,
        b"\xdf\xff\xff\xff\xff",
        b"\xdb\xff\xff\xff\xffx",
        b"\xc9\xff\xff\xff\xff\1",
        b"\x81\xa1a\xc7\4\1abcd",
    ]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for number in range(10 * len(bombs)):
        evil.socket.send_multipart([tag, header, bombs[number % len(bombs)]])
    eventually(lambda: world.listener.counters.refused == 10 * len(bombs))
    assert b"malformed" in evil.socket.recv_multipart()[2]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 10 * 1024  # KiB
    good.send(Hello(software=""))
    world.acknowledge(world.heard.take())
    assert message_in(inbox.take()) == Ack(next_interval=5.0)
    evil.close()


def test_while_its_owner_is_busy_nothing_is_read_and_nothing_lost(world: World) -> None:
    """A flood of what is allowed waits with who sends it, not in an inbox without end."""
    busy = threading.Event()
    busy.set()
    world.listener = world.listen(world.heard.put, busy=busy.is_set)
    good, _ = world.joined("good")
    evil = world.raw(world.admit("evil"))
    evil.socket.sndtimeo = 100
    sent = 0
    with suppress(zmq.Again):
        for sent in range(10_000):  # noqa: B007 - how far it came
            evil.socket.send_multipart([*encode(STATUS, id=1)[:2], b"x" * 60_000])
    assert 20 < sent < 2000  # the queues of both ends and the kernel's, and no more
    assert world.listener.counters == Counters()
    good.send(Hello(software=""))
    assert world.heard.is_empty()
    busy.clear()
    assert world.heard.take().body == Hello(software="")
    evil.close()


def test_a_message_of_many_frames_is_one_refusal(world: World) -> None:
    evil = world.raw(world.admit("evil"))
    evil.socket.send_multipart([b"x"] * 100_000)
    assert b"not three frames" in evil.socket.recv_multipart()[2]
    assert world.listener.counters.refused == 1
    evil.close()


def test_a_frame_above_the_sockets_limit_cuts_its_sender_alone(world: World) -> None:
    good, inbox = world.joined("good")
    evil = world.raw(world.admit("evil"))
    evil.socket.send_multipart([b"x" * (3 * 2**20)])
    good.send(Hello(software=""))
    world.acknowledge(world.heard.take())
    assert message_in(inbox.take()) == Ack(next_interval=5.0)
    assert world.listener.counters.refused == 0
    assert evil.is_cut_off()
    evil.close()


def test_a_flood_from_one_peer_leaves_room_for_another(world: World) -> None:
    evil = world.raw(world.admit("evil"))
    good, inbox = world.joined("good")
    for _ in range(4 * BATCH):
        evil.socket.send_multipart(encode(STATUS, id=1))
    good.send(Hello(software=""))
    while (received := world.heard.take()).peer is None or received.peer.name != "good":
        pass
    world.acknowledge(received)
    assert message_in(inbox.take()) == Ack(next_interval=5.0)
    evil.close()


def test_a_peer_that_does_not_read_loses_its_messages_and_no_other(world: World) -> None:
    lazy = world.raw(world.admit("lazy"))
    good, inbox = world.joined("good")
    lazy.socket.send_multipart(encode(Hello(software=""), id=1))
    route = world.heard.take().route
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    world.listener.send([Outgoing(route, Hello(software="x" * 60_000))] * 600)
    good.send(Hello(software=""))
    world.acknowledge(world.heard.take())
    assert message_in(inbox.take()) == Ack(next_interval=5.0)
    assert world.listener.counters.unsent > 200  # the rest waits in socket buffers
    assert (
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 * 1024
    )  # KiB, of which 120 MB are the test's
    lazy.close()


def test_a_listener_may_have_more_peers_than_a_shell_allows_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    world = World()
    raised, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    world.close()
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert raised == min(hard, 65_536)


def test_strangers_on_the_port_are_let_go_and_others_served(world: World) -> None:
    address = ("127.0.0.1", int(world.listener.endpoint.rsplit(":", 1)[1]))
    http = socket.create_connection(address)
    http.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    noise = socket.create_connection(address)
    noise.sendall(random.Random(1).randbytes(5000))
    idle = [socket.create_connection(address) for _ in range(50)]
    _, inbox = world.joined("good")
    assert inbox.is_empty()
    assert world.server.is_alive()
    for stranger in (http, noise, *idle):
        stranger.close()


BOTH = {zmq.LINGER: 0, zmq.HEARTBEAT_IVL: 2000, zmq.HEARTBEAT_TIMEOUT: 6000, zmq.HANDSHAKE_IVL: 3000}


def read_options(loop: Loop, watched: Watched | None, options: dict[zmq.SocketOption, int]) -> dict[object, object]:
    assert watched is not None
    return loop.call(lambda: {option: watched.socket.get(option) for option in options})


def test_sockets_are_set_as_intended(world: World) -> None:
    """What no unit test can wait for: times of heartbeat and handshake, and what is never queued."""
    connection, _ = world.joined()
    listening = {**BOTH, zmq.ZAP_ENFORCE_DOMAIN: 1, zmq.SNDHWM: 200, zmq.CURVE_SERVER: 1}
    assert read_options(world.server._common.loop, world.listener._watched, listening) == listening
    connecting = {**BOTH, zmq.IMMEDIATE: 1, zmq.SNDHWM: 50, zmq.RECONNECT_IVL: -1, zmq.CONNECT_TIMEOUT: 3000}
    assert read_options(connection._common.loop, connection._watched, connecting) == connecting
