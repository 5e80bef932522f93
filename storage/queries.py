"""One function a query. Tables and columns: docs/database.md."""

from dataclasses import dataclass

from storage.questdb import QuestDB, literal
from storage.views import VIEWS


@dataclass(frozen=True, slots=True)
class Gap:
    """Rows that a spool numbered and the database does not have: those after `after`, up to and with `until`."""

    reactor: str
    spool: str
    series: str
    after: int
    until: int


@dataclass(frozen=True, slots=True)
class Missed:
    """A time without samples that is longer than the sample interval allows, and has no event beside it."""

    reactor: str
    sensor: str
    quantity: str
    after: str
    until: str
    seconds: float


@dataclass(frozen=True, slots=True)
class TableHealth:
    """How far a table is behind what was acknowledged; a suspended one takes everything and shows nothing."""

    name: str
    suspended: bool
    lag: int
    error: str


def sample_gaps(database: QuestDB, reactor: str | None = None) -> list[Gap]:
    """Find what is missing by number: every `seq` of each spool, sensor and quantity must be there, from 1.

    Rows still in the spool do not count as missing unless later ones have arrived.
    """
    return _gaps(database, "samples", ("sensor", "quantity"), reactor)


def event_gaps(database: QuestDB, reactor: str | None = None) -> list[Gap]:
    """Find missing events, as `sample_gaps` does samples."""
    return _gaps(database, "events", ("source", "kind"), reactor)


def setting_gaps(database: QuestDB, reactor: str | None = None) -> list[Gap]:
    """Find missing rows of settings, as `sample_gaps` does samples."""
    return _gaps(database, "settings", ("device", "setting", "state"), reactor)


def missed_ticks(database: QuestDB, reactor: str, sensor: str, interval: float) -> list[Missed]:
    """Find times without a sample longer than 1.5 intervals that no event explains.

    `interval` is the sensor's sample interval in seconds. A `started` of the reactor or a `fault` of the sensor
    explains the time that it falls into, and may come up to an interval after it. A failed read leaves no such time:
    it is a sample without value.
    """
    who, interval_us = f"reactor = {literal(reactor)}", round(interval * 1_000_000)
    quiet = database.query(
        "SELECT quantity, before, ts, cast(before AS LONG), cast(ts AS LONG) FROM ("
        "  SELECT quantity, ts, lag(ts) OVER (PARTITION BY quantity ORDER BY ts) before"
        f"  FROM samples WHERE {who} AND sensor = {literal(sensor)}"
        f") WHERE before IS NOT NULL AND cast(ts AS LONG) - cast(before AS LONG) > {interval_us * 3 // 2}"
    )
    events = database.query(
        f"SELECT cast(ts AS LONG) FROM events WHERE {who}"
        f" AND (kind = 'started' OR kind = 'fault' AND source = {literal(sensor)})"
    )
    return [
        Missed(reactor, sensor, quantity, after, until, (until_us - after_us) / 1e6)
        for quantity, after, until, after_us, until_us in quiet
        if not any(after_us <= int(ts) <= until_us + interval_us for (ts,) in events)
    ]


def count_samples(database: QuestDB) -> dict[str, int]:
    """Count the samples of each reactor."""
    return dict(database.query("SELECT reactor, count() FROM samples ORDER BY reactor"))


def latest_samples(database: QuestDB, reactor: str) -> list[tuple[str, str, float | None, str, str, str]]:
    """Return the newest sample of each sensor and quantity: sensor, quantity, value, unit, quality, ts.

    Rows that a wrong clock dated into the future are passed over.
    """
    return database.query(
        f"SELECT sensor, quantity, value, unit, quality, ts FROM samples WHERE reactor = {literal(reactor)}"
        " AND ts <= dateadd('m', 5, now()) LATEST ON ts PARTITION BY sensor, quantity ORDER BY sensor, quantity"
    )


def first_sample(database: QuestDB) -> str | None:
    """Return when the oldest sample was taken (ISO 8601), or none while there is none."""
    rows = database.query("SELECT ts FROM samples LIMIT 1")
    return rows[0][0] if rows else None


def table_health(database: QuestDB) -> list[TableHealth]:
    """Return the health of every table. The only sign of a full disk: writes are acknowledged all the same."""
    return [
        TableHealth(*row)
        for row in database.query(
            "SELECT name, suspended, sequencerTxn - writerTxn, errorTag || ' ' || errorMessage FROM wal_tables()"
            " ORDER BY name"
        )
    ]


def resume(database: QuestDB, table: str) -> None:
    """Let a suspended table go on, after its cause was removed. Nothing that was acknowledged is lost."""
    kind = "MATERIALIZED VIEW" if table in {view.name for view in VIEWS} else "TABLE"
    database.execute(f"ALTER {kind} {table} RESUME WAL")


def _gaps(database: QuestDB, table: str, series: tuple[str, ...], reactor: str | None) -> list[Gap]:
    """Rows are numbered from 1 in each series, so a number that does not follow its predecessor shows a gap."""
    names = ", ".join(("reactor", "spool", *series))
    path = " || '/' || ".join(series)
    where = "" if reactor is None else f"WHERE reactor = {literal(reactor)}"
    rows = database.query(
        f"SELECT reactor, spool, {path}, coalesce(before, 0), seq - 1 FROM ("
        f"  SELECT {names}, seq, lag(seq) OVER (PARTITION BY {names} ORDER BY seq) before FROM {table} {where}"
        f") WHERE seq <> coalesce(before, 0) + 1 ORDER BY {names}, seq"
    )
    return [Gap(*row) for row in rows]
