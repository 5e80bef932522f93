"""Frames between bus and clients: what comes back is what went in, and any bytes are survived."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware.vessel import sockets
from hardware.vessel.frames import (
    HEADER,
    LONGEST_FRAME,
    FrameError,
    Kind,
    Read,
    Unpacker,
    Write,
    decode_failure,
    decode_transfer,
    encode_failure,
    encode_transfer,
    frame,
)

ADDRESSES = st.integers(0, 1023)
MESSAGES = st.lists(
    st.builds(Read, ADDRESSES, st.integers(0, 8192)) | st.builds(Write, ADDRESSES, st.binary(max_size=60)),
    max_size=42,
)


@given(MESSAGES)
def test_a_transfer_comes_back(messages: list[Read | Write]) -> None:
    ((kind, payload),) = Unpacker().feed(encode_transfer(messages))
    assert kind == Kind.TRANSFER
    assert decode_transfer(payload) == messages


def test_golden_bytes() -> None:
    assert encode_transfer([Write(0x63, b"R"), Read(0x63, 40)]).hex() == "0000000e01" + "02" + "006300000001" + "52" + (
        "006300010028"
    )
    assert encode_failure(121, "no").hex() == "000000040300796e6f"


@given(st.binary(max_size=200))
def test_any_payload_is_survived(payload: bytes) -> None:
    for decode in (decode_transfer, decode_failure):
        try:
            decode(payload)
        except FrameError:
            continue


@given(st.lists(st.binary(max_size=50), max_size=5), st.integers(1, 7))
def test_a_stream_may_be_cut_anywhere(payloads: list[bytes], size: int) -> None:
    stream = b"".join(frame(Kind.DONE, payload) for payload in payloads)
    unpacker = Unpacker()
    frames = [each for start in range(0, len(stream), size) for each in unpacker.feed(stream[start : start + size])]
    assert frames == [(Kind.DONE, payload) for payload in payloads]


def test_a_frame_too_long_ends_the_connection() -> None:
    with pytest.raises(FrameError):
        Unpacker().feed(HEADER.pack(LONGEST_FRAME + 1, Kind.DONE))


def test_failure_is_linux_own_error() -> None:
    error = decode_failure(encode_failure(121, "Remote I/O error")[HEADER.size :])
    assert (error.errno, error.strerror) == (121, "Remote I/O error")


def test_a_path_longer_than_a_socket_address(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    with sockets.listen(folder / "i2c.sock"), sockets.connect(folder / "i2c.sock", 1.0):
        assert (folder / "i2c.sock").is_socket()


def test_a_socket_left_behind_is_replaced(tmp_path: Path) -> None:
    sockets.listen(tmp_path / "s").close()
    with pytest.raises(ConnectionRefusedError):
        sockets.connect(tmp_path / "s", 1.0)
    with sockets.listen(tmp_path / "s"), sockets.connect(tmp_path / "s", 1.0):
        pass
