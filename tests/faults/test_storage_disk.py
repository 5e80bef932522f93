"""The real QuestDB when its disk is full: nothing is refused or lost, it is said, and all is there once there is room.

A small disk is filled to its last byte where one may be mounted. Everywhere the kernel's limit on the size of files
stands in for that: QuestDB calls both "No space left". What the coordinator does by itself its own actor does here, on
a clock that the test moves.
"""

import os
import resource
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from loguru import logger

from actors.database import OURS, DatabaseWatch
from actors.ticker import Ticker
from storage import queries
from storage.questdb import DatabaseError, QuestDB
from storage.schema import ensure_schema
from storage.spool import Spool
from storage.views import invalid_views
from tests.actors.conftest import FakeClock
from tests.conftest import Server, running_questdb
from tests.storage.conftest import BOOT, ManualClock, anchor, event, sample
from tests.storage.test_shipping_for_real import Shipper
from tests.system.whole import wait_for

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]
DISK = 1400  # MiB: tables and views reserve 250 when they are made, samples 150 for a new day, views as much again
ROWS = 200  # a round
DAY = 86_400
LOOK = 5.0  # seconds
AGAIN = 60.0


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A small disk of its own, or a folder."""
    path = tmp_path_factory.mktemp("disk")
    words = ["mount", "-t", "tmpfs", "-o", f"size={DISK}m", "tmpfs", str(path)]
    mounted = os.geteuid() == 0 and subprocess.run(words, capture_output=True, check=False).returncode == 0
    yield path
    if mounted:
        subprocess.run(["umount", "--lazy", str(path)], check=True)


@pytest.fixture(scope="module")
def server(disk: Path) -> Iterator[Server]:
    with running_questdb(disk / "questdb") as server:
        yield server


class Coordinator:
    """The actor that looks after the database, and what it says."""

    def __init__(self, server: Server) -> None:
        self.said: list[str] = []
        self._sink = logger.add(lambda message: self.said.append(message.record["message"]), level="INFO")
        self._clock = FakeClock()
        self._ticker = Ticker(self._clock)
        self._watch = DatabaseWatch.start(
            lambda _: None, server.client(), lambda _: None, clock=self._clock, ticker=self._ticker
        )
        self.look(0)

    def look(self, seconds: float = LOOK) -> None:
        """Have so much time pass, and look."""
        self._clock.advance(seconds)
        self._ticker.ring()
        self._watch.proxy().actor_urn.get(timeout=60)

    def says(self, text: str) -> bool:
        """Look; tell whether it has said that."""
        self.look()
        return any(text in line for line in self.said)

    def close(self) -> None:
        self._watch.stop()
        logger.remove(self._sink)


@pytest.fixture
def limited(server: Server) -> Callable[[bool], None]:
    """Let no file of the server grow."""

    def full(on: bool) -> None:
        assert server.process
        _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (0 if on else most, most))

    return full


@pytest.fixture
def filled(disk: Path) -> Callable[[bool], None]:
    """Take every byte that is left, or give them back."""
    ballast = disk / "ballast"

    def full(on: bool) -> None:
        if not on:
            ballast.unlink()
            return
        with ballast.open("ab", buffering=0) as file:
            for size in (1 << 20, 4096):
                try:
                    while True:
                        file.write(b"\1" * size)
                except OSError:
                    continue

    if not disk.is_mount():
        pytest.skip("no small disk may be mounted here")
    return full


@pytest.mark.parametrize("how", ["limited", "filled"])
def test_a_full_disk_of_the_database_costs_no_row(
    how: str, request: pytest.FixtureRequest, server: Server, tmp_path: Path
) -> None:
    full: Callable[[bool], None] = request.getfixturevalue(how)
    spool = Spool(tmp_path / "spool.db", clock=ManualClock(), boot=BOOT, limit=10**8, retention=1e6)
    with closing(server.client()) as database, closing(Coordinator(server)) as coordinator, closing(spool):
        database.execute("TRUNCATE TABLE samples")
        ensure_schema(database)
        spool.date(anchor())
        shipper = Shipper(server, spool)

        def take(day: int) -> None:
            spool.append([sample(200 + day * DAY + number, float(number)) for number in range(ROWS)])
            for _ in range(20):
                shipper.step()

        take(1)
        wait_for(lambda: stored(database) == {"r1": ROWS}, "the first rows")

        full(True)
        take(2)  # of another day: in files of their own
        database.execute("REFRESH MATERIALIZED VIEW tallies INCREMENTAL")  # as its timer does
        wait_for(lambda: coordinator.says("table samples is suspended, it takes rows and shows none"), "it is said")
        full(True)  # what the server gave up has made room
        take(3)
        if how == "limited":
            spool.append([event(200)])  # of a table that nobody has written to: its log has no file, and gets none
            wait_for(lambda: shipper.step() and bool(shipper.core.troubles), "it takes no more")
            assert "500" in shipper.core.troubles[0]
        assert stored(database) == {"r1": ROWS}
        coordinator.look(AGAIN)  # tries, in vain
        wait_for(lambda: suspended(database), "it is suspended still")

        full(False)
        shipper.run()

        def well() -> bool:
            coordinator.look(AGAIN)
            return stored(database) == {"r1": 3 * ROWS} and not (suspended(database) or invalid_views(database))

        wait_for(well, "every row")
        assert coordinator.says("the table samples is not suspended any more")
        wait_for(lambda: database.query("SELECT count() FROM events") == [(1,)], "the event")
        assert queries.sample_gaps(database) == []
        assert (spool.backlog().refused, spool.backlog().dropped) == (0, 0)
        shipper.ingest.close()


def suspended(database: QuestDB) -> bool:
    return any(table.suspended and table.name in OURS for table in queries.table_health(database))


def stored(database: QuestDB) -> dict[str, int]:
    try:
        return queries.count_samples(database)
    except DatabaseError:
        return {}
