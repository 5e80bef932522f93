"""Exports, of the real server: whole files or none."""

import csv
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.export import export
from storage.history import Span
from storage.questdb import QuestDB, SqlError, Unreachable
from storage.schema import ensure_schema
from tests.conftest import Server

DAY = Span("2026-03-01T00:00:00Z", "2026-03-02T00:00:00Z")


@pytest.fixture
def database(questdb: Server) -> Iterator[QuestDB]:
    client = questdb.client()
    ensure_schema(client)
    client.execute("TRUNCATE TABLE events")
    client.execute(
        "INSERT INTO events (reactor, source, kind, text, seq, ts)"
        " SELECT 'r1', 'ph', 'fault', 'said \"no\",' || x, x, dateadd('s', cast(x AS INT), '2026-03-01T00:00:00Z')"
        " FROM long_sequence(30000)"
    )
    client.execute("INSERT INTO events (reactor, source, kind, ts) VALUES ('r1', 'ph', 'late', '2026-03-02T00:00:00Z')")
    client.query("SELECT wait_wal_table('events')")
    yield client
    client.close()


@pytest.mark.system
def test_csv_is_every_row_of_the_time_and_no_other(database: QuestDB, tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    path = tmp_path / "e.csv"
    assert export(database, "events", DAY, path, "csv", lambda *step: steps.append(step)) == 30_000
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["seq"]) for row in rows] == list(range(1, 30_001))
    assert rows[6]["text"] == 'said "no",7'
    assert steps == sorted(steps)
    assert steps[-1][0] == path.stat().st_size
    assert 0.5 < steps[0][1] / steps[-1][0] < 2
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.system
def test_parquet_is_read_back_by_the_server(questdb: Server, database: QuestDB, tmp_path: Path) -> None:
    path = tmp_path / "e.parquet"
    export(database, "events", DAY, path, "parquet", lambda *_: None)
    read = questdb.config.root / "import" / "e.parquet"
    read.parent.mkdir(exist_ok=True)
    read.write_bytes(path.read_bytes())
    assert database.query("SELECT count(), sum(seq), min(ts) FROM read_parquet('e.parquet')") == [
        (30_000, 30_000 * 30_001 // 2, "2026-03-01T00:00:01.000000Z")
    ]


@pytest.mark.system
def test_what_is_declined_leaves_nothing(database: QuestDB, tmp_path: Path) -> None:
    with pytest.raises(SqlError):
        export(database, "nonsense", DAY, tmp_path / "e.csv", "csv", lambda *_: None)
    assert list(tmp_path.iterdir()) == []


COUNT = b'{"dataset":[[5]]}'
HEAD = b"HTTP/1.1 200 OK\r\nConnection: close\r\n"  # each is asked on a connection of its own
ANSWERS = (
    HEAD + b"Content-Length: %d\r\n\r\n%s" % (len(COUNT), COUNT),
    HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\na\r\n\r\n0\r\n\r\n",
    HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\na\r\n\r\n",  # and then the server is killed
)


def test_an_answer_that_is_cut_off_leaves_nothing(tmp_path: Path) -> None:
    def serve(server: socket.socket) -> None:
        for answer in ANSWERS:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve, args=[server])
        thread.start()
        database = QuestDB(f"http://127.0.0.1:{server.getsockname()[1]}")
        with pytest.raises(Unreachable, match="did not finish"):
            export(database, "events", DAY, tmp_path / "e.csv", "csv", lambda *_: None)
        thread.join()
        database.close()
    assert list(tmp_path.iterdir()) == []
