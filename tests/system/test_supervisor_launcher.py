"""The launcher against the real supervisor."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from actors.launcher import LauncherError, SupervisorLauncher

pytestmark = pytest.mark.system

CONFIGURATION = """
[unix_http_server]
file = {path}/s

[supervisord]
nodaemon = true
silent = true
logfile = {path}/log
pidfile = {path}/pid

[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface

[program:manager]
command = {python} -c "import time; time.sleep(600)"
process_name = manager_%(process_num)02d
numprocs = 2
numprocs_start = 1
autostart = false
autorestart = false
startsecs = 0
startretries = 0

[program:other]
command = {python} -c "import time; time.sleep(600)"
startsecs = 0
"""


@pytest.fixture
def launcher(tmp_path: Path) -> Iterator[SupervisorLauncher]:
    configuration = tmp_path / "conf"
    configuration.write_text(CONFIGURATION.format(path=tmp_path, python=sys.executable))
    command = [sys.executable, "-W", "ignore", "-m", "supervisor.supervisord", "-c", str(configuration)]
    process = subprocess.Popen(command, cwd=tmp_path)
    launcher = SupervisorLauncher(f"unix://{tmp_path}/s")
    try:
        wait_for(launcher, lambda running: running == {})
        yield launcher
    finally:
        launcher.close()
        process.terminate()
        process.wait(20)


def wait_for(launcher: SupervisorLauncher, wanted: Callable[[Mapping[int, int]], bool]) -> Mapping[int, int]:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            running = launcher.running()
        except LauncherError:  # it is starting
            running = None
        if running is not None and wanted(running):
            return running
        time.sleep(0.05)
    raise AssertionError(f"{running} in the end")


def test_managers_are_started_seen_and_stopped(launcher: SupervisorLauncher) -> None:
    launcher.start(1)
    launcher.start(2)
    launcher.start(2)
    running = wait_for(launcher, lambda running: set(running) == {1, 2})
    assert all(Path(f"/proc/{pid}").exists() for pid in running.values())
    launcher.stop(1)
    wait_for(launcher, lambda running: set(running) == {2})
    launcher.stop(1)


def test_a_killed_manager_is_seen_and_can_be_started_again(launcher: SupervisorLauncher) -> None:
    launcher.start(1)
    before = wait_for(launcher, lambda running: set(running) == {1})
    os.kill(before[1], signal.SIGKILL)
    wait_for(launcher, lambda running: running == {})
    launcher.start(1)
    after = wait_for(launcher, lambda running: set(running) == {1})
    assert after[1] != before[1]


def test_a_number_that_supervisor_does_not_know_is_an_error(launcher: SupervisorLauncher) -> None:
    with pytest.raises(LauncherError, match="BAD_NAME"):
        launcher.start(7)
