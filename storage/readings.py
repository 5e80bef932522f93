"""The rows that a manager writes itself: live readings, and what is wired. Dropped while the database is away."""

from collections.abc import Sequence
from dataclasses import dataclass

from msgspec import Struct

from storage.client_lines import ClientLines
from storage.ilp import LoginFailed, RowRefused, SchemaMismatch, Stored, TryLater, post
from storage.lines import Encoder
from storage.questdb import QuestDB

ISOLATIONS = 16  # rows that a request may lose so that one reactor's odd reading does not cost the others'


class LiveReading(Struct, frozen=True, gc=False):
    """A row of `readings`. `wall_us` is the same each time that the same reading is written.

    There are thousands a second, and none is part of a cycle: the garbage collector leaves them alone.
    """

    reactor: str
    sensor: str
    quantity: str
    value: float | None
    unit: str
    quality: str
    wall_us: int


@dataclass(frozen=True, slots=True)
class InventoryEntry:
    """A row of `inventory`: one thing that is wired to a reactor. `descriptor` is JSON."""

    reactor: str
    kind: str
    name: str
    label: str
    driver: str
    address: str
    descriptor: str
    wall_us: int


@dataclass(frozen=True, slots=True)
class Written:
    """What became of a request: rows stored, rows lost, and why (empty when none was)."""

    stored: int
    lost: int
    reason: str


class Writer:
    """Writes to one database. Of one thread; a call blocks for at most about the client's timeout, if all is well."""

    def __init__(self, database: QuestDB) -> None:
        self._database = database
        self._lines = ClientLines()

    def write(self, rows: Sequence[LiveReading] | Sequence[InventoryEntry]) -> Written:
        """Write rows of one kind in one request; rows that are refused are left out, up to a bound. Never raises."""
        left: list[LiveReading | InventoryEntry] = list(rows)
        reason = ""
        for _ in range(ISOLATIONS + 1):
            if not left:
                break
            match post(self._database, self._lines, left, _add):
                case Stored():
                    return Written(len(left), len(rows) - len(left), reason)
                case RowRefused(index, reason):
                    del left[index]
                case TryLater(reason) | SchemaMismatch(reason):
                    break
                case LoginFailed():
                    reason = "the database refuses the login"
                    break
        return Written(0, len(rows), reason)

    def close(self) -> None:
        """Close the connection."""
        self._database.close()


def _add(lines: Encoder, row: LiveReading | InventoryEntry) -> None:
    match row:
        case LiveReading():
            symbols = {"reactor": row.reactor, "sensor": row.sensor, "quantity": row.quantity}
            lines.add(
                "readings", {**symbols, "unit": row.unit, "quality": row.quality}, {"value": row.value}, row.wall_us
            )
        case InventoryEntry():
            lines.add(
                "inventory",
                {"reactor": row.reactor, "kind": row.kind, "name": row.name, "driver": row.driver},
                {"label": row.label, "address": row.address, "descriptor": row.descriptor},
                row.wall_us,
            )
