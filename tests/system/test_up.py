"""`reactorium up` as a person runs it: the whole system, its end, and its second start."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from deploy.questdb import default_cache
from tests.conftest import free_ports

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]
ROOT = Path(__file__).parents[2]
STARTED = 120.0  # seconds to the first samples, on a busy machine
STOPPED = 60.0


@dataclass
class Up:
    """A running `reactorium up`, and what it said."""

    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)
    said: threading.Condition = field(default_factory=threading.Condition)
    reader: threading.Thread = field(init=False)

    def __post_init__(self) -> None:
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self) -> None:
        assert self.process.stdout
        with self.process.stdout as output:
            for line in output:
                with self.said:
                    self.lines.append(line.rstrip())
                    self.said.notify_all()

    def wait_for(self, text: str, seconds: float) -> None:
        with self.said:
            found = self.said.wait_for(lambda: any(text in line for line in self.lines), seconds)
        assert found, "\n".join(self.lines)

    def family(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def commands(self) -> set[str]:
        return {" ".join(one.cmdline()).split(" -")[0].strip() for one in self.family()}


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The environment of a machine with nothing on it but the downloads."""
    coordinator, http, pg, health = free_ports(4)
    variables = {
        "STATE_DIR": str(tmp_path / "state"),
        "CACHE_DIR": str(default_cache()),
        "COORDINATOR_PORT": str(coordinator),
        "QUESTDB_HTTP_PORT": str(http),
        "QUESTDB_PG_PORT": str(pg),
        "QUESTDB_HEALTH_PORT": str(health),
        "SAMPLE_INTERVAL": "2",
        "LIVE_INTERVAL": "2",
    }
    monkeypatch.chdir(tmp_path)
    return {**os.environ, "PYTHONPATH": str(ROOT), **{f"REACTORIUM_{name}": text for name, text in variables.items()}}


def reactorium(*words: str) -> list[str]:
    return [sys.executable, "-m", "deploy.main", *words]


@pytest.fixture
def starts() -> Iterator[list[Up]]:
    """What a test started, so that nothing is left behind."""
    started: list[Up] = []
    yield started
    for one in started:
        if one.process.poll() is None:
            one.process.terminate()
            one.process.wait(STOPPED)
        one.reader.join(STOPPED)


def start(machine: dict[str, str], starts: list[Up]) -> Up:
    process = subprocess.Popen(
        reactorium("up"), env=machine, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    up = Up(process)
    starts.append(up)
    return up


def assert_gone(family: list[psutil.Process]) -> None:
    _, alive = psutil.wait_procs(family, timeout=STOPPED)
    assert alive == []


def count(machine: dict[str, str]) -> int:
    answer = subprocess.run(
        reactorium("sql", "select count() from samples"), env=machine, check=True, capture_output=True, text=True
    )
    return int(answer.stdout.split()[1])


def secrets_of(state: Path) -> dict[str, bytes]:
    files = [*state.glob("keys/*"), *state.glob("reactors/*/key"), state / "questdb-logins.toml"]
    return {str(path): path.read_bytes() for path in files}


def test_it_runs_stops_and_finds_everything_as_it_was(
    machine: dict[str, str], starts: list[Up], tmp_path: Path
) -> None:
    first = start(machine, starts)
    first.wait_for("first samples are stored", STARTED)
    assert {
        "reactorium supervisor",
        "reactorium questdb",
        "reactorium coordinator",
        "reactorium manager 01",
        "reactorium web",
        *(
            f"reactorium {what} {name}"
            for what in ("vessel", "reactor")
            for name in ("bioreactor", "aquarium", "hydroponics")
        ),
    } <= first.commands()
    before, kept = count(machine), secrets_of(tmp_path / "state")
    family = first.family()
    first.process.send_signal(signal.SIGINT)
    assert first.process.wait(STOPPED) == 0
    assert_gone(family)

    second = start(machine, starts)
    second.wait_for("first samples are stored", STARTED)
    assert count(machine) > before
    assert secrets_of(tmp_path / "state") == kept
    family = second.family()
    second.process.kill()
    assert_gone(family)


def test_a_second_one_in_the_same_folder_is_refused(machine: dict[str, str], starts: list[Up]) -> None:
    first = start(machine, starts)
    first.wait_for("Ctrl-C stops everything", STARTED)
    other = subprocess.run(reactorium("up"), env=machine, check=False, capture_output=True, text=True, timeout=60)
    assert other.returncode == 69
    assert f"is in use by process {first.process.pid}" in other.stderr
    assert len(other.stderr.splitlines()) == 1


def test_a_taken_port_is_one_clear_line(machine: dict[str, str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", int(machine["REACTORIUM_QUESTDB_PG_PORT"])))
        taken.listen()
        answer = subprocess.run(reactorium("up"), env=machine, check=False, capture_output=True, text=True, timeout=60)
    assert answer.returncode == 69
    assert answer.stderr.count("\n") == 1
    assert "REACTORIUM_QUESTDB_PG_PORT" in answer.stderr
    assert "Address already in use" in answer.stderr


def test_a_folder_that_cannot_be_written_is_one_clear_line(machine: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    machine["REACTORIUM_STATE_DIR"] = str(tmp_path / "file" / "state")
    answer = subprocess.run(reactorium("up"), env=machine, check=False, capture_output=True, text=True, timeout=60)
    assert answer.returncode == 69
    assert answer.stderr == f"reactorium: the folder {tmp_path}/file/state cannot be written: Not a directory\n"
