"""The real web server on a real port over a real database: bytes that no browser sends, slow clients, too many."""

import re
import resource
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit

import psutil
import pytest
import urllib3

from storage.questdb import QuestDB
from storage.reader import Reader
from storage.schema import TABLES, ensure_schema
from tests.conftest import Server
from tests.ui.pretend import Pretender
from tests.ui.served import Served
from ui import patience
from ui.rest.gate import MOST_BYTES

pytestmark = pytest.mark.system
MEBIBYTE = 2**20
PATIENCE = 30.0  # seconds that a test waits for what takes one
CROWD = 3000  # connections that say nothing
EVIL = (
    "x'; DROP TABLE samples; --",
    "' OR 1=1 --",
    "' UNION SELECT identity, incarnation, identity, identity, identity FROM meta --",
    "it''s",
    "\\'; TRUNCATE TABLE samples; --",
    '" OR ""="',
    "../../../etc/passwd",
    "..%2f..%2fetc%2fpasswd",
    "tank-1\n",
    "tank-1\r\nSet-Cookie: reactorium=x",
    "tank-1\0",
    "tank-1' --",
    "%s%s%n{0}${x}",
    "\u2028\U0001f9ea\u0301",
    "x" * 5000,
    "",
)


@dataclass
class Target:
    """What is attacked: `get` asks it as a program that may look, `connect` speaks to it as rudely as one likes."""

    served: Served
    database: QuestDB
    asking: urllib3.PoolManager = field(default_factory=lambda: urllib3.PoolManager(retries=False, timeout=PATIENCE))

    def get(self, path: str) -> urllib3.BaseHTTPResponse:
        headers = {"Authorization": f"Bearer {self.served.token}"}
        return self.asking.request("GET", self.served.url + path, headers=headers)

    def is_well(self) -> bool:
        return self.get("/api/reactors").status == 200 and self.served.server.is_alive()

    @contextmanager
    def connect(self, room: int = 0) -> Iterator[socket.socket]:
        """Open a connection; `room` is how many bytes the kernel keeps of what is not read."""
        with socket.socket() as made:
            if room:
                made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
            made.settimeout(PATIENCE)
            made.connect(("127.0.0.1", urlsplit(self.served.url).port or 0))
            yield made

    def say(self, raw: bytes) -> bytes:
        """Send some bytes, and give everything that comes until the server hangs up."""
        with self.connect() as made:
            made.sendall(raw)
            return heard(made)

    def request(self, line: bytes, *more: bytes) -> bytes:
        """Send a request as a program that may change things, with these head lines; gives what came."""
        token = f"Authorization: Bearer {self.served.token}".encode()
        return self.say(b"\r\n".join([line + b" HTTP/1.1", b"Host: x", token, b"Connection: close", *more, b"", b""]))


def heard(made: socket.socket) -> bytes:
    """Read until the other side hangs up."""
    told = b""
    try:
        while more := made.recv(65536):
            told += more
    except ConnectionResetError:  # it did not read all of what was sent
        pass
    return told


def status_of(answer: bytes) -> int:
    found = re.match(rb"HTTP/1\.1 (\d{3}) ", answer)
    return int(found[1]) if found else 0


def wait_until(condition: Callable[[], object], what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.02)


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory, questdb: Server) -> Iterator[Target]:
    database = questdb.client()
    ensure_schema(database)
    for table in TABLES:
        if table.name != "meta":
            database.execute(f"TRUNCATE TABLE {table.name}")
    database.execute(
        "INSERT INTO samples (reactor, sensor, quantity, value, unit, quality, ts)"
        " VALUES ('tank-1', 'ph', 'ph', 7.0, 'pH', 'ok', now())"
    )
    database.execute(
        "INSERT INTO events (reactor, source, kind, text, ts)"
        " VALUES ('tank-1', 'ph', 'fault', 'it''s \" broken', now())"
    )
    database.query("SELECT wait_wal_table('samples')")
    database.query("SELECT wait_wal_table('events')")
    before = threading.enumerate()
    reader = Reader("127.0.0.1", questdb.pg_port, questdb.viewer.user, questdb.viewer.password)
    served = Served(tmp_path_factory.mktemp("attacked"), Pretender(["tank-1"]), reader)
    target = Target(served, database)
    wait_until(lambda: listens(served), "the server listens")
    yield target
    served.close()
    database.close()
    assert [thread for thread in threading.enumerate() if thread not in before and not thread.daemon] == []


def listens(served: Served) -> bool:
    with socket.socket() as made:
        return made.connect_ex(("127.0.0.1", urlsplit(served.url).port or 0)) == 0


# --- injection


def parameters(target: Target) -> Iterator[tuple[str, dict[str, str], str]]:
    """Every path that is read, its required query with good values, and the name of one parameter to spoil."""
    good = {"reactor": "tank-1", "target": "heater", "sensor": "ph", "quantity": "ph", "setting": "duty"}
    for path, ways in target.get("/api/openapi.json").json()["paths"].items():
        if "get" in ways and path != "/api/stream":
            named = {one["name"]: one for one in ways["get"].get("parameters", []) if one["in"] in {"query", "path"}}
            required = {name: good[name] for name, one in named.items() if one.get("required")}
            for name in named:
                yield path, required, name


