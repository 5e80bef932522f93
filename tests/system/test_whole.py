"""The whole system loses nothing: whatever is killed, taken away or wiped, the rows are what the circuits delivered.

One system runs for all of these tests, in any order: each begins with everything attached and ends with the referee.
Its vessels and reactors run five times faster than life.
"""

import json
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import pytest

import deploy
from storage import queries
from storage.questdb import DatabaseError
from tests.system.referee import Wired, settle, wiring
from tests.system.whole import CLOCK, Whole, title_of, wait_for

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]
EXAMPLES = Path(deploy.__file__).parent / "examples"
VESSELS = {path.stem: path for path in (EXAMPLES / "vessels").glob("*.toml")}
REACTORS = tuple(sorted(VESSELS))
PACE, INTERVAL = 5, 5  # a sample a second
AWAY = 20.0  # seconds that the database is away
CLIENT = Path(__file__).parent / "independent_client.py"


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    """The three examples, a sample and a live reading of every sensor each second."""
    whole = Whole(
        tmp_path_factory.mktemp("whole"),
        PACE=PACE,
        SAMPLE_INTERVAL=INTERVAL,
        LIVE_INTERVAL=INTERVAL,
        STATUS_INTERVAL=2,
        LOG_LEVEL="debug",
    )
    try:
        whole.start()
        whole.let_in("stranger", "reactor")
        whole.wait_for_line("first samples are stored")
        yield whole
        assert whole.interrupt() == 0
    finally:
        whole.close()


@pytest.fixture(scope="module")
def wired(system: Whole) -> list[Wired]:
    """Every sensor of theirs."""
    wait_for(lambda: reactors_in(system, "inventory") == set(REACTORS), "inventory of all reactors")
    return wiring(system, VESSELS)


@pytest.fixture(autouse=True)
def well(system: Whole, wired: Sequence[Wired]) -> None:
    """Everything is attached, and samples are stored."""
    assert {one.reactor for one in wired if one.circuit} == set(REACTORS)
    assert sum(one.circuit is not None for one in wired) >= 3 * len(REACTORS)
    system.wait_until_attached(*REACTORS)
    wait_until_sampled(system, wired)


def reactors_in(system: Whole, table: str) -> set[str]:
    """Those that have rows there; none while there is no such table, or no database."""
    try:
        return {name for (name,) in system.database.query(f"SELECT DISTINCT reactor FROM {table}")} & set(REACTORS)
    except DatabaseError:
        return set()


def wait_until_sampled(system: Whole, wired: Sequence[Wired]) -> float:
    """Wait until the database has good samples of every circuit that are taken from now on; returns the seconds."""
    now_us = CLOCK.wall_us()
    wanted = {(one.reactor, one.sensor) for one in wired if one.circuit}

    def sampled() -> bool:
        try:
            rows = system.database.query(
                "SELECT DISTINCT reactor, sensor FROM samples"
                f" WHERE quality = 'ok' AND ts > cast({now_us} AS TIMESTAMP)"
            )
        except DatabaseError:
            return False
        return wanted <= set(rows)

    return wait_for(sampled, "good samples of every circuit")


def identity(system: Whole) -> tuple[str, int]:
    rows = system.database.query("SELECT identity, incarnation FROM meta ORDER BY ts DESC LIMIT 1")
    return rows[0][0], rows[0][1]


# --- what is killed


@pytest.mark.parametrize("victim", ["reactor bioreactor", "manager 01", "coordinator", "questdb"])
def test_a_killed_process_costs_nothing(system: Whole, wired: Sequence[Wired], victim: str) -> None:
    title = f"reactorium {victim}"
    old = system.process(title)
    system.kill(title)
    system.wait_for_another(title, old)
    attached = system.wait_until_attached(*REACTORS)
    sampled = wait_until_sampled(system, wired)
    settled = settle(system, wired)
    report(f"{victim} killed: attached after {attached:.1f} s, samples {sampled:.1f} s, settled {settled:.1f} s")


