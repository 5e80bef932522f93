"""A node that is away for longer than its spool has room: memory and disk are bounded, what is lost is counted.

A small spool stands for the usual one of 512 MiB: each step has to need as much for any number of rows.
"""

from pathlib import Path

import pytest

from storage.spool import Spool
from tests.storage.conftest import MakeSpool, anchor, sample

pytestmark = pytest.mark.system  # two seconds of a processor
LIMIT = 8 << 20  # bytes
ROWS, PART = 100_000, 1000  # of which the limit has room for some 60,000
GROWTH = 8 << 20  # bytes that all of it may need: SQLite keeps 2 MiB of pages
LOG = 6 << 20  # bytes of SQLite's write-ahead log


def peak() -> int:
    """Most memory (bytes) since `forget_peak`."""
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) << 10 for line in status.splitlines() if line.startswith("VmHWM"))


def forget_peak() -> int:
    """Begin anew (Linux proc(5), clear_refs); returns what is used now."""
    Path("/proc/self/clear_refs").write_text("5")
    return peak()


def append(spool: Spool) -> int:
    return sum(
        spool.append([sample(1000 + number) for number in range(first, first + PART)]) for first in range(0, ROWS, PART)
    )


def ship(spool: Spool) -> int:
    shipped = 0
    while rows := spool.batch(PART):
        spool.confirm([row.id for row in rows])
        shipped += len(rows)
    return shipped


def test_memory_and_disk_are_bounded_however_long_the_outage(make_spool: MakeSpool, tmp_path: Path) -> None:
    spool = make_spool(limit=LIMIT)

    def is_bounded() -> None:
        assert peak() - used < GROWTH
        assert (tmp_path / "spool.db-wal").stat().st_size < LOG
        assert (tmp_path / "spool.db").stat().st_size < LIMIT + LIMIT // 8

    used = forget_peak()
    dropped = append(spool)  # of a board that does not know the time
    undated = ROWS - dropped
    assert dropped > 0
    assert (spool.backlog().waiting, spool.backlog().dropped) == (undated, dropped)
    is_bounded()
    assert spool.date(anchor()) == undated  # with a date a row needs more room
    left = spool.backlog().waiting
    assert left > undated // 2
    assert spool.backlog().dropped == ROWS - left
    is_bounded()
    assert ship(spool) == left
    assert spool.resend() == left
    assert ship(spool) == left
    is_bounded()
    assert spool.backlog().dropped == ROWS - left


def test_what_can_never_be_dated_is_set_aside_by_parts(make_spool: MakeSpool, tmp_path: Path) -> None:
    first = make_spool(limit=LIMIT)
    left = ROWS - append(first)
    first.close()
    spool = make_spool(boot="22222222-boot", limit=LIMIT)
    assert spool.refuse_undatable() == left
    assert spool.backlog().refused == left
    assert (tmp_path / "spool.db-wal").stat().st_size < LOG
