"""An earlier version and this one together: a board of each, first with the earlier server, then with this one's.

The earlier version is taken out of git and runs with the same libraries. Its server's state is taken over as it is.
"""

import os
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.questdb import SqlError, Unreachable
from tests.system.whole import Whole, command, wait_for
from transport.keys import load_or_make

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]
EARLIER = "1653a16addbd97e9e101aedc4a6c21841698194e"  # schema 1.0, before there was a gateway
NOW = Path(__file__).parents[2]
REACTOR = """
name = "{}"
live_interval = 1
sample_interval = 1

[[sensors]]
name = "board"
driver = "host"
address = "host"
"""


class Server(Whole):
    """The whole system, of either version."""

    tree = NOW

    @property
    def environment(self) -> dict[str, str]:
        return super().environment | {"PYTHONPATH": str(self.tree)}

    def board(self, name: str, tree: Path) -> "subprocess.Popen[bytes]":
        """Start a board of either version, which may speak and knows the database's password."""
        folder = self.folder / name
        key = folder / "state" / "reactors" / name / "key"
        key.parent.mkdir(parents=True)
        self._admit(name, "reactor", load_or_make(key))
        (folder / "reactor.toml").write_text(REACTOR.format(name))
        database = self.database
        variables = {
            "STATE_DIR": folder / "state",
            "REACTOR_FILE": folder / "reactor.toml",
            "COORDINATOR": self.coordinator,
            "COORDINATOR_KEY": self.coordinator_key,
            "QUESTDB_URL": database.address,
            "STATUS_INTERVAL": 1,
        }
        owner = (self.state / "questdb-logins.toml").read_text().split('"')[1]
        variables |= {"QUESTDB_USER": "reactorium", "QUESTDB_PASSWORD": owner}
        environment = {**os.environ, "PYTHONPATH": str(tree)} | {
            f"REACTORIUM_{k}": str(v) for k, v in variables.items()
        }
        with (folder / "log").open("ab") as log:
            return subprocess.Popen(command("guard"), env=environment, cwd=folder, stdout=log, stderr=log)

    def count(self, reactor: str) -> int:
        """How many samples of its load are stored."""
        try:
            return int(self.database.query(f"SELECT count() FROM samples WHERE {load_of(reactor)}")[0][0])
        except (SqlError, Unreachable):  # no tables yet; no database yet
            return 0

    def schema(self) -> tuple[int, int]:
        try:
            rows = self.database.query("SELECT schema_major, schema_minor FROM meta ORDER BY ts DESC LIMIT 1")
        except (SqlError, Unreachable):
            return 0, 0
        return (rows[0][0], rows[0][1]) if rows else (0, 0)

    def declare(self, major: int, minor: int) -> None:
        """Say that the schema is this one, as a coordinator of another version would."""
        self.database.execute(
            "INSERT INTO meta (identity, incarnation, schema_major, schema_minor, ts) "
            f"SELECT identity, incarnation, {major}, {minor}, now() FROM meta ORDER BY ts DESC LIMIT 1"
        )

    def wait_for_more(self, *reactors: str) -> None:
        for reactor in reactors:
            before = self.count(reactor)
            wait_for(lambda reactor=reactor, before=before: self.count(reactor) > before + 1, f"samples of {reactor}")  # type: ignore[misc]


def load_of(reactor: str) -> str:
    return f"reactor = '{reactor}' AND sensor = 'board' AND quantity = 'load'"


@pytest.fixture
def earlier(tmp_path: Path) -> Path:
    """The earlier version's files."""
    tree = tmp_path / "earlier"
    tree.mkdir()
    packed = subprocess.run(["git", "-C", str(NOW), "archive", EARLIER], check=False, capture_output=True)
    if packed.returncode:
        pytest.skip(f"this clone has no history down to {EARLIER[:7]}")
    subprocess.run(["tar", "-x", "-C", str(tree)], input=packed.stdout, check=True)
    register(tree)
    return tree


def register(tree: Path) -> None:
    """Let its drivers be found, as an installation does."""
    project = tomllib.loads((tree / "pyproject.toml").read_text())["project"]
    folder = tree / f"reactorium-{project['version']}.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: reactorium\nVersion: {project['version']}\n")
    drivers = project["entry-points"]["reactorium.drivers"]
    lines = [f"{name} = {where}\n" for name, where in drivers.items()]
    (folder / "entry_points.txt").write_text("".join(["[reactorium.drivers]\n", *lines]))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    (tmp_path / "well.toml").write_text(REACTOR.format("well"))
    server = Server(tmp_path, REACTOR_FILE=tmp_path / "well.toml", STATUS_INTERVAL=1)
    yield server
    server.close()


def test_old_and_new_work_together_and_nothing_is_lost(server: Server, earlier: Path) -> None:
    boards = []
    try:
        server.tree = earlier
        server.start()
        wait_for(lambda: server.schema() == (1, 0), "the earlier version's schema")
        boards = [server.board("elder", earlier), server.board("younger", NOW)]
        server.wait_until_attached("well", "elder", "younger")
        server.wait_for_more("elder", "younger")
        assert server.interrupt() == 0

        server.tree = NOW
        server.start()
        server.wait_until_attached("well", "elder", "younger")
        wait_for(lambda: server.schema() > (1, 0), "the schema is migrated")
        server.wait_for_more("well", "elder", "younger")

        migrated = server.schema()
        server.database.execute("ALTER TABLE samples ADD COLUMN later DOUBLE")  # by a version that is still to come
        server.declare(migrated[0], migrated[1] + 1)
        server.wait_for_more("elder", "younger")

        assert [board.poll() for board in boards] == [None, None]
    finally:
        for board in boards:
            board.terminate()
        for board in boards:
            board.wait(30)
    for reactor in ("well", "elder", "younger"):
        series = f"SELECT count(), max(seq), count_distinct(seq) FROM samples WHERE {load_of(reactor)}"
        count, last, distinct = server.database.query(series)[0]
        assert count == last == distinct, reactor
