"""Who logs in to which database."""

import pytest

from deploy import logins
from deploy.errors import ConfigurationError
from tests.deploy.conftest import MakeSettings


def test_the_local_server_brings_its_own_users(make_settings: MakeSettings) -> None:
    settings = make_settings(QUESTDB_HTTP_PORT=9100)
    made = logins.make(settings)
    assert logins.owner(settings) == made.owner
    assert logins.reader(settings) == made.viewer
    assert logins.database_address(settings) == "http://127.0.0.1:9100"


def test_named_users_win(make_settings: MakeSettings) -> None:
    settings = make_settings(
        QUESTDB_URL="https://db.example:9000", QUESTDB_USER="ada", QUESTDB_PASSWORD="x", QUESTDB_READER="bob"
    )
    assert logins.owner(settings).user == "ada"
    assert logins.reader(settings).password == ""
    assert logins.reader_host(settings) == "db.example"


def test_another_server_never_gets_the_local_passwords(make_settings: MakeSettings) -> None:
    settings = make_settings(QUESTDB_URL="https://db.example:9000")
    logins.make(settings)
    with pytest.raises(ConfigurationError, match="REACTORIUM_QUESTDB_USER is not set"):
        logins.owner(settings)
    with pytest.raises(ConfigurationError, match="REACTORIUM_QUESTDB_READER is not set"):
        logins.reader(settings)


def test_no_login_at_all_is_a_mistake(make_settings: MakeSettings) -> None:
    with pytest.raises(ConfigurationError, match="no local server's login"):
        logins.owner(make_settings())
