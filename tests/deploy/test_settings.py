"""The environment becomes settings, or one line for each mistake."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.errors import ConfigurationError
from deploy.settings import PREFIX, VARIABLES, load, sample


def mistakes() -> tuple[str, ...]:
    with pytest.raises(ConfigurationError) as raised:
        load()
    return raised.value.mistakes


def test_defaults_are_read_like_any_other_value() -> None:
    read = load()
    assert read.state_dir == Path.home() / ".local/state/reactorium"
    assert read.coordinator_port == 7700
    assert read.spool_limit == 512 * 1024 * 1024
    assert read.spool_retention == 7 * 86_400
    assert read.reactor_file == ()
    assert read.questdb_url is None


def test_units_are_scaled_and_files_split(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REACTORIUM_SPOOL_LIMIT", "2")
    monkeypatch.setenv("REACTORIUM_REACTOR_FILE", "/etc/a.toml:/etc/b.toml")
    read = load()
    assert read.spool_limit == 2 * 1024 * 1024
    assert read.reactor_file == (Path("/etc/a.toml"), Path("/etc/b.toml"))


def test_an_empty_variable_is_an_unset_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REACTORIUM_COORDINATOR_PORT", "")
    assert load().coordinator_port == 7700


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("COORDINATOR_PORT", "0", "must be 1 to 65535 port"),
        ("COORDINATOR_PORT", "12.5", "must be a whole number of port"),
        ("STATUS_INTERVAL", "nan", "must be 0.05 to 31622400 s"),
        ("STATUS_INTERVAL", "soon", "must be a number of s"),
        ("LOG_LEVEL", "loud", "must be one of debug, info, warning, error"),
        ("BIND", "0.0.0.0", "must be the address that the nodes reach, not every address"),
        ("BIND", "example", "must be an IPv4 address of this machine"),
        ("COORDINATOR", "7700", "must be tcp://host:port"),
        ("COORDINATOR_KEY", "short", "must be a public key of 40 characters (Z85)"),
        ("QUESTDB_URL", "http://me:secret@db:9000", "must be http://host:port, without a password in it"),
        ("QUESTDB_URL", "db:9000", "must be http://host:port, without a password in it"),
        ("STATE_DIR", "~nobody-at-all/x", "names a home folder that does not exist"),
    ],
)
def test_a_bad_value_is_named_with_its_limit(monkeypatch: pytest.MonkeyPatch, name: str, value: str, text: str) -> None:
    monkeypatch.setenv(PREFIX + name, value)
    shown = value.replace("me:secret", "***")
    assert mistakes() == (f"{PREFIX}{name}={shown!r} {text}",)


def test_every_mistake_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REACTORIUM_COORDINATOR_PORT", "70000")
    monkeypatch.setenv("REACTORIUM_PACE", "fast")
    monkeypatch.setenv("REACTORIUM_COORDINATOR_PROT", "7701")
    told = mistakes()
    assert len(told) == 3
    assert told[0] == "REACTORIUM_COORDINATOR_PROT is no variable of reactorium: REACTORIUM_COORDINATOR_PORT?"


def test_passwords_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REACTORIUM_QUESTDB_PASSWORD", "open-sesame")
    read = load()
    assert read.questdb_password == "open-sesame"
    assert "open-sesame" not in repr(read)


@settings(max_examples=15)
@given(value=st.text(alphabet=st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40))
@pytest.mark.parametrize("name", VARIABLES)
def test_any_text_is_a_value_or_a_mistake(name: str, value: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(name, value)
        try:
            load()
        except ConfigurationError as error:
            assert len(error.mistakes) == 1  # noqa: PT017 - either outcome is right, this one has one line


def test_env_sample_lists_every_variable() -> None:
    assert Path("env.sample").read_text(encoding="utf-8") == sample()
