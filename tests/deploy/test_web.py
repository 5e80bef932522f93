import re

import pytest

from deploy import web
from deploy.errors import StartError
from tests.deploy.conftest import MakeSettings
from ui.accounts import Accounts

SHOWN = re.compile(r"log in as (\S+), password (\S+)\n")


def test_the_first_start_lets_somebody_in_once(make_settings: MakeSettings) -> None:
    settings = make_settings()
    password = web.make_accounts(settings)
    assert password is not None
    assert web.make_accounts(settings) is None
    assert Accounts(web.folder(settings) / "accounts.json").log_in("operator", password) is not None
    assert web.folder(settings).stat().st_mode & 0o777 == 0o700


def test_a_forgotten_password_is_replaced(make_settings: MakeSettings, capsys: pytest.CaptureFixture[str]) -> None:
    settings = make_settings()
    old = web.make_accounts(settings) or ""
    web.new_password(settings, "operator")
    shown = SHOWN.fullmatch(capsys.readouterr().out)
    assert shown is not None
    accounts = Accounts(web.folder(settings) / "accounts.json")
    assert accounts.log_in("operator", old) is None
    assert accounts.log_in(shown[1], shown[2]) is not None


def test_a_viewer_stays_one(make_settings: MakeSettings) -> None:
    settings = make_settings()
    web.make_accounts(settings)
    accounts = Accounts(web.folder(settings) / "accounts.json")
    accounts.put_person("ann", "viewer", "0123456789")
    web.new_password(settings, "ann")
    assert [person.access for person in accounts.people()] == ["viewer", "operator"]


def test_a_name_that_is_none_is_refused(make_settings: MakeSettings) -> None:
    with pytest.raises(StartError, match="a name is a-z"):
        web.new_password(make_settings(), "Ann Other")


def test_a_browser_of_this_machine_finds_it(make_settings: MakeSettings) -> None:
    assert web.address(make_settings(WEB_BIND="0.0.0.0", WEB_PORT=80)) == "http://127.0.0.1:80"
