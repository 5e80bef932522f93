"""The terminal's faces, exports and backups, of one whole system."""

import asyncio
import csv
import json
import re
import stat
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from deploy.questdb import load_or_make_logins
from storage import queries
from storage.questdb import DatabaseError
from storage.reader import Reader
from tests.system.whole import Whole, command, wait_for
from ui.terminal.app import TerminalPage
from ui.terminal.board import Board
from ui.terminal.places import Found, Place, find

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]
REACTORS = ("aquarium", "bioreactor", "hydroponics")


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    whole = Whole(tmp_path_factory.mktemp("terminal"), PACE=5, SAMPLE_INTERVAL=5, LIVE_INTERVAL=5, REFRESH=1)
    try:
        whole.start()
        whole.wait_for_line("first samples are stored")
        whole.wait_until_attached(*REACTORS)
        yield whole
        assert whole.interrupt() == 0
    finally:
        whole.close()


@pytest.fixture
def reader(system: Whole) -> Reader:
    login = load_or_make_logins(system.state / "questdb-logins.toml").viewer
    return Reader("127.0.0.1", int(str(system.variables["QUESTDB_PG_PORT"])), login.user, login.password)


def states(system: Whole) -> dict[str, dict[str, object]]:
    answer = subprocess.run(
        command("status"),
        env=system.environment | {"REACTORIUM_OUTPUT": "json"},
        cwd=system.folder,
        check=False,
        capture_output=True,
        text=True,
    )
    return {one["reactor"]: one for one in map(json.loads, answer.stdout.splitlines())}


def test_status_tells_of_every_reactor(system: Whole) -> None:
    wait_for(
        lambda: {name: one["state"] for name, one in states(system).items()} == dict.fromkeys(REACTORS, "ok"), "ok"
    )
    assert all(one["readings"] for one in states(system).values())
    answer = system.run("status")
    assert [line.split()[:2] for line in answer.stdout.splitlines()] == [[name, "ok"] for name in REACTORS]


def test_tail_prints_what_comes_until_nobody_reads(system: Whole) -> None:
    tail = subprocess.Popen(
        command("tail"),
        env=system.environment,
        cwd=system.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert tail.stdout
    assert tail.stderr
    lines = [tail.stdout.readline() for _ in range(3)]
    tail.stdout.close()
    assert tail.wait(60) == 0
    assert tail.stderr.read() == ""
    tail.stderr.close()
    assert all(re.match(rf"2\S+Z  ({'|'.join(REACTORS)})  \S+", line) for line in lines), lines


def test_the_page_follows_the_database_through_its_death(system: Whole, reader: Reader) -> None:
    async def until(page: TerminalPage, text: str) -> str:
        for _ in range(1200):
            shown = page.query_one(Board).text
            if text in shown:
                return shown
            await asyncio.sleep(0.1)
        raise AssertionError(shown)

    async def look() -> None:
        page = TerminalPage(partial(find, reader), every=0.5)
        async with page.run_test(size=(80, 24)) as pilot:
            await until(page, "3 ok")
            await pilot.press("down", "enter")
            await until(page, "broth.temperature")
            await pilot.press("d")
            assert "heater" in await until(page, "applied")
            await pilot.press("3")
            await until(page, "0 tables suspended, 0 rows missing")
            system.stop_programs("questdb")
            await until(page, "no database")
            system.start_program("questdb")
            await pilot.press("1")
            await until(page, "3 ok")

    asyncio.run(look())


@pytest.mark.parametrize("name", ["fleet", "readings", "devices", "events", "happenings", "database"])
def test_every_place_has_an_answer(reader: Reader, name: str) -> None:
    place = Place(name, "aquarium" if name in {"readings", "devices", "happenings"} else "")  # type: ignore[arg-type]
    found = find(reader, place)
    empty = Found(place, found.at)
    assert found != empty


def test_export_writes_what_is_there(system: Whole) -> None:
    answer = system.run("export", "samples", "2020-01-01", "2100-01-01", "all.csv")
    assert answer.returncode == 0, answer.stderr
    with (system.folder / "all.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["reactor"] for row in rows} == set(REACTORS)
    assert answer.stderr.endswith(" rows of samples in all.csv\n")
    assert stat.S_IMODE((system.folder / "all.csv").stat().st_mode) == 0o600
    again = system.run("export", "samples", "2020-01-01", "2100-01-01", "all.csv")
    assert (again.returncode, again.stderr) == (69, "reactorium: all.csv is there already\n")


def test_a_backup_is_restored_and_filled_up_again(system: Whole) -> None:
    backup = system.folder / "backup"
    assert (copied := system.run("backup", str(backup))).returncode == 0, copied.stderr
    assert stat.S_IMODE(backup.stat().st_mode) == 0o700  # QuestDB's own files in it have whatever modes it likes
    saved = queries.count_samples(system.database)
    wait_for(lambda: all(count > saved[one] for one, count in queries.count_samples(system.database).items()), "more")
    at_the_end = queries.count_samples(system.database)
    refused = system.run("restore", str(backup))
    assert (refused.returncode, "is in use by process" in refused.stderr) == (69, True)
    assert system.interrupt() == 0
    restored = system.run("restore", str(backup))
    assert restored.returncode == 0, restored.stderr
    assert Path(re.findall(r"is in (\S+)\n", restored.stderr)[0]).is_dir()
    system.start()

    def is_full() -> bool:
        try:
            now = queries.count_samples(system.database)
            filled = all(now.get(one, 0) > count for one, count in at_the_end.items())
            return filled and queries.sample_gaps(system.database) == []
        except DatabaseError:
            return False

    wait_for(is_full, "what the backup does not have")
    assert system.database.query("SELECT refresh_type FROM materialized_views() WHERE view_name = 'hourly'") == [
        ("timer",)
    ]
    system.database.execute("REFRESH MATERIALIZED VIEW hourly INCREMENTAL")  # as its timer does every minute
    wait_for(lambda: system.database.query("SELECT count() FROM hourly")[0][0] > 0, "the view")
    assert system.database.query("SELECT name FROM wal_tables() WHERE suspended") == []
    incarnations = [n for (n,) in system.database.query("SELECT incarnation FROM meta ORDER BY ts")]
    assert incarnations[0] == 1
    assert incarnations[-1] > 1_700_000_000