def test_no_parameter_of_any_route_reaches_the_database_as_a_statement(target: Target) -> None:
    sizes = "SELECT table_name, table_row_count FROM tables() ORDER BY table_name"
    before = target.database.query(sizes)
    tried = 0
    for path, required, name in parameters(target):
        for evil in EVIL:
            values = {**required, name: evil}
            asked = "&".join(
                f"{key}={quote(value, safe='')}" for key, value in values.items() if f"{{{key}}}" not in path
            )
            answer = target.get(
                f"{path.format(**{key: quote(value, safe='') for key, value in values.items()})}?{asked}"
            )
            assert answer.status in {200, 400, 404, 422}, (path, name, evil, answer.data[:300])
            assert b"identity" not in answer.data or path == "/api/health", (path, name, evil)
            assert "Set-Cookie" not in answer.headers
            tried += 1
    assert tried > 500
    assert target.database.query(sizes) == before
    assert target.is_well()


@pytest.mark.parametrize(("text", "count"), [("it's", 1), ('" broken', 1), ("' OR '1'='1", 0), ("%", 0), ("IT'S", 1)])
def test_what_is_searched_for_is_a_text(target: Target, text: str, count: int) -> None:
    assert len(target.get(f"/api/events?text={quote(text)}").json()) == count


# --- requests that no browser makes


@pytest.mark.parametrize(
    "path",
    [
        "/page/../../accounts.py",
        "/page/%2e%2e/rest/gate.py",
        "/page/..%2f..%2fui%2faccounts.py",
        "/page//etc/passwd",
        "/page/%2fetc/passwd",
        "/page/..%5c..%5caccounts.py",
        "/page/js/../../rest/gate.py",
        "//etc/passwd",
        "/../../etc/passwd",
        "/page/style.css%00.html",
        "http://evil.example/page/../accounts.py",
        "//evil.example/..",
    ],
)
def test_no_path_leaves_the_page(target: Target, path: str) -> None:
    answer = target.request(f"GET {path}".encode())
    assert status_of(answer) == 404
    assert b"import " not in answer
    assert b"root:" not in answer
    assert b"location:" not in answer.lower()


@pytest.mark.parametrize(
    "raw",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"x" * 100,  # TLS
        b"GET / HTTP/1.1\r\n\r\n",  # no host
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"POST /api/session HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
        b"POST /api/session HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
        b"POST /api/session HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\nx\r\n",
        b"POST /api/session HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX: a\x00b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: " + b"y" * 300_000,
        b"GET /" + b"x" * 300_000,
        b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 50_000,
        b"\x00" * 40_000,
    ],
    ids=lambda raw: raw[:20].hex(),
)
def test_what_is_no_http_is_refused_and_hung_up_on(target: Target, raw: bytes) -> None:
    answer = target.say(raw)
    assert status_of(answer) in {400, 501}
    assert target.is_well()


@pytest.mark.parametrize("verb", [b"TRACE", b"CONNECT", b"OPTIONS", b"PATCH", b"HEAD", b"PROPFIND", b"X" * 1000])
def test_other_verbs_do_nothing(target: Target, verb: bytes) -> None:
    answer = target.request(verb + b" /api/reactors", b"X-HTTP-Method-Override: DELETE")
    assert status_of(answer) == 405
    assert b"rct_" not in answer  # nothing that was sent comes back


