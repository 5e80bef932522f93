"""What the gateway lets through, and what it answers, without nginx and database."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deploy.gateway import Gateway
from storage.ilp import LoginFailed, Outcome, RowRefused, Stored, TryLater, judge
from storage.questdb import QuestDB, Unreachable
from transport.keys import Peer, write_peer

KEYS = {"tank": "t" * 40, "pond": "p" * 40, "lab2": "l" * 40, "web": "w" * 40}
OWN = b"samples,reactor=tank,sensor=ph value=7.0 1790000000000000000n\n"
OTHERS = OWN.replace(b"tank", b"pond")


class FakeQuestDB(QuestDB):
    """Says what it is told to, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[object] = []
        self.answer: tuple[int, bytes] | Exception = (204, b"")
        self.closed = 0

    def write(self, lines: bytes) -> tuple[int, bytes]:
        return self._say(lines)

    def run(self, sql: str) -> tuple[int, bytes]:
        return self._say(sql)

    def close(self) -> None:
        self.closed += 1

    def _say(self, asked: object) -> tuple[int, bytes]:
        self.asked.append(asked)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def allow(tmp_path: Path) -> Path:
    folder = tmp_path / "allow"
    folder.mkdir()
    write_peer(folder, Peer("tank", "reactor", KEYS["tank"], "a1"))
    write_peer(folder, Peer("pond", "reactor", KEYS["pond"]))
    write_peer(folder, Peer("lab2", "manager", KEYS["lab2"], "b2"))
    write_peer(folder, Peer("web", "operator", KEYS["web"], "c3"))
    return folder


@pytest.fixture
def database() -> FakeQuestDB:
    return FakeQuestDB()


Ask = Callable[..., tuple[int, bytes]]


@pytest.fixture
def ask(allow: Path, database: FakeQuestDB) -> Ask:
    gateway = Gateway(allow, lambda: database)

    def ask(
        body: bytes = OWN,
        *,
        subject: str = "CN=tank",
        serial: str = "00A1",
        method: str = "POST",
        path: str = "/write",
        query: str = "precision=n",
    ) -> tuple[int, bytes]:
        started: list[Any] = []
        environ = {
            "REQUEST_METHOD": method,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "HTTP_X_REACTORIUM_SUBJECT": subject,
            "HTTP_X_REACTORIUM_SERIAL": serial,
            "HTTP_AUTHORIZATION": "Basic c29tZTpib2R5",
            "wsgi.input": io.BytesIO(body),
        }

        def start_response(
            status: str, headers: list[tuple[str, str]], _: object = None, /
        ) -> Callable[[bytes], object]:
            started.extend([status, headers])
            return started.append

        content = b"".join(gateway(environ, start_response))
        assert int(dict(started[1]).get("Content-Length", 0)) == len(content)
        return int(started[0][:3]), content

    return ask


def outcome(answer: tuple[int, bytes], rows: int = 1) -> Outcome:
    """What a shipper makes of it."""
    return judge(*answer, rows)


def test_a_nodes_own_rows_pass_on_a_connection_of_their_own(ask: Ask, database: FakeQuestDB) -> None:
    assert outcome(ask(OWN + OWN)) == Stored()
    assert database.asked == [OWN + OWN]
    assert database.closed == 1


def test_another_ones_row_is_blamed_and_nothing_passes(ask: Ask, database: FakeQuestDB) -> None:
    assert outcome(ask(OWN + OTHERS), 2) == RowRefused(1, "line 2 is another reactor's: this is tank")
    assert database.asked == []


@pytest.mark.parametrize(
    ("subject", "serial"),
    [
        ("CN=tank", "A2"),  # an older certificate of the same node
        ("CN=tank", ""),
        ("CN=tank", "-A1"),
        ("CN=pond", ""),  # it never had one
        ("CN=pond", "0"),
        ("CN=nobody", "A1"),
        ("CN=../allow/tank", "A1"),
        ("CN=tank,O=pond", "A1"),
        ("", ""),
    ],
)
def test_who_has_no_certificate_that_counts_is_not_let_in(
    ask: Ask, database: FakeQuestDB, subject: str, serial: str
) -> None:
    answer = ask(subject=subject, serial=serial)
    assert answer[0] == 403
    assert outcome(answer) == LoginFailed()
    assert database.asked == []


def test_who_is_revoked_is_out_at_the_next_request(ask: Ask, allow: Path) -> None:
    assert outcome(ask()) == Stored()
    (allow / "tank.toml").unlink()
    assert outcome(ask()) == LoginFailed()


@pytest.mark.parametrize(
    ("method", "path", "query"),
    [
        ("GET", "/exec", "query=select%201"),
        ("GET", "/write", "precision=n"),
        ("POST", "/write", "precision=u"),
        ("POST", "/write", "precision=n&precision=u"),
        ("POST", "/write/", "precision=n"),
        ("POST", "/imp", ""),
        ("GET", "/", ""),
    ],
)
def test_a_reactor_may_do_nothing_else(ask: Ask, database: FakeQuestDB, method: str, path: str, query: str) -> None:
    assert ask(method=method, path=path, query=query)[0] == 404
    assert database.asked == []


def test_a_host_of_managers_may_read_and_write_everything(ask: Ask, database: FakeQuestDB) -> None:
    anything = b"readings,reactor=pond value=1 1n\n"
    assert ask(anything, subject="CN=lab2", serial="B2")[0] == 204
    database.answer = (200, b'{"dataset": []}')
    asked = ask(subject="CN=lab2", serial="B2", method="GET", path="/exec", query="query=select%201%2B1")
    assert asked == (200, b'{"dataset": []}')
    assert database.asked == [anything, "select 1+1"]


def test_an_operators_certificate_opens_nothing(ask: Ask, database: FakeQuestDB) -> None:
    assert ask(subject="CN=web", serial="C3", method="GET", path="/exec", query="query=select%201")[0] == 404
    ask(b"desired,reactor=pond value=1 1n\n", subject="CN=web", serial="C3")
    assert database.asked == []


def test_the_databases_own_refusal_is_passed_on(ask: Ask, database: FakeQuestDB) -> None:
    refusal = json.dumps({"code": "invalid", "line": 1, "message": "x\ncast error"}).encode()
    database.answer = (400, refusal)
    assert outcome(ask()) == RowRefused(0, "cast error")


def test_a_database_that_is_away_is_tried_again(ask: Ask, database: FakeQuestDB) -> None:
    database.answer = Unreachable("http://127.0.0.1:9000 does not answer: refused")
    assert outcome(ask()) == TryLater("HTTP 502: the database does not answer")


def test_a_wrong_password_of_the_gateway_is_not_the_nodes_fault(ask: Ask, database: FakeQuestDB) -> None:
    database.answer = (401, b"Unauthorized")
    assert outcome(ask()) == TryLater("HTTP 502: the database refuses the gateway's login")
