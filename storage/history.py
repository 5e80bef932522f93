"""What people ask of the past: one function a query, as the user who may only read. Tables: docs/database.md.

Every function raises `DatabaseError`. Times are ISO 8601 in UTC, microseconds included.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Literal

import msgspec
from loguru import logger

from storage.questdb import literal
from storage.reader import Answer, Reader, ask
from transport.messages import ArgumentInfo, Attach, DeviceInfo, Document, SensorInfo, SettingInfo

Aggregate = Literal["avg", "min", "max", "first", "last", "count"]
Source = Literal["samples", "readings"]  # kept for ever at the sample interval; a day of what was shown live


@dataclass(frozen=True, slots=True)
class Series:
    """One quantity of a sensor."""

    reactor: str
    sensor: str
    quantity: str


@dataclass(frozen=True, slots=True)
class Span:
    """From `since`, included, to `until`, excluded; ISO 8601 in UTC."""

    since: str
    until: str


@dataclass(frozen=True, slots=True)
class Page:
    """At most `limit` rows, behind the first `offset`."""

    limit: int
    offset: int = 0


@dataclass(frozen=True, slots=True)
class EventRow:
    """Something that happened."""

    ts: str
    reactor: str
    source: str
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class SettingChange:
    """A setting that was applied or rejected (`state`), and who asked for it."""

    ts: str
    device: str
    setting: str
    value: str
    number: float | None
    revision: int
    state: str
    author: str


@dataclass(frozen=True, slots=True)
class Asked:
    """A document that somebody asked for."""

    ts: str
    revision: int
    author: str
    values: dict[str, float | bool | str]


@dataclass(frozen=True, slots=True)
class Wired:
    """One thing that is, or was, wired to a reactor."""

    ts: str
    reactor: str
    kind: str
    name: str
    label: str
    driver: str
    address: str


@dataclass(frozen=True, slots=True)
class TableState:
    """How far a table is behind what was acknowledged; a suspended one takes everything and shows nothing."""

    name: str
    suspended: bool
    lag: int
    error: str


def samples(reader: Reader, source: Source, series: Series, span: Span, limit: int) -> AbstractContextManager[Answer]:
    """Ask for the rows of a series, the oldest first: ts, value, quality. Rows come while the context is open."""
    return ask(
        reader,
        f"SELECT ts, value, quality FROM {source} WHERE {_series(series)} AND {_span(span)} ORDER BY ts LIMIT {limit}",
    )


def aggregated(  # noqa: PLR0913, PLR0917 - a question has that many sides
    reader: Reader, source: Source, series: Series, span: Span, interval: int, aggregates: Sequence[Aggregate]
) -> AbstractContextManager[Answer]:
    """Ask for a series by whole `interval` seconds of the day: ts of its beginning, and each aggregate of the values.

    An interval without rows is left out.
    """
    columns = ", ".join(f'{one}(value) "{one}"' for one in aggregates)
    return ask(
        reader,
        f"SELECT ts, {columns} FROM {source} WHERE {_series(series)} AND {_span(span)}"
        f" SAMPLE BY {interval}s ALIGN TO CALENDAR",
    )


def events(  # noqa: PLR0913 - each narrows it
    reader: Reader, span: Span, page: Page, *, reactor: str = "", source: str = "", kind: str = "", text: str = ""
) -> list[EventRow]:
    """Find what happened, the newest first; an empty name is any, `text` stands anywhere in source or text."""
    where = _where(reactor=reactor, source=source, kind=kind)
    if text:
        where += f" AND strpos(lower(source || ' ' || text), {literal(text.lower())}) > 0"
    columns = "ts, reactor, source, kind, coalesce(text, '') text"  # none where the column was made again
    sql = f"SELECT {columns} FROM events WHERE {_span(span)}{where}{_newest(page)}"
    return [EventRow(*row) for row in _rows(reader, sql)]


def setting_changes(  # noqa: PLR0913 - each narrows it
    reader: Reader, reactor: str, span: Span, page: Page, *, device: str = "", setting: str = ""
) -> list[SettingChange]:
    """Find what was applied and rejected, the newest first; an empty name is any."""
    where = _where(reactor=reactor, device=device, setting=setting)
    sql = (
        "SELECT ts, device, setting, value, number, revision, state, author FROM settings"
        f" WHERE {_span(span)}{where}{_newest(page)}"
    )
    return [SettingChange(*row) for row in _rows(reader, sql)]


def setting_levels(reader: Reader, reactor: str, device: str, setting: str, span: Span) -> list[tuple[str, float]]:
    """Give a setting's applied numbers over time, the oldest first, with the one that held when the span began."""
    where = f"state = 'applied'{_where(reactor=reactor, device=device, setting=setting)} AND number IS NOT NULL"
    before = _rows(
        reader, f"SELECT ts, number FROM settings WHERE {where} AND ts < {literal(span.since)} ORDER BY ts DESC LIMIT 1"
    )
    within = _rows(reader, f"SELECT ts, number FROM settings WHERE {where} AND {_span(span)} ORDER BY ts LIMIT 10000")
    return [(ts, number) for ts, number in (*before, *within)]


