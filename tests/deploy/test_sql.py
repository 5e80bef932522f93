"""`reactorium sql` against the real server: CSV with a header, and nothing that changes anything."""

import pytest

from deploy import logins, logs
from deploy.errors import StartError
from deploy.settings import Settings
from deploy.sql import sql
from tests.conftest import Server
from tests.deploy.conftest import MakeSettings

pytestmark = pytest.mark.system


@pytest.fixture(autouse=True)
def _log_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "setup", lambda *_: None)


@pytest.fixture
def asked(
    questdb: Server, make_settings: MakeSettings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> "Asked":
    settings = make_settings(QUESTDB_HTTP_PORT=questdb.config.http_port, QUESTDB_PG_PORT=questdb.pg_port)
    monkeypatch.setattr(logins, "_local", lambda *_: questdb.config.logins)
    return Asked(settings, capsys)


class Asked:
    """Asks, and returns what was printed."""

    def __init__(self, settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
        self.settings = settings
        self.capsys = capsys

    def __call__(self, query: str) -> str:
        sql(self.settings, query)
        return self.capsys.readouterr().out


def test_csv_with_a_header(asked: Asked) -> None:
    assert asked("select 'a, \"b\"' word, 7 number, cast(null as double) nothing") == (
        'word,number,nothing\n"a, ""b""",7,\n'
    )


def test_no_rows_still_have_a_header(asked: Asked) -> None:
    assert asked("select x from long_sequence(3) where x > 5") == "x\n"


@pytest.mark.parametrize("query", ["create table t (x int)", "select 1; select 2", "drop table samples", "nonsense"])
def test_anything_else_is_refused_in_one_line(asked: Asked, query: str) -> None:
    with pytest.raises(StartError) as raised:
        asked(query)
    assert "\n" not in str(raised.value)


def test_nobody_there(make_settings: MakeSettings) -> None:
    settings = make_settings(QUESTDB_PG_PORT=9)
    logins.make(settings)
    with pytest.raises(StartError, match=r"127\.0\.0\.1:9"):
        sql(settings, "select 1")
