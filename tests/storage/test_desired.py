"""The table of documents, in the real database."""

import sys
from collections.abc import Iterator

import pytest
from loguru import logger

from storage.desired import Desired, DesiredTable
from storage.questdb import LoginRefused, QuestDB, SqlError, Unreachable
from storage.readings import InventoryEntry, Writer
from storage.schema import ensure_schema
from tests.conftest import Server
from tests.storage.conftest import NOON
from transport.messages import Document, Value

DUTY: dict[str, Value] = {"duty": 40.0, "on": True, "mode": "slow"}


def row(
    revision: int, reactor: str = "r1", target: str = "heater", values: dict[str, Value] = DUTY, author: str = "eva"
) -> Desired:
    return Desired(reactor, Document(target=target, revision=revision, author=author, values=values))


class Scripted(QuestDB):
    """Answers writes and queries as it is told."""

    def __init__(self, status: int, body: bytes = b"", rows: list[tuple[object, ...]] | None = None) -> None:
        super().__init__("http://nowhere", "", "")
        self.answer = status, body
        self.rows = rows or []

    def write(self, lines: bytes) -> tuple[int, bytes]:
        assert lines
        return self.answer

    def query(self, sql: str) -> list[tuple[object, ...]]:
        return [] if "wait_wal_table" in sql else self.rows


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (401, b"", LoginRefused),
        (503, b"busy", Unreachable),
        (400, b'{"code":"invalid","message":"creating new tables is disabled","line":1}', SqlError),
        (204, b"", SqlError),  # taken, and nowhere to be seen: the table is suspended
    ],
)
def test_what_cannot_be_read_back_is_not_kept(status: int, body: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        DesiredTable(Scripted(status, body)).keep([row(NOON)])


def test_a_row_that_shows_other_values_is_not_the_one_that_was_written() -> None:
    other = ("r1", "heater", NOON, "eva", '{"duty": 41.0}')
    with pytest.raises(SqlError, match="cannot be read"):
        DesiredTable(Scripted(204, rows=[other])).keep([row(NOON)])


@pytest.mark.parametrize(
    "cells",
    [
        ("r1", "heater", 1, "eva", "no json"),
        ("r1", "heater", 1, "eva", None),
        ("r1", "heater", 1, "eva", '{"duty": [1]}'),
        ("r1", "heater", None, "eva", "{}"),
        ("r1", "Heater!", 1, "eva", "{}"),
    ],
)
def test_a_row_that_is_no_document_is_passed_over(cells: tuple[object, ...]) -> None:
    lines: list[str] = []
    logger.remove()
    sink = logger.add(lines.append, format="{message}")
    try:
        good = ("r1", "light", 2, "eva", '{"on": true}')
        found = DesiredTable(Scripted(204, rows=[cells, good])).latest(["r1"])
    finally:
        logger.remove(sink)
        logger.add(sys.stderr)
    assert found == [row(2, target="light", values={"on": True})]
    assert "passed over" in lines[0]


def test_nothing_is_asked_about_nobody() -> None:
    table = DesiredTable(Scripted(500))
    table.keep([])
    assert table.latest([]) == []


@pytest.fixture
def table(questdb: Server) -> Iterator[DesiredTable]:
    client = questdb.client()
    ensure_schema(client)
    for name in ("desired", "inventory"):
        client.execute(f"TRUNCATE TABLE {name}")
        client.query(f"SELECT wait_wal_table('{name}')")
    made = DesiredTable(client)
    yield made
    made.close()


@pytest.mark.system
def test_the_latest_document_of_each_target(table: DesiredTable) -> None:
    table.keep([row(NOON), row(NOON + 1, target="light"), row(NOON, "r2")])
    table.keep([row(NOON + 2, values={"duty": 41.0})])
    table.keep([row(NOON + 1, values={"duty": 7.0})])  # older, written later
    found = {(one.reactor, one.document.target): one for one in table.latest(["r1", "r3"])}
    assert found == {
        ("r1", "heater"): row(NOON + 2, values={"duty": 41.0}),
        ("r1", "light"): row(NOON + 1, target="light"),
    }
    assert len(table.latest(["r2", "r1"])) == 3


@pytest.mark.system
def test_the_same_document_twice_is_one_row(questdb: Server, table: DesiredTable) -> None:
    table.keep([row(NOON)])
    table.keep([row(NOON)])
    client = questdb.client()
    assert client.query("SELECT count() FROM desired") == [(1,)]
    client.close()


@pytest.mark.system
def test_what_is_new_since_a_revision(table: DesiredTable) -> None:
    table.keep([row(NOON), row(NOON + 10, "r2"), row(NOON + 20, target="light")])
    assert [one.document.revision for one in table.since(NOON)] == [NOON + 10, NOON + 20]
    assert table.since(NOON + 20) == []


@pytest.mark.system
@pytest.mark.parametrize("text", ["<b>'; DROP TABLE desired; --", 'quotes " \\ and \u00b5', "", "x" * 200])
def test_any_text_comes_back_as_it_was(table: DesiredTable, text: str) -> None:
    odd = row(NOON, values={"label": text, "duty": -1.5e-9, "on": False}, author=text)
    table.keep([odd])
    assert table.latest(["r1"]) == [odd]


@pytest.mark.system
def test_many_at_once(table: DesiredTable) -> None:
    rows = [row(NOON + number, f"r{number % 50}", f"d{number}") for number in range(500)]
    table.keep(rows)
    assert len(table.latest([f"r{number}" for number in range(50)])) == 500


@pytest.mark.system
def test_the_inventory_says_what_there_is(questdb: Server, table: DesiredTable) -> None:
    writer = Writer(questdb.client())
    writer.write([InventoryEntry("r1", "device", "heater", "", "pwm", "", "{}", NOON)])
    writer.close()
    client = questdb.client()
    client.query("SELECT wait_wal_table('inventory')")
    client.close()
    assert table.is_wired("r1", "heater")
    assert not table.is_wired("r1", "light")
    assert not table.is_wired("r2", "heater")


@pytest.mark.system
def test_a_database_that_is_away(questdb: Server) -> None:
    table = DesiredTable(QuestDB("http://127.0.0.1:9", "u", "p"))
    with pytest.raises(Unreachable):
        table.keep([row(NOON)])
    with pytest.raises(Unreachable):
        table.latest(["r1"])
    table.close()
    assert questdb.process is not None
