"""Supervisor's configuration, as supervisor itself reads it."""

import sys
from pathlib import Path

import pytest
from supervisor.options import ServerOptions  # type: ignore[import-untyped]

from deploy import supervision
from deploy.errors import StartError
from deploy.settings import Settings
from deploy.supervision import Program
from tests.deploy.conftest import MakeSettings

PROGRAMS = [
    Program("coordinator", "coordinator", "coordinator", 20),
    Program("reactors", "tank", "reactor", 50, {"REACTORIUM_REACTOR_FILE": "/etc/100% sure/tank.toml"}),
    Program("reactors", "pond", "reactor", 50),
    Program("vessels", "tank", "vessel", 40),
]


def parsed(settings: Settings, tmp_path: Path) -> ServerOptions:
    (settings.state_dir / "logs").mkdir()
    path = tmp_path / "supervisor.conf"
    path.write_text(supervision.configuration(settings, PROGRAMS), encoding="utf-8")
    options = ServerOptions()
    options.realize(["-c", str(path)])
    return options


def test_supervisor_reads_what_we_write(make_settings: MakeSettings, tmp_path: Path) -> None:
    settings = make_settings(MANAGERS=3)
    groups = {group.name: group for group in parsed(settings, tmp_path).process_group_configs}
    assert sorted(groups) == ["coordinator", "manager", "reactors", "vessels"]
    names = {name: [one.name for one in group.process_configs] for name, group in groups.items()}
    assert sorted(names["reactors"]) == ["pond", "tank"]
    assert sorted(names["manager"]) == ["manager_01", "manager_02", "manager_03"]
    tank = next(one for one in groups["reactors"].process_configs if one.name == "tank")
    assert tank.environment == {"REACTORIUM_REACTOR_FILE": "/etc/100% sure/tank.toml"}
    assert tank.command == f"{sys.executable} -P -m deploy.main reactor"
    assert tank.stdout_logfile == str(settings.state_dir / "logs" / "reactors-tank.log")


def test_managers_wait_for_the_coordinator(make_settings: MakeSettings, tmp_path: Path) -> None:
    options = parsed(make_settings(MANAGERS=2), tmp_path)
    (managers,) = (group for group in options.process_group_configs if group.name == "manager")
    first, second = sorted(managers.process_configs, key=lambda one: str(one.name))
    assert not first.autostart
    assert not first.autorestart
    assert second.environment == {"REACTORIUM_MANAGER_NUMBER": "2"}
    assert second.stdout_logfile.endswith("manager_02.log")


def test_what_starts_first_stops_last(make_settings: MakeSettings, tmp_path: Path) -> None:
    groups = sorted(parsed(make_settings(), tmp_path).process_group_configs)
    assert [group.name for group in groups] == ["coordinator", "manager", "vessels", "reactors"]


def test_every_process_has_time_to_stop(make_settings: MakeSettings, tmp_path: Path) -> None:
    for group in parsed(make_settings(), tmp_path).process_group_configs:
        for one in group.process_configs:
            assert one.stopwaitsecs == supervision.STOP_SECONDS


def test_a_path_that_is_too_long_for_a_socket_is_said(make_settings: MakeSettings, tmp_path: Path) -> None:
    settings = make_settings(STATE_DIR=tmp_path / ("x" * 100))
    with pytest.raises(StartError, match="is too long: it may have 91 bytes"):
        supervision.socket_path(settings)
