"""What `reactorium guard` reads and checks before it becomes the light program."""

import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from deploy import guard_start, lifeline
from deploy.errors import ConfigurationError, StartError
from deploy.folders import Folder
from deploy.guard_plan import Plan, stamp
from deploy.settings import Settings
from hardware.buses import Buses
from hardware.clock import SystemClock
from hardware.driver import Wiring
from hardware.drivers.switch import Switch
from hardware.safe import I2cWrite, LineWrite
from hardware.vessel.config import VesselConfig
from hardware.vessel.server import Server
from tests.deploy.conftest import MakeSettings
from tests.deploy.test_examples import find, find_device

AQUARIUM, BIOREACTOR = (Path(f"deploy/examples/{name}.toml").absolute() for name in ("aquarium", "bioreactor"))


class Became(BaseException):
    """This process is another program now."""


@dataclass
class Execs:
    """Plans of the programs that this process would have become."""

    plans: list[Plan] = field(default_factory=list)

    def execv(self, path: str, words: list[str]) -> None:
        assert [path, *words[:-1]] == [sys.executable, sys.executable, "-P", "-m", "deploy.guard"]
        self.plans.append(Plan.receive(int(words[-1])))
        raise Became


@pytest.fixture
def execs(monkeypatch: pytest.MonkeyPatch) -> Iterator[Execs]:
    made = Execs()
    monkeypatch.setattr("deploy.guard_start.os.execv", made.execv)
    monkeypatch.setattr(guard_start, "driver_class", find)
    monkeypatch.setattr(guard_start, "device_class", find_device)
    monkeypatch.setattr(guard_start, "PATIENCE", 0.0)
    monkeypatch.setattr(guard_start, "VESSELS", 0.0)
    yield made
    for plan in made.plans:
        os.close(plan.lock)


def become(settings: Settings) -> None:
    with pytest.raises(Became):
        guard_start.run_guard(settings)


def test_the_plan_has_all_that_the_light_program_needs(make_settings: MakeSettings, execs: Execs) -> None:
    settings = make_settings(
        REACTOR_FILE=BIOREACTOR,
        PACE="5",
        LOG_LEVEL="debug",
        LOG_FORMAT="json",
        SAFE_MODE_AFTER="3",
        WATCHDOG="/dev/watchdog",
    )
    become(settings)
    (plan,) = execs.plans
    assert (plan.name, plan.pace, plan.log_level, plan.log_format) == ("bioreactor", 5.0, "debug", "json")
    assert plan.child == [sys.executable, "-P", "-m", "deploy.main", "reactor"]
    assert plan.again == [sys.executable, "-P", "-m", "deploy.main", "guard"]
    assert plan.variables == {lifeline.PARENT: str(os.getpid())}
    assert (plan.file, plan.stamp) == (str(BIOREACTOR), stamp(str(BIOREACTOR)))
    folder = f"{settings.state_dir}/reactors/bioreactor"
    assert (plan.folder, plan.safe_mode) == (f"{folder}/guard", f"{folder}/safe-mode")
    assert (plan.patience, plan.failures, plan.watchdog) == (15.0, 3, "/dev/watchdog")


def test_every_device_has_what_its_driver_says(make_settings: MakeSettings, execs: Execs) -> None:
    settings = make_settings(REACTOR_FILE=BIOREACTOR)
    become(settings)
    (plan,) = execs.plans
    vessel = f"{settings.state_dir}/vessels/bioreactor"
    assert list(plan.outputs) == ["stirrer", "heater", "light", "air", "acid", "base"]
    assert plan.outputs["air"] == (LineWrite(f"{vessel}/gpio.sock", 17, active_low=True, value=False),)
    assert plan.outputs["acid"] == (I2cWrite(f"{vessel}/i2c.sock", 0x67, b"X"),)
    wiring = Wiring(f"{vessel}/gpio.sock:17", Buses(), SystemClock(), {"active_low": True})
    assert plan.outputs["air"] == Switch(wiring).safe_writes()
    assert all(plan.outputs.values())


