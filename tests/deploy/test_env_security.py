"""env.sample as it stands is safe: it opens nothing to others, knows no password, keeps to limits."""

import os
import re
import stat
from ipaddress import ip_address
from pathlib import Path

import pytest
import zmq
from loguru import logger

from actors.config import DatabaseLogin
from deploy import keyring, logins, main, questdb, supervision, up, web
from deploy.errors import ConfigurationError, StartError
from deploy.settings import PREFIX, VARIABLES, Settings, load
from tests.deploy.conftest import MakeSettings
from tests.transport.world import make_keys
from transport import sockets
from transport.errors import KeyFileError
from transport.keys import load_or_make
from ui import accounts

SAMPLE = dict(re.findall(rf"^#{PREFIX}(\w+)=(.*)$", Path("env.sample").read_text(encoding="utf-8"), re.MULTILINE))
SECRET = re.compile("PASSWORD|SECRET|TOKEN")
# A switch that takes protection away must not come in unseen: whoever adds one of these words explains it here.
SWITCH = re.compile("CURVE|ENCRYPT|INSECURE|NO_AUTH|ANONYMOUS|VERIFY|DEBUG|UNSAFE|PLAIN|TLS|ALLOW")


@pytest.fixture
def defaults(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Settings:
    """What a process reads from env.sample, every line of it in force."""
    for name, value in SAMPLE.items():
        monkeypatch.setenv(PREFIX + name, value)
    monkeypatch.setenv("HOME", str(tmp_path))
    return load()


def test_every_variable_is_in_the_sample() -> None:
    assert {PREFIX + name for name in SAMPLE} == set(VARIABLES)


def test_everything_listens_on_this_machine_alone(defaults: Settings) -> None:
    bound = [name for name in SAMPLE if name.endswith("BIND")]
    assert bound == ["BIND", "WEB_BIND"]
    assert ip_address(defaults.bind).is_loopback
    assert ip_address(defaults.web_bind).is_loopback
    assert ip_address(questdb.LOOPBACK).is_loopback
    assert defaults.gateway_port is None
    logins_ = questdb.Logins(DatabaseLogin("a", "b"), DatabaseLogin("c", "d"))
    config = questdb.QuestDBConfig(Path("x"), Path("y"), 9000, 8812, 9003, logins_)
    told = questdb.environment(config)
    assert {value.split(":")[0] for name, value in told.items() if "BIND" in name} == {questdb.LOOPBACK}
    assert told["QDB_LINE_TCP_ENABLED"] == "false"  # which has no password
    assert told["QDB_TELEMETRY_ENABLED"] == "false"


def test_the_database_console_is_shown_to_this_machine_alone(make_settings: MakeSettings) -> None:
    assert web.console(make_settings()) == "http://127.0.0.1:9000"
    assert web.console(make_settings(WEB_BIND="0.0.0.0")) == ""


def test_there_is_no_password_to_know(defaults: Settings) -> None:
    assert [name for name, value in SAMPLE.items() if value and SECRET.search(name)] == []
    assert defaults.questdb_user is defaults.questdb_password is defaults.questdb_reader is None


def test_each_system_makes_passwords_of_its_own(tmp_path: Path) -> None:
    made = [questdb.load_or_make_logins(tmp_path / name) for name in ("one", "two")]
    words = [login.password for both in made for login in (both.owner, both.viewer)]
    assert len(set(words)) == 4
    assert min(map(len, words)) >= 32
    assert len({accounts.new_password() for _ in range(100)}) == 100
    for name in ("one", "two"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600


def test_no_variable_switches_protection_off() -> None:
    assert [name for name in SAMPLE if SWITCH.search(name)] == []


def test_every_socket_between_processes_is_encrypted_and_gated() -> None:
    source = "".join(path.read_text(encoding="utf-8") for path in Path("transport").glob("*.py"))
    made = re.findall(r"zmq\.(ROUTER|DEALER|PUB|SUB|PUSH|PULL|REQ|XPUB|XSUB|STREAM)\b", source)
    assert sorted(made) == ["DEALER", "ROUTER", "ROUTER"]  # the third is the gate, which no other process reaches
    keys, context = make_keys(), zmq.Context[zmq.Socket[bytes]]()
    server = sockets.listening(context, keys, b"door", 1000)
    client = sockets.connecting(context, keys, keys.public, 1000)
    assert [one.get(zmq.MECHANISM) for one in (server, client)] == [zmq.CURVE, zmq.CURVE]
    assert (server.get(zmq.CURVE_SERVER), server.get(zmq.ZAP_ENFORCE_DOMAIN)) == (1, 1)
    for one in (server, client):
        one.close()
    context.term()


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("BIND", "0.0.0.0", "not every address"),
        ("BIND", "", ""),
        ("WEB_BIND", "everywhere", "must be an IPv4 address"),
        ("GATEWAY", "http://server:8443", "must be https"),
        ("QUESTDB_URL", "http://me:sesame@db:9000", "without a password in it"),
        ("QUESTDB_CONSOLE", "javascript:alert(1)", "must be http"),
        ("SPOOL_LIMIT", "0", "must be 1 to"),
        ("SPOOL_LIMIT", "inf", "must be 1 to"),
        ("SAFE_MODE_AFTER", "0", "must be 1 to"),
        ("MANAGERS", "1000", "must be 1 to 99"),
        ("MANAGER_CAPACITY", "1000000", "must be 1 to"),
        ("STATUS_INTERVAL", "0", "must be 0.05 to"),
        ("REFRESH", "0", "must be 1 to"),
        ("KEEP_SAMPLES", "-1", "must be 0 to"),
        ("PACE", "0", "must be 0.01 to"),
        ("COORDINATOR_PORT", "0", "must be 1 to"),
        ("LOG_LEVEL", "trace", "must be one of"),
    ],
)
def test_what_is_dangerous_is_refused_and_said(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, text: str
) -> None:
    monkeypatch.setenv(PREFIX + name, value)
    if not text:
        load()
        return
    with pytest.raises(ConfigurationError) as raised:
        load()
    (mistake,) = raised.value.mistakes
    assert mistake.startswith(f"{PREFIX}{name}=")
    assert text in mistake
    assert "sesame" not in mistake


