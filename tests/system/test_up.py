"""`reactorium up` when it cannot run, and when it ends without having been told to."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests.conftest import free_ports
from tests.system.whole import Whole, wait_for

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]
NOT_NOW = 69  # sysexits(3): EX_UNAVAILABLE


@pytest.fixture
def system(tmp_path: Path) -> Iterator[Whole]:
    """A machine with nothing on it but the downloads."""
    whole = Whole(tmp_path)
    yield whole
    whole.close()


def assert_one_line(answer: CompletedProcess[str], *texts: str) -> None:
    assert answer.returncode == NOT_NOW
    assert answer.stdout == ""
    assert answer.stderr.startswith("reactorium: ")
    assert answer.stderr.count("\n") == 1
    for text in texts:
        assert text in answer.stderr


def test_a_second_one_is_refused_and_a_killed_one_leaves_nothing(system: Whole) -> None:
    system.start()
    assert_one_line(system.run("up"), str(system.state), f"is in use by process {system.pid}")
    wait_for(lambda: len(system.family()) >= 3, "supervisor's children")
    assert system.kill_up() == []


@pytest.mark.parametrize("port", ["COORDINATOR_PORT", "QUESTDB_HTTP_PORT", "QUESTDB_PG_PORT"])
def test_a_taken_port_is_one_clear_line(system: Whole, port: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        number = taken.getsockname()[1]
        system.variables[port] = number
        assert_one_line(system.run("up"), f"REACTORIUM_{port}", f"127.0.0.1:{number}", "Address already in use")


def test_a_folder_that_cannot_be_written_is_one_clear_line(system: Whole) -> None:
    (system.folder / "file").touch()
    system.variables["STATE_DIR"] = folder = system.folder / "file" / "state"
    assert_one_line(system.run("up"), f"the folder {folder} cannot be written: Not a directory")


def test_no_network_at_the_first_start_is_one_clear_line(system: Whole, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    (nobody,) = free_ports(1)
    for scheme in ("HTTP", "HTTPS"):
        monkeypatch.setenv(f"{scheme}_PROXY", f"http://127.0.0.1:{nobody}")
    system.variables["CACHE_DIR"] = cache = system.folder / "cache"
    assert_one_line(system.run("up"), f"could not be fetched into {cache}", "the first start needs the network")
    assert list(cache.iterdir()) == []