def test_all_of_them_killed_at_once_cost_nothing(system: Whole, wired: Sequence[Wired]) -> None:
    system.kill(*(title for title in system.titles() if re.search("reactor |manager|coordinator|questdb", title)))
    attached = system.wait_until_attached(*REACTORS)
    sampled = wait_until_sampled(system, wired)
    settled = settle(system, wired)
    report(f"all killed: attached after {attached:.1f} s, samples {sampled:.1f} s, settled {settled:.1f} s")


def test_a_killed_reactor_says_that_it_started(system: Whole) -> None:
    before = starts(system)
    system.kill("reactorium reactor aquarium")
    wait_for(lambda: starts(system) == before + 1, "one more `started`")


def starts(system: Whole) -> int:
    rows = system.database.query("SELECT count() FROM events WHERE reactor = 'aquarium' AND kind = 'started'")
    return int(rows[0][0])


# --- what is away


def test_a_database_that_is_away_gets_everything_when_it_is_back(system: Whole, wired: Sequence[Wired]) -> None:
    system.stop_programs("questdb")
    gone_ns = CLOCK.monotonic_ns()
    wait_for(lambda: CLOCK.monotonic_ns() - gone_ns > AWAY * 1e9, "the database is away for a while")
    assert set(REACTORS) <= {reactor for placed in system.placed().values() for reactor in placed}
    system.start_program("questdb")
    sampled = wait_until_sampled(system, wired)
    settled = settle(system, wired)
    report(f"database back after {AWAY:.0f} s: samples after {sampled:.1f} s, settled {settled:.1f} s")


def test_a_wiped_database_gets_everything_again(system: Whole, wired: Sequence[Wired]) -> None:
    settle(system, wired)
    before, counted = identity(system), queries.count_samples(system.database)
    system.stop_programs("questdb")
    shutil.rmtree(system.state / "questdb" / "db")
    system.start_program("questdb")
    sampled = wait_until_sampled(system, wired)
    settled = settle(system, wired)
    after = queries.count_samples(system.database)
    assert identity(system)[0] != before[0]
    assert all(after[reactor] >= counted[reactor] for reactor in REACTORS)
    report(f"database wiped: samples after {sampled:.1f} s, all {sum(after.values())} settled {settled:.1f} s")


def test_a_reactor_that_starts_alone_samples_and_ships(system: Whole, wired: Sequence[Wired]) -> None:
    system.stop_programs("coordinator", "manager:*")
    system.kill("reactorium reactor hydroponics")
    sampled = wait_until_sampled(system, wired)
    assert not [title for title in system.titles() if "coordinator" in title or "manager" in title]
    settled = settle(system, wired)
    system.start_program("coordinator")
    attached = system.wait_until_attached(*REACTORS)
    report(f"started alone: samples after {sampled:.1f} s, settled {settled:.1f} s; attached {attached:.1f} s later")


# --- what is said, and what is not


def test_ps_tells_what_every_process_is(system: Whole) -> None:
    expected = {"supervisor", "questdb", "coordinator", "manager 01"}
    expected |= {f"{what} {name}" for what in ("vessel", "reactor") for name in REACTORS}
    titles = set(system.titles())
    assert {f"reactorium {what}" for what in expected} <= titles
    assert all(title.startswith("reactorium ") for title in titles)


def test_no_secret_is_in_a_file_or_a_process_list(system: Whole) -> None:
    of_files = system.secrets()
    assert len(of_files) == len(("questdb", "coordinator", "managers", "web")) + len(REACTORS)
    for path in of_files:
        assert stat.S_IMODE(path.stat().st_mode) & 0o277 == 0 or path.suffix == ".toml", path
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
    secrets = [secret for found in of_files.values() for secret in found]
    assert all(len(secret) >= 32 for secret in secrets)
    shown = {"the process list": "\n".join(" ".join(process.cmdline()) for process in system.family()).encode()}
    shown |= {"what up says": "\n".join(system.lines).encode()}
    for word in ("check", "status"):
        answer = system.run(word)
        shown[f"what {word} says"] = (answer.stdout + answer.stderr).encode()
    for process in system.family():
        if title_of(process) != "reactorium questdb":  # Java takes its passwords there; only its own user reads them
            shown[f"environment of {process.pid}"] = "\n".join(process.environ().values()).encode()
    files = [
        path for path in system.state.rglob("*") if path.is_file() and system.state / "questdb/db" not in path.parents
    ]
    shown |= {str(path): path.read_bytes() for path in files}
    leaks = {
        where
        for where, content in shown.items()
        if Path(where) not in of_files and any(secret in content for secret in secrets)
    }
    assert leaks == set()
    assert any(where.endswith("coordinator.log") for where in shown)


