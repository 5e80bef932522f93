import stat
from pathlib import Path

import pytest

from ui.accounts import FIRST, SESSION_SECONDS, AccountError, Accounts

GOOD = "correct horse"


class Time:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "accounts.json"


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def accounts(path: Path, time: Time) -> Accounts:
    return Accounts(path, time)


def test_the_first_password_is_made_once_and_kept_nowhere(accounts: Accounts, path: Path) -> None:
    password = accounts.make_first()
    assert password is not None
    assert len(password) == 19
    assert password.encode() not in path.read_bytes()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert accounts.make_first() is None
    assert accounts.log_in(FIRST, password) is not None


def test_who_logs_in_is_known_until_they_log_out(accounts: Accounts) -> None:
    session = accounts.log_in(FIRST, accounts.make_first() or "")
    assert session is not None
    who = accounts.who(session)
    assert who is not None
    assert (who.name, who.access) == (FIRST, "operator")
    accounts.log_out(who)
    assert accounts.who(session) is None


def test_a_session_outlives_the_process_and_ends_by_itself(accounts: Accounts, path: Path, time: Time) -> None:
    session = accounts.log_in(FIRST, accounts.make_first() or "")
    assert session is not None
    again = Accounts(path, time)
    time.now += SESSION_SECONDS - 1
    assert again.who(session) is not None
    time.now += 1
    assert again.who(session) is None


@pytest.mark.parametrize(("name", "password"), [(FIRST, "wrong"), ("nobody", "x"), ("", ""), (FIRST, "\ud800")])
def test_nobody_else_gets_in(accounts: Accounts, name: str, password: str) -> None:
    accounts.make_first()
    assert accounts.log_in(name, password) is None


def test_a_new_password_ends_the_sessions_of_the_old_one(accounts: Accounts) -> None:
    session = accounts.log_in(FIRST, accounts.make_first() or "")
    accounts.put_person(FIRST, "operator", GOOD)
    assert accounts.who(session or "") is None
    assert accounts.log_in(FIRST, GOOD) is not None


def test_another_role_counts_at_once(accounts: Accounts) -> None:
    accounts.make_first()
    accounts.put_person("ann", "viewer", GOOD)
    session = accounts.log_in("ann", GOOD) or ""
    accounts.put_person("ann", "operator", None)
    who = accounts.who(session)
    assert who is not None
    assert who.access == "operator"


@pytest.mark.parametrize(
    ("name", "password", "reason"),
    [
        ("Ann", GOOD, "a name is"),
        ("", GOOD, "a name is"),
        ("ann", "short", "10 to 200"),
        ("ann", None, "needs a password"),
    ],
)
def test_bad_people_are_refused(accounts: Accounts, name: str, password: str | None, reason: str) -> None:
    accounts.make_first()
    with pytest.raises(AccountError, match=reason):
        accounts.put_person(name, "viewer", password)


def test_the_last_operator_stays(accounts: Accounts) -> None:
    accounts.make_first()
    accounts.put_person("ann", "viewer", GOOD)
    with pytest.raises(AccountError, match="must be left"):
        accounts.put_person(FIRST, "viewer", None)
    with pytest.raises(AccountError, match="must be left"):
        accounts.remove_person(FIRST)
    accounts.remove_person("ann")
    assert [person.name for person in accounts.people()] == [FIRST]


def test_a_token_works_until_it_is_removed(accounts: Accounts, path: Path) -> None:
    program, token = accounts.add_program("script", "viewer")
    assert token.encode() not in path.read_bytes()
    who = accounts.program(token)
    assert who is not None
    assert (who.name, who.access) == ("script", "viewer")
    assert accounts.program(token + "x") is None
    accounts.remove_program(program.id)
    assert accounts.program(token) is None
    with pytest.raises(AccountError, match="no such token"):
        accounts.remove_program(program.id)


def test_what_another_process_writes_counts(accounts: Accounts, path: Path) -> None:
    accounts.make_first()
    Accounts(path).put_person("ann", "viewer", GOOD)
    assert accounts.log_in("ann", GOOD) is not None


def test_a_damaged_file_lets_nobody_in_and_says_so(accounts: Accounts, path: Path) -> None:
    path.write_text("{}}", encoding="ascii")
    with pytest.raises(AccountError, match="cannot be read"):
        accounts.program("anything")
