"""What both ends of a link share: what they deliver, what they count, how they read and refuse."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

import zmq
from msgspec import Struct

from hardware.clock import Clock
from transport.complaints import Complaints
from transport.envelope import FRAMES, encode, limits_of
from transport.errors import EnvelopeError
from transport.keys import KeyPair, Peer
from transport.loop import Loop
from transport.messages import Error, Header, Message
from transport.zap import Gate

BATCH = 256  # messages that one poll hands on at most, so that no socket starves the others
BATCH_SIZE = 1 << 20  # bytes of them, after which it stops too
NOBLOCK = int(zmq.NOBLOCK)  # as numbers: pyzmq's enumerations cost more than the call
NOBLOCK_MORE = int(zmq.NOBLOCK | zmq.SNDMORE)
T = TypeVar("T")
Types = Collection[type[Message]]


class Received(Struct, frozen=True, gc=False):
    """A message that passed the door. `peer` is whom the key names, none from the server that was connected to.

    `route` is where to answer; `at_ns` monotonic, when its batch was read.
    """

    peer: Peer | None
    route: bytes
    header: Header
    body: Message
    at_ns: int


class Up(Struct, frozen=True):
    """The server proved its key and let ours in: what is sent from now on can arrive."""


class Down(Struct, frozen=True):
    """The connection is over, and this the last that it delivers: its socket is closed."""

    reason: str


Happening = Received | Up | Down


class Outgoing(Struct, frozen=True, gc=False):
    """A message and where it goes."""

    route: bytes
    message: Message
    reply_to: int = 0
    session: str = ""
    sequence: int = 0


@dataclass(slots=True)
class Counters:
    """What went through a link since it was made. Written on the loop's thread, read anywhere."""

    received: int = 0
    refused: int = 0  # malformed, of a wrong type, from a key that is no longer allowed
    unsent: int = 0  # to a peer that is gone or does not read


class Link(Protocol):
    """Either end, as the wire sees it when it closes."""

    def shut(self) -> None:
        """Close the socket, on the loop's thread."""


@dataclass(frozen=True, slots=True)
class Common:
    """What every link of a process shares."""

    loop: Loop
    gate: Gate
    complaints: Complaints
    keys: KeyPair
    clock: Clock
    open: set[Link] = field(default_factory=set)

    def hand_over(self, link: str, deliver: Callable[[list[T]], None], batch: list[T]) -> None:
        """Give its owner what a link brought. An owner that fails (an actor that just died) costs only this batch."""
        try:
            deliver(batch)
        except Exception as error:  # noqa: BLE001 - the owner's code, on a thread that serves others too
            self.complaints.note(link, f"nobody takes what arrives: {type(error).__name__}")

    def refusal(self, culprit: str, error: EnvelopeError, number: int) -> list[bytes] | None:
        """Log what was refused and make the answer; none to an error, nor to a culprit that had enough of them."""
        heard = self.complaints.note(culprit, f"{error.code}: {error.text}")
        if not heard or error.kind == Error.TYPE:
            return None
        message = Error(code=error.code, text=error.text)
        return encode(message, id=number, sent_us=self.clock.wall_us(), reply_to=error.reply_to)


def largest(types: Iterable[type[Message]]) -> int:
    """Tell how many bytes the largest body among these messages may have."""
    return max(limits_of(kind).size for kind in types)


def receive(socket: zmq.Socket[bytes]) -> list[zmq.Frame]:
    """Read one message; of too many frames, no more than shows it.

    Frame by frame it takes two thirds of `recv_multipart`'s time, and the first carries whose key it was.

    Raises:
        zmq.Again: there is none.
    """
    frame = socket.recv(NOBLOCK, copy=False)
    frames = [frame]
    while frame.more:
        frame = socket.recv(NOBLOCK, copy=False)
        if len(frames) <= FRAMES + 1:
            frames.append(frame)
    return frames


def transmit(socket: zmq.Socket[bytes], frames: list[bytes]) -> None:
    """Send one message whole or, with an exception, not at all.

    Raises:
        zmq.ZMQError: EHOSTUNREACH, the route is gone; EAGAIN, the other side does not read.
    """
    for frame in frames[:-1]:
        socket.send(frame, NOBLOCK_MORE)
    socket.send(frames[-1], NOBLOCK)
