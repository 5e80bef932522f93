"""The table `desired`: what people want of each device and sensor. A manager's; a row is one whole document.

A row's time is its revision, which is a wall time in microseconds: so the newest row is the one with the highest
revision, and the same document written twice is one row.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from loguru import logger

from storage.client_lines import ClientLines
from storage.ilp import LoginFailed, RowRefused, SchemaMismatch, Stored, TryLater, post
from storage.lines import Encoder
from storage.questdb import LoginRefused, QuestDB, SqlError, Unreachable, literal, literals
from transport.messages import Document

COLUMNS = "reactor, device, revision, author, document"


@dataclass(frozen=True, slots=True)
class Desired:
    """What is desired of one target of a reactor."""

    reactor: str
    document: Document


class DesiredTable:
    """The documents in one database. Of one thread.

    Every call blocks for at most a few times the client's timeout and raises `DatabaseError`.
    """

    def __init__(self, database: QuestDB) -> None:
        self._database = database
        self._lines = ClientLines()

    def keep(self, rows: Sequence[Desired]) -> None:
        """Write documents and read them back: when it returns they are there for everybody."""
        if not rows:
            return
        match post(self._database, self._lines, rows, _add):
            case Stored():
                self._see(rows)
            case LoginFailed():
                raise LoginRefused(f"{self._database.address} refused the login")
            case TryLater(reason):
                raise Unreachable(reason)
            case RowRefused(_, reason) | SchemaMismatch(reason):
                raise SqlError(reason)

    def latest(self, reactors: Sequence[str]) -> list[Desired]:
        """Read the newest document of every target of these reactors."""
        if not reactors:
            return []
        return self._read(f"WHERE reactor IN ({literals(reactors)}) LATEST ON ts PARTITION BY reactor, device")

    def since(self, revision: int) -> list[Desired]:
        """Read every document with a higher revision, whoever wrote it, the oldest first."""
        return self._read(f"WHERE ts > cast({revision} AS TIMESTAMP) ORDER BY ts")

    def is_wired(self, reactor: str, target: str) -> bool:
        """Tell whether the inventory has ever shown such a device or sensor."""
        where = f"WHERE reactor = {literal(reactor)} AND name = {literal(target)}"
        return bool(self._database.query(f"SELECT name FROM inventory {where} LIMIT 1"))  # noqa: S608 - by literal()

    def close(self) -> None:
        """Close the connection."""
        self._database.close()

    def _see(self, rows: Sequence[Desired]) -> None:
        """Check that readers see the rows: the server acknowledges before it applies, and a table may be suspended."""
        self._database.query("SELECT wait_wal_table('desired')")
        reactors = literals(sorted({row.reactor for row in rows}))
        times = ", ".join(f"cast({row.document.revision} AS TIMESTAMP)" for row in rows)
        seen = self._read(f"WHERE ts IN ({times}) AND reactor IN ({reactors})")
        missing = [row for row in rows if row not in seen]
        if missing:
            raise SqlError(f"{len(missing)} documents were written and cannot be read")

    def _read(self, where: str) -> list[Desired]:
        found = self._database.query(f"SELECT {COLUMNS} FROM desired {where}")  # noqa: S608 - spelled by literal()
        return [row for cells in found if (row := _row(*cells)) is not None]


def _add(lines: Encoder, row: Desired) -> None:
    document = row.document
    values = msgspec.json.encode(document.values).decode()
    lines.add(
        "desired",
        {"reactor": row.reactor, "device": document.target},
        {"document": values, "revision": document.revision, "author": document.author},
        document.revision,
    )


def _row(reactor: str, device: str, revision: Any, author: Any, document: Any) -> Desired | None:  # noqa: ANN401 - JSON
    """Check a row at the door: anybody with the password may have written it."""
    try:
        values = msgspec.json.decode(document or "")
        found = {"target": device, "revision": revision, "author": author, "values": values}
        return Desired(reactor, msgspec.convert(found, Document))
    except msgspec.MsgspecError as error:
        logger.warning("a row of desired is passed over: {} {} {}: {}", reactor, device, revision, error)
        return None
