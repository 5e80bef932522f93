"""Grafana's PostgreSQL source, as far as it matters to a query: what it makes of the text, how it sends it, what it
takes of the answer. Written from Grafana's sources (pkg/tsdb/grafana-postgresql-datasource), not copied.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg

MACRO = re.compile(r"\$([_a-zA-Z0-9]+)\(([^)]*)\)")
TEXT = {"varchar", "text", "bpchar"}
NUMBERS = {"int2", "int4", "int8", "float4", "float8", "numeric"}


@dataclass(frozen=True)
class Shown:
    """What a person looks at: a span, the interval that Grafana takes for it, what is chosen."""

    since: datetime
    until: datetime
    interval: str = "1m"
    chosen: Mapping[str, str | Sequence[str]] | None = None


@dataclass(frozen=True)
class Frame:
    """An answer, as Grafana has it: columns with their types by name, rows."""

    columns: dict[str, str]
    rows: list[dict[str, Any]]

    def column(self, name: str) -> list[Any]:
        return [row[name] for row in self.rows]


def expand(sql: str, shown: Shown) -> str:
    """What the browser replaces (variables), then what the source's backend does (macros)."""
    for name, value in sorted((shown.chosen or {}).items(), reverse=True):
        spelled = value.replace("'", "''") if isinstance(value, str) else ",".join(f"'{one}'" for one in value)
        sql = spelled.join(re.split(rf"\${name}\b", sql))
    sql = sql.replace("$__interval", shown.interval)
    return MACRO.sub(lambda found: _macro(found[1], found[2].strip(), shown), sql)


def _macro(name: str, argument: str, shown: Shown) -> str:
    match name:
        case "__timeFilter":
            return f"{argument} BETWEEN '{rfc3339(shown.since)}' AND '{rfc3339(shown.until)}'"
        case "__timeFrom":
            return f"'{rfc3339(shown.since)}'"
        case "__timeTo":
            return f"'{rfc3339(shown.until)}'"
    raise AssertionError(f"Grafana does not know the macro {name}, or not for QuestDB")


def rfc3339(moment: datetime) -> str:
    """Go's RFC3339Nano: a fraction without the zeros at its end, or none."""
    text = moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f").rstrip("0").rstrip(".")
    return text + "Z"


def ask(connection: psycopg.Connection[Any], sql: str, shown: Shown) -> Frame:
    """Send it as Grafana's drivers do: one text without parameters, by the simple protocol."""
    expanded = expand(sql, shown)
    cursor = connection.execute(expanded.encode(), prepare=False)
    assert (cursor.statusmessage or "").startswith("SELECT"), "Grafana takes rows of nothing else"
    types = {column.name: _type(column.type_code) for column in cursor.description or ()}
    assert len(types) == len(cursor.description or ()), f"a column's name comes twice: {cursor.description}"
    return Frame(types, [dict(zip(types, row, strict=True)) for row in cursor.fetchall()])


def _type(oid: int) -> str:
    known = psycopg.adapters.types.get(oid)
    assert known is not None, f"Grafana would not know the type {oid}"
    return known.name


def lines(frame: Frame) -> dict[str, list[tuple[datetime, float | None]]]:
    """The lines of a time series: Grafana refuses one whose times are missing or do not ascend."""
    assert frame.columns["time"] == "timestamp"
    times = frame.column("time")
    assert None not in times
    assert times == sorted(times)
    (metric,) = [name for name, kind in frame.columns.items() if kind in TEXT]
    (value,) = [name for name, kind in frame.columns.items() if kind in NUMBERS]
    found: dict[str, list[tuple[datetime, float | None]]] = {}
    for row in frame.rows:
        found.setdefault(row[metric], []).append((row["time"].replace(tzinfo=UTC), row[value]))
    for line in found.values():
        assert len({time for time, _ in line}) == len(line), "two values for one moment"
    return found


def firing(frame: Frame, side: str, limit: float) -> set[tuple[str, ...]]:
    """The things whose one number is beyond the limit: Grafana judges tables of text and one number, without a time."""
    (number,) = [name for name, kind in frame.columns.items() if kind in NUMBERS]
    names = [name for name in frame.columns if name != number]
    assert all(frame.columns[name] in TEXT for name in names)
    things = [tuple(row[name] for name in names) for row in frame.rows]
    assert len(set(things)) == len(things), "Grafana refuses a thing that comes twice"
    return {
        thing
        for thing, row in zip(things, frame.rows, strict=True)
        if row[number] is not None and (row[number] > limit if side == "gt" else row[number] < limit)
    }
