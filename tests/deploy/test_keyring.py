"""Keys are made once, kept private, and let their owners speak."""

import stat

import pytest

from deploy import keyring
from deploy.errors import ConfigurationError, StartError
from tests.deploy.conftest import MakeSettings
from transport.keys import load_or_make, read_allow_list


def test_the_first_start_makes_them_and_the_second_keeps_them(make_settings: MakeSettings) -> None:
    settings = make_settings()
    keyring.make(settings, ["tank"])
    secrets = (
        keyring.coordinator_key_file(settings),
        keyring.host_key_file(settings),
        keyring.reactor_folder(settings, "tank") / "key",
    )
    before = [path.read_bytes() for path in secrets]
    assert {stat.S_IMODE(path.stat().st_mode) for path in secrets} == {0o400}
    keyring.make(settings, ["tank", "pond"])
    assert [path.read_bytes() for path in secrets] == before
    assert keyring.coordinator_key(settings) == load_or_make(secrets[0]).public


def test_who_has_a_key_may_speak_under_its_name(make_settings: MakeSettings) -> None:
    settings = make_settings()
    keyring.make(settings, ["tank"])
    allowed, faults = read_allow_list(keyring.allow_folder(settings))
    assert faults == []
    assert len(allowed) == 3
    web = load_or_make(keyring.web_key_file(settings))
    page = allowed.peer_of(web.public)
    assert page is not None
    assert (page.name, page.role) == ("web", "operator")
    tank = allowed.peer_of(load_or_make(keyring.reactor_folder(settings, "tank") / "key").public)
    host = allowed.peer_of(load_or_make(keyring.host_key_file(settings)).public)
    assert tank is not None
    assert host is not None
    assert (tank.name, tank.role, host.role) == ("tank", "reactor", "manager")


def test_a_pinned_key_wins(make_settings: MakeSettings) -> None:
    assert keyring.coordinator_key(make_settings(COORDINATOR_KEY="k" * 40)) == "k" * 40


def test_no_key_to_pin_is_a_mistake(make_settings: MakeSettings) -> None:
    settings = make_settings()
    with pytest.raises(ConfigurationError, match="COORDINATOR_KEY is not set, and there is no key in"):
        keyring.coordinator_key(settings)


def test_a_key_that_others_can_read_is_refused(make_settings: MakeSettings) -> None:
    settings = make_settings()
    keyring.make(settings, [])
    keyring.host_key_file(settings).chmod(0o444)
    with pytest.raises(StartError, match="others than its owner may read it"):
        keyring.make(settings, [])
