"""What `up` finds out before it starts anything."""

import resource
import socket
from pathlib import Path

import pytest

from deploy import keyring, logins, questdb, up
from deploy.errors import ConfigurationError, StartError
from deploy.settings import Settings
from tests.conftest import free_ports
from tests.deploy.conftest import MakeSettings
from tests.deploy.test_examples import find


@pytest.fixture(autouse=True)
def _drivers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(up, "driver_class", find)


def nodes_of(settings: Settings) -> list[up.Node]:
    return up._nodes([(file, None) for file in settings.reactor_file] or up._examples(), settings)


def test_without_a_file_the_examples_run_on_vessels(make_settings: MakeSettings) -> None:
    settings = make_settings()
    nodes = nodes_of(settings)
    assert [node.name for node in nodes] == list(up.EXAMPLES)
    programs = up._programs(settings, nodes)
    assert [program.command for program in programs].count("vessel") == 3
    assert [program.command for program in programs].count("guard") == 3
    assert "questdb" in [program.name for program in programs]


def test_a_named_file_runs_without_a_vessel(make_settings: MakeSettings) -> None:
    file = Path("deploy/examples/aquarium.toml").absolute()
    settings = make_settings(REACTOR_FILE=file, QUESTDB_URL="http://db.example:9000")
    programs = up._programs(settings, nodes_of(settings))
    assert [program.name for program in programs] == ["coordinator", "web", "aquarium"]
    assert programs[2].command == "guard"
    assert programs[2].variables == {"REACTORIUM_REACTOR_FILE": str(file)}


def test_two_reactors_of_one_name_are_a_mistake(make_settings: MakeSettings) -> None:
    file = Path("deploy/examples/aquarium.toml").absolute()
    with pytest.raises(ConfigurationError, match="another file has the name aquarium too"):
        nodes_of(make_settings(REACTOR_FILE=f"{file}:{file}"))


def test_mistakes_of_all_files_are_told_at_once(make_settings: MakeSettings, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as raised:
        nodes_of(make_settings(REACTOR_FILE=f"{tmp_path}/a.toml:{tmp_path}/b.toml"))
    assert len(raised.value.mistakes) == 2


def test_a_taken_port_is_named_with_its_variable(make_settings: MakeSettings) -> None:
    coordinator, pg, health = free_ports(3)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        settings = make_settings(
            COORDINATOR_PORT=coordinator, QUESTDB_HTTP_PORT=port, QUESTDB_PG_PORT=pg, QUESTDB_HEALTH_PORT=health
        )
        with pytest.raises(StartError, match=f"REACTORIUM_QUESTDB_HTTP_PORT: 127.0.0.1:{port} cannot be used: Address"):
            up._preflight(settings)


def test_an_address_of_another_machine_is_refused(make_settings: MakeSettings) -> None:
    settings = make_settings(BIND="192.0.2.1", QUESTDB_URL="http://db.example:9000")
    with pytest.raises(StartError, match="Cannot assign requested address"):
        up._preflight(settings)


def test_no_java_is_one_line(make_settings: MakeSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> Path:
        raise questdb.QuestDBUnavailable("no Java for Plan9 mips")

    monkeypatch.setattr(questdb, "java", none)
    with pytest.raises(StartError, match="no Java for Plan9 mips"):
        up._prepare(make_settings(), [])


def test_another_server_needs_a_login(make_settings: MakeSettings) -> None:
    with pytest.raises(ConfigurationError, match="REACTORIUM_QUESTDB_USER is not set"):
        up._prepare(make_settings(QUESTDB_URL="http://db.example:9000"), [])


def test_the_first_start_makes_keys_and_logins(make_settings: MakeSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(questdb, "java", lambda: Path("java"))
    monkeypatch.setattr(questdb, "install", lambda *_: Path("jar"))
    settings = make_settings()
    conf = up._prepare(settings, nodes_of(settings))
    assert (settings.state_dir / logins.FILE).exists()
    assert keyring.coordinator_key(settings)
    text = conf.read_text(encoding="utf-8")
    assert "[group:reactors]" in text
    assert logins.owner(settings).password not in text


def test_a_second_start_needs_no_room_on_the_disk(make_settings: MakeSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(questdb, "java", lambda: Path("java"))
    monkeypatch.setattr(questdb, "install", lambda *_: Path("jar"))
    settings = make_settings()
    up._prepare(settings, nodes_of(settings))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))  # no byte is written
    try:
        up._prepare(settings, nodes_of(settings))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert keyring.coordinator_key(settings)
