"""What the server's answers mean, by the bodies that QuestDB 9.3.4 sends; and the real server's own."""

import json
import signal
from collections.abc import Iterator

import pytest

from storage.ilp import Ingest, LoginFailed, Outcome, RowRefused, SchemaMismatch, Stored, TryLater, judge
from storage.questdb import QuestDB
from storage.rows import Row, Sample
from storage.schema import ensure_schema, table_names
from storage.spool import SpooledRow
from tests.conftest import Server, free_ports
from tests.storage.conftest import NOON, event, sample, setting

HEAD = "failed to parse line protocol:errors encountered on line(s):\n"


def body(message: str, line: int | None = 1, code: str = "invalid") -> bytes:
    fields: dict[str, object] = {"code": code, "message": message, "errorId": "abd28dc5a782-1"}
    return json.dumps(fields if line is None else fields | {"line": line}).encode()


CAST = "error in line 2: table: samples, column: value; cast error from protocol type: STRING to column type: DOUBLE"
NO_TABLE = "error in line 1: table: samples; table does not exist, creating new tables is disabled"
NO_COLUMN = "error in line 1: table: samples, column: nocol does not exist, creating new columns is disabled"


@pytest.mark.parametrize(
    ("status", "answer", "outcome"),
    [
        (204, b"", Stored()),
        (400, body(HEAD + CAST, line=2), RowRefused(1, CAST)),
        (400, body(HEAD + NO_TABLE), SchemaMismatch(NO_TABLE)),
        (400, body(HEAD + NO_COLUMN), SchemaMismatch(NO_COLUMN)),
        (401, b"", LoginFailed()),
        (403, b"", LoginFailed()),
    ],
)
def test_answers(status: int, answer: bytes, outcome: Outcome) -> None:
    assert judge(status, answer, rows=5) == outcome


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (500, body("table: samples; No space left", line=1, code="internal error")),  # a full disk names a line too
        (421, body("not accepting writes", line=None)),
        (503, b"busy"),
        (404, b"<html>"),
        (400, body(HEAD + CAST, line=6)),  # no such row
        (400, body(HEAD + CAST, line=0)),
        (400, body(HEAD + CAST, line=None)),
        (400, body(HEAD + CAST, line=1, code="internal error")),
        (400, b"\xff not json"),
        (400, b'{"line": "1"}'),
        (400, b'{"code": "invalid", "message": "\xff", "line": 1}'),
        (400, b"[]"),
        (200, b""),
    ],
)
def test_whatever_does_not_surely_blame_a_row_blames_none(status: int, answer: bytes) -> None:
    assert isinstance(judge(status, answer, rows=5), TryLater)


# Against the real server.


@pytest.fixture
def database(questdb: Server) -> Iterator[QuestDB]:
    client = questdb.client()
    ensure_schema(client)
    for table in ("samples", "events", "settings"):
        client.execute(f"TRUNCATE TABLE {table}")
        client.query(f"SELECT wait_wal_table('{table}')")
    yield client
    client.close()


@pytest.fixture
def ingest(questdb: Server) -> Iterator[Ingest]:
    ingest = Ingest(questdb.client())
    yield ingest
    ingest.close()


def spooled(seq: int, row: Row) -> SpooledRow:
    return SpooledRow(seq, "spool1", seq, NOON + seq, row)


def stored(database: QuestDB, table: str) -> list[tuple[object, ...]]:
    database.query(f"SELECT wait_wal_table('{table}')")
    return database.query(f"SELECT * FROM {table} ORDER BY ts")


@pytest.mark.system
def test_samples_arrive_with_every_column(database: QuestDB, ingest: Ingest) -> None:
    assert ingest.send([spooled(1, sample(1, 6.987654321)), spooled(2, sample(2, None))]) == Stored()
    assert stored(database, "samples") == [
        ("r1", "ph1", "ph", 6.987654321, "pH", "ok", "spool1", 1, "2026-09-21T14:13:20.000001Z"),
        ("r1", "ph1", "ph", None, "pH", "fault", "spool1", 2, "2026-09-21T14:13:20.000002Z"),
    ]


@pytest.mark.system
def test_events_arrive_whatever_their_text(database: QuestDB, ingest: Ingest) -> None:
    text = 'probe "ph1"\nis,silent = \\ 25 °C'
    assert ingest.send([spooled(1, event(1, text)), spooled(2, event(2, ""))]) == Stored()
    assert stored(database, "events") == [
        ("r1", "reactor", "started", text, "spool1", 1, "2026-09-21T14:13:20.000001Z"),
        ("r1", "reactor", "started", "", "spool1", 2, "2026-09-21T14:13:20.000002Z"),
    ]