def test_two_guards_of_one_reactor_are_refused(make_settings: MakeSettings, execs: Execs) -> None:
    settings = make_settings(REACTOR_FILE=BIOREACTOR)
    become(settings)
    with pytest.raises(StartError, match=f"bioreactor/guard is in use by process {os.getpid()}"):
        guard_start.run_guard(settings)
    become(make_settings(REACTOR_FILE=AQUARIUM))
    assert [plan.name for plan in execs.plans] == ["bioreactor", "aquarium"]


def test_the_lock_outlives_the_exec(make_settings: MakeSettings, execs: Execs) -> None:
    become(make_settings(REACTOR_FILE=BIOREACTOR))
    assert os.get_inheritable(execs.plans[0].lock)


def test_a_reactor_that_still_runs_is_left_alone(
    make_settings: MakeSettings, execs: Execs, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = make_settings(REACTOR_FILE=BIOREACTOR)
    folder = settings.state_dir / "reactors" / "bioreactor"
    with Folder(folder), pytest.raises(StartError, match=f"reactors/bioreactor is in use by process {os.getpid()}"):
        guard_start.run_guard(settings)
    assert execs.plans == []

    running = Folder(folder)
    monkeypatch.setattr(guard_start, "PATIENCE", 20.0)
    monkeypatch.setattr("deploy.guard_start.time.sleep", lambda _seconds: running.close())
    monkeypatch.setattr(guard_start, "Folder", lambda _path: Folder(folder / "another"))  # the first try has the lock
    become(settings)


def test_a_vessel_that_starts_with_it_is_waited_for(
    make_settings: MakeSettings, execs: Execs, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = make_settings(REACTOR_FILE=BIOREACTOR)
    folder = settings.state_dir / "vessels" / "bioreactor"
    waits: list[Server] = []

    def sleep(_seconds: float) -> None:
        waits.append(Server(VesselConfig(folder, ()), SystemClock()))

    monkeypatch.setattr(guard_start, "VESSELS", 20.0)
    monkeypatch.setattr("deploy.guard_start.time.sleep", sleep)
    folder.mkdir(parents=True)
    become(settings)
    assert (len(waits), len(execs.plans)) == (1, 1)
    waits[0].close()


@pytest.mark.usefixtures("execs")
def test_a_reactor_of_a_dead_guard_that_does_not_end_is_killed(
    make_settings: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = make_settings(REACTOR_FILE=BIOREACTOR)
    folder = settings.state_dir / "reactors" / "bioreactor"
    running = Folder(folder)  # this process is the reactor
    (folder / "guard").mkdir()
    (folder / "guard" / "child").write_text(str(os.getpid()))
    killed: list[tuple[int, int]] = []

    def kill(pid: int, number: int) -> None:
        killed.append((pid, number))
        running.close()

    monkeypatch.setattr("deploy.guard_start.os.kill", kill)
    become(settings)
    assert killed == [(os.getpid(), signal.SIGKILL)]


def test_a_wrong_file_starts_nothing(make_settings: MakeSettings, execs: Execs, tmp_path: Path) -> None:
    file = tmp_path / "tank.toml"
    text = BIOREACTOR.read_text(encoding="utf-8").replace("0x40:0", "0x40:16").replace("gpio.sock:17", "gpio.sock")
    file.write_text(text, encoding="utf-8")
    settings = make_settings(REACTOR_FILE=file)
    with pytest.raises(ConfigurationError) as raised:
        guard_start.run_guard(settings)
    assert len(raised.value.mistakes) == 2
    assert execs.plans == []
    assert not (settings.state_dir / "reactors").exists()


def test_a_guard_has_one_file(make_settings: MakeSettings) -> None:
    with pytest.raises(ConfigurationError, match="REACTORIUM_REACTOR_FILE names 0 files: a reactor has one"):
        guard_start.run_guard(make_settings())


def test_a_guard_that_is_an_orphan_does_not_start(make_settings: MakeSettings, execs: Execs) -> None:
    with pytest.raises(StartError, match="has ended"):
        guard_start.run_guard(make_settings(REACTOR_FILE=BIOREACTOR, PARENT=1 if os.getppid() != 1 else 2))
    assert execs.plans == []
