"""The spool: the reactor's durable queue of rows on their way to the database. docs/database.md tells its life.

SpoolError                    anything below; nothing of the call was done, the same call may work later
├── SpoolFull                 the disk is full, fails, or cannot be written
└── SpoolDamaged              the file was found damaged; the next call opens a recovered one
"""

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from hardware.clock import Clock
from storage.rows import Event, Row, Sample, SettingRow
from storage.spool_file import is_damage, open_file, recall, remember
from transport.messages import Backlog, Database

TABLES = (Sample.TABLE, Event.TABLE, SettingRow.TABLE)
CHUNK = 5_000  # rows changed under one hold of the lock, so that a sample never waits long
ROOM = 256  # rows dropped at once when the limit is reached
UNDATED, WAITING, CONFIRMED, REFUSED = range(4)  # a row's states; plain numbers, which SQLite takes twice as fast
LONGEST_AGE = 366 * 86_400.0  # what a status can carry


class SpoolError(Exception):
    """The spool did not do it."""


class SpoolFull(SpoolError):  # noqa: N818 - what happened
    """The disk is full, fails, or may not be written."""


class SpoolDamaged(SpoolError):  # noqa: N818
    """The file is damaged and will be recovered at the next call."""


@dataclass(frozen=True, slots=True)
class Anchor:
    """One moment on both clocks, while the wall clock was known good."""

    boot: str
    monotonic_ns: int
    wall_us: int

    def wall(self, monotonic_ns: int) -> int:
        """Microseconds since 1970 of a moment of the same boot."""
        return self.wall_us + (monotonic_ns - self.monotonic_ns) // 1000


class SpooledRow(msgspec.Struct, frozen=True):
    """A dated row on its way. Sent again it is the same in every byte, so the database keeps one."""

    id: int
    spool: str
    seq: int
    wall_us: int
    row: Row


