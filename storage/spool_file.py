"""The spool's file: opened, checked, and when it is damaged set aside with all that can be read of it carried over.

Names beside `spool.db`: `.recovering` is a half-made copy, `.recovered` a whole one that only waits to take the name,
`.damaged` the last file that was set aside, for people to look at.
"""

import os
import secrets
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import msgspec
from loguru import logger

T = TypeVar("T")

VERSION = 1
SCHEMA = f"""
CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE series (name TEXT PRIMARY KEY, seq INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE rows (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    state INTEGER NOT NULL,   -- undated, waiting, confirmed, refused: storage/spool.py
    kind TEXT NOT NULL,       -- the database's table
    spool TEXT NOT NULL,      -- whose seq it is: rows carried over from a damaged file keep theirs
    series TEXT NOT NULL,     -- what seq counts: table, sensor and quantity
    seq INTEGER NOT NULL,
    body BLOB NOT NULL,       -- the row, a JSON array of its fields
    boot TEXT NOT NULL,
    taken_ns INTEGER NOT NULL,
    wall_us INTEGER,
    confirmed_us INTEGER,
    reason TEXT
) STRICT;
CREATE INDEX by_state ON rows (state, kind);
CREATE UNIQUE INDEX one_a_moment ON rows (series, wall_us) WHERE wall_us IS NOT NULL;
PRAGMA user_version = {VERSION};
"""


def open_file(path: Path) -> sqlite3.Connection:
    """Open the file, made or recovered when needed. Reads all of it once (`quick_check`).

    Raises only `sqlite3.OperationalError`: no room, no permission, a disk that fails. The connection is in autocommit
    mode, may be used by any thread, one at a time, and a commit survives the death of the process.
    """
    _take_recovered(path)
    try:
        return _open(path)
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError as error:
        _recover(path, str(error))
        return _open(path)


def recall(db: sqlite3.Connection, name: str, kind: type[T]) -> T | None:
    """Return what was remembered under `name`; none when it never was, or is damaged."""
    found = db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
    try:
        return None if found is None else msgspec.json.decode(found[0], type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def remember(db: sqlite3.Connection, name: str, value: object) -> None:
    """Keep a value under `name`, as JSON."""
    row = (name, msgspec.json.encode(value))
    db.execute("INSERT INTO meta VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value", row)


def sync_directory(path: Path) -> None:
    """Make names in `path`'s folder survive a power cut."""
    descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _open(path: Path) -> sqlite3.Connection:
    db = _connect(path)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute("PRAGMA journal_size_limit = 4194304")
        if _version(db) == 0:
            _create(db)
            sync_directory(path)
        _check(db)
    except BaseException:
        db.close()
        raise
    return db


def _check(db: sqlite3.Connection) -> None:
    if (version := _version(db)) != VERSION:
        raise sqlite3.DatabaseError(f"version {version} of the spool is not known")
    if (found := db.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
        raise sqlite3.DatabaseError(found)
    if recall(db, "id", str) is None:
        raise sqlite3.DatabaseError("the spool has lost its id")


def _version(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def _connect(path: Path | str, *, uri: bool = False) -> sqlite3.Connection:
    db = sqlite3.connect(path, uri=uri, isolation_level=None, check_same_thread=False)
    db.text_factory = lambda raw: raw.decode("utf-8", "replace")  # a flipped bit must not block the rows behind it
    return db


def _create(db: sqlite3.Connection) -> None:
    """Lay out an empty file in one transaction: a crash leaves all of it or nothing."""
    db.executescript(f"BEGIN; {SCHEMA}")
    remember(db, "id", secrets.token_hex(8))
    db.execute("COMMIT")


def _recover(path: Path, reason: str) -> None:
    """Carry over what can be read into a new file, with an id of its own since its counters cannot be trusted."""
    recovering, recovered = path.with_name(path.name + ".recovering"), path.with_name(path.name + ".recovered")
    recovering.unlink(missing_ok=True)
    new = _connect(recovering)
    try:
        _create(new)
        new.execute("BEGIN")
        rows = _carry_over(path, new)
        new.execute("COMMIT")  # synced: the file is not in WAL mode yet
    finally:
        new.close()
    recovering.rename(recovered)
    sync_directory(path)
    logger.error("{} is damaged ({}): set aside as {}.damaged, {} rows carried over", path, reason, path.name, rows)
    _take_recovered(path)


def _take_recovered(path: Path) -> None:
    """Finish a recovery, wherever it stopped: move the old files away, and let the whole copy take the name.

    The old write-ahead log must be gone by then: it would be applied to whatever has the name.
    """
    recovered = path.with_name(path.name + ".recovered")
    if not recovered.exists():
        return
    for suffix in ("-wal", "-shm", ""):
        old = path.with_name(path.name + suffix)
        if old.exists():
            old.rename(path.with_name(path.name + ".damaged" + suffix))
    recovered.rename(path)
    sync_directory(path)


def _carry_over(path: Path, new: sqlite3.Connection) -> int:
    try:
        old = _connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    except sqlite3.DatabaseError:
        return 0
    try:
        for name, value in _readable(old, "SELECT name, value FROM meta WHERE name <> 'id'"):
            new.execute("INSERT OR IGNORE INTO meta VALUES (?, ?)", (name, value))
        for order in ("", "DESC"):  # from both ends towards the damage
            for row in _readable(old, f"SELECT * FROM rows NOT INDEXED ORDER BY id {order}"):  # noqa: S608 - two words
                try:
                    new.execute(f"INSERT OR IGNORE INTO rows VALUES ({', '.join('?' * len(row))})", row)  # noqa: S608
                except (sqlite3.IntegrityError, sqlite3.OperationalError) as error:
                    if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL:
                        raise
    finally:
        old.close()
    return int(new.execute("SELECT COUNT(*) FROM rows").fetchone()[0])


def _readable(db: sqlite3.Connection, query: str) -> Iterator[tuple[object, ...]]:
    """Yield rows until the damage."""
    try:
        yield from db.execute(query)
    except sqlite3.DatabaseError:
        return
