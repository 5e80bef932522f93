"""What a manager writes: live readings and the inventory."""

from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from storage.questdb import QuestDB
from storage.readings import ISOLATIONS, InventoryEntry, LiveReading, Writer, Written
from storage.schema import ensure_schema
from tests.conftest import Server
from tests.storage.conftest import NOON

READING = LiveReading("r1", "ph1", "ph", 6.98, "pH", "ok", 0)
ENTRY = InventoryEntry("r1", "sensor", "ph1", "pH, left", "ezo-ph", "/dev/i2c-1:0x63", '{"unit": "pH"}', NOON)
ODD = replace(READING, reactor="\ud800")


class Scripted(QuestDB):
    """Answers as it is told, and keeps what was sent."""

    def __init__(self, *answers: tuple[int, bytes]) -> None:
        super().__init__("http://nowhere", "", "")
        self.answers = list(answers)
        self.sent: list[bytes] = []

    def write(self, lines: bytes) -> tuple[int, bytes]:
        self.sent.append(lines)
        return self.answers.pop(0)


def readings(count: int) -> list[LiveReading]:
    return [replace(READING, sensor=f"s{number}", wall_us=NOON + number) for number in range(count)]


def test_one_odd_reading_costs_only_itself() -> None:
    database = Scripted((204, b""))
    written = Writer(database).write([*readings(3), ODD, ODD])
    assert (written.stored, written.lost) == (3, 2)
    assert "cannot be encoded" in written.reason
    assert len(database.sent) == 1


def test_too_many_odd_ones_cost_the_request_and_no_more_time() -> None:
    database = Scripted()
    assert Writer(database).write([*[ODD] * (ISOLATIONS + 1), *readings(1)]).lost == ISOLATIONS + 2
    assert database.sent == []


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((503, b"busy"), "HTTP 503: busy"),
        ((401, b""), "the database refuses the login"),
        ((400, b'{"code":"invalid","message":"creating new tables is disabled","line":1}'), "is disabled"),
    ],
)
def test_what_the_database_does_not_take_is_lost_and_said(answer: tuple[int, bytes], words: str) -> None:
    written = Writer(Scripted(answer)).write(readings(2))
    assert (written.stored, written.lost) == (0, 2)
    assert words in written.reason


def test_nothing_to_write() -> None:
    assert Writer(Scripted()).write([]) == Written(0, 0, "")


@pytest.fixture
def database(questdb: Server) -> Iterator[QuestDB]:
    client = questdb.client()
    ensure_schema(client)
    for table in ("readings", "inventory"):
        client.execute(f"TRUNCATE TABLE {table}")
        client.query(f"SELECT wait_wal_table('{table}')")
    yield client
    client.close()


@pytest.mark.system
def test_rows_reach_the_real_tables_once(questdb: Server, database: QuestDB) -> None:
    ((now_us,),) = database.query("SELECT cast(now() AS LONG)")  # older than a day would be gone at once
    row = replace(READING, wall_us=int(now_us))
    writer = Writer(questdb.client())
    for _ in range(2):
        assert writer.write([row, replace(row, sensor="ph2", value=None, quality="fault")]) == Written(2, 0, "")
        assert writer.write([ENTRY]) == Written(1, 0, "")
    database.query("SELECT wait_wal_table('readings'), wait_wal_table('inventory')")
    found = database.query("SELECT reactor, sensor, quantity, value, unit, quality FROM readings ORDER BY sensor")
    assert found == [("r1", "ph1", "ph", 6.98, "pH", "ok"), ("r1", "ph2", "ph", None, "pH", "fault")]
    found = database.query("SELECT reactor, kind, name, label, driver, address, descriptor FROM inventory")
    assert found == [("r1", "sensor", "ph1", "pH, left", "ezo-ph", "/dev/i2c-1:0x63", '{"unit": "pH"}')]
    writer.close()
