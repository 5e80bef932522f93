"""docs/database.md says what the code makes, and its SQL runs."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.questdb import QuestDB, literal
from storage.schema import TABLES, ensure_schema, read_identity
from storage.views import VIEWS
from tests.conftest import Server

PAGE = (Path(__file__).parents[2] / "docs" / "database.md").read_text(encoding="utf-8")
OF_TABLES, OF_VIEWS = PAGE.split("## Ten queries")[0].split("## Views")
BLOCKS = re.findall(r"```sql\n(.*?);\n```", PAGE, re.DOTALL)
STATEMENTS = [statement for block in BLOCKS for statement in block.split(";\n")]


def rows(text: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]


def test_the_tables_are_those_of_the_code() -> None:
    shown = {row[0]: (row[2], row[4]) for row in rows(OF_TABLES) if len(row) == 5 and row[0] not in {"table", "---"}}
    assert shown == {table.name: (", ".join(table.key), table.keep or "for ever") for table in TABLES}


def test_the_columns_are_those_of_the_code() -> None:
    shown = [tuple(row[:3]) for row in rows(OF_TABLES) if len(row) == 4 and row[0] not in {"table", "---"}]
    assert shown == [(table.name, name, kind) for table in TABLES for name, kind in table.columns]


def test_the_views_are_those_of_the_code() -> None:
    shown = [row[0] for row in rows(OF_VIEWS) if len(row) == 3 and row[0] not in {"view", "---"}]
    assert shown == [view.name for view in VIEWS]


@pytest.fixture
def database(questdb: Server) -> Iterator[QuestDB]:
    client = questdb.client()
    ensure_schema(client)
    yield client
    client.close()


@pytest.mark.system
def test_the_columns_of_the_views_are_those_of_the_server(database: QuestDB) -> None:
    shown = [tuple(row[:3]) for row in rows(OF_VIEWS) if len(row) == 4 and row[0] not in {"view", "---"}]
    there = [
        (view.name, name, kind)
        for view in VIEWS
        for name, kind in database.query(f'SELECT "column", type FROM table_columns({literal(view.name)})')
    ]
    assert shown == there


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
    assert after.identity == before.identity
    assert after.incarnation > before.incarnation
    assert ensure_schema(database) == after
