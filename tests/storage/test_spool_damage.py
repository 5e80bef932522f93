"""The spool's file torn, flipped, wiped, cut off by a power cut, and killed at every step of its work."""

import os
import random
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from storage.spool import Spool, SpoolDamaged, SpooledRow, SpoolFull
from tests.storage.conftest import BOOT, MakeSpool, ManualClock, anchor, event, sample
from transport.messages import Database

Children = subprocess.Popen[str]
COUNT = 3000  # some hundred pages
DATABASE = Database(address="http://db:9000", identity="abc", incarnation=1, schema_major=1, schema_minor=0)


def filled(spool: Spool) -> list[SpooledRow]:
    """Rows in every state; returns those that wait."""
    spool.date(anchor())
    spool.set_destination(DATABASE)
    spool.append([sample(200 + number) for number in range(COUNT)])
    spool.append([event(200)])
    spool.confirm([row.id for row in spool.batch(500)])
    spool.refuse(spool.batch(1)[0].id, "cast error")
    waiting = spool.batch(COUNT)
    spool.close()
    return waiting


def flip(path: Path, start: int, end: int) -> None:
    content = bytearray(path.read_bytes())
    content[start:end] = random.Random(1).randbytes(end - start)
    path.write_bytes(content)


def test_a_damaged_page_costs_only_its_rows(make_spool: MakeSpool, tmp_path: Path) -> None:
    first = make_spool()
    before = {row.seq: row for row in filled(first)}
    file = tmp_path / "spool.db"
    middle = file.stat().st_size // 2 // 4096 * 4096
    flip(file, middle, middle + 4096)

    spool = make_spool()
    after = {row.seq: row for row in spool.batch(COUNT)}
    assert len(before) - 200 < len(after) < len(before) + 1
    assert all(row.wall_us == before[seq].wall_us and row.spool == first._id for seq, row in after.items())
    assert max(after) == COUNT
    assert spool.destination == DATABASE
    assert (tmp_path / "spool.db.damaged").exists()

    spool.append([sample(9999)])  # dated by the same anchor, counted afresh under another id
    newest = next(row for row in spool.batch(COUNT + 10) if row.spool != first._id)
    assert (newest.seq, newest.spool) == (1, spool.id)
    assert spool.backlog().refused == 1


@pytest.mark.parametrize("keep", [0, 1, 100, 4096, 50_000])
def test_a_torn_file_never_keeps_it_from_starting(make_spool: MakeSpool, tmp_path: Path, keep: int) -> None:
    filled(make_spool())
    file = tmp_path / "spool.db"
    file.write_bytes(file.read_bytes()[:keep])
    spool = make_spool()
    spool.append([sample(9999)])
    spool.sync()
    assert spool.backlog().waiting >= 1


@pytest.mark.parametrize(
    "content",
    [b"not a database at all, but long enough to be looked at" * 100, b"\0" * 8192, b"SQLite format 3\0" * 99],
)
def test_something_else_under_its_name_is_set_aside(make_spool: MakeSpool, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "spool.db").write_bytes(content)
    spool = make_spool()
    spool.append([sample(1)])
    assert spool.backlog().waiting == 1
    assert (tmp_path / "spool.db.damaged").read_bytes() == content


def test_a_file_of_a_later_version_is_set_aside_with_its_rows_carried_over(
    make_spool: MakeSpool, tmp_path: Path
) -> None:
    before = filled(make_spool())
    db = sqlite3.connect(tmp_path / "spool.db")
    db.execute("PRAGMA user_version = 99")
    db.close()
    assert make_spool().batch(COUNT) == before
    assert (tmp_path / "spool.db.damaged").exists()


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        ("CREATE TABLE rows (a); PRAGMA user_version = 1", "no such table: series"),
        ("CREATE TABLE series (name, seq); CREATE TABLE rows (a); PRAGMA user_version = 1", "no such column: boot"),
        ("CREATE TABLE meta (a)", "table meta already exists"),
    ],
)
def test_a_database_that_is_none_of_ours_is_set_aside(
    make_spool: MakeSpool, tmp_path: Path, tables: str, said: str
) -> None:
    db = sqlite3.connect(tmp_path / "spool.db")
    db.executescript(tables)
    db.close()
    told: list[str] = []
    spool = make_spool(told=told.append)
    spool.append([sample(1)])
    assert spool.backlog().waiting == 1
    assert told == [f"spool.db is damaged ({said}): set aside, 0 rows carried over"]