def test_a_page_that_other_networks_reach_without_tls_is_warned_of(
    make_settings: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(logger, "warning", lambda text, *values: said.append(text.format(*values)))
    web.warn_of_exposure(make_settings())
    assert said == []
    web.warn_of_exposure(make_settings(WEB_BIND="0.0.0.0"))
    assert len(said) == 1
    assert "0.0.0.0" in said[0]
    assert "TLS" in said[0]


def test_defaults_have_limits(defaults: Settings) -> None:
    assert defaults.spool_limit == 512 * 2**20
    assert defaults.spool_retention == 7 * 86_400
    assert defaults.keep_readings is None  # the schema's: a day
    assert (defaults.managers, defaults.manager_capacity) == (8, 500)
    assert defaults.safe_mode_after == 5
    assert defaults.log_level == "info"  # nothing of what is sent
    assert defaults.pace is None  # real hardware at its own pace
    assert "5MB" in supervision.configuration(defaults, [])


# --- files


@pytest.mark.parametrize("make", [0o444, 0o440, 0o604])
def test_a_key_that_others_can_read_is_refused(tmp_path: Path, make: int) -> None:
    path = tmp_path / "key"
    load_or_make(path)
    path.chmod(make)
    with pytest.raises(KeyFileError, match="key") as raised:
        load_or_make(path)
    path.chmod(0o400)
    assert load_or_make(path).secret not in str(raised.value)


def test_what_the_first_start_makes_is_its_owners_alone(make_settings: MakeSettings) -> None:
    settings = make_settings()
    os.umask(0o022)  # a shell's: `main` makes it stricter, and this must not depend on it
    keyring.make(settings, ["tank"])
    logins.make(settings)
    web.make_accounts(settings)
    made = [path for path in settings.state_dir.rglob("*") if path.is_file()]
    assert {"key", "coordinator", "questdb-logins.toml", "accounts.json"} <= {path.name for path in made}
    for path in made:
        others = stat.S_IMODE(path.stat().st_mode) & 0o077
        assert others == 0 or path.suffix == ".pub" or path.parent.name == "allow", path


def test_every_command_makes_files_of_its_owners_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    made: list[int] = []

    def touch(_settings: Settings) -> None:
        (tmp_path / "made").touch()
        made.append(stat.S_IMODE((tmp_path / "made").stat().st_mode))

    monkeypatch.setattr(up, "up", touch)
    os.umask(0)
    assert main.main(["up"]) == 0
    assert made == [0o600]


def test_a_folder_of_somebody_else_is_no_place_for_keys(make_settings: MakeSettings) -> None:
    settings = make_settings(STATE_DIR="/proc/nowhere")
    with pytest.raises(StartError, match="/proc"):
        web.make_accounts(settings)
