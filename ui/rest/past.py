"""History, and how everything is: what the database says."""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import astuple, dataclass, fields
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Query, Response
from fastapi.responses import StreamingResponse
from pydantic import AwareDatetime

from storage import history
from storage.history import Aggregate, Asked, EventRow, Page, Series, SettingChange, Source, Span, TableState, Wired
from storage.questdb import DatabaseError
from storage.reader import Answer
from transport.messages import line
from ui.rest import views
from ui.rest.gate import Viewer
from ui.rest.parts import NAME, Ours, ReactorName, TargetName, as_json
from ui.rest.problems import Problem, may_answer

router = APIRouter(tags=["history"])
CHUNK = 1000  # rows that are written at once
FORMULA = frozenset("=+-@")  # what a cell begins with that is computed
NUMBER = re.compile(r"[-+]?\d+(\.\d+)?(e[-+]?\d+)?")
FIRST_YEAR, LAST_YEAR = 1970, 2200
Name = Annotated[str, Query(pattern=NAME)]
AnyName = Annotated[str, Query(pattern=r"^([a-z][a-z0-9_-]{0,31})?$")]
From = Annotated[AwareDatetime | None, Query(alias="from", description="from when on; a day ago without")]
Until = Annotated[AwareDatetime | None, Query(alias="until", description="until before when; now without")]
Limit = Annotated[int, Query(ge=1, le=10_000)]
Offset = Annotated[int, Query(ge=0, le=10_000_000, description="rows to pass over, of the newest")]
Format = Annotated[Literal["json", "csv"], Query(alias="format")]


@dataclass(frozen=True, slots=True)
class Samples:
    """Rows of a series. A column of an aggregate is named after it; without an interval: value, quality."""

    columns: list[str]
    rows: list[list[float | int | str | None]]


@dataclass(frozen=True, slots=True)
class SettingHistory:
    """What was applied and rejected of a reactor, the newest first."""

    changes: list[SettingChange]


@dataclass(frozen=True, slots=True)
class Level:
    """From when on a setting had a number."""

    ts: str
    number: float


@dataclass(frozen=True, slots=True)
class ManagerHealth:
    """A manager."""

    name: str
    endpoint: str
    capacity: int
    reactors: int


@dataclass(frozen=True, slots=True)
class DatabaseHealth:
    """The database. `error` is why it does not answer, empty when it does; `console` is its own page."""

    address: str
    console: str
    identity: str
    schema: str
    error: str
    tables: list[TableState]


@dataclass(frozen=True, slots=True)
class Lives:
    """How many reactors are how."""

    ok: int
    stale: int
    lost: int
    troubled: int


@dataclass(frozen=True, slots=True)
class Health:
    """How everything is. `coordinator` tells whether it is connected."""

    software: str
    now: str
    coordinator: bool
    managers: list[ManagerHealth]
    database: DatabaseHealth
    reactors: Lives
    waiting: int


_ROWS: dict[int | str, dict[str, object]] = {
    200: {"content": {"text/csv": {"schema": {"type": "string"}}}, "description": "Rows, as json or csv"}
}


@router.get(
    "/reactors/{reactor}/samples",
    response_model=Samples,
    responses={**_ROWS, **may_answer(401, 422, 503)},
)
def samples(  # noqa: PLR0913, PLR0917 - a question has that many sides
    _: Viewer,
    parts: Ours,
    reactor: ReactorName,
    sensor: Name,
    quantity: Name,
    since: From = None,
    until: Until = None,
    interval: Annotated[
        int | None, Query(ge=1, le=366 * 86_400, description="whole seconds to put together; every row without")
    ] = None,
    aggregate: Annotated[list[Aggregate] | None, Query(max_length=6, description="of an interval; avg without")] = None,
    source: Annotated[Source, Query(description="samples are kept for ever, readings a day")] = "samples",
    form: Format = "json",
    limit: Annotated[int, Query(ge=1, le=10_000_000, description="rows at most, without an interval")] = 100_000,
) -> StreamingResponse:
    """Read a series, as rows or put together by intervals, the oldest first. An interval without rows is left out."""
    span = _span(since, until)
    series = Series(reactor, sensor, quantity)
    stack = ExitStack()
    if interval is None:
        answer = stack.enter_context(history.samples(parts.reader, source, series, span, limit))
    else:
        aggregates: list[Aggregate] = list(dict.fromkeys(aggregate or ("avg",)))
        answer = stack.enter_context(history.aggregated(parts.reader, source, series, span, interval, aggregates))
    if form == "csv":
        headers = _attached(f"{reactor}-{sensor}-{quantity}")
        return StreamingResponse(_as_csv(stack, answer), media_type="text/csv", headers=headers)
    return StreamingResponse(_as_json(stack, answer), media_type="application/json")


@router.get(
    "/reactors/{reactor}/settings", response_model=SettingHistory, responses={**_ROWS, **may_answer(401, 422, 503)}
)
def setting_history(  # noqa: PLR0913, PLR0917 - each narrows it
    _: Viewer,
    parts: Ours,
    reactor: ReactorName,
    target: AnyName = "",
    setting: AnyName = "",
    since: From = None,
    until: Until = None,
    limit: Limit = 200,
    offset: Offset = 0,
    form: Format = "json",
) -> Response:
    """Find which settings were applied and rejected, and who asked for them, the newest first."""
    page = Page(limit, offset)
    found = history.setting_changes(parts.reader, reactor, _span(since, until), page, device=target, setting=setting)
    return _table(f"{reactor}-settings", SettingChange, found) if form == "csv" else as_json(SettingHistory(found))


