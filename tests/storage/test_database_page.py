"""docs/database.md says what the code makes, and its SQL runs."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.questdb import QuestDB
from storage.schema import TABLES, ensure_schema, read_identity
from tests.conftest import Server

PAGE = (Path(__file__).parents[2] / "docs" / "database.md").read_text(encoding="utf-8")
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if line.startswith("|")]
STATEMENTS = re.findall(r"```sql\n(.*?);\n```", PAGE, re.DOTALL)


def test_the_tables_are_those_of_the_code() -> None:
    shown = {row[0]: (row[2], row[4]) for row in ROWS if len(row) == 5 and row[0] not in {"table", "---"}}
    assert shown == {table.name: (", ".join(table.key), table.keep or "for ever") for table in TABLES}


def test_the_columns_are_those_of_the_code() -> None:
    shown = [tuple(row[:3]) for row in ROWS if len(row) == 4 and row[0] not in {"table", "---"}]
    assert shown == [(table.name, name, kind) for table in TABLES for name, kind in table.columns]


@pytest.fixture
def database(questdb: Server) -> Iterator[QuestDB]:
    client = questdb.client()
    ensure_schema(client)
    yield client
    client.close()


@pytest.mark.system
@pytest.mark.parametrize("statement", [each for each in STATEMENTS if each.startswith("SELECT")])
def test_its_queries_run(database: QuestDB, statement: str) -> None:
    database.query(statement)


@pytest.mark.system
def test_a_restored_backup_can_say_so(database: QuestDB) -> None:
    before = ensure_schema(database)
    (statement,) = (each for each in STATEMENTS if each.startswith("INSERT"))
    database.execute(statement)
    database.query("SELECT wait_wal_table('meta')")
    after = read_identity(database)
    assert after
    assert (after.identity, after.incarnation) == (before.identity, before.incarnation + 1)
    assert ensure_schema(database) == after