@pytest.mark.system
def test_settings_arrive_with_every_column(database: QuestDB, ingest: Ingest) -> None:
    rows = [setting(1), setting(2, "a'; DROP", None, "rejected")]
    assert ingest.send([spooled(seq, row) for seq, row in enumerate(rows, 1)]) == Stored()
    assert stored(database, "settings") == [
        ("r1", "heater", "duty", "40", 40.0, 7, "applied", "ada", "spool1", 1, "2026-09-21T14:13:20.000001Z"),
        ("r1", "heater", "duty", "a'; DROP", None, 7, "rejected", "ada", "spool1", 2, "2026-09-21T14:13:20.000002Z"),
    ]


@pytest.mark.system
def test_sending_twice_stores_once(database: QuestDB, ingest: Ingest) -> None:
    rows = [spooled(seq, sample(seq)) for seq in range(100)]
    for _ in range(3):
        assert ingest.send(rows) == Stored()
    assert len(stored(database, "samples")) == 100


@pytest.mark.system
def test_a_row_that_cannot_be_encoded_is_named_before_anything_is_sent(database: QuestDB, ingest: Ingest) -> None:
    rows = [spooled(1, sample(1)), spooled(2**63, sample(2)), spooled(3, sample(3))]
    outcome = ingest.send(rows)
    assert isinstance(outcome, RowRefused)
    assert outcome.index == 1
    assert stored(database, "samples") == []
    assert ingest.send([rows[0], rows[2]]) == Stored()
    assert len(stored(database, "samples")) == 2


@pytest.mark.system
@pytest.mark.usefixtures("database")
def test_a_row_that_the_server_refuses_is_named_exactly(ingest: Ingest) -> None:
    wrong = Sample("r1", "ph1", "ph", "seven", "pH", "ok", 2)  # type: ignore[arg-type] # what the spool never holds
    outcome = ingest.send([spooled(1, event(1, "a\nb\nc")), spooled(2, sample(1)), spooled(3, wrong)])
    assert isinstance(outcome, RowRefused)
    assert outcome.index == 2
    assert "cast error" in outcome.reason


@pytest.mark.system
def test_a_missing_table_and_a_missing_column_blame_no_row(database: QuestDB, ingest: Ingest) -> None:
    database.execute("DROP TABLE samples")
    assert isinstance(ingest.send([spooled(1, sample(1))]), SchemaMismatch)
    assert "samples" not in table_names(database)  # nothing is made by itself
    database.execute("ALTER TABLE events DROP COLUMN text")
    database.query("SELECT wait_wal_table('events')")
    assert isinstance(ingest.send([spooled(1, event(1, "words"))]), SchemaMismatch)
    for table in ("samples", "events"):
        database.execute(f"DROP TABLE IF EXISTS {table}")
    ensure_schema(database)
    assert ingest.send([spooled(1, sample(1))]) == Stored()


@pytest.mark.system
def test_a_wrong_login(questdb: Server) -> None:
    ingest = Ingest(QuestDB(questdb.address, questdb.owner.user, "wrong"))
    assert ingest.send([spooled(1, sample(1))]) == LoginFailed()
    ingest.close()


@pytest.mark.system
def test_nobody_there(questdb: Server) -> None:
    ingest = Ingest(QuestDB(f"http://127.0.0.1:{free_ports(1)[0]}", questdb.owner.user, questdb.owner.password))
    assert isinstance(ingest.send([spooled(1, sample(1))]), TryLater)
    ingest.close()


@pytest.mark.system
def test_a_server_that_hangs_dies_and_comes_back(own_questdb: Server) -> None:
    database = own_questdb.client()
    ensure_schema(database)
    ingest = Ingest(own_questdb.client(timeout=3.0))
    assert ingest.send([spooled(1, sample(1))]) == Stored()
    own_questdb.send(signal.SIGSTOP)
    assert isinstance(ingest.send([spooled(2, sample(2))]), TryLater)
    own_questdb.kill()
    assert isinstance(ingest.send([spooled(2, sample(2))]), TryLater)
    own_questdb.start()
    assert ingest.send([spooled(2, sample(2))]) == Stored()
    assert [row[7] for row in stored(database, "samples")] == [1, 2]
    ingest.close()
    database.close()
