"""Ingest: rows as line protocol over HTTP.

Sending is ours, because the questdb client hides the HTTP status, gives up at once on a refused connection, and cannot
tell a refused row from a full disk.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from storage.lines import Encoder, Lines
from storage.questdb import QuestDB, Unreachable
from storage.rows import Event, Sample, SettingRow
from storage.spool import SpooledRow

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Stored:
    """Every row of the request is in the database's log."""


@dataclass(frozen=True, slots=True)
class RowRefused:
    """Nothing was stored, because of the row at `index`."""

    index: int
    reason: str


@dataclass(frozen=True, slots=True)
class TryLater:
    """Nothing is known of the rows; the server is away, in trouble, or full. No row is to blame."""

    reason: str


@dataclass(frozen=True, slots=True)
class LoginFailed:
    """The server does not accept user and password."""


@dataclass(frozen=True, slots=True)
class SchemaMismatch:
    """The table or a column does not exist: no row is to blame."""

    reason: str


Outcome = Stored | RowRefused | TryLater | LoginFailed | SchemaMismatch


class Ingest:
    """Sends batches to one database. Of one thread; a call blocks for at most about the client's timeout."""

    def __init__(self, database: QuestDB) -> None:
        self.address = database.address  # a gateway's, across a network
        self._database = database
        self._lines = Lines()

    def send(self, rows: Sequence[SpooledRow]) -> Outcome:
        """Send rows of one table in one request: all are stored, or none."""
        return post(self._database, self._lines, rows, _add)

    def close(self) -> None:
        """Close the connection."""
        self._database.close()


def post(database: QuestDB, lines: Encoder, rows: Sequence[R], add: Callable[[Encoder, R], None]) -> Outcome:
    """Send rows of one table in one request, each encoded by `add`. Blocks for at most about the client's timeout."""
    lines.clear()
    for index, row in enumerate(rows):
        try:
            add(lines, row)
        except ValueError as error:
            return RowRefused(index, f"cannot be encoded: {error}")
    try:
        status, body = database.write(bytes(lines))
    except Unreachable as error:
        return TryLater(str(error))
    outcome = judge(status, body, len(rows))
    if not isinstance(outcome, Stored):
        database.close()  # the server judges a connection's rows by the table that it saw first, though that is gone
    return outcome


def judge(status: int, body: bytes, rows: int) -> Outcome:
    """Tell from the server's answer what became of the rows. Only 400 with code `invalid` and a line blames a row."""
    match status:
        case 204:
            return Stored()
        case 401 | 403:
            return LoginFailed()
        case 400:
            return _blame(body, rows)
        case _:
            return TryLater(f"HTTP {status}: {_excerpt(body)}")


class _Refusal(msgspec.Struct):
    code: str = ""
    message: str = ""
    line: int = 0


def _blame(body: bytes, rows: int) -> Outcome:
    try:
        refusal = msgspec.json.decode(body, type=_Refusal)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return TryLater(f"HTTP 400: {_excerpt(body)}")
    reason = refusal.message.rpartition("\n")[2]  # before it stands a line that says nothing
    if "is disabled" in reason:  # creating new tables, creating new columns
        return SchemaMismatch(reason)
    if refusal.code == "invalid" and 1 <= refusal.line <= rows:
        return RowRefused(refusal.line - 1, reason)
    return TryLater(f"HTTP 400: {_excerpt(body)}")


def _excerpt(body: bytes) -> str:
    return body[:300].decode("utf-8", "replace")


def _add(lines: Encoder, spooled: SpooledRow) -> None:
    match spooled.row:
        case Sample() as row:
            lines.add(
                row.TABLE,
                {
                    "reactor": row.reactor,
                    "sensor": row.sensor,
                    "quantity": row.quantity,
                    "unit": row.unit,
                    "quality": row.quality,
                    "spool": spooled.spool,
                },
                {"value": row.value, "seq": spooled.seq},
                spooled.wall_us,
            )
        case Event() as row:
            lines.add(
                row.TABLE,
                {"reactor": row.reactor, "source": row.source, "kind": row.kind, "spool": spooled.spool},
                {"text": row.text, "seq": spooled.seq},
                spooled.wall_us,
            )
        case SettingRow() as row:
            lines.add(
                row.TABLE,
                {
                    "reactor": row.reactor,
                    "device": row.device,
                    "setting": row.setting,
                    "state": row.state,
                    "spool": spooled.spool,
                },
                {
                    "value": row.value,
                    "number": row.number,
                    "revision": row.revision,
                    "author": row.author,
                    "seq": spooled.seq,
                },
                spooled.wall_us,
            )
