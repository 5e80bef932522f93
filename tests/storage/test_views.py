"""The views, on the real server."""

import pytest
from loguru import logger

from storage import views
from storage.questdb import QuestDB, SqlError
from storage.schema import ensure_schema
from storage.views import View, invalid_views, make_views
from tests.storage.conftest import insert

pytestmark = pytest.mark.system

SAMPLE = "reactor, sensor, quantity, value, unit, quality, spool, seq, ts"


@pytest.fixture
def database(database: QuestDB) -> QuestDB:
    make_views(database)
    return database


def refresh(database: QuestDB, *names: str) -> None:
    """Have the materialized ones brought up to date, and wait for it."""
    for name in names:
        database.execute(f"REFRESH MATERIALIZED VIEW {name} FULL")
    done = (
        "SELECT view_name FROM materialized_views()"
        " WHERE view_status = 'valid' AND refresh_base_table_txn = base_table_txn"
    )
    while not set(names) <= {name for (name,) in database.query(done)}:
        pass
    for name in names:
        database.query(f"SELECT wait_wal_table('{name}')")


def test_an_hour_is_what_its_good_samples_say(database: QuestDB) -> None:
    insert(
        database,
        "samples",
        SAMPLE,
        "'r1', 'ph', 'ph', 7.0, 'pH', 'ok', 's', 1, '2026-03-01T10:00:00Z'",
        "'r1', 'ph', 'ph', 7.5, 'pH', 'ok', 's', 2, '2026-03-01T10:30:00Z'",
        "'r1', 'ph', 'ph', null, 'pH', 'fault', 's', 3, '2026-03-01T10:40:00Z'",
        "'r1', 'ph', 'ph', 9.0, 'pH', 'calibrating', 's', 4, '2026-03-01T10:50:00Z'",
        "'r1', 'ph', 'ph', null, 'pH', 'fault', 's', 5, '2026-03-01T12:00:00Z'",
    )
    refresh(database, "hourly")
    assert database.query("SELECT ts, reactor, samples, good, avg, min, max FROM hourly") == [
        ("2026-03-01T10:00:00.000000Z", "r1", 4, 2, 7.25, 7.0, 7.5),
        ("2026-03-01T12:00:00.000000Z", "r1", 1, 0, None, None, None),
    ]


def test_the_newest_counts_and_not_what_a_wrong_clock_dated(database: QuestDB) -> None:
    insert(
        database,
        "samples",
        SAMPLE,
        "'r1', 'ph', 'ph', 7.0, 'pH', 'ok', 's', 1, dateadd('m', -10, now())",
        "'r1', 'water', 'temperature', 20, 'C', 'ok', 's', 1, dateadd('m', -20, now())",
        "'r1', 'water', 'temperature', 21, 'C', 'ok', 's', 2, dateadd('m', -10, now())",
        "'r1', 'water', 'temperature', 99, 'C', 'ok', 's', 3, dateadd('d', 10, now())",
        "'r2', 'ph', 'ph', 5.0, 'pH', 'ok', 's', 1, dateadd('d', -8, now())",
    )
    insert(
        database,
        "readings",
        "reactor, sensor, quantity, value, unit, quality, ts",
        "'r1', 'ph', 'ph', 7.2, 'pH', 'ok', dateadd('s', -3, now())",
        "'r1', 'water', 'temperature', 22, 'C', 'ok', dateadd('h', -1, now())",
    )
    found = database.query("SELECT reactor, sensor, value, live FROM current ORDER BY reactor, sensor")
    assert found == [("r1", "ph", 7.2, True), ("r1", "water", 21.0, False)]


def test_what_is_missing_is_counted(database: QuestDB) -> None:
    numbers = [*((1, n) for n in (1, 2, 5, 6)), *((2, n) for n in (7, 8)), *((3, n) for n in (11, 12))]
    rows = [f"'r1', 'ph', 'ph', 7, 'pH', 'ok', 's', {n}, '2026-03-0{day}T10:00:{n:02}Z'" for day, n in numbers]
    insert(database, "samples", SAMPLE, *rows, "'r1', 'ph', 'ph', 7, 'pH', 'ok', 'other', 2, '2026-03-01T11:00:00Z'")
    insert(
        database,
        "events",
        "reactor, source, kind, text, spool, seq, ts",
        "'r1', 'ph', 'fault', '', 's', 1, '2026-03-01T10:00:00Z'",
        "'r1', 'ph', 'fault', '', 's', 4, '2026-03-02T10:00:00Z'",
        "'r1', 'ph', 'started', '', 's', 1, '2026-03-02T11:00:00Z'",
    )
    insert(
        database,
        "settings",
        "reactor, device, setting, state, spool, seq, ts",
        "'r1', 'heater', 'duty', 'applied', 's', 1, '2026-03-01T10:00:00Z'",
        "'r1', 'heater', 'duty', 'applied', 's', 3, '2026-03-02T10:00:00Z'",
        "'r1', 'heater', 'duty', 'rejected', 's', 1, '2026-03-02T11:00:00Z'",
    )
    refresh(database, "tallies")
    found = database.query("SELECT rows_of, series, spool, after, until, missing FROM gaps ORDER BY rows_of, ts, spool")
    assert found == [
        ("events", "ph/fault", "s", 1, 4, 2),
        ("samples", "ph/ph", "other", 0, 2, 1),
        ("samples", "ph/ph", "s", 0, 6, 2),
        ("samples", "ph/ph", "s", 8, 12, 2),
        ("settings", "heater/duty/applied", "s", 1, 3, 1),
    ]


