"""The envelope: whatever bytes come, a typed message or one quiet error."""

import json
import struct
import tracemalloc
from collections.abc import Collection
from pathlib import Path

import msgpack  # type: ignore[import-untyped] # it brings no types
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from transport.envelope import LARGE, LIMITS, TAG, Envelope, decode, encode
from transport.errors import EnvelopeError
from transport.messages import MESSAGES, Ack, Allowed, AllowList, Error, Hello, Registered

GOLDEN = [
    [bytes.fromhex(frame) for frame in frames]
    for frames in json.loads((Path(__file__).parent / "golden_rct1.json").read_text(encoding="ascii")).values()
]
HEADER = {"type": "ack", "id": 5}
BODY = {"next_interval": 5.0}
QUIET = 100  # characters that an error's text never exceeds


def packed(header: object = HEADER, body: object = BODY) -> list[bytes]:
    return [TAG, msgpack.packb(header), msgpack.packb(body)]


def fate(frames: list[bytes], accept: Collection[str] = MESSAGES) -> Envelope | EnvelopeError:
    try:
        return decode(frames, accept)
    except EnvelopeError as error:
        return error


def refused(frames: list[bytes], accept: Collection[str] = MESSAGES) -> EnvelopeError:
    error = fate(frames, accept)
    assert isinstance(error, EnvelopeError)
    assert len(error.text) <= QUIET
    assert error.text.isprintable()
    return error


def survives(frames: list[bytes]) -> None:
    if not isinstance(fate(frames), Envelope):
        refused(frames)


def mutations(whole: bytes) -> st.SearchStrategy[bytes]:
    spot = st.integers(0, len(whole))

    def spliced(change: tuple[int, int, bytes]) -> bytes:
        start, length, middle = change
        return whole[:start] + middle + whole[start + length :]

    return st.tuples(spot, st.integers(0, 8), st.binary(max_size=8)).map(spliced)


@given(st.lists(st.binary(max_size=300), max_size=5))
def test_noise_is_survived(frames: list[bytes]) -> None:
    survives(frames)


@given(st.binary(max_size=100), st.binary(max_size=300))
def test_noise_behind_the_tag_is_survived(header: bytes, body: bytes) -> None:
    survives([TAG, header, body])
    survives([TAG, GOLDEN[9][1], body])
    survives([TAG, header, GOLDEN[9][2]])


@settings(max_examples=100)
@given(st.data())
def test_a_message_changed_anywhere_is_survived(data: st.DataObject) -> None:
    frames = list(data.draw(st.sampled_from(GOLDEN)))
    for _ in range(data.draw(st.integers(1, 3))):
        spot = data.draw(st.integers(0, 2))
        frames[spot] = data.draw(mutations(frames[spot]))
    survives(frames)


ANY = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=9)
    | st.binary(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=100)
@given(st.data(), ANY)
@example(None, float("nan"))
@example(None, True)
def test_a_field_of_another_type_is_refused_by_its_name(data: st.DataObject | None, value: object) -> None:
    _, head, raw = GOLDEN[9] if data is None else data.draw(st.sampled_from(GOLDEN))
    body = msgpack.unpackb(raw)
    name = min(body) if data is None else data.draw(st.sampled_from(sorted(body)))
    frames = [TAG, head, msgpack.packb(body | {name: value})]
    if isinstance(found := fate(frames), Envelope):
        assert type(getattr(found.body, name)) is type(value) or not isinstance(value, bool)
    else:
        assert found.code == "malformed"
        assert f"$.{name}" in found.text or found.text == "no msgpack within the limits"


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({"next_interval": float("nan")}, "$.next_interval"),
        ({"next_interval": float("inf")}, "$.next_interval"),
        ({"next_interval": -1.0}, "$.next_interval"),
        ({"next_interval": True}, "$.next_interval"),
        ({"next_interval": "5"}, "$.next_interval"),
        ({"next_interval": b"5"}, "$.next_interval"),
        ({"next_interval": 5.0, "database": []}, "$.database"),
        ({"next_interval": 5.0, "database": {}}, "$.database.address is missing"),
        ({}, "$.next_interval is missing"),
    ],
)
def test_the_error_names_the_field(body: object, where: str) -> None:
    error = refused(packed(body=body))
    assert where in error.text
    assert (error.code, error.reply_to, error.kind) == ("malformed", 5, "ack")


