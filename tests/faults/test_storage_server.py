"""What befalls the servers of a running system: the database is changed, locked, hung; processes crash.

One system runs for all of these tests, and each but the last ends with everything stored that the circuits delivered.
Its processes have `tests/faults/crashing` beside them: a refused login is tried again after 2 to 4 s instead of 30 to
60, and a database that was away after 2 instead of up to 30; that is what other tests show (storage/test_shipping.py).
"""

import os
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil
import pytest

import deploy
from storage.questdb import DatabaseError
from tests.faults.witness import Witness
from tests.system.referee import Wired, settle, wiring
from tests.system.whole import CLOCK, STOPPED, Whole, wait_for

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]
VESSELS = {path.stem: path for path in (Path(deploy.__file__).parent / "examples" / "vessels").glob("*.toml")}
REACTORS = tuple(sorted(VESSELS))
PACE, INTERVAL, STATUS = 5, 5, 2.0  # a sample a second
CRASHING = Path(__file__).parent / "crashing"
PASSWORD = "somebody-changed-the-password-to-this"
LOOK = 30.0  # seconds until the coordinator has looked at the database, which it does every 5 s


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    """The three examples on a database that may be told to suspend its tables."""
    whole = Whole(
        tmp_path_factory.mktemp("storage"),
        PACE=PACE,
        SAMPLE_INTERVAL=INTERVAL,
        LIVE_INTERVAL=INTERVAL,
        STATUS_INTERVAL=STATUS,
    )
    whole.others = {
        "PYTHONPATH": os.pathsep.join(filter(None, (str(CRASHING), os.environ.get("PYTHONPATH")))),
        "QDB_DEV_MODE_ENABLED": "true",
    }
    try:
        whole.start()
        whole.wait_until_attached(*REACTORS)
        yield whole
        assert whole.interrupt() == 0
    finally:
        whole.close()


@pytest.fixture(scope="module")
def wired(system: Whole) -> list[Wired]:
    def found() -> list[Wired]:
        try:
            return wiring(system, VESSELS)
        except DatabaseError:  # not yet
            return []

    wait_for(lambda: {one.reactor for one in found()} == set(REACTORS), "inventory of all reactors")
    return found()


@pytest.fixture(scope="module")
def witness(system: Whole) -> Iterator[Witness]:
    """Sees what people see."""
    witness = Witness(system, STATUS)
    yield witness
    witness.close()


def faults(witness: Witness, reactor: str) -> str:
    twin = witness.operator.twin(reactor)
    return "\n".join(twin.status.faults) if twin and twin.status else ""


def all_say(witness: Witness, text: str) -> bool:
    return all(text in faults(witness, reactor) for reactor in REACTORS)


def none_says(witness: Witness, text: str) -> bool:
    return not any(text in faults(witness, reactor) for reactor in REACTORS)


def rows_wait(witness: Witness, least: int) -> bool:
    twins = [witness.operator.twin(reactor) for reactor in REACTORS]
    return all(twin and twin.status and twin.status.backlog.waiting >= least for twin in twins)


def log(system: Whole, name: str) -> str:
    return (system.state / "logs" / f"{name}.log").read_text(encoding="utf-8")


def value(system: Whole, query: str) -> int:
    """One number; -1 while the database has no answer."""
    try:
        return int(system.database.query(query)[0][0] or 0)
    except DatabaseError:
        return -1


def report(text: str) -> None:
    """A figure, shown by `pytest -rP` or `-s`."""
    sys.stdout.write(text + "\n")


def test_a_suspended_table_is_said_and_has_every_row_when_it_goes_on(system: Whole, wired: Sequence[Wired]) -> None:
    system.database.execute("ALTER TABLE samples SUSPEND WAL WITH 28, 'No space left'")
    before = value(system, "SELECT count() FROM samples")
    said = wait_for(
        lambda: "table samples is suspended, it takes rows and shows none" in log(system, "coordinator"), "said", LOOK
    )
    lag = "SELECT sequencerTxn - writerTxn FROM wal_tables() WHERE name = 'samples'"
    wait_for(lambda: value(system, lag) > len(REACTORS), "batches are acknowledged")
    assert value(system, "SELECT count() FROM samples") == before
    system.database.execute("ALTER TABLE samples RESUME WAL")
    settled = settle(system, wired)
    report(f"suspended: said after {said:.1f} s, settled {settled:.1f} s")


