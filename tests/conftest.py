"""What every room's tests share: a real QuestDB."""

import gc
import json
import os
import random
import re
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import pytest
from hypothesis import settings

from actors.config import DatabaseLogin
from deploy import questdb as local
from storage.questdb import QuestDB, Unreachable
from ui import accounts

# How long an example took says how busy the machine is, and nothing of the code: benchmarks measure. A test for which
# so many examples are too few asks for more.
settings.register_profile("reactorium", deadline=None, max_examples=50)
settings.load_profile("reactorium")

accounts._COST["n"] = 2  # a password may be guessed quickly here

READY = 60.0  # seconds; 2 on an idle machine
STOP = 20.0

# Files of the system's tests that take half a minute and more, with `make test` each in one process.
LONGEST = (
    *("test_whole", "test_page", "test_terminal", "test_machines", "test_storage_server", "test_wire_processes"),
    *("test_fleet", "test_guard", "test_guard_proof", "test_storage_disk", "test_upgrade", "test_short_plan"),
)

# Below those that the kernel gives to whoever asks for any; each of xdist's processes has its own.
_OURS = range(
    10_000 + int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")),
    32_768,
    int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")),
)
PORTS = cycle(random.sample(_OURS, len(_OURS)))

# The server runs in a child that becomes java, so that it ends when the tests do, however they end.
CHILD = """
import json, sys
from pathlib import Path
from actors.config import DatabaseLogin
from deploy.lifeline import hold
from deploy.questdb import Logins, QuestDBConfig, exec_server
given = json.loads(sys.stdin.read())
hold(given["parent"])
logins = Logins(DatabaseLogin(*given["owner"]), DatabaseLogin(*given["viewer"]))
exec_server(QuestDBConfig(Path(given["root"]), Path(given["cache"]), *given["ports"], logins), Path(given["jar"]))
"""


def pytest_configure() -> None:
    gc.disable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first: the last that one of xdist's processes begins is then a short one."""
    items.sort(key=lambda item: LONGEST.index(item.path.stem) if item.path.stem in LONGEST else len(LONGEST))


def pytest_collection_finish() -> None:
    """What reading the tests made stays until the end: nobody need look through it again and again."""
    gc.freeze()
    gc.enable()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out files without a test that is asked for: each of xdist's processes reads every other one."""
    asked = config.option.markexpr
    if asked not in {"system", "not system"} or not collection_path.match("test_*.py"):
        return None
    text = collection_path.read_text(encoding="utf-8")
    if asked == "system":
        left_out = "pytest.mark.system" not in text
    else:
        left_out = re.search(r"^pytestmark = \[?pytest\.mark\.system\b", text, re.MULTILINE) is not None
    return left_out or None


@dataclass
class Server:
    """A real QuestDB of the tests' own; `kill` and `start` again keeps ports, passwords and data."""

    config: local.QuestDBConfig
    jar: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.config.http_port}"

    @property
    def owner(self) -> DatabaseLogin:
        return self.config.logins.owner

    @property
    def viewer(self) -> DatabaseLogin:
        return self.config.logins.viewer

    @property
    def pg_port(self) -> int:
        return self.config.pg_port

    def client(self, timeout: float = 10.0) -> QuestDB:
        return QuestDB(self.address, self.owner.user, self.owner.password, timeout)

    def start(self) -> None:
        config = self.config
        given = {
            "root": str(config.root),
            "cache": str(config.cache),
            "ports": [config.http_port, config.pg_port, config.health_port],
            "owner": [self.owner.user, self.owner.password],
            "viewer": [self.viewer.user, self.viewer.password],
            "jar": str(self.jar),
            "parent": os.getpid(),
        }
        config.root.mkdir(parents=True, exist_ok=True)
        with (config.root / "output.log").open("ab") as log:
            child = subprocess.Popen([sys.executable, "-c", CHILD], stdin=subprocess.PIPE, stdout=log, stderr=log)
        self.process = child
        assert child.stdin
        child.stdin.write(json.dumps(given).encode())
        child.stdin.close()
        self._wait_until_ready(child)

    def _wait_until_ready(self, child: subprocess.Popen[bytes]) -> None:
        client, end = self.client(), time.monotonic() + READY
        try:
            while time.monotonic() < end:
                if child.poll() is not None:
                    break
                try:
                    client.query("SELECT 1")
                except Unreachable:
                    time.sleep(0.1)
                else:
                    return
        finally:
            client.close()
        child.kill()
        child.wait()
        raise RuntimeError("QuestDB did not start: " + (self.config.root / "output.log").read_text()[-2000:])

    def kill(self) -> None:
        """`kill -9`."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def send(self, number: signal.Signals) -> None:
        """SIGSTOP and SIGCONT: a server that hangs, from when this returns."""
        assert self.process
        os.kill(self.process.pid, number)
        if number is signal.SIGSTOP:
            os.waitid(os.P_PID, self.process.pid, os.WSTOPPED | os.WNOWAIT)  # until its last thread stands

    def _end(self, number: signal.Signals) -> None:
        if self.process is None:
            return
        os.kill(self.process.pid, number)
        try:
            self.process.wait(STOP)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None


def free_ports(count: int) -> list[int]:
    """Ports that are free now, and that nobody gets before they are bound: the server cannot bind port 0 and tell."""
    found: list[int] = []
    while len(found) < count:
        port = next(PORTS)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            found.append(port)
    return found


@contextmanager
def running_questdb(root: Path) -> Iterator[Server]:
    """A server of one test's own, for tests that kill, stop or wipe it."""
    try:
        jar = local.install(local.default_cache())
    except local.QuestDBUnavailable as error:
        pytest.fail(f"the real QuestDB is needed: {error}")
    logins = local.Logins(
        DatabaseLogin("reactorium", secrets.token_urlsafe(16)), DatabaseLogin("viewer", secrets.token_urlsafe(16))
    )
    http, pg, health = free_ports(3)
    server = Server(local.QuestDBConfig(root, local.default_cache(), http, pg, health, logins), jar)
    server.start()
    try:
        yield server
    finally:
        if server.process is not None:
            os.kill(server.process.pid, signal.SIGCONT)  # a test may have left it stopped
        server.stop()


@pytest.fixture(scope="session", autouse=True)
def _java_that_starts_soon() -> Iterator[None]:
    """Java's second compiler works for minutes at what a test's server does for one: leave it out."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JDK_JAVA_OPTIONS", "-XX:TieredStopAtLevel=1")
        yield


@pytest.fixture(scope="session")
def questdb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The real server, shared by all tests of a run: start it, leave its tables to others, do not kill it."""
    with running_questdb(tmp_path_factory.mktemp("questdb")) as server:
        yield server


@pytest.fixture
def own_questdb(tmp_path: Path) -> Iterator[Server]:
    """A real server of this test's own: it may be killed, stopped, wiped, and started again."""
    with running_questdb(tmp_path / "questdb") as server:
        yield server