def test_an_error_quotes_nothing_of_what_came() -> None:
    evil = "evil\nline"
    for frames in (
        packed({"type": evil, "id": 1}),
        packed({"type": "error", "id": 1}, {"code": evil, "text": ""}),
        packed({"type": "hello", "id": 1}, {"software": evil}),
        packed({"type": "ack", "id": 1, "session": evil * 30}),
        [evil.encode()] * 3,
        packed({"type": "attach", "id": 1}, {evil: evil, "epoch": evil}),
    ):
        assert "evil" not in refused(frames).text


@pytest.mark.parametrize(
    "raw",
    [
        b"\x82\xadnext_interval\x05\xadnext_interval\x06",  # a key given twice
        b"\x82\xadnext_interval\x05\xa1x\x82\xa1a\x01\xa1a\x02",  # and deep inside what would be ignored
        msgpack.packb(BODY) + b"\x00",  # more than one object
        msgpack.packb(BODY)[:-1],  # less than one
        msgpack.packb([5.0]),  # no map
        msgpack.packb({5: 5.0}),  # a key that is no text
        msgpack.packb({**BODY, "x": msgpack.ExtType(5, b"")}),
        msgpack.packb({**BODY, "x": msgpack.Timestamp(5)}),
        msgpack.packb({**BODY, "x": "y" * 5000}),
        msgpack.packb({**BODY, "x": [0] * 513}),
        b"\x82\xadnext_interval\x05\xa1x\xa1\xff",  # no UTF-8
        b"",
    ],
)
def test_there_is_one_way_to_read_a_body(raw: bytes) -> None:
    error = refused([TAG, msgpack.packb(HEADER), raw])
    assert error.code == "malformed"


def test_what_a_later_version_adds_is_ignored() -> None:
    header, body = decode(packed({**HEADER, "later": [1, {"a": b"b"}]}, {**BODY, "later": {"x": [None, 2.5]}}))
    assert (header.id, body) == (5, Ack(next_interval=5.0))


def test_a_record_may_grow_at_its_end() -> None:
    body = {"reactors": [["tank-1", 3, "later"]], "allow_version": ""}
    _, heartbeat = decode(packed({"type": "heartbeat", "id": 1}, body))
    assert heartbeat.reactors[0].epoch == 3  # type: ignore[attr-defined]


@pytest.mark.parametrize("frames", [[], packed()[:2], [*packed(), b""], [b"", *packed()]])
def test_there_are_three_frames(frames: list[bytes]) -> None:
    assert refused(frames).code == "malformed"


def test_another_major_version_is_told_apart_from_nonsense() -> None:
    assert refused([b"RCT2", *packed()[1:]]).code == "version"
    assert refused([b"HTTP", *packed()[1:]]).code == "malformed"
    assert refused([b"RCT", *packed()[1:]]).code == "malformed"


def test_an_unknown_type_is_answered_to_the_message_it_came_in() -> None:
    error = refused(packed({"type": "sing", "id": 9}))
    assert (error.code, error.reply_to, error.kind) == ("type", 9, "")


def test_a_known_type_from_who_may_not_send_it() -> None:
    error = refused(packed(), accept={Hello.TYPE})
    assert (error.code, error.reply_to) == ("role", 5)


def test_a_header_needs_type_and_id_and_no_bool_is_an_id() -> None:
    assert "header: $.id is missing" in refused(packed({"type": "ack"})).text
    assert "header: bad value at $.id" in refused(packed({"type": "ack", "id": True})).text
    assert refused(packed({"type": "ack", "id": -1})).code == "malformed"


