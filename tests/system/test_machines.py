"""A server, a host of managers and a board, each with its own folders, set up as docs/quickstart.md says.

What a person types is typed here; what systemd would start is started here. The board holds no password.
"""

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from deploy.questdb import default_cache, load_or_make_logins
from deploy.settings import PREFIX
from storage.questdb import DatabaseError, QuestDB
from tests.conftest import free_ports
from tests.system.whole import STARTED, command, wait_for

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]
SERVER, HOST = "127.0.0.1", "127.0.0.3"
REACTOR = """
name = "{}"
live_interval = 1
sample_interval = 1

[[sensors]]
name = "board"
label = "The board itself"
driver = "host"
address = "host"
"""
LOAD = "reactor = 'tank' and sensor = 'board' and quantity = 'load'"


class Machine:
    """One machine: its working folder with `.env`, as /etc/reactorium has it."""

    def __init__(self, folder: Path, **variables: object) -> None:
        folder.mkdir()
        self.folder = folder
        self.state = folder / "state"
        self._service: subprocess.Popen[bytes] | None = None
        everywhere = {"STATE_DIR": self.state, "CACHE_DIR": default_cache(), "STATUS_INTERVAL": 1}
        lines = [f"{PREFIX}{name}={value}\n" for name, value in {**everywhere, **variables}.items()]
        (folder / ".env").write_text("".join(lines))

    @property
    def environment(self) -> dict[str, str]:
        here = {name: text for name, text in os.environ.items() if not name.startswith(PREFIX)}
        return here | {
            "PYTHONPATH": os.pathsep.join(
                str(Path(part).absolute()) for part in here.get("PYTHONPATH", "").split(os.pathsep)
            )
        }

    def run(self, *words: str, status: int = 0) -> str:
        """Type a command; returns what it says."""
        answer = subprocess.run(
            command(*words),
            env=self.environment,
            cwd=self.folder,
            check=False,
            capture_output=True,
            text=True,
            timeout=STARTED,
        )
        assert answer.returncode == status, answer.stdout + answer.stderr
        return answer.stdout

    def boot(self, role: str) -> None:
        """What reactorium@ROLE.service does."""
        with (self.folder / "journal").open("ab") as journal:
            self._service = subprocess.Popen(
                command(role), env=self.environment, cwd=self.folder, stdout=journal, stderr=journal
            )

    def shut_down(self) -> None:
        if self._service is None:
            return
        family = [psutil.Process(self._service.pid)]
        family += family[0].children(recursive=True)
        self._service.send_signal(signal.SIGTERM)
        self._service.wait(60)
        self._service = None
        for left in psutil.wait_procs(family, timeout=10)[1]:
            left.kill()
            raise AssertionError(f"{left} did not end")

    def log(self, name: str) -> str:
        path = self.state / "logs" / f"{name}.log"
        return path.read_text() if path.exists() else ""


