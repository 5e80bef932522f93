"""`reactorium tui`, `status`, `tail`: what stands in their way."""

import os
import pty
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy import logins, logs, terminal
from deploy.errors import ConfigurationError, StartError
from deploy.settings import PREFIX, Settings
from tests.deploy.conftest import MakeSettings
from tests.system.whole import command


@pytest.fixture(autouse=True)
def _log_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "setup", lambda *_: None)


def test_the_page_needs_a_terminal(make_settings: MakeSettings) -> None:
    with pytest.raises(StartError, match="this is no terminal"):
        terminal.run_tui(make_settings())


@pytest.mark.parametrize("command", [terminal.run_status, terminal.run_tail])
def test_nobody_there(make_settings: MakeSettings, command: Callable[[Settings], None]) -> None:
    settings = make_settings(QUESTDB_PG_PORT=9)
    logins.make(settings)
    with pytest.raises(StartError, match=r"127\.0\.0\.1:9"):
        command(settings)


def test_nobody_named(make_settings: MakeSettings) -> None:
    with pytest.raises(ConfigurationError, match="REACTORIUM_QUESTDB_READER is not set"):
        terminal.run_status(make_settings(QUESTDB_URL="http://db:9000"))


@pytest.mark.parametrize(("variable", "value"), [("OUTPUT", "xml"), ("REFRESH", "0"), ("REFRESH", "often")])
def test_odd_variables_are_refused(make_settings: MakeSettings, variable: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=f"REACTORIUM_{variable}='{value}' must be"):
        make_settings(**{variable: value})


@pytest.mark.system
def test_the_page_ends_with_its_terminal(make_settings: MakeSettings, tmp_path: Path) -> None:
    """Though it hears no hang-up, as behind sudo: here the terminal is not its session's."""
    settings = make_settings(QUESTDB_PG_PORT=9)
    logins.make(settings)
    screen, its_end = pty.openpty()
    environment = os.environ | {
        PREFIX + "STATE_DIR": str(settings.state_dir),
        PREFIX + "QUESTDB_PG_PORT": "9",
        PREFIX + "REFRESH": "1",
        "TERM": "xterm",
    }
    page = subprocess.Popen(
        command("tui"), stdin=its_end, stdout=its_end, stderr=its_end, cwd=tmp_path, env=environment
    )
    os.close(its_end)
    shown = b""
    while b"no database" not in shown:
        shown += os.read(screen, 1 << 16)
    os.close(screen)
    assert page.wait(30) == 128 + signal.SIGHUP
