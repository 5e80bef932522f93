"""The server's database actors against the real QuestDB."""

import threading
from collections.abc import Callable, Iterator
from queue import Queue
from typing import Any

import pytest

from actors.database import DatabaseWatch, DatabaseWriter, Outbox
from actors.ticker import Ticker
from hardware.clock import SystemClock
from storage.questdb import QuestDB
from storage.readings import InventoryEntry, LiveReading, Writer
from storage.schema import TABLES, DatabaseIdentity, table_names
from tests.conftest import Server

pytestmark = pytest.mark.system

CLOCK = SystemClock()
WAIT = 30.0
START_US = 1_790_000_000_000_000


@pytest.fixture
def ticker() -> Iterator[Ticker]:
    ticker = Ticker(CLOCK)
    ticker.start()
    yield ticker
    ticker.stop()


@pytest.fixture
def found(own_questdb: Server, ticker: Ticker) -> Iterator[Callable[[], DatabaseIdentity]]:
    identities: Queue[DatabaseIdentity] = Queue()
    ref = DatabaseWatch.start(
        lambda _: None, database=own_questdb.client(), found=identities.put, clock=CLOCK, ticker=ticker
    )
    yield lambda: identities.get(timeout=WAIT)
    ref.stop()


def stored(database: QuestDB, table: str, key: str) -> list[tuple[Any, ...]]:
    database.query(f"SELECT wait_wal_table('{table}')")
    return database.query(f"SELECT {key} FROM {table}")


def test_a_wiped_database_is_made_again_and_written_to(
    own_questdb: Server, ticker: Ticker, found: Callable[[], DatabaseIdentity]
) -> None:
    database = own_questdb.client()
    first = found()
    database.execute("DROP ALL TABLES")
    while found() == first:
        pass
    assert table_names(database) >= {table.name for table in TABLES}

    outbox = Outbox()
    outbox.address = own_questdb.address
    connected = threading.Event()

    def connect(address: str) -> Writer:
        connected.set()
        return Writer(QuestDB(address, own_questdb.owner.user, own_questdb.owner.password))

    readings = [LiveReading("r1", "water", "ph", 7.0 + n, "pH", "ok", CLOCK.wall_us() + n) for n in range(3)]
    entry = InventoryEntry("r1", "sensor", "water", "Water", "ezo-ph", "/dev/i2c-1:99", "{}", START_US)
    outbox.put([*readings, *readings], [entry])
    ref = DatabaseWriter.start(lambda _: None, outbox=outbox, connect=connect, clock=CLOCK, ticker=ticker)
    assert connected.wait(WAIT)
    ref.stop()  # after the write that it is at
    assert sorted(stored(database, "readings", "value")) == [(7.0,), (8.0,), (9.0,)]
    assert stored(database, "inventory", "reactor, name, driver") == [("r1", "water", "ezo-ph")]
    assert outbox.dropped == 0
    database.close()