@router.get(
    "/reactors/{reactor}/settings/{target}/history", response_model=list[Asked], responses=may_answer(401, 422, 503)
)
def document_history(_: Viewer, parts: Ours, reactor: ReactorName, target: TargetName, limit: Limit = 50) -> Response:
    """Find the documents that people asked for of a target, the newest first: the way back."""
    return as_json(history.asked_documents(parts.reader, reactor, target, limit))


@router.get(
    "/reactors/{reactor}/settings/{target}/levels", response_model=list[Level], responses=may_answer(401, 422, 503)
)
def levels(  # noqa: PLR0913, PLR0917 - a question has that many sides
    _: Viewer,
    parts: Ours,
    reactor: ReactorName,
    target: TargetName,
    setting: Name,
    since: From = None,
    until: Until = None,
) -> Response:
    """Read the numbers that a setting had over time, the oldest first, for a band below a chart."""
    found = history.setting_levels(parts.reader, reactor, target, setting, _span(since, until))
    return as_json([Level(ts, number) for ts, number in found])


@router.get("/events", response_model=list[EventRow], responses={**_ROWS, **may_answer(401, 422, 503)})
def events(  # noqa: PLR0913, PLR0917 - each narrows it
    _: Viewer,
    parts: Ours,
    reactor: AnyName = "",
    source: AnyName = "",
    kind: AnyName = "",
    text: Annotated[str, Query(max_length=100, description="what stands somewhere in source or text")] = "",
    since: From = None,
    until: Until = None,
    limit: Limit = 200,
    offset: Offset = 0,
    form: Format = "json",
) -> Response:
    """Find what happened, the newest first."""
    span, page = _span(since, until), Page(limit, offset)
    found = history.events(parts.reader, span, page, reactor=reactor, source=source, kind=kind, text=line(text))
    return _table("events", EventRow, found) if form == "csv" else as_json(found)


@router.get("/inventory", response_model=list[Wired], responses={**_ROWS, **may_answer(401, 422, 503)})
def inventory(_: Viewer, parts: Ours, form: Format = "json") -> Response:
    """List everything that is or was wired to any reactor."""
    found = history.inventory(parts.reader)
    return _table("inventory", Wired, found) if form == "csv" else as_json(found)


@router.get("/health", tags=["health"], response_model=Health, responses=may_answer(401))
def health(_: Viewer, parts: Ours) -> Response:
    """Tell how everything is; answers too when hardly anything is well."""
    system = parts.operator.system
    try:
        tables, error = history.table_states(parts.reader), ""
    except DatabaseError as cause:
        tables, error = [], str(cause)
    known = system.database
    database = DatabaseHealth(
        known.address if known else "",
        parts.console,
        known.identity if known else "",
        f"{known.schema_major}.{known.schema_minor}" if known else "",
        error,
        tables,
    )
    managers = [
        ManagerHealth(one.name, one.endpoint, one.capacity, len(one.reactors)) for one in system.managers.values()
    ]
    lives = [views.live(twin) for twin in parts.operator.twins.values()]
    count = Counter(one.life for one in lives)
    counts = Lives(count["ok"], count["stale"], count["lost"], sum(bool(one.troubles) for one in lives))
    waiting = sum(one.backlog.waiting for one in lives if one.backlog)
    now = views.moment(parts.clock.wall_us())
    return as_json(Health(parts.software, now, system.coordinator, managers, database, counts, waiting))


def _span(since: datetime | None, until: datetime | None) -> Span:
    """Check a time range. Raises Problem 422."""
    end = until or datetime.now(UTC)
    begin = since or end - timedelta(days=1)
    for one in (begin, end):
        if not FIRST_YEAR < one.year < LAST_YEAR:
            raise Problem(422, f"a time must be between the years {FIRST_YEAR} and {LAST_YEAR}")
    if begin >= end:
        raise Problem(422, "from must be before until")
    return Span(_spelled(begin), _spelled(end))


def _spelled(when: datetime) -> str:
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _chunks(answer: Answer) -> Iterator[Sequence[Sequence[object]]]:
    while chunk := list(islice(answer.rows, CHUNK)):
        yield chunk


def _attached(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}.csv"'}


def _table(name: str, kind: type[EventRow | SettingChange | Wired], rows: Sequence[Any]) -> Response:
    """Answer with records as CSV."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow([field.name for field in fields(kind)])
    writer.writerows([_cell(value) for value in astuple(row)] for row in rows)
    return Response(buffer.getvalue(), media_type="text/csv", headers=_attached(name))


def _cell(value: object) -> object:
    """Make a text one line, and no formula to a spreadsheet: nodes and people choose labels, addresses, values."""
    if not isinstance(value, str):
        return value
    text = value if value.isprintable() else "".join(one if one.isprintable() else " " for one in value).strip()
    return f"'{text}" if text[:1] in FORMULA and not NUMBER.fullmatch(text) else text


def _as_csv(stack: ExitStack, answer: Answer) -> Iterator[str]:
    with stack:
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerow(answer.columns)
        yield buffer.getvalue()
        for chunk in _chunks(answer):
            buffer.seek(0)
            buffer.truncate()
            writer.writerows(chunk)
            yield buffer.getvalue()


def _as_json(stack: ExitStack, answer: Answer) -> Iterator[bytes]:
    with stack:
        yield b'{"columns":' + msgspec.json.encode(answer.columns) + b',"rows":['
        comma = b""
        for chunk in _chunks(answer):
            yield comma + msgspec.json.encode(chunk)[1:-1]
            comma = b","
        yield b"]}"
