"""What answers at the database's address may be anything: nonsense, half an answer, a page, another server."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from storage.ilp import Ingest, LoginFailed, Stored, TryLater
from storage.questdb import DatabaseError, LoginRefused, QuestDB
from storage.spool import SpooledRow
from tests.storage.conftest import sample

ROWS = [SpooledRow(1, "s", 1, 1, sample(1)), SpooledRow(2, "s", 2, 2, sample(2))]
NOTHING = b"HTTP/1.1 204 No Content\r\n\r\n"
ANSWERS = {
    "nothing at all": b"",
    "nonsense": b"\x00\xff\xfe SSH-2.0-OpenSSH_9.2\r\n\r\n",
    "half a line": b"HTTP/1.",
    "half a body": b'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{"dataset": [[',
    "half a chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n40\r\n{",
    "a page": b"HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n<html>Hi</html>",
    "a list": b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n[1,2,3]",
    "rows that are none": b'HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n{"dataset": 17}',
    "another place": b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
    "an error": b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 2\r\n\r\n\xff\xfe",
    "a full disk": b'HTTP/1.1 500 Full\r\nContent-Length: 36\r\n\r\n{"code":"internal error", "line": 1} ',
    "no such number": b"HTTP/1.1 999 Who Knows\r\nContent-Length: 0\r\n\r\n",
    "a bad request without a line": b'HTTP/1.1 400 Bad Request\r\nContent-Length: 18\r\n\r\n{"code":"invalid"}',
    "a line that was not sent": b'HTTP/1.1 400 Bad\r\nContent-Length: 29\r\n\r\n{"code":"invalid", "line": 3}',
}

Serve = Callable[[bytes], str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Answer every request with these bytes and close, at the address that it returns; again for other bytes."""
    answer = [b""]
    with socket.create_server(("127.0.0.1", 0)) as server:

        def run() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection, connection.makefile("rb") as request:
                    head = dict(
                        line.lower().split(b": ", 1) for line in iter(request.readline, b"\r\n") if b": " in line
                    )
                    request.read(int(head.get(b"content-length", b"0")))  # what is unread would reset the connection
                    connection.sendall(answer[0])

        def begin(content: bytes) -> str:
            answer[0] = content
            return f"http://127.0.0.1:{server.getsockname()[1]}"

        thread = threading.Thread(target=run)
        thread.start()
        yield begin
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.mark.parametrize("name", ANSWERS)
def test_no_answer_costs_a_row_or_raises_what_nobody_expects(serve: Serve, name: str) -> None:
    with closing(QuestDB(serve(ANSWERS[name]), "me", "secret-password", timeout=2.0)) as database:
        ingest = Ingest(database)
        outcome = ingest.send(ROWS)
        assert isinstance(outcome, TryLater)
        with pytest.raises(DatabaseError) as told:
            database.query("SELECT 1")
        for text in (outcome.reason, str(told.value)):
            assert "secret-password" not in text
            assert len(text) < 500
        serve(NOTHING)
        assert Stored() in {ingest.send(ROWS), ingest.send(ROWS)}  # the first may meet the connection's end


def test_a_login_that_is_refused_is_told_apart(serve: Serve) -> None:
    with closing(QuestDB(serve(b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n"), "me", "secret", 2.0)) as database:
        assert Ingest(database).send(ROWS) == LoginFailed()
        with pytest.raises(LoginRefused):
            database.query("SELECT 1")
