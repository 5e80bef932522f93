"""The HTTP client against the real server: rows, and errors by whose fault they are."""

import signal
from collections.abc import Iterator

import pytest

from deploy import questdb as local
from storage.questdb import LoginRefused, QuestDB, SqlError, Unreachable, literal, literals
from tests.conftest import Server, free_ports

pytestmark = pytest.mark.system


@pytest.fixture
def client(questdb: Server) -> Iterator[QuestDB]:
    client = questdb.client()
    yield client
    client.close()


def test_the_server_knows_every_setting_and_has_it(questdb: Server, client: QuestDB) -> None:
    """One that it does not know it would ignore."""
    known = dict(client.query("SELECT env_var_name, value_source FROM (SHOW PARAMETERS)"))
    assert {name: known.get(name) for name in local.environment(questdb.config)} == dict.fromkeys(
        local.environment(questdb.config), "env"
    )


def test_a_query_answers_rows(client: QuestDB) -> None:
    assert client.query("SELECT 1 a, 2.5 b, null::double c, 'it''s' d") == [(1, 2.5, None, "it's")]


def test_a_statement_that_the_server_declines_carries_its_words(client: QuestDB) -> None:
    with pytest.raises(SqlError, match="no_such_table"):
        client.query("SELECT * FROM no_such_table")


def test_two_statements_at_once_are_declined(client: QuestDB) -> None:
    with pytest.raises(SqlError):
        client.execute("SELECT 1; DROP TABLE samples")


def test_a_wrong_password_is_told_apart_and_not_repeated(questdb: Server) -> None:
    client = QuestDB(questdb.address, questdb.owner.user, "not-the-password")
    with pytest.raises(LoginRefused) as caught:
        client.query("SELECT 1")
    assert "not-the-password" not in str(caught.value)
    client.close()


def test_nobody_there(questdb: Server) -> None:
    client = QuestDB(f"http://127.0.0.1:{free_ports(1)[0]}", questdb.owner.user, questdb.owner.password)
    with pytest.raises(Unreachable, match="does not answer"):
        client.query("SELECT 1")
    client.close()


def test_a_server_that_hangs_is_given_up_in_time(own_questdb: Server) -> None:
    client = own_questdb.client(timeout=1.0)
    own_questdb.send(signal.SIGSTOP)
    with pytest.raises(Unreachable):
        client.query("SELECT 1")
    own_questdb.send(signal.SIGCONT)
    assert own_questdb.client().query("SELECT 1") == [(1,)]
    client.close()


@pytest.mark.parametrize(("value", "sql"), [(7, "7"), ("r1", "'r1'"), ("x'; drop table t", "'x''; drop table t'")])
def test_values_are_spelled_harmlessly(client: QuestDB, value: str | int, sql: str) -> None:
    assert literal(value) == sql
    assert client.query(f"SELECT {literal(value)} a") == [(value,)]


def test_lists_of_values(client: QuestDB) -> None:
    assert client.query(f"SELECT x FROM long_sequence(5) WHERE x IN ({literals([2, 4])})") == [(2,), (4,)]