def test_a_table_and_a_column_that_are_dropped_come_back_with_all_that_stood_there(
    system: Whole, wired: Sequence[Wired]
) -> None:
    before = value(system, "SELECT count() FROM samples")
    texts = value(system, "SELECT count() FROM events WHERE text IS NOT NULL")
    system.database.execute("DROP TABLE samples")
    system.database.execute("ALTER TABLE events DROP COLUMN text")
    said = wait_for(lambda: "events.text was dropped and is there again" in log(system, "coordinator"), "said", LOOK)
    back = wait_for(
        lambda: (
            value(system, "SELECT count() FROM samples") >= before
            and value(system, "SELECT count() FROM events WHERE text IS NOT NULL") >= texts
        ),
        "every row is whole again",
    )
    settled = settle(system, wired)
    report(f"dropped: said after {said:.1f} s, {before} rows back {back:.1f} s later, settled {settled:.1f} s")


def test_a_changed_password_is_one_alarm_and_costs_nothing(
    system: Whole, wired: Sequence[Wired], witness: Witness
) -> None:
    file = system.state / "questdb-logins.toml"
    right, owner = file.read_text(encoding="ascii"), system.secrets()[file][0].decode()
    began_us = CLOCK.wall_us()
    restart_database(system, right.replace(owner, PASSWORD))
    try:
        said = wait_for(lambda: all_say(witness, "the database refuses the login"), "every reactor says it")
        wait_for(lambda: "refused the login" in log(system, "coordinator"), "the coordinator says it", LOOK)
        wait_for(lambda: rows_wait(witness, 20), "rows wait")
    finally:
        restart_database(system, right)
    wait_for(lambda: none_says(witness, "the database"), "nobody says anything any more")
    settled = settle(system, wired)
    alarms = system.database.query(
        "SELECT reactor, count() FROM events WHERE source = 'database' AND kind = 'fault'"
        f" AND ts > cast({began_us} AS TIMESTAMP)"
    )
    assert all(count <= 2 for _, count in alarms), alarms  # it begins, it is over
    report(f"password changed: said after {said:.1f} s, settled {settled:.1f} s after it was right again")


def restart_database(system: Whole, logins: str) -> None:
    """Have the server start again with these passwords; everybody else goes on with those of their start."""
    (system.state / "questdb-logins.toml").write_text(logins, encoding="ascii")
    old = system.process("reactorium questdb")
    system.kill("reactorium questdb")
    system.wait_for_another("reactorium questdb", old)


def test_a_database_that_hangs_is_said_and_has_every_row_when_it_goes_on(
    system: Whole, wired: Sequence[Wired], witness: Witness
) -> None:
    process = system.process("reactorium questdb")
    assert process
    process.send_signal(signal.SIGSTOP)
    try:
        said = wait_for(lambda: all_say(witness, "does not answer"), "every reactor says it")
        assert witness.unwell(REACTORS) == []
    finally:
        process.send_signal(signal.SIGCONT)
    wait_for(lambda: none_says(witness, "does not answer"), "nobody says anything any more")
    settled = settle(system, wired)
    report(f"database hung: said after {said:.1f} s, settled {settled:.1f} s after it went on")


def test_a_process_that_crashes_tells_no_secret(system: Whole) -> None:
    """Of every process of ours, by an exception; of QuestDB by SIGSEGV, of which Java leaves a report."""
    secrets = [PASSWORD.encode(), *(secret for found in system.secrets().values() for secret in found)]
    victims = {
        title: process
        for title in system.titles()
        if (process := system.process(title)) and not title.endswith("supervisor")
    }
    for title, process in victims.items():
        process.send_signal(signal.SIGSEGV if title.endswith("questdb") else signal.SIGUSR2)
    assert psutil.wait_procs(list(victims.values()), timeout=STOPPED)[1] == []
    shown = [*(system.state / "logs").iterdir(), system.state / "questdb" / "crash.log"]
    wait_for(lambda: said(shown).count("out of nowhere") >= len(victims) - 1, "each tells that it ends")
    assert "SIGSEGV" in said(shown[-1:])
    assert [path for path in shown if any(secret in path.read_bytes() for secret in secrets)] == []


def said(files: Sequence[Path]) -> str:
    return "\n".join(path.read_text(encoding="utf-8", errors="replace") for path in files)
