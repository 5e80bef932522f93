"""What the terminal asks: how everything is now, and what came since. One function a query, as the user who only reads.

Every function raises `DatabaseError`. Ages are seconds by the database's clock; times are ISO 8601 in UTC.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from storage.questdb import literal
from storage.reader import Reader, ask


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest reading or sample of a quantity."""

    reactor: str
    sensor: str
    quantity: str
    value: float | None
    unit: str
    quality: str
    age: float
    live: bool


@dataclass(frozen=True, slots=True)
class SettingNow:
    """A setting as it was applied last; `asked_state` is what became of the target's newest document (JSON)."""

    device: str
    setting: str
    value: str
    author: str
    age: float
    asked_state: str
    asked: str


@dataclass(frozen=True, slots=True)
class TableSize:
    """A table or materialized view: its rows, and when the oldest and the newest are from."""

    name: str
    rows: int
    oldest: str
    newest: str
    suspended: bool
    lag: int
    keep: str


@dataclass(frozen=True, slots=True)
class Missing:
    """Rows of a series that are missing: how many of the numbers between `after` and `until`."""

    reactor: str
    rows_of: str
    series: str
    after: int
    until: int
    missing: int


@dataclass(frozen=True, slots=True)
class Arrival:
    """A row that came: of samples, events or settings. `value` is none but for samples."""

    ts: str
    rows_of: str
    reactor: str
    what: str
    text: str
    value: float | None
    unit: str
    quality: str


def newest(reader: Reader, reactor: str = "") -> list[Newest]:
    """Give the newest of every quantity, of one reactor or of all."""
    where = f" WHERE reactor = {literal(reactor)}" if reactor else ""
    sql = (
        "SELECT reactor, sensor, quantity, value, unit, quality, (cast(now() AS LONG) - cast(ts AS LONG)) / 1000000.0,"
        f" live FROM current{where} ORDER BY reactor, sensor, quantity"
    )
    return [Newest(*row) for row in _rows(reader, sql)]


def reactors(reader: Reader) -> list[str]:
    """Name every reactor that was ever wired."""
    return [name for (name,) in _rows(reader, "SELECT DISTINCT reactor FROM inventory ORDER BY reactor")]


def settings_now(reader: Reader, reactor: str) -> list[SettingNow]:
    """Give a reactor's settings."""
    sql = (
        "SELECT device, setting, value, author, (cast(now() AS LONG) - cast(ts AS LONG)) / 1000000.0, asked_state,"
        f" coalesce(asked, '') FROM settings_now WHERE reactor = {literal(reactor)} ORDER BY device, setting"
    )
    return [SettingNow(*row) for row in _rows(reader, sql)]


def trends(reader: Reader, reactor: str, seconds: int, columns: int) -> dict[tuple[str, str], list[float | None]]:
    """Give each quantity's course over the last `seconds` in so many equal steps, the oldest first.

    A step without a value is none. Up to six hours they are the live readings', which are kept a day; beyond it the
    samples'.
    """
    source = "readings" if seconds <= 6 * 3600 else "samples"
    step = max(1, seconds // columns)
    at = f"/ {step * 1_000_000}"  # whole steps of the clock: a course that slid would be another one at every look
    sql = (
        f"SELECT sensor, quantity, cast(now() AS LONG) {at} - cast(ts AS LONG) {at} ago, avg(value) FROM {source}"
        f" WHERE reactor = {literal(reactor)} AND ts > dateadd('s', -{step * columns}, now()) AND ts <= now()"
        " AND value IS NOT NULL GROUP BY sensor, quantity, ago"
    )
    found: dict[tuple[str, str], list[float | None]] = {}
    for sensor, quantity, ago, value in _rows(reader, sql):
        course = found.setdefault((sensor, quantity), [None] * columns)
        if 0 <= ago < columns:
            course[columns - 1 - ago] = value
    return found


def table_sizes(reader: Reader) -> list[TableSize]:
    """Tell how large and how healthy everything is that has rows."""
    sql = (
        "SELECT table_name, table_row_count, table_min_timestamp, table_max_timestamp, suspended,"
        " sequencerTxn - writerTxn, ttlValue, ttlUnit"
        " FROM tables() JOIN wal_tables() ON name = table_name WHERE table_type <> 'V' ORDER BY table_name"
    )
    return [
        TableSize(
            name,
            rows or 0,
            oldest if rows else "",  # of an empty one QuestDB names the end of time
            newest if rows else "",
            suspended,
            lag,
            f"{ttl} {unit}" if ttl else "for ever",
        )
        for name, rows, oldest, newest, suspended, lag, ttl, unit in _rows(reader, sql)
    ]


def gaps(reader: Reader, limit: int) -> list[Missing]:
    """Find what is missing by number, the newest first."""
    sql = f"SELECT reactor, rows_of, series, after, until, missing FROM gaps ORDER BY ts DESC LIMIT {limit}"
    return [Missing(*row) for row in _rows(reader, sql)]


def arrivals(reader: Reader, seconds: int) -> list[Arrival]:
    """Give what was taken, applied or happened in the last `seconds`, the oldest first."""
    recent = f"WHERE ts > dateadd('s', -{seconds}, now())"
    sql = (
        "SELECT ts, 'sample' rows_of, reactor, sensor || '.' || quantity what, '' text, value, unit, quality"
        f" FROM samples {recent}"
        " UNION ALL SELECT ts, 'event', reactor, source || ' ' || kind, cast(text AS STRING), null, '', ''"
        f" FROM events {recent}"
        " UNION ALL SELECT ts, 'setting', reactor, device || '.' || setting || ' = ' || value,"
        f" state || ' for ' || author, null, '', '' FROM settings {recent}"
    )
    return [Arrival(*row) for row in _rows(reader, f"SELECT * FROM ({sql}) ORDER BY ts")]


def _rows(reader: Reader, sql: str) -> list[Sequence[Any]]:
    with ask(reader, sql) as answer:
        return list(answer.rows)
