"""The envelope: three frames, tag | header | body, and the limits under which foreign bytes are unpacked.

Everything that arrives is checked here, once: behind `decode` stands a typed message or one `EnvelopeError`. Callable
from any thread. The normative text is `docs/protocol.md`.
"""

import re
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import msgpack  # type: ignore[import-untyped] # it brings no types
import msgspec

from transport.errors import EnvelopeError
from transport.messages import MESSAGES, Header, Message, body_of

TAG = b"RCT1"  # the protocol and its major version
FRAMES = 3


class Limits(NamedTuple):
    """What one frame may hold: bytes, and elements of any one array or map in it."""

    size: int
    elements: int


HEADER_LIMITS = Limits(512, 32)
LIMITS = Limits(64 * 1024, 512)
LONG = Limits(1024 * 1024, 512)  # for what a reactor says of all that is wired to it
LARGE = Limits(2 * 1024 * 1024, 20_000)  # for the WIDE messages, which no reactor and no operator sends
MAX_MAP = 64
MAX_STRING = 4096  # longer than any field, so that a later version's unknown fields pass


class Envelope(NamedTuple):
    """One message as it arrived."""

    header: Header
    body: Message


def limits_of(kind: type[Message]) -> Limits:
    """Tell how large the body of this message may be."""
    if kind.WIDE:
        return LARGE
    return LONG if kind.LONG else LIMITS


def encode(  # noqa: PLR0913 - the header's fields
    message: Message,
    *,
    id: int,  # noqa: A002 - the field's name on the wire
    session: str = "",
    sequence: int = 0,
    sent_us: int = 0,
    reply_to: int = 0,
) -> list[bytes]:
    """Make the three frames of a message.

    Raises:
        EnvelopeError: `too_large`, when the body exceeds its limit: it is refused here, not by the other side.
    """
    header = {
        "type": message.TYPE,
        "id": id,
        "session": session,
        "sequence": sequence,
        "sent_us": sent_us,
        "reply_to": reply_to,
    }
    body: bytes = msgpack.packb(body_of(message))
    size = limits_of(type(message)).size
    if len(body) > size:
        raise EnvelopeError("too_large", f"{message.TYPE} of {len(body)} bytes, limit {size}", kind=message.TYPE)
    return [TAG, msgpack.packb(header), body]


def decode(frames: Sequence[bytes], accept: Collection[str] = MESSAGES) -> Envelope:
    """Turn frames into a typed message, whatever they hold; `accept` names the types that this peer may send here.

    Raises:
        EnvelopeError: the frames are no such message.
    """
    if len(frames) != FRAMES:
        raise EnvelopeError("malformed", "not three frames")
    tag, head, body = frames
    if tag != TAG:
        _refuse_tag(tag)
    header = _header(head)
    kind = MESSAGES.get(header.type)
    if kind is None:
        raise EnvelopeError("type", "unknown type", reply_to=header.id)
    if header.type not in accept:
        raise EnvelopeError("role", "not yours to send here", reply_to=header.id, kind=kind.TYPE)
    try:
        return Envelope(header, msgspec.convert(_unpack(body, limits_of(kind)), kind))
    except msgspec.ValidationError as error:
        raise EnvelopeError("malformed", _field(error), reply_to=header.id, kind=kind.TYPE) from None
    except EnvelopeError as error:
        raise EnvelopeError(error.code, error.text, reply_to=header.id, kind=kind.TYPE) from None


def _refuse_tag(tag: bytes) -> None:
    if len(tag) == len(TAG) and tag.startswith(TAG[:-1]):
        raise EnvelopeError("version", f"this side speaks {TAG.decode()}")
    raise EnvelopeError("malformed", "no protocol tag")


def _header(frame: bytes) -> Header:
    try:
        return msgspec.convert(_unpack(frame, HEADER_LIMITS), Header)
    except msgspec.ValidationError as error:
        raise EnvelopeError("malformed", f"header: {_field(error)}") from None


def _unpack(frame: bytes, limits: Limits) -> dict[str, Any]:
    """Unpack one map. msgpack raises ValueError and its children, but also OverflowError, TypeError, RecursionError."""
    if len(frame) > limits.size:
        raise EnvelopeError("too_large", f"frame above {limits.size} bytes")
    try:
        found = msgpack.unpackb(
            frame,
            object_pairs_hook=_map,
            ext_hook=_no_extension,
            strict_map_key=True,
            max_array_len=limits.elements,
            max_map_len=MAX_MAP,
            max_str_len=MAX_STRING,
            max_bin_len=MAX_STRING,
            max_ext_len=0,
        )
    except Exception:  # noqa: BLE001 - whatever bytes do to the library, they do it to this one call
        raise EnvelopeError("malformed", "no msgpack within the limits") from None
    if type(found) is not dict:
        raise EnvelopeError("malformed", "not a map")
    return found


def _map(pairs: list[tuple[Any, Any]]) -> dict[Any, Any]:
    """Build a map; a key given twice would mean one thing here and another elsewhere."""
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError
    return made


def _no_extension(_code: int, _data: bytes) -> None:
    raise ValueError


_MISSING = re.compile(r"missing required field `(\w+)`")
_PATH = re.compile(r"at `(?:key` in `)?(\$[\w.\[\]]{0,60})`$")


def _field(error: msgspec.ValidationError) -> str:
    """Name the field, from the part of the error that comes from our own structs: the rest may quote the peer."""
    text = str(error)
    path = _PATH.search(text)
    where = path[1] if path else "$"
    missing = _MISSING.search(text)
    return f"{where}.{missing[1]} is missing" if missing else f"bad value at {where}"
