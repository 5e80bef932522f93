"""What systemd starts: supervisor of a board, of a host of managers, of a server."""

from pathlib import Path
from typing import NoReturn

import pytest
from supervisor.options import ServerOptions  # type: ignore[import-untyped]

from deploy import keyring, proxy, service, supervision, up
from deploy.errors import ConfigurationError, StartError
from deploy.settings import Settings
from tests.conftest import free_ports
from tests.deploy.conftest import MakeSettings
from tests.deploy.test_examples import find


class Became(Exception):  # noqa: N818 - what happened instead of an exec
    """Supervisor would run this configuration in our place."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        options = ServerOptions()
        options.realize(["-c", str(path)])
        self.programs = {one.name: one for group in options.process_group_configs for one in group.process_configs}


@pytest.fixture(autouse=True)
def _no_exec(monkeypatch: pytest.MonkeyPatch) -> None:
    def become(path: Path) -> NoReturn:
        raise Became(path)

    monkeypatch.setattr(supervision, "become", become)
    for module in (service, up):
        monkeypatch.setattr(module, "driver_class", find)


def test_a_board_runs_a_guard_for_each_file_and_nothing_else(make_settings: MakeSettings) -> None:
    files = [Path(f"deploy/examples/{name}.toml").absolute() for name in ("aquarium", "hydroponics")]
    with pytest.raises(Became) as became:
        service.run_node(make_settings(REACTOR_FILE=":".join(map(str, files))))
    programs = became.value.programs
    assert sorted(programs) == ["aquarium", "hydroponics"]
    assert programs["aquarium"].command.endswith(" -m deploy.main guard")
    assert programs["aquarium"].environment == {"REACTORIUM_REACTOR_FILE": str(files[0])}


def test_a_board_without_a_file_says_so(make_settings: MakeSettings) -> None:
    with pytest.raises(ConfigurationError, match="REACTORIUM_REACTOR_FILE names no file"):
        service.run_node(make_settings())


def host(make_settings: MakeSettings, **variables: object) -> Settings:
    there = {"COORDINATOR_KEY": "k" * 40, "QUESTDB_USER": "me", "MANAGERS_FROM": 51, "MANAGERS": 2}
    return make_settings(**{**there, **variables})


def test_a_host_runs_its_managers_all_the_time(make_settings: MakeSettings) -> None:
    with pytest.raises(Became) as became:
        service.run_host(host(make_settings))
    programs = became.value.programs
    assert sorted(programs) == ["manager_51", "manager_52"]
    assert programs["manager_52"].environment == {"REACTORIUM_MANAGER_NUMBER": "52"}
    assert programs["manager_51"].autostart
    assert programs["manager_51"].autorestart
    assert programs["manager_51"].startsecs > 0  # one that cannot start does not start over and over at once


@pytest.mark.parametrize("variables", [{"MANAGERS_FROM": 1}, {"MANAGERS_FROM": 95, "MANAGERS": 8}])
def test_numbers_of_the_servers_own_or_beyond_the_last_are_refused(
    make_settings: MakeSettings, variables: dict[str, object]
) -> None:
    with pytest.raises(ConfigurationError, match="the first ones are the server's own, and 99 is the last"):
        service.run_host(host(make_settings, **variables))


def test_a_host_that_cannot_reach_the_database_says_so(make_settings: MakeSettings) -> None:
    with pytest.raises(ConfigurationError, match="reactorium join unpacks them"):
        service.run_host(host(make_settings, GATEWAY="https://server:7743"))


def test_a_second_start_finds_the_folder_taken(make_settings: MakeSettings) -> None:
    settings = host(make_settings)
    for error in (Became, StartError):
        with pytest.raises(error):
            service.run_host(settings)


def server(make_settings: MakeSettings, **variables: object) -> Settings:
    ports = dict(zip(("COORDINATOR_PORT", "WEB_PORT", "GATEWAY_PORT"), free_ports(3), strict=True))
    return make_settings(QUESTDB_URL="http://db.example:9000", QUESTDB_USER="me", **{**ports, **variables})


def test_a_server_runs_no_examples_and_makes_its_keys(make_settings: MakeSettings) -> None:
    settings = server(make_settings)
    with pytest.raises(Became) as became:
        up.server(settings)
    programs = {name for name in became.value.programs if not name.startswith("manager_")}
    assert programs == {"coordinator", "web", "gateway", "proxy"}
    assert keyring.coordinator_key(settings)


def test_without_a_port_there_is_no_gateway(make_settings: MakeSettings) -> None:
    settings = server(make_settings, GATEWAY_PORT="")
    with pytest.raises(Became) as became:
        up.server(settings)
    assert not {"gateway", "proxy"} & set(became.value.programs)
    with pytest.raises(ConfigurationError, match="REACTORIUM_GATEWAY_PORT is not set"):
        proxy.configuration(settings, settings.state_dir)


def test_without_nginx_a_server_with_a_gateway_does_not_start(
    make_settings: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proxy, "WHERE", "/nowhere")
    with pytest.raises(StartError, match="nginx is missing: apt install nginx"):
        up.server(server(make_settings))