class Spool:
    """One file, shared by recorder and shipper: any method from any thread; each may block for a disk write.

    `limit` in bytes, `retention` in seconds. The file is opened at the first call that needs it; every method raises
    `SpoolError` and leaves the spool usable. `told` hears, on the thread of that call, what had to be set aside; it may
    not call the spool.
    """

    def __init__(  # noqa: PLR0913 - the last is told what people should know
        self,
        path: Path,
        *,
        clock: Clock,
        boot: str,
        limit: int,
        retention: float,
        told: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._path = path
        self._told = told
        self._clock = clock
        self._boot = boot
        self._limit = limit
        self._retention_us = round(retention * 1_000_000)
        self._lock = threading.Lock()
        self._db: sqlite3.Connection | None = None
        self._id = ""
        self._anchor: Anchor | None = None
        self._unsynced = False

    @property
    def id(self) -> str:
        """The random id made with the file."""
        with self._transaction():
            return self._id

    def append(self, rows: Sequence[Row], lost: int = 0) -> int:
        """Commit rows of this boot: when it returns they survive `kill -9`; after the next `sync` a power cut too.

        On a full disk the oldest confirmed rows give them their place. Returns how many older rows had to be dropped
        to stay below the limit; they are counted for ever, as `lost` is: rows that never came here.
        """
        try:
            return self._append(rows, lost)
        except SpoolFull:
            if not self._give_way():
                raise
            return self._append(rows, lost)

    def _append(self, rows: Sequence[Row], lost: int) -> int:
        with self._transaction() as db:
            for row in rows:
                self._insert(db, row)
            dropped = self._make_room(db, lost)
        self._unsynced = True
        return dropped

    def _give_way(self) -> int:
        """Delete some rows that the database has, where the disk lets us do even that. Returns how many."""
        with self._transaction() as db:
            return _delete(db, _oldest(db, CONFIRMED, ROOM))

    def sync(self) -> None:
        """Bring everything committed to the disk (fdatasync of the write-ahead log). Does not keep others waiting."""
        if not self._unsynced:
            return
        self._unsynced = False
        try:
            descriptor = os.open(f"{self._path}-wal", os.O_RDWR)
            try:
                os.fdatasync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            self._unsynced = True
            raise SpoolFull(f"{self._path}: {error}") from error

    def date(self, anchor: Anchor) -> int:
        """Give waiting rows of the anchor's boot their date, for ever, and later rows theirs as they come.

        Remembered in the file, for a process that starts again in the same boot: once no row is left, so that one that
        is cut short finds the others undated still. Returns how many rows were dated.
        """
        dated = 0
        while True:
            with self._transaction() as db:
                undated = db.execute(
                    "SELECT id, series, taken_ns FROM rows WHERE state = ? AND boot = ? LIMIT ?",
                    (UNDATED, anchor.boot, CHUNK),
                ).fetchall()
                for number, series, taken_ns in undated:
                    wall_us = _free_moment(db, series, anchor.wall(taken_ns))
                    db.execute("UPDATE rows SET state = ?, wall_us = ? WHERE id = ?", (WAITING, wall_us, number))
                self._make_room(db)  # a row with a date needs half as much again
                if not undated:
                    remember(db, "anchor", anchor)
                    self._anchor = anchor
                    return dated
            dated += len(undated)

    def refuse_undatable(self) -> int:
        """Set aside rows of earlier boots whose wall time was never known and never will be. Returns how many."""
        refused = 0
        while True:
            with self._transaction() as db:
                count = db.execute(
                    "UPDATE rows SET state = ?, reason = ?"
                    " WHERE id IN (SELECT id FROM rows WHERE state = ? AND boot <> ? LIMIT ?)",
                    (REFUSED, "the clock was never known in its boot", UNDATED, self._boot, CHUNK),
                ).rowcount
            refused += count
            if not count:
                return refused

    def batch(self, limit: int, *, without: frozenset[str] = frozenset()) -> list[SpooledRow]:
        """Return the oldest waiting rows of one table, oldest first; `without` names tables to pass over.

        A row that cannot be read any more is set aside on the way.
        """
        with self._transaction() as db:
            oldest = [
                (found[0], table)
                for table in TABLES
                if table not in without
                and (found := db.execute(f"{_OF_STATE} LIMIT 1", (WAITING, table)).fetchone()) is not None
            ]
            if not oldest:
                return []
            table = min(oldest)[1]
            found = db.execute(
                "SELECT id, spool, seq, wall_us, body FROM rows WHERE state = ? AND kind = ? ORDER BY id LIMIT ?",
                (WAITING, table, limit),
            ).fetchall()
            decode = _DECODERS[table].decode
            rows = []
            for number, spool, seq, wall_us, body in found:
                try:
                    row = decode(body)
                except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                    _refuse(db, number, f"damaged in the spool: {error}")
                else:
                    rows.append(SpooledRow(number, spool, seq, wall_us, row))
            return rows

    def confirm(self, ids: Sequence[int]) -> None:
        """The database has these rows: they stay for the retention, then go."""
        with self._transaction() as db:
            db.execute(
                "UPDATE rows SET state = ?, confirmed_us = MAX(wall_us, ?)"
                " WHERE id IN (SELECT value FROM json_each(?))",  # one statement: half the time of one a row
                (CONFIRMED, self._now_us() or 0, msgspec.json.encode(ids).decode()),
            )

    def refuse(self, number: int, reason: str) -> None:
        """Set a row aside that the database will never take; it stays in the file with its reason."""
        with self._transaction() as db:
            _refuse(db, number, reason)

    def refused(self, limit: int) -> list[tuple[str, int, str]]:
        """Return rows that were set aside, oldest first, for people: series, seq, reason."""
        with self._transaction() as db:
            return db.execute(
                "SELECT series, seq, reason FROM rows WHERE state = ? ORDER BY id LIMIT ?", (REFUSED, limit)
            ).fetchall()

    def resend(self) -> int:
        """Let every retained row wait again, for a database that has not seen it. Returns how many.

        Remember the destination only afterwards: a crash in between then does it again.
        """
        resent = 0
        while True:
            with self._transaction() as db:
                ids = _oldest(db, CONFIRMED, CHUNK)
                db.executemany("UPDATE rows SET state = ? WHERE id = ?", [(WAITING, number) for number in ids])
            resent += len(ids)
            if not ids:
                return resent

    def prune(self) -> int:
        """Delete confirmed rows older than the retention, at most some thousands a call. Returns how many."""
        with self._transaction() as db:
            now_us = self._now_us()
            if now_us is None:  # a clock that may be wrong must not cost the copy that a wiped database needs
                return 0
            before = now_us - self._retention_us
            return sum(
                db.execute(
                    f"DELETE FROM rows WHERE id IN ({_OF_STATE} LIMIT ?) AND confirmed_us < ?",  # noqa: S608 - a constant
                    (CONFIRMED, table, CHUNK, before),
                ).rowcount
                for table in TABLES
            )

    def backlog(self) -> Backlog:
        """Count what waits (undated rows too) and since when, what was refused, and what the limit ever cost."""
        with self._transaction() as db:
            undated, waiting, refused = (  # each from the index; the confirmed, many times as many, are left alone
                db.execute(_COUNT, (state,)).fetchone()[0] for state in (UNDATED, WAITING, REFUSED)
            )
            oldest = min(_oldest(db, UNDATED, 1) + _oldest(db, WAITING, 1), default=None)
            age = 0.0 if oldest is None else self._age(db, oldest)
            dropped = recall(db, "dropped", int) or 0
            return Backlog(waiting=undated + waiting, oldest=age, refused=refused, dropped=dropped)

    @property
    def anchor(self) -> Anchor | None:
        """By what rows of this boot get their date, or none yet."""
        with self._transaction():
            return self._anchor

    @property
    def destination(self) -> Database | None:
        """The database that rows went to last, or none yet."""
        with self._transaction() as db:
            return recall(db, "destination", Database)

    def set_destination(self, database: Database) -> None:
        """Remember where rows go now."""
        with self._transaction() as db:
            remember(db, "destination", database)

    def close(self) -> None:
        """Let go of the file; a later call would open it again."""
        with self._lock:
            self._close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing, one thread at a time; what SQLite raises becomes a `SpoolError`."""
        with self._lock:
            try:
                db = self._opened()
                db.execute("BEGIN")
                try:
                    yield db
                    db.execute("COMMIT")
                except BaseException:
                    if db.in_transaction:
                        db.execute("ROLLBACK")
                    raise
            except sqlite3.DatabaseError as error:
                if not is_damage(error):
                    raise SpoolFull(f"{self._path}: {error}") from error
                self._close()
                raise SpoolDamaged(f"{self._path}: {error}") from error
            except OSError as error:  # while it was opened
                raise SpoolFull(f"{self._path}: {error}") from error

    def _opened(self) -> sqlite3.Connection:
        if self._db is None:
            db = self._db = open_file(self._path, self._told)
            self._id = recall(db, "id", str) or ""
            anchor = recall(db, "anchor", Anchor)
            if anchor is not None and anchor.boot == self._boot:
                self._anchor = anchor
        return self._db

    def _close(self) -> None:
        if self._db is not None:
            self._db.close()  # syncs what it holds
            self._db = None
            self._unsynced = False

    def _insert(self, db: sqlite3.Connection, row: Row) -> None:
        series = row.series
        (seq,) = db.execute(
            "INSERT INTO series VALUES (?, 1) ON CONFLICT DO UPDATE SET seq = seq + 1 RETURNING seq", (series,)
        ).fetchone()
        state, wall_us = UNDATED, None
        if self._anchor is not None:
            state, wall_us = WAITING, _free_moment(db, series, self._anchor.wall(row.taken_ns))
        db.execute(
            "INSERT INTO rows (state, kind, spool, series, seq, body, boot, taken_ns, wall_us)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (state, row.TABLE, self._id, series, seq, msgspec.json.encode(row), self._boot, row.taken_ns, wall_us),
        )

    def _make_room(self, db: sqlite3.Connection, lost: int = 0) -> int:
        """Drop the oldest confirmed rows, then refused ones, then waiting ones, until the limit is kept.

        Returns how many of those the database does not have; they are counted for ever, and `lost` with them.
        """
        dropped = 0
        while _used(db) > self._limit:
            for state in (CONFIRMED, REFUSED, WAITING, UNDATED):
                if ids := _oldest(db, state, ROOM):
                    break
            else:
                break
            deleted = _delete(db, ids)
            dropped += 0 if state == CONFIRMED else deleted
        if dropped + lost:
            remember(db, "dropped", (recall(db, "dropped", int) or 0) + dropped + lost)
        return dropped

    def _now_us(self) -> int | None:
        """What time it is; none while that is not known, whatever the machine's clock says."""
        return None if self._anchor is None else self._anchor.wall(self._clock.monotonic_ns())

    def _age(self, db: sqlite3.Connection, number: int) -> float:
        boot, taken_ns, wall_us = db.execute(
            "SELECT boot, taken_ns, wall_us FROM rows WHERE id = ?", (number,)
        ).fetchone()
        if boot == self._boot:
            age: float = (self._clock.monotonic_ns() - taken_ns) / 1e9
        else:
            now_us = self._now_us()
            age = 0.0 if wall_us is None or now_us is None else (now_us - wall_us) / 1e6
        return min(max(age, 0.0), LONGEST_AGE)


_OF_STATE = "SELECT id FROM rows WHERE state = ? AND kind = ? ORDER BY id"
_COUNT = "SELECT COUNT(*) FROM rows WHERE state = ?"
_DECODERS: Mapping[str, msgspec.json.Decoder[Row]] = {
    Sample.TABLE: msgspec.json.Decoder(Sample),
    Event.TABLE: msgspec.json.Decoder(Event),
    SettingRow.TABLE: msgspec.json.Decoder(SettingRow),
}


def _oldest(db: sqlite3.Connection, state: int, count: int) -> list[int]:
    found: list[int] = []
    for table in TABLES:
        found += [number for (number,) in db.execute(f"{_OF_STATE} LIMIT ?", (state, table, count))]
    return sorted(found)[:count]


def _delete(db: sqlite3.Connection, ids: Sequence[int]) -> int:
    db.executemany("DELETE FROM rows WHERE id = ?", [(number,) for number in ids])
    return len(ids)


def _free_moment(db: sqlite3.Connection, series: str, wall_us: int) -> int:
    """Step over a moment that the series already has (a clock set back): the database would keep one of the two."""
    while db.execute("SELECT 1 FROM rows WHERE series = ? AND wall_us = ?", (series, wall_us)).fetchone():
        wall_us += 1
    return wall_us


def _used(db: sqlite3.Connection) -> int:
    (pages,), (free,), (size,) = (
        db.execute(f"PRAGMA {name}").fetchone() for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)


def _refuse(db: sqlite3.Connection, number: int, reason: str) -> None:
    db.execute("UPDATE rows SET state = ?, reason = ? WHERE id = ?", (REFUSED, reason, number))