def padded(size: int) -> bytes:
    """Make a body of an `ack` with so many bytes."""
    body: dict[str, object] = {**BODY, "pad": [b"x" * 4000] * 16}
    missing = size - len(msgpack.packb({**body, "fill": b"z" * 300}))
    raw: bytes = msgpack.packb({**body, "fill": b"z" * (300 + missing)})
    assert len(raw) == size
    return raw


def test_a_frame_may_have_its_limit_and_no_byte_more() -> None:
    head = msgpack.packb(HEADER)
    assert decode([TAG, head, padded(LIMITS.size)]).body == Ack(next_interval=5.0)
    error = refused([TAG, head, padded(LIMITS.size + 1)])
    assert (error.code, error.reply_to) == ("too_large", 5)
    assert refused([TAG, msgpack.packb({**HEADER, "x": "y" * 512}), head]).code == "too_large"


def test_a_message_above_its_limit_is_refused_by_its_sender() -> None:
    with pytest.raises(EnvelopeError, match="hello of 70038 bytes, limit 65536") as caught:
        encode(Hello(software="x" * 70_000), id=1)
    assert caught.value.code == "too_large"


def allow_list(peers: int) -> Registered:
    lines = [Allowed(f"{number:040}", f"r{number}", "reactor") for number in range(peers)]
    return Registered(manager="m", allow=AllowList(version="", peers=lines), database=None)


def test_a_wide_message_may_be_large_and_not_boundless() -> None:
    frames = encode(allow_list(20_000), id=1)
    assert LIMITS.size < len(frames[2]) < LARGE.size
    assert len(decode(frames).body.allow.peers) == 20_000  # type: ignore[attr-defined]
    assert refused(encode(allow_list(20_001), id=1)).code == "malformed"
    with pytest.raises(EnvelopeError, match="limit 2097152"):
        encode(allow_list(40_000), id=1)


def test_only_what_coordinator_and_managers_say_is_wide_and_only_what_tells_of_a_whole_reactor_long() -> None:
    wide = {name for name, kind in MESSAGES.items() if kind.WIDE}
    assert wide == {
        *("overview", "register", "registered", "heartbeat", "alive"),
        *("attached", "snapshot", "update"),
    }
    assert {name for name, kind in MESSAGES.items() if kind.LONG} == {"attach", "status"}


def nested(head: bytes, count: int) -> bytes:
    return (b"\x82\xadnext_interval\x05\xa1x" + head * count)[: LIMITS.size]


BOMBS = {
    "flat": nested(b"\xdd" + struct.pack(">I", 65_000) + b"\x90" * 65_000, 1),
    "rows": nested(b"\xdc\x00\x78" + (b"\xdc\x02\x00" + b"\x90" * 512) * 120, 1),
    "deep": nested(b"\x91", 70_000),
    "claims": nested(b"\xdc\x02\x00", 22_000),
    "boasts": nested(b"\xdd\xff\xff\xff\xff", 14_000),
    "maps": nested(b"\xde\x00\x40\xa1a", 14_000),
    "texts": nested(b"\xdb\xff\xff\xff\xff", 14_000),
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_a_bomb_costs_little(bomb: bytes) -> None:
    frames = [TAG, msgpack.packb(HEADER), bomb]
    tracemalloc.start()
    try:
        survives(frames)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 5 * 2**20  # 40 MiB without limits


def test_frames_are_plain() -> None:
    tag, head, body = encode(Error(code="full", text="no room"), id=2, reply_to=1)
    assert tag == b"RCT1"
    assert msgpack.unpackb(head) == {
        "type": "error", "id": 2, "session": "", "sequence": 0, "sent_us": 0, "reply_to": 1,
    }  # fmt: skip
    assert msgpack.unpackb(body) == {"code": "full", "text": "no room", "retry": 0.0}


@pytest.mark.parametrize("kind", [OverflowError, TypeError, RecursionError, MemoryError])
def test_whatever_the_library_raises_is_one_error(kind: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: object, **_options: object) -> None:
        raise kind

    monkeypatch.setattr(msgpack, "unpackb", fail)
    assert refused(GOLDEN[0]).code == "malformed"
