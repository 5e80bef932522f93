"""The gateway behind the real nginx, over TLS, in front of the real QuestDB; who writes came in by a request."""

import os
import re
import signal
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import urllib3

from deploy import certificates, enrol, keyring, logins
from deploy.gateway import LARGEST
from deploy.settings import PREFIX, load
from storage.ilp import Ingest, LoginFailed, RowRefused, Stored, TryLater
from storage.questdb import GATEWAY, Certificates, QuestDB, SqlError, Unreachable
from storage.rows import Event, Row
from storage.schema import ensure_schema
from storage.spool import SpooledRow
from tests.conftest import Server, free_ports
from tests.system.whole import command, wait_for

pytestmark = pytest.mark.system
NOON = 1_790_000_000_000_000


@dataclass
class Door:
    """Gateway and nginx as processes, with their server's state folder, and nodes that may write through them."""

    folder: Path
    variables: dict[str, str]
    port: int
    processes: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    @property
    def address(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def start(self, name: str) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            environment = os.environ | self.variables
            self.processes[name] = subprocess.Popen(command(name), env=environment, stdout=log, stderr=log)

    def stop(self, name: str) -> None:
        process = self.processes.pop(name)
        process.send_signal(signal.SIGTERM)
        process.wait(30)

    def node(self, monkeypatch: pytest.MonkeyPatch, name: str, role: str = "reactor") -> Certificates:
        """Bring a node in, as people do; returns its certificates."""
        board, settings = self.folder / name, load()
        board.mkdir()
        with monkeypatch.context() as there:
            there.chdir(board)
            there.setenv(f"{PREFIX}STATE_DIR", str(board / "state"))
            own = load()
            enrol.enrol(own, name, role)
            fingerprint = enrol._read_request(f"{name}.request").fingerprint
            enrol.approve(settings, f"{name}.request", fingerprint)
            enrol.join(own, f"{name}.bundle")
        return logins.certificates(enrol._own_folder(own, name, role))


@pytest.fixture(scope="module")
def monkeymodule() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.fixture(scope="module")
def door(questdb: Server, tmp_path_factory: pytest.TempPathFactory, monkeymodule: pytest.MonkeyPatch) -> Iterator[Door]:
    folder = tmp_path_factory.mktemp("door")
    (port,) = free_ports(1)
    variables = {
        f"{PREFIX}STATE_DIR": str(folder / "state"),
        f"{PREFIX}GATEWAY_PORT": str(port),
        f"{PREFIX}QUESTDB_URL": questdb.address,
        f"{PREFIX}QUESTDB_USER": questdb.owner.user,
        f"{PREFIX}QUESTDB_PASSWORD": questdb.owner.password,
    }
    for name, value in variables.items():
        monkeymodule.setenv(name, value)
    (folder / "state").mkdir(mode=0o700)
    keyring.make(load(), [])
    database = questdb.client()
    ensure_schema(database)
    database.close()
    door = Door(folder, variables, port)
    try:
        for name in ("gateway", "proxy"):
            door.start(name)
        first = door.node(monkeymodule, "first")
        with closing(QuestDB(door.address, certificates=first)) as client:
            wait_for(lambda: answers(client), "the gateway answers")
        yield door
    finally:
        for name in list(door.processes):
            door.stop(name)


def answers(client: QuestDB) -> bool:
    try:
        return client.write(b"")[0] == 204
    except Unreachable:
        return False


@pytest.fixture
def tank(door: Door, request: pytest.FixtureRequest, monkeymodule: pytest.MonkeyPatch) -> Certificates:
    """A node of one test's own, named after it."""
    return door.node(monkeymodule, name_of(request))


def name_of(request: pytest.FixtureRequest) -> str:
    return re.sub("[^a-z]", "", str(request.node.name))[-30:]


def rows(reactor: str, *texts: str) -> list[SpooledRow]:
    return [SpooledRow(seq, "spool1", seq, NOON + seq, event(reactor, text)) for seq, text in enumerate(texts, 1)]


def event(reactor: str, text: str) -> Row:
    return Event(reactor, "reactor", "started", text, 0)


def stored(questdb: Server, reactor: str) -> list[object]:
    with closing(questdb.client()) as database:
        database.query("SELECT wait_wal_table('events')")
        return [text for (text,) in database.query(f"SELECT text FROM events WHERE reactor = '{reactor}' ORDER BY ts")]


def test_a_node_writes_its_own_rows_and_nobody_elses(
    door: Door, tank: Certificates, questdb: Server, request: pytest.FixtureRequest
) -> None:
    name = name_of(request)
    ingest = Ingest(QuestDB(door.address, certificates=tank))
    nasty = 'a "b",c=1\nevents,reactor=pond text="x" 1n\n\\'
    assert ingest.send(rows(name, "one", nasty)) == Stored()
    assert ingest.send([*rows(name, "one"), *rows("pond", "foreign")]) == RowRefused(
        1, f"line 2 is another reactor's: this is {name}"
    )
    assert ingest.send(rows(name, *(["x" * 7000] * 1000))) == Stored()  # the largest batch: 7 MB
    ingest.close()
    assert stored(questdb, name)[:2] == ["x" * 7000] * 2
    assert stored(questdb, "pond") == []


def test_a_node_cannot_read(door: Door, tank: Certificates) -> None:
    with closing(QuestDB(door.address, certificates=tank)) as database, pytest.raises(Unreachable, match="HTTP 404"):
        database.query("SELECT 1")


def test_a_host_of_managers_reads_and_writes(door: Door, monkeymodule: pytest.MonkeyPatch) -> None:
    with closing(QuestDB(door.address, certificates=door.node(monkeymodule, "lab2", "manager"))) as database:
        assert database.query("SELECT 1 + 1") == [(2,)]
        assert database.query("SELECT '" + "x" * 30_000 + "' IS NULL") == [(False,)]  # many reactors attach at once
        with pytest.raises(SqlError):
            database.query("SELECT nothing")
        assert database.write(b"readings,reactor=r1,sensor=ph,quantity=ph value=7.0 1790000000000000000n\n")[0] == 204


def test_a_node_that_holds_many_requests_open_leaves_room_for_the_others(
    door: Door, tank: Certificates, monkeymodule: pytest.MonkeyPatch
) -> None:
    """As one does whose disk image was stolen, or whose program went mad."""
    other = door.node(monkeymodule, "neighbour")
    with ExitStack() as stack:
        held = [stack.enter_context(unfinished(door, tank)) for _ in range(24)]
        said: list[bytes] = []

        def some_are_refused() -> bool:
            said.extend(answer for one in held if (answer := what_it_says(one)))
            return len(said) == 24 - 16

        wait_for(some_are_refused, "those above the limit are answered")
        assert all(answer.startswith(b"HTTP/1.1 503") for answer in said)
        with closing(QuestDB(door.address, certificates=other)) as database:
            assert database.write(b"")[0] == 204


@contextmanager
def unfinished(door: Door, certificates: Certificates) -> Iterator[ssl.SSLSocket]:
    """A request whose body never comes."""
    raw = socket.create_connection(("127.0.0.1", door.port), timeout=10)
    with certificates.context().wrap_socket(raw, server_hostname=GATEWAY) as connection:
        connection.sendall(b"POST /write HTTP/1.1\r\nHost: gateway\r\nContent-Length: 100\r\n\r\n")
        connection.setblocking(False)
        yield connection


def what_it_says(connection: ssl.SSLSocket) -> bytes:
    try:
        return connection.recv(1 << 16)
    except ssl.SSLWantReadError:
        return b""


def test_who_is_revoked_is_out_on_the_connection_that_it_has(
    door: Door, tank: Certificates, request: pytest.FixtureRequest
) -> None:
    name = name_of(request)
    with closing(QuestDB(door.address, certificates=tank)) as database:
        ingest = Ingest(database)
        assert ingest.send(rows(name, "one")) == Stored()
        enrol.revoke(load(), name)
        assert ingest.send(rows(name, "two")) == LoginFailed()


def test_nobody_comes_in_without_a_certificate_of_ours(door: Door, tank: Certificates, tmp_path: Path) -> None:
    with urllib3.PoolManager(cert_reqs="CERT_NONE", assert_hostname=False, retries=False) as stranger:
        with pytest.warns(urllib3.exceptions.InsecureRequestWarning):
            answer = stranger.request("POST", f"{door.address}/write", body=b"")
        assert answer.status == 400
        assert stranger.request("POST", f"http://127.0.0.1:{door.port}/write", body=b"").status == 400
    another = tmp_path / "another"
    certificates.make_authority(another)
    key = certificates.load_or_make_key(tmp_path / "key")
    issued = certificates.issue(another, "first", key.public_key())
    (tmp_path / "crt").write_bytes(issued.certificate)
    forged = Certificates(tank.authority, tmp_path / "crt", tmp_path / "key")
    with closing(QuestDB(door.address, certificates=forged)) as database:
        assert database.write(b"")[0] == 400
    mistaken = Certificates(another / "ca.crt", tank.own, tank.key)
    with closing(QuestDB(door.address, certificates=mistaken)) as database, pytest.raises(Unreachable, match="verify"):
        database.write(b"")


def test_what_a_client_says_of_itself_counts_for_nothing(door: Door, tank: Certificates, questdb: Server) -> None:
    headers = {"X-Reactorium-Subject": "CN=first", "Authorization": f"Basic {questdb.owner.password}"}
    with urllib3.PoolManager(
        ssl_context=tank.context(), server_hostname="reactorium-gateway", assert_hostname="reactorium-gateway"
    ) as client:
        line = b'events,reactor=first,source=x,kind=y text="z" 1790000000000000000n\n'
        answer = client.request("POST", f"{door.address}/write?precision=n", body=line, headers=headers)
    assert answer.status == 400
    assert b"another reactor's" in answer.data


def test_a_body_that_is_too_large_is_refused_whole(door: Door, tank: Certificates) -> None:
    with closing(QuestDB(door.address, certificates=tank)) as database:
        assert database.write(b"x" * (LARGEST + 1))[0] == 413


def test_without_the_gateway_rows_wait(door: Door, tank: Certificates, request: pytest.FixtureRequest) -> None:
    name = name_of(request)
    with closing(QuestDB(door.address, certificates=tank)) as database:
        door.stop("gateway")
        outcome = Ingest(database).send(rows(name, "one"))
        assert isinstance(outcome, TryLater)
        assert "502" in outcome.reason
        door.start("gateway")
        wait_for(lambda: answers(database), "the gateway answers again")
        assert Ingest(database).send(rows(name, "one")) == Stored()


def test_no_password_is_in_a_log_or_an_answer(door: Door, questdb: Server) -> None:
    for path in door.folder.rglob("*"):
        if path.is_file():
            assert questdb.owner.password.encode() not in path.read_bytes(), path