def test_tables_that_somebody_changed_at_work_cost_no_row_that_can_be_read(make_spool: MakeSpool) -> None:
    told: list[str] = []
    spool = make_spool(told=told.append)
    spool.append([sample(101), sample(102)])
    assert spool._db
    spool._db.execute("DROP TABLE series")
    with pytest.raises(SpoolDamaged, match="no such table"):
        spool.append([sample(103)])
    spool.append([sample(103)])
    assert spool.backlog().waiting == 3
    assert told == ["spool.db is damaged (no such table: series): set aside, 2 rows carried over"]


@pytest.mark.parametrize("name", ["spool.db", "spool.db-wal", "spool.db-shm"])
def test_a_folder_with_its_name_is_set_aside(make_spool: MakeSpool, tmp_path: Path, name: str) -> None:
    if name != "spool.db":
        filled(make_spool())
    (tmp_path / name / "something").mkdir(parents=True)
    told: list[str] = []
    spool = make_spool(told=told.append)
    spool.append([sample(9999)])
    assert spool.backlog().waiting == (1 if name == "spool.db" else COUNT - 500 + 1)
    assert told == [f"{name} was a folder: set aside"]
    assert (tmp_path / f"{name}.folder" / "something").is_dir()


NOBODY = 65534


@pytest.fixture
def folder_of_nobody() -> Iterator[Path]:
    """A folder of somebody without privileges, who this process is meanwhile: root may read everything."""
    with TemporaryDirectory(ignore_cleanup_errors=True) as name:
        if os.geteuid() != 0:
            yield Path(name)
            return
        os.chown(name, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, 0)
        try:
            yield Path(name)
        finally:
            os.setresuid(0, 0, 0)


@pytest.mark.parametrize(
    ("suffix", "mode", "said"),
    [
        ("", 0o000, "spool.db is damaged (no permission): set aside, 0 rows carried over"),
        ("", 0o400, "spool.db is damaged (no permission): set aside, 3 rows carried over"),
        ("-wal", 0o000, "spool.db-wal may not be read and written: set aside"),
    ],
)
def test_a_file_without_permission_is_set_aside(
    folder_of_nobody: Path, clock: ManualClock, suffix: str, mode: int, said: str
) -> None:
    told: list[str] = []

    def spool() -> Spool:
        path = folder_of_nobody / "spool.db"
        return Spool(path, clock=clock, boot=BOOT, limit=10**8, retention=1.0, told=told.append)

    with closing(spool()) as before:
        before.append([sample(101), sample(102), sample(103)])
    one = folder_of_nobody / f"spool.db{suffix}"
    one.touch()
    one.chmod(mode)
    with closing(spool()) as after:
        after.append([sample(9999)])
        assert after.backlog().waiting == (1 if suffix == "" and mode == 0 else 4)
    assert told == [said]
    assert (folder_of_nobody / f"spool.db.damaged{suffix}").exists()


def test_a_folder_that_may_not_be_written_is_said_and_passes(folder_of_nobody: Path, clock: ManualClock) -> None:
    folder_of_nobody.chmod(0o500)
    with closing(Spool(folder_of_nobody / "spool.db", clock=clock, boot=BOOT, limit=10**8, retention=1.0)) as spool:
        with pytest.raises(SpoolFull, match="unable to open"):
            spool.append([sample(1)])
        folder_of_nobody.chmod(0o700)
        spool.append([sample(1)])
        assert spool.backlog().waiting == 1


def test_what_cannot_be_set_aside_is_said_and_passes(make_spool: MakeSpool, tmp_path: Path) -> None:
    for name in ("spool.db", "spool.db.folder"):  # that of another time
        (tmp_path / name / "something").mkdir(parents=True)
    spool = make_spool()
    with pytest.raises(SpoolFull, match="not empty"):
        spool.append([sample(1)])
    (tmp_path / "spool.db" / "something").rmdir()
    (tmp_path / "spool.db").rmdir()
    spool.append([sample(1)])
    assert spool.backlog().waiting == 1


