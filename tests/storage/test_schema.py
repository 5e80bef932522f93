"""Making, migrating and checking the tables, on the real server and on interrupted ones."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from loguru import logger

from storage import schema
from storage.questdb import QuestDB, SqlError, Unreachable
from storage.schema import (
    TABLES,
    DatabaseIdentity,
    Keeping,
    SchemaDrift,
    Step,
    declare_restored,
    ensure_schema,
    missing,
    read_identity,
    table_names,
)
from tests.conftest import Server

pytestmark = pytest.mark.system


@pytest.fixture
def database(questdb: Server) -> Iterator[QuestDB]:
    """A database without tables; views of earlier tests are left, without theirs."""
    client = questdb.client()
    for name in table_names(client):
        client.execute(f"DROP TABLE '{name}'")
    yield client
    client.close()


class Interrupted(QuestDB):
    """A server that goes away after so many statements."""

    def __init__(self, questdb: Server, statements: int) -> None:
        super().__init__(questdb.address, questdb.owner.user, questdb.owner.password, 10.0)
        self.left = statements

    def execute(self, sql: str) -> None:
        if self.left == 0:
            raise Unreachable("gone")
        self.left -= 1
        super().execute(sql)


def test_an_empty_database_gets_every_table_and_an_identity(database: QuestDB) -> None:
    assert read_identity(database) is None
    made = ensure_schema(database)
    assert table_names(database) >= {table.name for table in TABLES}
    assert (made.incarnation, made.schema_major, made.schema_minor) == (1, 1, 1)
    assert len(made.identity) == 32
    assert read_identity(database) == made


def test_once_more_changes_nothing(database: QuestDB) -> None:
    made = ensure_schema(database)
    assert ensure_schema(database) == made
    assert database.query("SELECT count() FROM meta") == [(1,)]


def test_readings_are_kept_a_day_and_history_for_ever(database: QuestDB) -> None:
    ensure_schema(database)
    found = database.query("SELECT table_name, ttlValue, ttlUnit FROM tables() WHERE ttlValue > 0")
    assert found == [("readings", 1, "DAY")]


def kept(database: QuestDB) -> dict[str, tuple[int, str]]:
    rows = database.query("SELECT table_name, ttlValue, ttlUnit FROM tables() WHERE ttlValue > 0")
    return {name: (value, unit) for name, value, unit in rows}


def wait_until_kept(database: QuestDB, wanted: dict[str, tuple[int, str]]) -> None:
    for table in TABLES:
        database.query(f"SELECT wait_wal_table('{table.name}')")
    while kept(database) != wanted:  # pytest's own time limit ends it
        pass


def test_rows_are_kept_as_long_as_somebody_says(database: QuestDB) -> None:
    ensure_schema(database, Keeping({"samples": 21, "readings": 3}, "WEEK"))
    wait_until_kept(database, {"samples": (3, "WEEK"), "readings": (3, "DAY")})
    assert database.query("SELECT partitionBy FROM tables() WHERE table_name = 'samples'") == [("WEEK",)]
    ensure_schema(database, Keeping({"samples": 0}))
    wait_until_kept(database, {"readings": (3, "DAY")})
    ensure_schema(database)
    assert kept(database) == {"readings": (3, "DAY")}


def test_a_time_that_the_table_declines_changes_nothing_and_is_told(database: QuestDB) -> None:
    ensure_schema(database, Keeping(partition="WEEK"))
    said: list[str] = []
    sink = logger.add(lambda message: said.append(message.record["message"]), level="WARNING")
    ensure_schema(database, Keeping({"samples": 10, "events": 30}))
    logger.remove(sink)
    assert ["rows of samples cannot be kept for 10 days" in one for one in said] == [True]
    wait_until_kept(database, {"readings": (1, "DAY"), "events": (30, "DAY")})


def test_a_restored_database_never_has_an_incarnation_again(database: QuestDB) -> None:
    first = ensure_schema(database)
    restored = declare_restored(database)
    assert restored.identity == first.identity
    assert restored.incarnation > 1_700_000_000
    assert declare_restored(database).incarnation > restored.incarnation
    assert ensure_schema(database) == read_identity(database)


@pytest.mark.parametrize("statements", range(len(TABLES) + 1))
def test_a_creation_that_stopped_anywhere_is_finished(questdb: Server, database: QuestDB, statements: int) -> None:
    broken = Interrupted(questdb, statements)
    with pytest.raises(Unreachable):
        ensure_schema(broken)
    broken.close()
    made = ensure_schema(database)
    assert made.incarnation == 1
    assert read_identity(database) == made


def test_a_wiped_database_gets_another_identity(database: QuestDB) -> None:
    first = ensure_schema(database)
    for name in table_names(database):
        database.execute(f"DROP TABLE {name}")
    assert ensure_schema(database).identity != first.identity


@pytest.mark.parametrize(("table", "more"), [("samples", 1), ("events", 1), ("readings", 0), ("inventory", 0)])
def test_lost_history_is_another_incarnation(database: QuestDB, table: str, more: int) -> None:
    first = ensure_schema(database)
    database.execute(f"DROP TABLE {table}")
    again = ensure_schema(database)
    assert (again.identity, again.incarnation) == (first.identity, first.incarnation + more)
    assert table in table_names(database)
    assert ensure_schema(database) == again


@pytest.mark.parametrize(("column", "more"), [("samples.unit", 1), ("events.text", 1), ("inventory.label", 0)])
def test_a_dropped_column_is_made_again_and_lost_history_is_another_incarnation(
    database: QuestDB, column: str, more: int
) -> None:
    first = ensure_schema(database)
    table, name = column.split(".")
    database.execute(f"ALTER TABLE {table} DROP COLUMN {name}")
    database.query(f"SELECT wait_wal_table('{table}')")
    assert missing(database) == {table: (name,)}
    again = ensure_schema(database)
    assert (again.identity, again.incarnation) == (first.identity, first.incarnation + more)
    assert missing(database) == {}
    assert ensure_schema(database) == again
    views = database.query("SELECT view_name FROM materialized_views() WHERE view_status = 'invalid'")
    assert views == []


def test_a_dropped_column_of_the_key_is_told_and_nothing_is_sent_again(database: QuestDB) -> None:
    first = ensure_schema(database)
    database.execute("ALTER TABLE samples DROP COLUMN sensor")
    database.query("SELECT wait_wal_table('samples')")
    for _ in range(2):
        with pytest.raises(SchemaDrift, match=r"samples\.sensor is missing, not SYMBOL") as told:
            ensure_schema(database)
        assert told.value.identity == first


def test_a_column_that_a_step_will_add_is_not_lost(database: QuestDB, monkeypatch: pytest.MonkeyPatch) -> None:
    first = ensure_schema(database)
    database.execute("ALTER TABLE samples DROP COLUMN unit")  # it has never been there
    database.query("SELECT wait_wal_table('samples')")
    later = Step(1, 2, ("ALTER TABLE samples ADD COLUMN IF NOT EXISTS unit SYMBOL",))
    monkeypatch.setattr(schema, "STEPS", (*schema.STEPS, later))
    assert ensure_schema(database).incarnation == first.incarnation


ADD = Step(1, 2, ("ALTER TABLE events ADD COLUMN IF NOT EXISTS weight DOUBLE",))
ADD_MORE = Step(1, 3, ("ALTER TABLE samples ADD COLUMN IF NOT EXISTS colour SYMBOL",))


def test_a_database_is_migrated_step_by_step(
    questdb: Server, database: QuestDB, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = ensure_schema(database)
    monkeypatch.setattr(schema, "STEPS", (*schema.STEPS, ADD, ADD_MORE))
    broken = Interrupted(questdb, len(TABLES) + 1)  # in the middle of the two steps
    with pytest.raises(Unreachable):
        ensure_schema(broken)
    broken.close()
    assert read_identity(database) == first
    assert ensure_schema(database) == DatabaseIdentity(first.identity, 1, 1, 3)
    assert database.query("SELECT weight FROM events") == []
    assert database.query("SELECT colour FROM samples") == []


def test_a_database_of_the_first_version_gets_the_views(database: QuestDB, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as older:
        older.setattr(schema, "STEPS", schema.STEPS[:1])
        first = ensure_schema(database)
    database.execute("DROP VIEW IF EXISTS current")
    assert (first.schema_major, first.schema_minor) == (1, 0)
    assert ensure_schema(database) == replace(first, schema_minor=1)
    assert database.query("SELECT * FROM current") == []


def test_a_newer_schema_is_left_alone(database: QuestDB, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as newer:
        newer.setattr(schema, "STEPS", (*schema.STEPS, Step(2, 0, ())))
        made = ensure_schema(database)
    database.execute("DROP TABLE inventory")
    assert ensure_schema(database) == made
    assert (made.schema_major, made.schema_minor) == (2, 0)
    assert "inventory" not in table_names(database)


def test_history_lost_twice_in_a_row_is_never_forgotten(questdb: Server, database: QuestDB) -> None:
    first = ensure_schema(database)
    database.execute("DROP TABLE samples")
    for statements in (0, 1, 2):  # before the incarnation is written, after it, after a table was made
        broken = Interrupted(questdb, statements)
        with pytest.raises(Unreachable):
            ensure_schema(broken)
        broken.close()
    assert ensure_schema(database).incarnation > first.incarnation


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ("CREATE TABLE samples (value INT, ts TIMESTAMP) TIMESTAMP(ts) PARTITION BY DAY WAL", "samples.value is INT"),
        ("CREATE TABLE events (kind SYMBOL, ts TIMESTAMP) TIMESTAMP(ts) PARTITION BY DAY WAL", "text is missing"),
        ("ALTER TABLE desired DEDUP DISABLE", r"desired has the key \[\]"),
        ("ALTER TABLE desired DEDUP ENABLE UPSERT KEYS(ts)", "desired has the key"),
        ("ALTER TABLE inventory ALTER COLUMN label TYPE SYMBOL", "inventory.label is SYMBOL, not VARCHAR"),
    ],
)
def test_a_table_that_is_not_ours_is_told(database: QuestDB, wrong: str, words: str) -> None:
    if wrong.startswith("ALTER"):
        ensure_schema(database)
    database.execute(wrong)
    if wrong.startswith("ALTER"):
        database.query(f"SELECT wait_wal_table('{wrong.split()[2]}')")
    with pytest.raises(SchemaDrift, match=words):
        ensure_schema(database)


def test_columns_that_someone_added_are_nobody_elses_business(database: QuestDB) -> None:
    ensure_schema(database)
    database.execute("ALTER TABLE samples ADD COLUMN note VARCHAR")
    database.query("SELECT wait_wal_table('samples')")  # else a view may be planned upon the columns of before
    ensure_schema(database)


def test_a_declined_statement_is_tried_once_more(database: QuestDB, monkeypatch: pytest.MonkeyPatch) -> None:
    declined: list[str] = []
    execute = QuestDB.execute

    def decline_first(self: QuestDB, sql: str) -> None:
        if sql not in declined:
            declined.append(sql)
            raise SqlError("duplicate column")
        execute(self, sql)

    with monkeypatch.context() as flaky:
        flaky.setattr(QuestDB, "execute", decline_first)
        for table in TABLES:
            schema._run(database, schema._create(table))
    assert table_names(database) >= {table.name for table in TABLES}
