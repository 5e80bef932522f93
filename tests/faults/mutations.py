"""Valid input, spoiled: bits, bytes, pieces, types, lengths. A seeded source decides, so that all of it comes again."""

import random
import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgpack  # type: ignore[import-untyped] # it brings no types

Frames = list[bytes]

# Bytes that mean something to msgpack, to text, to numbers: types, lengths, ends, signs.
TELLING = bytes.fromhex("00017f8090a0c0c1c4c7cacbcccfd0d3d4d8d9dbdcdddedfe0ff") + b"\r\n*?,.-9"
# Values of every type and at every edge, the ones that a field did not expect.
STRANGE: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2**31, 2**53, 2**53 + 1, 2**62 + 1, -(2**63), 2**64 - 1),
    *(0.0, -0.0, 5e-324, 1.7976931348623157e308, float("inf"), float("-inf"), float("nan")),
    *("", "x", "x" * 33, "x" * 201, "x" * 5000, "two\nlines", "\u2028", "\ud7ff\U0010ffff", "tcp://", "../..", "'; --"),
    *(b"", b"x" * 5000, [], [[]], [0] * 513, {}, {"": 0}, {"x": {"x": {"x": []}}}),
    *(msgpack.ExtType(5, b"five"), msgpack.Timestamp(2**34), msgpack.Timestamp(0, 999_999_999)),
)
# Values that a field may well expect, and nobody says.
EXTREME: Mapping[type, tuple[Any, ...]] = {
    int: (0, 1, 2, 3, 2**52, 2**52 + 1, 2**53 - 1, 2**53, 2**62),
    float: (0.0, -0.0, 5e-324, 1e-3, 366 * 86_400.0, 1.7976931348623157e308, -1.7976931348623157e308),
    str: ("", "x", "x" * 32, "x" * 200, "tank-1", "tank-2", "heater", "ph", "self", "nobody", "tcp://127.0.0.1:9"),
    bool: (False, True),
}
_MOST_TIMES = 200  # that a list's elements come again
# Frames that are cheap to send: they claim or nest what is dear to build.
BOMBS = tuple(
    (b"\x82\xa1x" + head * count)[: 64 * 1024]
    for head, count in (
        (b"\x91", 70_000),
        (b"\x81\xa1a", 30_000),
        (b"\xdc\x02\x00", 22_000),
        (b"\xdd\xff\xff\xff\xff", 14_000),
        (b"\xde\x00\x40\xa1a", 14_000),
        (b"\xdb\xff\xff\xff\xff", 14_000),
        (b"\xdc\x00\x78" + (b"\xdc\x02\x00" + b"\x90" * 512) * 120, 1),
        (b"\xc7\xff\x05", 14_000),
        (b"\xd7\xff\xff\xff\xff\xff\xff\xff\xff\xff", 6000),
    )
)
_LONGEST_RUN = 400


def spoil_bytes(source: random.Random, data: bytes) -> bytes:
    """Change one to four spots of some bytes."""
    spoilt = bytearray(data)
    for _ in range(source.choice((1, 1, 1, 2, 3, 4))):
        at = source.randrange(len(spoilt) + 1)
        length = source.randrange(1, 9)
        match source.randrange(8):
            case 0 | 1 if at:
                spoilt[at - 1] ^= 1 << source.randrange(8)
            case 2 if at:
                spoilt[at - 1] = source.choice(TELLING)
            case 3:
                spoilt[at:at] = source.randbytes(length)
            case 4:
                del spoilt[at : at + length]
            case 5:
                del spoilt[at:]
            case 6:
                spoilt[at:at] = struct.pack(source.choice((">H", ">I", ">Q")), source.choice((0, 1, 512, 65_535)))
            case _:
                spoilt[at:at] = spoilt[at : at + length] * source.randrange(1, _LONGEST_RUN // length)
    return bytes(spoilt)


def spoil_frames(source: random.Random, frames: Sequence[bytes], other: Sequence[bytes]) -> Frames:
    """Spoil a message of several frames; `other` is another one, to be spliced with."""
    spoilt = list(frames)
    at = source.randrange(len(spoilt))
    match source.randrange(16):
        case 0:
            spoilt.insert(at, source.randbytes(source.randrange(20)))
        case 1:
            del spoilt[at]
        case 2:
            spoilt[at] = other[at]
        case 3:
            cut = source.randrange(len(spoilt[at]) + 1)
            spoilt[at] = spoilt[at][:cut] + other[at][source.randrange(len(other[at]) + 1) :]
        case 4 | 5 | 6 | 7:
            at = source.choice((1, 2, 2, 2))
            spoilt[at] = msgpack.packb(_changed(source, msgpack.unpackb(spoilt[at]), _strange), strict_types=False)
        case 8 if source.random() < 0.05:
            spoilt[at] = source.choice(BOMBS)
        case _:
            spoilt[at] = spoil_bytes(source, spoilt[at])
    return spoilt


def strain_frames(source: random.Random, frames: Sequence[bytes]) -> Frames:
    """Make a message strange that stays valid, mostly: numbers at their limits, others' names, long lists."""
    tag, header, packed = frames
    body = msgpack.unpackb(packed)
    for _ in range(source.choice((1, 1, 2, 3, 5))):
        body = _changed(source, body, _extreme)
    return [tag, header, msgpack.packb(body)]


def _strange(source: random.Random, _value: Any) -> Any:  # noqa: ANN401 - whatever msgpack can hold
    return source.choice(STRANGE)


def _extreme(source: random.Random, value: Any) -> Any:  # noqa: ANN401 - whatever msgpack can hold
    if isinstance(value, list):
        return (value * source.choice((0, 1, 2, _MOST_TIMES)))[: source.choice((_MOST_TIMES, 10))]
    if isinstance(value, str) and source.random() < 0.3:
        return f"n{source.randrange(10**6)}"  # each time another name
    return source.choice(EXTREME.get(type(value), (value,)))


def _changed(source: random.Random, value: Any, change: Callable[[random.Random, Any], Any]) -> Any:  # noqa: ANN401 - as above
    """Change one value, however deep it stands, or put something strange beside it."""
    if not isinstance(value, (dict, list)) or not value or source.random() < 0.1:
        return change(source, value)
    if isinstance(value, list):
        at = source.randrange(len(value))
        return [*value[:at], _changed(source, value[at], change), *value[at + 1 :]]
    key = source.choice(list(value))
    match source.randrange(10):
        case 0:
            return {name: one for name, one in value.items() if name != key}
        case 1:
            return {**value, source.choice(("", "x", "x" * 40, key + "\n")): source.choice(STRANGE)}
        case _:
            return {**value, key: _changed(source, value[key], change)}