@pytest.mark.parametrize("damage", ["DELETE FROM meta WHERE name = 'id'", "UPDATE meta SET value = x'FF'"])
def test_lost_notes_do_not_cost_rows(make_spool: MakeSpool, tmp_path: Path, damage: str) -> None:
    before = filled(make_spool())
    db = sqlite3.connect(tmp_path / "spool.db")
    db.execute(damage)
    db.commit()
    db.close()
    assert make_spool().batch(COUNT) == before


def test_a_row_that_cannot_be_read_is_set_aside_and_blocks_nobody(make_spool: MakeSpool) -> None:
    spool = make_spool()
    spool.date(anchor())
    spool.append([sample(101), sample(102), event(103)])
    assert spool._db
    spool._db.execute("UPDATE rows SET body = x'5b22ff225d' WHERE id = 1")
    spool._db.execute("UPDATE rows SET body = CAST('[1]' AS BLOB) WHERE id = 3")
    assert [row.seq for row in spool.batch(10)] == [2]
    assert [row.seq for row in spool.batch(10, without=frozenset({"samples"}))] == []
    assert [reason.split(":")[0] for _, _, reason in spool.refused(10)] == ["damaged in the spool"] * 2


def test_damage_found_at_work_is_said_once_and_repaired(make_spool: MakeSpool, tmp_path: Path) -> None:
    spool = make_spool()
    spool.date(anchor())
    spool.append([sample(200 + number) for number in range(COUNT)])
    assert spool._db
    spool._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    spool._db.execute("PRAGMA shrink_memory")  # what it remembers is not damaged
    file = tmp_path / "spool.db"
    flip(file, 8192, file.stat().st_size - 40_960)
    with pytest.raises(SpoolDamaged):
        spool.batch(COUNT)
    spool.append([sample(9999)])
    assert spool.batch(COUNT)[-1].row == sample(9999)


def test_a_power_cut_costs_no_more_than_what_was_not_synced(
    make_spool: MakeSpool, tmp_path: Path, clock: ManualClock
) -> None:
    spool = make_spool()
    spool.date(anchor())
    log = tmp_path / "spool.db-wal"
    for number in range(20):
        spool.append([sample(200 + number)])
    spool.sync()
    on_disk = log.stat().st_size
    for number in range(20, 30):
        spool.append([sample(200 + number)])
    for size in range(on_disk, log.stat().st_size + 1, 1500):
        cut = tmp_path / f"cut-{size}"
        cut.mkdir()
        shutil.copy(tmp_path / "spool.db", cut)
        (cut / "spool.db-wal").write_bytes(log.read_bytes()[:size])
        after = Spool(cut / "spool.db", clock=clock, boot=BOOT, limit=10**8, retention=1.0)
        seqs = [row.seq for row in after.batch(100)]
        assert seqs == list(range(1, len(seqs) + 1))
        assert len(seqs) >= 20
        assert not (cut / "spool.db.damaged").exists()
        after.close()


# Killed at every step: a child works on the file and ends at its n-th step without any goodbye. Each is forked from
# one process that has imported everything.

CHILD = """
import os, sys
from pathlib import Path
from storage import spool_file
from storage.spool import Spool
from tests.storage.conftest import BOOT, ManualClock, anchor, event, sample

for line in sys.stdin:
    pid = os.fork()
    if not pid:
        break
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.write(1, b"ended %d\\n" % status)
else:
    sys.exit()
path, last, scene = Path(line.split()[0]), int(line.split()[1]), line.split()[2]
steps = copied = 0

def step(statement=""):
    global steps, copied
    if statement.startswith("INSERT OR IGNORE INTO rows"):
        copied += 1
        if copied % 1000:
            return  # a step for each of thousands shows nothing more
    steps += 1
    if steps > last:
        os._exit(9)

connect = spool_file._connect
def traced(*args, **kwargs):
    db = connect(*args, **kwargs)
    db.set_trace_callback(step)
    return db
spool_file._connect = traced

rename = Path.rename
def renamed(self, target):
    step()
    return rename(self, target)
Path.rename = renamed

def say(text):
    os.write(1, text.encode() + b"\\n")

spool = Spool(path, clock=ManualClock(), boot=BOOT, limit=90_000, retention=0.0)
if scene == "life":
    spool.append([sample(101)])
    say("kept 1")
    spool.date(anchor())
    spool.append([sample(102), sample(103)])
    say("kept 3")
    spool.sync()
    batch = spool.batch(2)
    spool.confirm([row.id for row in batch])
    say("confirmed 2")
    spool.refuse(spool.batch(1)[0].id, "cast error")
    say("refused 3")
    spool.prune()
    spool.append([sample(104)])
    say("kept 4")
    spool.resend()
spool.id
spool.close()
say("done")
os._exit(0)
"""