@pytest.mark.parametrize(("answer", "state"), [("applied", "applied"), ("rejected", "rejected"), ("", "pending")])
def test_a_setting_tells_what_became_of_the_newest_document(database: QuestDB, answer: str, state: str) -> None:
    changes = [
        "'r1', 'heater', 'duty', '40', 40, 5, 'applied', 'ann', '2026-03-01T10:00:00Z'",
        "'r1', 'heater', 'mode', 'slow', null, 5, 'applied', 'ann', '2026-03-01T10:00:00Z'",
    ]
    if answer:  # a document of which one setting changes has one row
        changes += [f"'r1', 'heater', 'duty', '60', 60, 6, '{answer}', 'bob', '2026-03-01T11:00:00Z'"]
    insert(database, "settings", "reactor, device, setting, value, number, revision, state, author, ts", *changes)
    insert(
        database,
        "desired",
        "reactor, device, document, revision, author, ts",
        "'r1', 'heater', '{\"duty\": 40}', 5, 'ann', '2026-03-01T09:00:00Z'",
        "'r1', 'heater', '{\"duty\": 60}', 6, 'bob', '2026-03-01T10:59:00Z'",
    )
    columns = "setting, value, revision, asked_state, asked_revision, asked_author"
    duty = ("duty", "60", 6) if answer == "applied" else ("duty", "40", 5)
    assert database.query(f"SELECT {columns} FROM settings_now ORDER BY setting") == [
        (*duty, state, 6, "bob"),
        ("mode", "slow", 5, state, 6, "bob"),
    ]


def test_they_come_back_with_the_table_that_someone_dropped(database: QuestDB) -> None:
    database.execute("DROP TABLE samples")
    database.execute("DROP VIEW gaps")
    ensure_schema(database)
    insert(database, "samples", SAMPLE, "'r1', 'ph', 'ph', 7, 'pH', 'ok', 's', 1, '2026-03-01T10:00:00Z'")
    refresh(database, "hourly", "tallies")
    assert database.query("SELECT count() FROM hourly") == [(1,)]
    assert database.query("SELECT samples FROM tallies") == [(1,)]
    assert database.query("SELECT * FROM gaps") == []
    for of in ("materialized_views", "views"):
        assert database.query(f"SELECT view_name FROM {of}() WHERE view_status = 'invalid'") == []


def test_a_view_with_rows_that_the_samples_have_no_more_is_not_emptied(database: QuestDB) -> None:
    days = ("2026-03-01", "2026-03-02")
    insert(
        database, "samples", SAMPLE, *(f"'r1', 'ph', 'ph', 7, 'pH', 'ok', 's', 1, '{day}T10:00:00Z'" for day in days)
    )
    refresh(database, "hourly", "tallies")
    database.execute(f"ALTER TABLE samples DROP PARTITION LIST '{days[0]}'")  # as time does
    database.execute("UPDATE samples SET value = 8")  # of all that makes them invalid the quickest
    while len(found := invalid_views(database)) < 2:
        pass
    assert {name: view.alone for name, view in found.items()} == {"hourly": True, "tallies": True}
    make_views(database)
    assert database.query("SELECT count() FROM hourly") == [(2,)]
    insert(database, "samples", SAMPLE, f"'r1', 'ph', 'ph', 7, 'pH', 'ok', 's', 1, '{days[0]}T09:00:00Z'")
    assert not any(view.alone for view in invalid_views(database).values())
    refresh(database, "hourly", "tallies")


def test_a_server_that_makes_none_keeps_samples_all_the_same(
    database: QuestDB, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute = QuestDB.execute

    def decline(self: QuestDB, sql: str) -> None:
        if "VIEW" in sql:
            raise SqlError("unexpected token [VIEW]")
        execute(self, sql)

    monkeypatch.setattr(QuestDB, "execute", decline)
    monkeypatch.setattr(views, "VIEWS", (View("odd", "SELECT 1"),))
    said: list[str] = []
    sink = logger.add(lambda message: said.append(message.record["message"]), level="WARNING")
    ensure_schema(database)
    logger.remove(sink)
    assert said == ["the view odd cannot be made: unexpected token [VIEW]"]