def test_sql_answers_as_csv(system: Whole) -> None:
    answer = system.run("sql", "select reactor, count() as rows from samples order by reactor")
    header, *rows = answer.stdout.splitlines()
    assert (answer.returncode, header) == (0, "reactor,rows")
    assert [row.split(",")[0] for row in rows] == list(REACTORS)
    refused = system.run("sql", "drop table samples")
    assert (refused.returncode, refused.stdout, refused.stderr.count("\n")) == (69, "", 1)


def test_check_finds_everything(system: Whole) -> None:
    answer = system.run("check")
    assert answer.returncode == 0, answer.stdout
    assert "WRONG" not in answer.stdout
    said = dict(line.removeprefix("ok").strip().split(": ", 1) for line in answer.stdout.splitlines())
    assert f"in use by process {system.pid}" in said["state folder"]
    assert "lets this node in" in said["coordinator"]
    assert identity(system)[0] in said["database"]


def test_live_readings_come_through_the_managers(system: Whole) -> None:
    now_us = CLOCK.wall_us()

    def live() -> set[str]:
        rows = system.database.query(f"SELECT DISTINCT reactor FROM readings WHERE cast(ts AS LONG) > {now_us}")
        return {name for (name,) in rows}

    wait_for(lambda: set(REACTORS) <= live(), "live readings of all reactors")


def test_a_client_of_another_make_is_served(system: Whole) -> None:
    """Written from docs/protocol.md alone; it reports, a manager of ours writes its live readings."""
    secret = system.let_in("stranger", "reactor")
    done = subprocess.run(
        [sys.executable, str(CLIENT), system.coordinator, system.coordinator_key, str(secret), "3"],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    said = [json.loads(line) for line in done.stdout.splitlines()]
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert [next(iter(line)) for line in said] == ["welcome", "attached", "ack", "ack", "ack", "reported"]
    wait_for(
        lambda: (
            system.database.query("SELECT DISTINCT sensor, unit FROM readings WHERE reactor = 'stranger'")
            == [("bottle", "°C")]
        ),
        "its readings",
    )


# --- the end, and the next start


def test_ctrl_c_ends_all_of_it_and_a_second_start_finds_it_as_it_was(system: Whole, wired: Sequence[Wired]) -> None:
    before, kept = identity(system), system.secrets()
    system.wait_until_attached(*REACTORS)
    assert system.interrupt() == 0
    assert system.lines[-1] == "everything is stopped"
    system.start()
    system.wait_for_line("first samples are stored")
    attached = system.wait_until_attached(*REACTORS)
    settled = settle(system, wired)
    assert identity(system) == before
    assert system.secrets() == kept
    report(f"second start: attached {attached:.1f} s after its first samples, settled {settled:.1f} s")


def test_everything_was_said_in_order(system: Whole) -> None:
    """Of each spool, rows are numbered in the order of their time."""
    rows = system.database.query("SELECT reactor, sensor, quantity, seq FROM samples ORDER BY ts")
    series: dict[tuple[str, ...], list[int]] = {}
    for *names, seq in rows:
        series.setdefault(tuple(names), []).append(seq)
    assert series
    assert all(after == before + 1 for numbers in series.values() for before, after in pairwise(numbers))


def report(text: str) -> None:
    """A figure, shown by `pytest -rP` or `-s`."""
    sys.stdout.write(text + "\n")