@pytest.fixture(scope="module")
def children() -> Iterator[Children]:
    with subprocess.Popen(
        [sys.executable, "-c", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as made:
        yield made
        made.communicate()


def killed_at(children: Children, path: Path, step: int, scene: str) -> list[str]:
    """Run a child until its step; return what it said it had done."""
    assert children.stdin
    assert children.stdout
    children.stdin.write(f"{path} {step} {scene}\n")
    children.stdin.flush()
    said: list[str] = []
    while not (line := children.stdout.readline().strip()).startswith("ended"):
        assert line, "the child's parent is gone"
        said.append(line)
    assert line in {"ended 0", "ended 9"}
    return said


def every_step(run: Callable[[int], list[str]]) -> None:
    """Kill at one step after the other until the child gets through."""
    for step in range(500):
        if "done" in run(step):
            assert step > 5
            return
    raise AssertionError("the child never got through")


def states(path: Path) -> dict[int, int]:
    """Seq to state of every row; the file must be whole."""
    db = sqlite3.connect(path)
    try:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return dict(db.execute("SELECT seq, state FROM rows").fetchall())
    finally:
        db.close()


@pytest.mark.system
def test_a_kill_at_any_step_of_a_life_loses_nothing_that_was_said(
    children: Children, tmp_path: Path, clock: ManualClock
) -> None:
    def run(step: int) -> list[str]:
        path = tmp_path / f"{step}" / "spool.db"
        path.parent.mkdir()
        said = killed_at(children, path, step, "life")
        spool = Spool(path, clock=clock, boot=BOOT, limit=10**8, retention=1.0)
        spool.append([sample(999)])  # it starts, whatever was left
        spool.close()
        assert not path.with_name("spool.db.damaged").exists()
        found = states(path)
        kept = max((int(line.split()[1]) for line in said if line.startswith("kept")), default=0)
        pruned = {1, 2} if "refused 3" in said else set()
        assert set(range(1, kept + 1)) - pruned <= set(found)
        assert sorted(found) == list(range(min(found), max(found) + 1))  # no number is used twice or left out
        if "refused 3" in said:
            assert found[3] == 3
        return said

    every_step(run)


@pytest.mark.system
def test_a_kill_at_any_step_of_a_recovery_loses_nothing_more(
    children: Children, make_spool: MakeSpool, tmp_path: Path
) -> None:
    filled(make_spool())
    spool = make_spool()
    spool.append([sample(9000 + number) for number in range(50)])  # in the log alone, when the machine stops
    file = tmp_path / "stopped" / "spool.db"
    shutil.copytree(tmp_path, file.parent, ignore=shutil.ignore_patterns("*-shm", "stopped"))
    flip(file, file.stat().st_size // 2, file.stat().st_size // 2 + 4096)
    shutil.copytree(file.parent, tmp_path / "whole")
    assert "done" in killed_at(children, tmp_path / "whole" / "spool.db", 10**9, "recovery")
    expected = states(tmp_path / "whole" / "spool.db")
    assert len(expected) > COUNT - 200
    assert COUNT + 50 in expected

    def run(step: int) -> list[str]:
        path = tmp_path / f"{step}" / "spool.db"
        shutil.copytree(file.parent, path.parent)
        said = killed_at(children, path, step, "recovery")
        if "done" not in said:
            assert "done" in killed_at(children, path, 10**9, "recovery")
        assert states(path) == expected
        assert path.with_name("spool.db.damaged-wal").exists()  # else it was applied to the new file
        return said

    every_step(run)