def asked_documents(reader: Reader, reactor: str, target: str, limit: int) -> list[Asked]:
    """Find the documents that people asked for of a target, the newest first."""
    sql = (
        f"SELECT ts, revision, author, document FROM desired WHERE device = {literal(target)}{_where(reactor=reactor)}"
        f" ORDER BY ts DESC LIMIT {limit}"
    )
    found = []
    for ts, revision, author, document in _rows(reader, sql):
        values = _decoded(document, dict[str, float | bool | str])
        if values is not None:
            found.append(Asked(ts, revision, author, values))
    return found


def inventory(reader: Reader) -> list[Wired]:
    """List everything that is or was wired, as it was described last."""
    sql = (
        "SELECT ts, reactor, kind, name, label, driver, address FROM inventory LATEST ON ts PARTITION BY reactor, name"
        " ORDER BY reactor, kind, name"
    )
    return [Wired(*row) for row in _rows(reader, sql)]


def described(reader: Reader) -> dict[str, Attach]:
    """Rebuild from the inventory how each reactor described itself, as far as it tells."""
    sql = (
        "SELECT reactor, kind, name, label, driver, address, descriptor FROM inventory"
        " LATEST ON ts PARTITION BY reactor, name ORDER BY reactor, name"
    )
    sensors: dict[str, list[SensorInfo]] = {}
    devices: dict[str, list[DeviceInfo]] = {}
    for reactor, kind, name, label, driver, address, descriptor in _rows(reader, sql):
        sensors.setdefault(reactor, [])
        told = _decoded(descriptor, dict[str, Any])
        if told is None:
            continue
        known = {"name": name, "label": label, "driver": driver, "address": address, **_as_on_the_wire(told)}
        if kind == "sensor":
            sensors[reactor] += _info(known, SensorInfo)
        else:
            devices.setdefault(reactor, []).extend(_info(known, DeviceInfo))
    return {
        reactor: Attach(epoch=0, label=reactor, software="", sensors=found, devices=devices.get(reactor, []))
        for reactor, found in sensors.items()
    }


def desired_documents(reader: Reader) -> dict[str, list[Document]]:
    """Give the newest document of every target, by reactor."""
    sql = "SELECT reactor, device, revision, author, document FROM desired LATEST ON ts PARTITION BY reactor, device"
    found: dict[str, list[Document]] = {}
    for reactor, device, revision, author, document in _rows(reader, sql):
        values = _decoded(document, dict[str, float | bool | str])
        if values is not None:
            one = Document(target=device, revision=revision, author=author, values=values)
            found.setdefault(reactor, []).append(one)
    return found


def table_states(reader: Reader) -> list[TableState]:
    """Return the health of all that has rows. The only sign of a full disk: writes are acknowledged all the same."""
    sql = (
        "SELECT name, suspended, sequencerTxn - writerTxn, errorTag || ' ' || errorMessage FROM wal_tables()"
        " JOIN tables() ON table_name = name WHERE table_type <> 'V' ORDER BY name"
    )
    return [
        TableState(name, suspended, lag, (error or "").strip()) for name, suspended, lag, error in _rows(reader, sql)
    ]


def _rows(reader: Reader, sql: str) -> list[Sequence[Any]]:
    with ask(reader, sql) as answer:
        return list(answer.rows)


def _series(series: Series) -> str:
    return (
        f"reactor = {literal(series.reactor)} AND sensor = {literal(series.sensor)}"
        f" AND quantity = {literal(series.quantity)}"
    )


def _span(span: Span) -> str:
    return f"ts >= {literal(span.since)} AND ts < {literal(span.until)}"


def _newest(page: Page) -> str:
    return f" ORDER BY ts DESC LIMIT {page.offset}, {page.offset + page.limit}"


def _where(**names: str) -> str:
    return "".join(f" AND {column} = {literal(name)}" for column, name in names.items() if name)


def _decoded(text: str | None, kind: Any) -> Any:  # noqa: ANN401 - JSON
    """Check a JSON text at the door: anybody with the password may have written it."""
    try:
        return msgspec.json.decode(text or "", type=kind)
    except msgspec.MsgspecError as error:
        logger.warning("a row of the database is passed over: {}", error)
        return None


def _as_on_the_wire(told: dict[str, Any]) -> dict[str, Any]:
    """Turn the maps of a descriptor back into the arrays that these records are on the wire."""
    records = {"settings": SettingInfo.__struct_fields__, "arguments": ArgumentInfo.__struct_fields__}
    turned: dict[str, Any] = {}
    for key, value in told.items():
        if key in records:
            turned[key] = [[one.get(name) for name in records[key]] for one in value]
        elif key == "acts":
            turned[key] = [_as_on_the_wire(one) for one in value]
        else:
            turned[key] = value
    return turned


def _info(told: dict[str, Any], kind: Any) -> Iterator[Any]:  # noqa: ANN401 - JSON
    try:
        yield msgspec.convert(told, kind, strict=False)
    except msgspec.ValidationError as error:
        logger.warning("a row of inventory is passed over: {}: {}", told["name"], error)
