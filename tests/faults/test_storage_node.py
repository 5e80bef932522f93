"""A board whose disk takes not one byte more: logs, spool, settings, the guard's notes. Nothing ends, it starts again.

The kernel's limit on the size of a file stands in for the full disk: it needs no privileges and meets every file.
"""

import resource
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import psutil
import pytest

from tests.system.guarded import SWITCHED, Guarded, running, wait_for

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]
FAST = 'name = "tank"\nlive_interval = 25  # 0.5 s at this pace\nsample_interval = 25'


@pytest.fixture
def tank(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    made = Guarded(tmp_path, tmp_path_factory.getbasetemp() / "compiled")
    made.file.write_text(made.file.read_text().replace('name = "tank"', FAST, 1))
    yield made
    made.close()


def let_write(tank: Guarded, *, anything: bool) -> None:
    """Let guard and reactor write to files, or not a byte; who they start from now on has the same disk."""
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    for process in (tank.pid, *(child.pid for child in psutil.Process(tank.pid).children())):
        resource.prlimit(process, resource.RLIMIT_FSIZE, (most if anything else 0, most))


def samples(tank: Guarded) -> int:
    return len(tank.rows("samples"))


def reads(process: psutil.Process) -> int:
    """How many calls have read something: a reactor that measures does."""
    return int(process.io_counters().read_count)


def test_a_full_disk_ends_nothing_and_costs_no_sample_that_memory_has_room_for(tank: Guarded) -> None:
    tank.start()
    reactor = running(tank)
    wait_for(lambda: samples(tank) > 10, "samples")

    let_write(tank, anything=False)
    before, read = samples(tank), reads(reactor)
    wait_for(lambda: reads(reactor) > read + 200, "it goes on measuring")
    assert samples(tank) <= before + 10  # what was on its way
    assert tank.reactor() == reactor
    assert tank.are_on(*SWITCHED)

    let_write(tank, anything=True)
    wait_for(lambda: samples(tank) > before + 20, "everything goes on")
    wait_for(lambda: any("rows wait in memory" in text for text in tank.events("fault")), "it is said")
    assert gaps(tank) == []


def test_a_reactor_starts_on_a_full_disk_and_goes_on_when_there_is_room(tank: Guarded) -> None:
    tank.start()
    first = running(tank)
    wait_for(lambda: samples(tank) > 10, "samples")

    let_write(tank, anything=False)
    before = samples(tank)
    first.kill()
    second = running(tank, than=first)
    read = reads(second)
    wait_for(lambda: reads(second) > read + 200, "it measures")
    assert tank.reactor() == second

    let_write(tank, anything=True)
    wait_for(lambda: samples(tank) > before + 20, "everything goes on")
    wait_for(lambda: len(tank.events("started")) == 2, "the second start is kept")
    assert gaps(tank) == []
    assert not (tank.state / "reactors" / "tank" / "spool.sqlite.damaged").exists()


def gaps(tank: Guarded) -> list[tuple[str, int, int]]:
    """Numbers that do not follow each other, by series."""
    with closing(sqlite3.connect(f"file:{tank.state}/reactors/tank/spool.sqlite?mode=ro", uri=True)) as spool:
        rows = spool.execute("SELECT series, seq FROM rows ORDER BY series, seq").fetchall()
    return [
        (series, seq, following)
        for (series, seq), (other, following) in pairwise(rows)
        if series == other and following != seq + 1
    ]