def test_nobody_gets_a_websocket(target: Target) -> None:
    asked = (b"Upgrade: websocket", b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", b"Sec-WebSocket-Version: 13")
    for path in (b"/", b"/api/stream2", b"/api/reactors"):
        answer = target.request(b"GET " + path, b"Connection: upgrade", b"Origin: http://evil.example", *asked)
        assert status_of(answer) in {200, 404}
        assert b"101" not in answer.split(b"\r\n", 1)[0]


# --- bodies


def test_a_body_that_is_too_large_is_refused_before_it_comes(target: Target) -> None:
    answer = target.request(b"POST /api/tokens", b"Content-Type: application/json", b"Content-Length: 99999999999")
    assert status_of(answer) == 413


def test_a_body_without_a_length_is_cut_off(target: Target) -> None:
    before = psutil.Process().memory_info().rss
    head = (
        f"POST /api/tokens HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {target.served.token}\r\n"
        "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    ).encode()
    chunk = b"8000\r\n" + b"[" * 0x8000 + b"\r\n"
    sent = 0
    with target.connect() as made:
        made.sendall(head)
        try:
            for _ in range(2000):
                made.sendall(chunk)
                sent += len(chunk)
        except OSError:
            pass
        answer = heard(made)
    assert status_of(answer) in {0, 413}  # 0: the kernel threw it away with the rest
    assert sent < 16 * MEBIBYTE  # what fits into both kernels' buffers
    assert psutil.Process().memory_info().rss - before < 16 * MEBIBYTE
    assert target.is_well()


def test_a_bomb_is_not_unpacked(target: Target) -> None:
    bomb = b"\x1f\x8b\x08\x00" + b"\x00" * (MOST_BYTES - 100)
    before = psutil.Process().memory_info().rss
    with target.connect() as made:
        made.sendall(
            f"POST /api/tokens HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {target.served.token}\r\n"
            "Connection: close\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\n"
            f"Content-Length: {len(bomb)}\r\n\r\n".encode()
        )
        made.sendall(bomb)
        assert status_of(heard(made)) in {400, 422}
    assert psutil.Process().memory_info().rss - before < 8 * MEBIBYTE


# --- the slow

LATE = b"POST /api/session HTTP/1.1\r\nHost: x\r\nSec-Fetch-Site: same-origin\r\nContent-Length: 50\r\n\r\n{"
HALVES = {
    "nothing": (b"", False),
    "half a head": (b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ", True),
    "half a body": (LATE, True),
    "half a body behind another request": (b"GET /page/icon.svg HTTP/1.1\r\nHost: x\r\n\r\n" + LATE, False),
}


@pytest.mark.parametrize("half", HALVES)
def test_who_does_not_finish_a_request_is_told_and_hung_up_on(
    target: Target, half: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "LONGEST_REQUEST", 1.0)
    raw, drips = HALVES[half]
    began = time.monotonic()
    with target.connect() as made:
        made.sendall(raw)
        made.settimeout(0.1)
        told = b""
        while time.monotonic() - began < PATIENCE:
            try:
                if drips:
                    made.sendall(b"x")
                more = made.recv(65536)
            except TimeoutError:
                continue
            except OSError:  # reset: a drop came after the end
                break
            if not more:
                break
            told += more
        assert time.monotonic() - began < PATIENCE
    assert b"HTTP/1.1 408 " in told
    assert time.monotonic() - began > 0.9
    assert target.is_well()


def test_a_slow_request_that_comes_in_time_is_served(target: Target) -> None:
    with target.connect() as made:
        for byte in b"GET /page/icon.svg HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n":
            made.sendall(bytes([byte]))
        assert status_of(heard(made)) == 200


def test_who_never_reads_the_live_stream_is_let_go(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "LONGEST_PAUSE", 1.0)
    hub, pretender = target.served.server._hub, target.served.pretender
    before = psutil.Process().memory_info().rss
    with target.connect(room=4096) as made:
        made.sendall(
            f"GET /api/stream?reactor=tank-1 HTTP/1.1\r\nHost: x\r\n"
            f"Authorization: Bearer {target.served.token}\r\n\r\n".encode()
        )
        wait_until(lambda: len(hub._listeners) == 1, "it listens")

        def gone() -> bool:
            for _ in range(20):
                pretender.report("tank-1")
            return not hub._listeners

        wait_until(gone, "it is let go")
    assert psutil.Process().memory_info().rss - before < 16 * MEBIBYTE
    assert target.is_well()


# --- the many


def test_a_crowd_that_says_nothing_keeps_nobody_out(target: Target) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * CROWD + 1000  # both ends are this process's
    if hard != resource.RLIM_INFINITY and hard < wanted:
        pytest.skip(f"a process may have {hard} files here, this needs {wanted}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    connections = target.served.server._server.server_state.connections
    before = psutil.Process().memory_info().rss
    slowest = 0.0
    try:
        with ExitStack() as stack:
            for number in range(CROWD):
                stack.enter_context(target.connect()).sendall(b"GET / HTTP/1.1\r\nX: ")
                if number % 500 == 499:
                    began = time.monotonic()
                    assert target.is_well()
                    slowest = max(slowest, time.monotonic() - began)
            assert len(connections) <= patience.MOST_CONNECTIONS
            grown = psutil.Process().memory_info().rss - before
            assert grown < 100 * MEBIBYTE, f"{grown / MEBIBYTE:.0f} MiB"
        wait_until(lambda: len(connections) < 5, "they are gone")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    print(f"crowd of {CROWD}: {grown / MEBIBYTE:.1f} MiB, others answered within {slowest:.2f} s")  # noqa: T201 - a figure
    assert target.is_well()


def test_a_crowd_that_asks_now_and_then_keeps_nobody_out(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "MOST_CONNECTIONS", 20)
    target.asking.clear()
    with ExitStack() as stack:
        crowd = []
        for _ in range(40):  # each is served, whoever has to go for it
            crowd.append(stack.enter_context(asked(target)))
            assert status_of(crowd[-1].recv(65536)) == 200
        assert target.is_well()
        assert len(target.served.server._server.server_state.connections) <= patience.MOST_CONNECTIONS
        heard(crowd[0])  # comes to an end: the idlest was hung up on


@contextmanager
def asked(target: Target) -> Iterator[socket.socket]:
    with target.connect() as made:
        made.sendall(b"GET /page/icon.svg HTTP/1.1\r\nHost: x\r\n\r\n")
        yield made
