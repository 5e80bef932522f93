"""Read-only queries over the PostgreSQL wire of the real server."""

from collections.abc import Iterator
from itertools import islice

import pytest

from storage.questdb import LoginRefused, QuestDB, SqlError, Unreachable
from storage.reader import Reader, ask
from storage.schema import ensure_schema
from tests.conftest import Server, free_ports

pytestmark = pytest.mark.system


@pytest.fixture
def database(questdb: Server) -> Iterator[QuestDB]:
    client = questdb.client()
    ensure_schema(client)
    client.execute("TRUNCATE TABLE events")
    client.execute(
        "INSERT INTO events (reactor, source, kind, text, seq, ts)"
        " VALUES ('r1', 'reactor', 'started', null, 1, '2026-09-21T14:13:20.000001Z')"
    )
    client.query("SELECT wait_wal_table('events')")
    yield client
    client.close()


def viewer(questdb: Server) -> Reader:
    return Reader("127.0.0.1", questdb.pg_port, questdb.viewer.user, questdb.viewer.password)


def answer(questdb: Server, sql: str) -> tuple[list[str], list[tuple[object, ...]]]:
    with ask(viewer(questdb), sql) as found:
        return list(found.columns), [tuple(row) for row in found.rows]


@pytest.mark.usefixtures("database")
def test_rows_and_their_columns(questdb: Server) -> None:
    columns, rows = answer(questdb, "SELECT reactor, text, seq, 0.1 + 0.2 sum, ts FROM events")
    assert columns == ["reactor", "text", "seq", "sum", "ts"]
    assert rows == [("r1", None, 1, 0.1 + 0.2, "2026-09-21T14:13:20.000001Z")]


@pytest.mark.usefixtures("database")
def test_no_rows_still_have_columns(questdb: Server) -> None:
    assert answer(questdb, "SELECT reactor, ts FROM events WHERE seq = 99") == (["reactor", "ts"], [])


def test_a_percent_sign_is_a_percent_sign(questdb: Server) -> None:
    assert answer(questdb, "SELECT 7 % 4 rest, '%s' text") == (["rest", "text"], [(3, "%s")])


def test_rows_come_as_they_are_read(questdb: Server) -> None:
    with ask(viewer(questdb), "SELECT x FROM long_sequence(1000000)") as found:
        assert list(islice(found.rows, 3)) == [(1,), (2,), (3,)]


@pytest.mark.parametrize(
    "sql",
    [
        "DROP TABLE events",
        "SELECT 1; DROP TABLE events",
        "INSERT INTO events (reactor, ts) VALUES ('x', now())",
        "ALTER TABLE events ADD COLUMN x INT",
        "TRUNCATE TABLE events",
        "SELECT nonsense",
        "",
    ],
)
def test_what_does_not_only_read_is_refused_in_one_line(questdb: Server, database: QuestDB, sql: str) -> None:
    with pytest.raises(SqlError) as caught:
        answer(questdb, sql)
    assert "\n" not in str(caught.value)
    assert database.query("SELECT count() FROM events") == [(1,)]


def test_a_wrong_password(questdb: Server) -> None:
    wrong = Reader("127.0.0.1", questdb.pg_port, questdb.viewer.user, "wrong")
    with pytest.raises(LoginRefused), ask(wrong, "SELECT 1"):
        pass


def test_nobody_there() -> None:
    nobody = Reader("127.0.0.1", free_ports(1)[0], "viewer", "secret")
    with pytest.raises(Unreachable), ask(nobody, "SELECT 1"):
        pass
