"""Who comes to a server's port and means no good: strangers on raw sockets, and allowed keys without manners.

Every attack is on a port of a real process, blocks until it is over, and may run beside all others.
"""

import os
import socket
import struct
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from itertools import cycle, islice
from random import Random

import msgpack  # type: ignore[import-untyped] # it brings no types
import zmq

from actors import coordinator, manager
from tests.faults.doors import GOLDEN
from tests.faults.mutations import Frames, spoil_frames
from tests.transport.proxy import Proxy
from tests.transport.test_strangers import FIRST_WORDS, GREETING, UNTOLD, address_of, read_all
from tests.transport.world import RawPeer
from transport.envelope import TAG, decode, encode
from transport.errors import EnvelopeError
from transport.keys import KeyPair
from transport.messages import (
    Applied,
    AppliedState,
    Attach,
    Attached,
    Backlog,
    Done,
    Heartbeat,
    Hello,
    Message,
    Placed,
    QuantityInfo,
    Reading,
    Register,
    Rejected,
    SensorInfo,
    Set,
    Status,
    Watch,
    Watching,
    Welcome,
)

MARK = "ATTACKER"  # in every text that an attacker chooses
MOST = 2**53  # of a count
HIGHEST = 1.7976931348623157e308
REACTORS_SAY = {kind.TYPE for accept in (coordinator.ACCEPT, manager.ACCEPT) for kind in accept["reactor"]}
GONE = 20.0  # seconds until a silent connection must be over: 6 s by its heartbeats
WAIT_MS = 100  # between two looks whether a flood is cut off
RESET = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True)
class Port:
    """Where a server listens, and its public key."""

    endpoint: str
    key: str

    def call(self) -> socket.socket:
        """Connect, and say nothing yet."""
        return socket.create_connection(address_of(self.endpoint), GONE)


# --- strangers


def idle(port: Port, count: int) -> None:
    """Connect so often, all at once, and say nothing until all are let go."""
    with ExitStack() as open_:
        for caller in [open_.enter_context(port.call()) for _ in range(count)]:
            read_all(caller)


def scan(port: Port, count: int) -> None:
    """Connect and hang up, in order and not."""
    for number in range(count):
        with port.call() as caller:
            if number % 2:
                caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)


def nonsense(port: Port, times: int) -> None:
    """Speak HTTP, TLS, noise and half a greeting, and wait until the server hangs up."""
    page = f"GET /{MARK} HTTP/1.1\r\nHost: {MARK}\r\n\r\n".encode()
    words = [*FIRST_WORDS, *UNTOLD, page, GREETING + page, os.urandom(5000)] * times
    with ExitStack() as open_:
        callers = [open_.enter_context(port.call()) for _ in words]
        for caller, said in zip(callers, words, strict=True):
            with suppress(OSError):  # it is over already
                caller.sendall(said)
        for caller in callers:
            read_all(caller)


# --- with a key that is allowed


def question(role: str) -> Frames:
    """Make what a server answers at once to whoever has this role there."""
    asked: Message = Hello(software=MARK) if role == "coordinator" else Watch(reactors=[Watching("nobody", 0)])
    return encode(asked, id=1)


def is_let_in(port: Port, keys: KeyPair, asked: Frames) -> bool:
    """Try a key; whether what is asked is answered before the connection is over."""
    with closing(RawPeer(port.endpoint, port.key, keys)) as peer:
        peer.socket.send_multipart(asked)
        while not peer.socket.poll(50):
            if peer.is_cut_off(0):
                return False
        return True


def half_open(port: Port, keys: KeyPair, asked: Frames) -> None:
    """Shake hands, be answered, and let the network swallow all that follows; nobody ever hangs up."""
    with closing(Proxy(port.endpoint)) as proxy, closing(RawPeer(proxy.endpoint, port.key, keys)) as peer:
        peer.socket.send_multipart(asked)
        peer.socket.recv_multipart()
        proxy.swallow_up.set()
        proxy.swallow_down.set()
        assert peer.is_cut_off(GONE)


def repeat(port: Port, keys: KeyPair, asked: Frames) -> None:
    """Have the network say twice what a peer says; then say what was recorded on a connection of its own."""
    with closing(Proxy(port.endpoint)) as proxy:
        with closing(RawPeer(proxy.endpoint, port.key, keys)) as peer:
            peer.socket.send_multipart(asked)
            peer.socket.recv_multipart()
            proxy.twice.set()
            peer.socket.send_multipart(asked)
            assert peer.is_cut_off(GONE)
        tape = proxy.tapes[0]
    with port.call() as thief:
        with suppress(OSError):
            thief.sendall(tape)
        assert MARK.encode() not in read_all(thief)


def flood(port: Port, keys: KeyPair, messages: Iterable[Frames]) -> int:
    """Send them all and read nothing; returns how many before the server would take no more."""
    with closing(RawPeer(port.endpoint, port.key, keys)) as peer:
        return _send_all(peer, messages)


