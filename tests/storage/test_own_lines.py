"""What a node may write: its own rows, spelled as our encoders spell them, and nothing that could be read otherwise."""

import math
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.client_lines import ClientLines
from storage.ilp import _add
from storage.lines import Encoder, Lines
from storage.own_lines import Foreign, find_foreign
from storage.rows import Event, Sample, SettingRow
from storage.schema import ensure_schema
from storage.spool import SpooledRow
from tests.conftest import Server

NASTY = 'a b,c=d"e\\f\n\r°é g=1i,reactor=r2 1n\nsamples,reactor=r2'
texts = st.text(st.characters(exclude_categories=["Cs"])) | st.just(NASTY)
floats = st.none() | st.floats(allow_nan=False) | st.just(math.nan)
rows = st.one_of(
    st.builds(Sample, st.just("r1"), texts, texts, floats, texts, texts, st.just(0)),
    st.builds(Event, st.just("r1"), texts, texts, texts, st.just(0)),
    st.builds(SettingRow, st.just("r1"), texts, texts, texts, floats, st.integers(0, 2**53), texts, texts, st.just(0)),
)


def encoded(encoder: Encoder, *kept: Sample | Event | SettingRow) -> bytes:
    encoder.clear()
    for seq, row in enumerate(kept, 1):
        _add(encoder, SpooledRow(seq, "spool", seq, 1_790_000_000_000_000 + seq, row))
    return bytes(encoder)


@given(st.lists(rows, max_size=5))
def test_whatever_a_reactor_keeps_passes_and_is_nobody_elses(kept: list[Sample | Event | SettingRow]) -> None:
    body = encoded(Lines(), *kept)
    assert find_foreign(body, "r1") is None
    assert (find_foreign(body, "r2") is None) == (not kept)


@pytest.mark.parametrize("make", [Lines, ClientLines])
def test_a_double_may_hold_any_byte(make: Callable[[], Encoder]) -> None:
    newline_comma = float.fromhex("0x1.02c0a0a2c0a0ap+1")
    row = Sample("r1", "ph", "ph", newline_comma, "pH", "ok", 0)
    assert find_foreign(encoded(make(), row, row), "r1") is None


GOOD = b"samples,reactor=r1,sensor=ph value=1.5,seq=3i 1790000000000000000n\n"


def test_a_number_may_be_text() -> None:
    assert find_foreign(GOOD, "r1") is None


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (GOOD.replace(b"r1", b"r2"), "another reactor's"),
        (GOOD.replace(b"r1", b"r1\\ "), "another reactor's"),
        (GOOD.replace(b"samples", b"desired"), "desired is no table of a reactor's"),
        (GOOD.replace(b"samples", b"Samples"), "not as a reactor writes it"),
        (GOOD.replace(b"samples", b"samples\\ "), "not as a reactor writes it"),
        (GOOD.replace(b",sensor", b",reactor=r2,sensor"), "names a column twice"),
        (GOOD.replace(b"value", b'reactor="r2",value'), "names a column twice"),
        (GOOD.replace(b"value", b"seq=1i,value"), "names a column twice"),
        (GOOD.replace(b"value", b"sensor=1i,value"), "names a column twice"),
        (GOOD.replace(b"value", b"ts=1i,value"), "names a column twice"),
        (GOOD.replace(b",sensor", b",ts=1,sensor"), "names a column twice"),
        (GOOD.replace(b"value", b"Reactor=1i,value"), "not as a reactor writes it"),
        (GOOD.replace(b"value", b'r\xc3\xa9actor="r2",value'), "not as a reactor writes it"),
        (GOOD.replace(b"reactor=r1,sensor=ph", b"sensor=ph,reactor=r1"), "not as a reactor writes it"),
        (GOOD.replace(b"ph value", b"ph\nsamples,reactor=r2 value"), "not as a reactor writes it"),
        (GOOD.replace(b"ph value", b"ph\\ value"), "not as a reactor writes it"),
        (GOOD.replace(b"ph value", b"ph\\x value"), "not as a reactor writes it"),
        (GOOD.replace(b"ph value", b"ph  value"), "not as a reactor writes it"),
        (GOOD.replace(b"1.5", b'"a\nsamples,reactor=r2 seq=1i 1n\n"'), "not as a reactor writes it"),
        (GOOD.replace(b"1.5", b'"a"b"'), "not as a reactor writes it"),
        (GOOD.replace(b"1.5", b"=\x10123"), "not as a reactor writes it"),
        (GOOD.replace(b"1.5", b"=\x0e\x0a\x01\x00\x00\x00\x00"), "not as a reactor writes it"),
        (GOOD.replace(b"1.5", b"t"), "not as a reactor writes it"),
        (GOOD.replace(b" 1790000000000000000n", b""), "not as a reactor writes it"),
        (GOOD.replace(b"0n\n", b"0t\n"), "not as a reactor writes it"),
        (GOOD[:-1], "not as a reactor writes it"),
        (b"\n", "not as a reactor writes it"),
        (b"# note\n", "not as a reactor writes it"),
        (b"\x00", "not as a reactor writes it"),
    ],
)
def test_anything_else_is_named_by_its_line(line: bytes, reason: str) -> None:
    foreign = find_foreign(GOOD + GOOD + line + GOOD, "r1")
    assert isinstance(foreign, Foreign)
    assert foreign.line == 3
    assert reason in foreign.reason


@given(st.binary(max_size=200))
def test_no_bytes_are_too_strange(noise: bytes) -> None:
    find_foreign(noise, "r1")
    find_foreign(b"samples,reactor=r1 " + noise, "r1")


def test_a_hostile_line_costs_no_more_than_its_length() -> None:
    body = b"samples,reactor=r1" + b",a=" * 100_000 + b' a="' + b"\\\\" * 100_000
    assert find_foreign(body, "r1") is not None


PIECES = [b",", b" ", b"=", b"\\", b'"', b"\n", b"r2", b"reactor=r2", b"=\x10", b"1n", b"samples,reactor=r2", b"ts=1"]


@st.composite
def tampered(draw: st.DrawFn) -> bytes:
    """Our own rows with bytes put in, or taken out, anywhere."""
    body = bytearray(encoded(Lines(), *draw(st.lists(rows, min_size=1, max_size=2))))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(body)))
        body[at : at + draw(st.integers(0, 2))] = draw(st.sampled_from(PIECES))
    return bytes(body)


@pytest.mark.system
def test_the_database_reads_what_passes_as_we_do(questdb: Server) -> None:
    database = questdb.client()
    ensure_schema(database)
    for table in ("samples", "events", "settings"):
        database.execute(f"TRUNCATE TABLE {table}")
        database.query(f"SELECT wait_wal_table('{table}')")

    passed = 0

    @settings(max_examples=400)
    @given(tampered())
    def write(body: bytes) -> None:
        nonlocal passed
        if find_foreign(body, "r1") is None:
            status, _ = database.write(body)
            passed += status == 204

    write()
    assert passed > 10
    for table in ("samples", "events", "settings"):
        database.query(f"SELECT wait_wal_table('{table}')")
        assert {name for (name,) in database.query(f"SELECT DISTINCT reactor FROM {table}")} <= {"r1"}
    database.close()
