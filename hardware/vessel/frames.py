"""The frames between a simulated bus and its clients, over a Unix stream socket.

A frame is `length: u32 | kind: u8 | payload` (big endian; length counts the payload alone). A client sends one request
and waits for its one answer. `TRANSFER` is an I2C transaction: `count: u8`, then for each message `address: u16 |
flags: u16 (1 = read) | length: u16`, followed by the bytes when it is a write. `DONE` answers with the bytes of the
reads one after another, `FAILED` with `errno: u16` and a text in UTF-8. A kind that a socket does not know is answered
with `FAILED` (EOPNOTSUPP).

The GPIO chip's socket takes `TAKE` (`line: u16 | flags: u8`, 1 = active low, 2 = active, then the consumer's name in
UTF-8: take a line as output with this level), `SET` (`line: u16 | active: u8`), `GET` (`line: u16`, answered with one
byte) and `RELEASE` (`line: u16`); a connection that ends releases its lines.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

HEADER = struct.Struct("!IB")
MESSAGE = struct.Struct("!HHH")
ERROR_NUMBER = struct.Struct("!H")
LINE = struct.Struct("!H")
LINE_LEVEL = struct.Struct("!HB")
READ_FLAG = 1
ACTIVE_LOW_FLAG, ACTIVE_FLAG = 1, 2
LONGEST_FRAME = 65536
MOST_MESSAGES = 42  # I2C_RDWR_IOCTL_MAX_MSGS of Linux' uapi/linux/i2c-dev.h


class Kind(IntEnum):
    """What a frame is."""

    TRANSFER = 1
    DONE = 2
    FAILED = 3
    TAKE = 4
    SET = 5
    GET = 6
    RELEASE = 7


class FrameError(ValueError):
    """Bytes that are no frame; the connection cannot go on."""


@dataclass(frozen=True, slots=True)
class Write:
    """One message of a transaction, to the circuit at `address`."""

    address: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Read:
    """One message of a transaction, `count` bytes from the circuit at `address`."""

    address: int
    count: int


def frame(kind: Kind, payload: bytes) -> bytes:
    """Make one frame."""
    return HEADER.pack(len(payload), kind) + payload


def encode_transfer(messages: Sequence[Read | Write]) -> bytes:
    """Make the frame of one I2C transaction."""
    parts = [bytes([len(messages)])]
    for message in messages:
        match message:
            case Read(address, count):
                parts.append(MESSAGE.pack(address, READ_FLAG, count))
            case Write(address, data):
                parts.append(MESSAGE.pack(address, 0, len(data)) + data)
    return frame(Kind.TRANSFER, b"".join(parts))


def decode_transfer(payload: bytes) -> list[Read | Write]:
    """Take a transaction apart; raises `FrameError`."""
    messages: list[Read | Write] = []
    position = 1
    try:
        for _ in range(payload[0]):
            address, flags, length = MESSAGE.unpack_from(payload, position)
            position += MESSAGE.size
            if flags & READ_FLAG:
                messages.append(Read(address, length))
            else:
                messages.append(Write(address, payload[position : position + length]))
                position += length
    except (IndexError, struct.error):
        raise FrameError("a transfer that ends before its last message") from None
    if position != len(payload) or len(messages) > MOST_MESSAGES:
        raise FrameError("a transfer whose lengths do not add up")
    return messages


def encode_failure(number: int, text: str) -> bytes:
    """Make the answer to a transfer that failed the way `errno` says."""
    return frame(Kind.FAILED, ERROR_NUMBER.pack(number) + text.encode())


def decode_failure(payload: bytes) -> OSError:
    """Make the error that Linux would have raised; raises `FrameError`."""
    if len(payload) < ERROR_NUMBER.size:
        raise FrameError("a failure without a number")
    (number,) = ERROR_NUMBER.unpack_from(payload)
    return OSError(number, payload[ERROR_NUMBER.size :].decode(errors="replace"))


class Unpacker:
    """Cuts a stream of bytes into frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """Take bytes as they came, give the frames that are whole now; raises `FrameError`."""
        self._buffer += data
        frames = []
        while len(self._buffer) >= HEADER.size:
            length, kind = HEADER.unpack_from(self._buffer)
            if length > LONGEST_FRAME:
                raise FrameError(f"a frame of {length} bytes, {LONGEST_FRAME} at most")
            end = HEADER.size + length
            if len(self._buffer) < end:
                break
            frames.append((kind, bytes(self._buffer[HEADER.size : end])))
            del self._buffer[:end]
        return frames