def wrong(source: Random, victims: Sequence[str], count: int) -> Iterator[Frames]:
    """Make messages that no reactor may say: spoiled, of other roles, about other reactors."""
    foreign: list[Message] = [
        Heartbeat(reactors=[Placed(name, MOST) for name in victims], allow_version=MARK),
        Register(number=1, endpoint="tcp://127.0.0.1:9", capacity=MOST, error=MARK),
        *(Set(reactor=name, target="heater", base=0, author=MARK, values={"on": False}) for name in victims),
        *(Watch(reactors=[Watching(name, 0)]) for name in victims),
        Welcome(
            manager=MARK.lower(), endpoint="tcp://127.0.0.1:9", key="0" * 40, epoch=MOST, database=None,
            status_interval=0.0, time_us=0,
        ),
    ]  # fmt: skip
    several = [encode(message, id=MOST, session=MARK) for message in foreign]
    kinds = list(GOLDEN.values())
    several += [spoil_frames(source, source.choice(kinds), source.choice(kinds)) for _ in range(1000)]
    several += [[MARK.encode()] * 3, [b"RCT1", MARK.encode(), b""], [b"RCT9", b"", b""]]
    return islice(cycle(filter(_is_wrong, several)), count)


def _is_wrong(frames: Frames) -> bool:
    try:
        decode(frames, REACTORS_SAY)
    except EnvelopeError:
        return True
    return False


def strange_to_coordinator(count: int) -> Iterator[Frames]:
    """Make hellos that are valid, and that nobody would say."""
    hellos = [
        Hello(software=MARK, epoch=epoch, lost=lost)
        for epoch in (0, 1, MOST - 1, MOST)
        for lost in ("", MARK, "x" * 200, "tcp://127.0.0.1:9")
    ]
    return islice(cycle([encode(hello, id=MOST, session=MARK, sequence=MOST) for hello in hellos]), count)


def strange_to_manager(count: int) -> Iterator[Frames]:
    """Make what a reactor may say, in no session or in another's."""
    said: list[Message] = [
        status(0),
        Applied(target="heater", revision=MOST, read_back={MARK: HIGHEST}, held_by=MARK),
        Rejected(reactor="tank-1", target="heater", revision=MOST, reason=MARK),
        Done(act=MARK, state="done", target="heater", kind="dose", text=MARK, result={MARK: True}),
    ]
    several = [
        encode(each, id=MOST, session=session, sequence=sequence)
        for each in said
        for session in ("", MARK, "0" * 32)
        for sequence in (0, MOST)
    ]
    return islice(cycle(several), count)


# --- one that attaches, and reports what nobody would


QUANTITIES = 32  # of the strange sensor: more than the rows that a writer leaves out


def attach(epoch: int) -> Attach:
    """Describe something strange."""
    sensor = SensorInfo(
        name="strange", label=MARK, driver=MARK, address=MARK, live_interval=0.0, sample_interval=0.0,
        quantities=[
            QuantityInfo(name=f"q{number}", unit=MARK, low=HIGHEST, high=-HIGHEST, decimals=9)
            for number in range(QUANTITIES)
        ],
    )  # fmt: skip
    state = AppliedState("strange", MOST, MARK, {MARK: HIGHEST}, {}, MARK, MARK, MARK)
    return Attach(epoch=epoch, label=MARK, software=MARK, sensors=[sensor], applied=[state])


def status(number: int) -> Status:
    """Report something strange, each time otherwise: of the far future and past, in a clock that leaps."""
    times = (0, 1, MOST, 2**62)
    return Status(
        now_us=times[number % 4],
        readings=[
            Reading("strange", f"q{quantity}", (None, HIGHEST, -0.0, 5e-324)[number % 4], "ok", times[-number % 4])
            for quantity in range(QUANTITIES)
        ],
        backlog=Backlog(waiting=MOST, oldest=0.0, refused=MOST, dropped=MOST),
        clock_known=bool(number % 2),
        clock_offset=HIGHEST,
        database=MARK,
        faults=[MARK],
        devices=[AppliedState("strange", (MOST, 0, 1, MOST - 1)[number % 4], MARK, {MARK: number % 3}, {}, MARK)],
    )


def place(coordinator: Port, keys: KeyPair) -> tuple[Port, int]:
    """Say hello as a reactor does; returns its manager and its epoch."""
    with closing(RawPeer(coordinator.endpoint, coordinator.key, keys)) as peer:
        peer.socket.send_multipart(encode(Hello(software=MARK), id=1))
        welcome = decode(peer.socket.recv_multipart()).body
    assert isinstance(welcome, Welcome)
    return Port(welcome.endpoint, welcome.key), welcome.epoch


def report(port: Port, keys: KeyPair, epoch: int, count: int) -> int:
    """Attach, report so often what nobody would, and read no answer; returns how many reports were taken."""
    with closing(RawPeer(port.endpoint, port.key, keys)) as peer:
        peer.socket.send_multipart(encode(attach(epoch), id=1))
        attached = decode(peer.socket.recv_multipart()).body
        assert isinstance(attached, Attached)
        bodies = [encode(status(number), id=1)[2] for number in range(12)]
        header = {"type": Status.TYPE, "id": MOST, "session": attached.session}
        return _send_all(
            peer,
            ([TAG, msgpack.packb({**header, "sequence": number + 1}), bodies[number % 12]] for number in range(count)),
        )


def _send_all(peer: RawPeer, messages: Iterable[Frames]) -> int:
    """Say all of it, at the pace at which it is taken, or until cut off; returns how many were said."""
    peer.socket.sndtimeo = WAIT_MS
    for sent, message in enumerate(messages):
        while not _send(peer, message):
            if peer.is_cut_off(0):
                return sent
    return sent + 1


def _send(peer: RawPeer, message: Frames) -> bool:
    try:
        peer.socket.send_multipart(message)
    except zmq.Again:
        return False
    return True