class World:
    """The three of them; the server runs."""

    def __init__(self, folder: Path) -> None:
        coordinator, http, pg, health, web, gateway = free_ports(6)
        self.http = http
        self.server = Machine(
            folder / "server",
            BIND=SERVER,
            COORDINATOR_PORT=coordinator,
            MANAGERS=1,
            MANAGER_CAPACITY=1,
            REACTOR_FILE=folder / "server" / "well.toml",  # a reactor of its own, which fills its only manager
            GATEWAY_PORT=gateway,
            WEB_PORT=web,
            QUESTDB_HTTP_PORT=http,
            QUESTDB_PG_PORT=pg,
            QUESTDB_HEALTH_PORT=health,
        )
        self.host = Machine(folder / "host", BIND=HOST, MANAGERS=1, MANAGERS_FROM=51)
        self.board = Machine(folder / "board")

    def carry(self, name: str, source: Machine, target: Machine) -> None:
        shutil.copy(source.folder / name, target.folder / name)

    def let_in(self, machine: Machine, name: str, role: str) -> None:
        """Enrol, compare, approve, join."""
        said = machine.run("enrol", name, role)
        shown = re.search(r"fingerprint (\S+)", said)
        assert shown
        self.carry(f"{name}.request", machine, self.server)
        assert f"{name} is let in as {role}" in self.server.run("approve", f"{name}.request", shown[1])
        self.carry(f"{name}.bundle", self.server, machine)
        machine.run("join", f"{name}.bundle")

    def sql(self, query: str) -> list[tuple[object, ...]]:
        """Ask the database; nothing while it is not there, or has no tables."""
        path = self.server.state / "questdb-logins.toml"
        if not path.exists():
            return []
        owner = load_or_make_logins(path).owner
        with closing(QuestDB(f"http://{SERVER}:{self.http}", owner.user, owner.password)) as database:
            try:
                return database.query(query)
            except DatabaseError:
                return []

    def samples(self) -> int:
        """How many are stored of the board's load."""
        return int(str((self.sql(f"select count() from samples where {LOAD}") or [(0,)])[0][0]))

    def attached(self, manager: str = "lab2-51") -> object:
        """How many reactors a manager says that it has."""
        mine = f"reactor = '{manager}' and quantity = 'attached'"
        return next(iter(self.sql(f"select value from readings where {mine} order by ts desc limit 1")), None)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = World(tmp_path_factory.mktemp("world"))
    machines = (world.board, world.host, world.server)
    try:
        (world.server.folder / "well.toml").write_text(REACTOR.format("well"))
        world.server.boot("server")
        wait_for((world.server.state / "keys" / "coordinator.pub").exists, "the server's keys")
        wait_for(lambda: world.attached("host-1") == (1.0,), "the server's own manager is full")
        world.let_in(world.host, "lab2", "manager")
        world.host.boot("host")
        world.let_in(world.board, "tank", "reactor")
        (world.board.folder / "tank.toml").write_text(REACTOR.format("tank"))
        with (world.board.folder / ".env").open("a") as env:
            env.write(f"{PREFIX}REACTOR_FILE={world.board.folder / 'tank.toml'}\n")
        wait_for(lambda: world.attached() == (0.0,), "the host's manager has room")
        world.board.boot("node")
        yield world
    finally:
        for machine in machines:
            machine.shut_down()


def test_a_new_board_logs_through_the_gateway_and_is_found_in_sql(world: World) -> None:
    wait_for(lambda: world.samples() > 3, "samples of the board")
    header, *lines = world.server.run("sql", f"select * from samples where {LOAD}").splitlines()
    assert header.startswith("reactor,sensor,quantity,value,unit,quality,")
    assert len(lines) > 3
    assert all(line.startswith("tank,board,load,") for line in lines)
    owner = load_or_make_logins(world.server.state / "questdb-logins.toml").owner
    for machine in (world.board, world.host):
        for path in machine.folder.rglob("*"):
            if path.is_file():
                assert owner.password.encode() not in path.read_bytes(), path


def test_it_is_served_by_the_manager_of_another_host(world: World) -> None:
    wait_for(lambda: world.attached() == (1.0,), "tank attached at lab2-51")
    wired = "select distinct driver from inventory where reactor = 'tank' and name = 'board'"
    assert world.sql(wired) == [("host",)]
    assert "listens on tcp://127.0.0.3:" in world.host.log("manager_51")


def test_check_tries_all_of_it_on_the_board(world: World) -> None:
    said = world.board.run("check")
    assert "lets this node in, and reaches the database" in said
    assert re.search(r"ok +coordinator: \S+ answers and lets this node in", said)
    assert "tank" in world.server.run("nodes")


def test_who_is_revoked_is_cut_and_comes_back_without_a_gap(world: World) -> None:
    wait_for(lambda: world.attached() == (1.0,), "tank attached")
    world.server.run("revoke", "tank")
    wait_for(lambda: world.attached() == (0.0,), "the manager has lost tank", 60)
    said = world.board.run("check", status=1)
    assert "does not let this node in" in said
    before = world.samples()
    time.sleep(3)  # what shows that nothing comes is time
    assert world.samples() == before

    world.let_in(world.board, "tank", "reactor")
    world.board.shut_down()  # its certificate is another one: it is read at the start
    world.board.boot("node")
    wait_for(lambda: world.attached() == (1.0,), "tank attached again")
    wait_for(lambda: world.samples() > before + 3, "samples of the board again")
    ((count, last),) = world.sql(f"select count(), max(seq) from samples where {LOAD}")
    assert count == last
    refused = "select count() from readings where reactor = 'tank' and quantity = 'refused' and value > 0"
    assert world.sql(refused) == [(0,)]
