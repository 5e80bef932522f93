"""The spool's file: opened, checked, and when it is damaged set aside with all that can be read of it carried over.

Names beside `spool.db`: `.recovering` is a half-made copy, `.recovered` a whole one that only waits to take the name,
`.damaged` the last file that was set aside, for people to look at, `.folder` a folder that had its name.
"""

import os
import secrets
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import msgspec
from loguru import logger

T = TypeVar("T")
Told = Callable[[str], None]

VERSION = 1
FILES = ("-wal", "-shm", "")  # behind its name; the write-ahead log goes first: it is applied to whatever has the name
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


def open_file(path: Path, told: Told) -> sqlite3.Connection:
    """Open the file, made or recovered when needed; `told` hears what was set aside. Reads all of it once.

    Raises `OSError`, or `sqlite3.OperationalError` that is no damage: no room, no permission, a disk that fails. The
    connection is in autocommit mode, may be used by any thread, one at a time, and a commit survives the death of the
    process.
    """
    _take_recovered(path)
    _clear_the_way(path, told)
    try:
        return _open(path)
    except sqlite3.DatabaseError as error:
        if not is_damage(error):
            raise
        _recover(path, str(error), told)
        return _open(path)


def is_damage(error: sqlite3.DatabaseError) -> bool:
    """Tell what is wrong with the file (its bytes, its tables) from what is wrong with the disk."""
    return not isinstance(error, sqlite3.OperationalError) or _code(error) == sqlite3.SQLITE_ERROR


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
    db.execute("SELECT name, seq FROM series LIMIT 0")  # it may be a database, and none of ours
    db.execute(
        "SELECT boot, taken_ns, wall_us, confirmed_us, reason, state, kind, spool, series, seq, body FROM rows LIMIT 0"
    )
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


def _recover(path: Path, reason: str, told: Told) -> None:
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
    _take_recovered(path)
    _tell(told, f"{path.name} is damaged ({reason}): set aside, {rows} rows carried over")


def _take_recovered(path: Path) -> None:
    """Finish a recovery, wherever it stopped: move the old files away, and let the whole copy take the name."""
    recovered = path.with_name(path.name + ".recovered")
    if not recovered.exists():
        return
    for suffix in FILES:
        old = path.with_name(path.name + suffix)
        if old.exists():
            old.rename(path.with_name(path.name + ".damaged" + suffix))
    recovered.rename(path)
    sync_directory(path)


def _clear_the_way(path: Path, told: Told) -> None:
    """Set aside what has a name of ours and cannot be used: a folder, a file that we may not read and write."""
    if not os.access(path.parent, os.W_OK | os.X_OK):
        return
    for suffix in FILES:
        one = path.with_name(path.name + suffix)
        if one.is_dir():
            one.rename(path.with_name(path.name + suffix + ".folder"))
            _tell(told, f"{one.name} was a folder: set aside")
        elif one.exists() and not os.access(one, os.R_OK | os.W_OK):
            if not suffix:
                _recover(path, "no permission", told)
                return
            one.rename(path.with_name(path.name + ".damaged" + suffix))
            _tell(told, f"{one.name} may not be read and written: set aside")


def _code(error: sqlite3.Error) -> int:
    """Give SQLite's primary result code; 0 when the error is not its own."""
    code: int = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF


def _tell(told: Told, text: str) -> None:
    logger.error("{}", text)
    told(text)


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
                    if _code(error) == sqlite3.SQLITE_FULL:
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
