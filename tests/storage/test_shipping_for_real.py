"""Spool, core, ingest and the real QuestDB together: killed, wiped, changed under way."""

import random
import time
from collections.abc import Iterator

import pytest

from storage import queries
from storage.ilp import Ingest
from storage.questdb import QuestDB
from storage.schema import ensure_schema
from storage.shipping import Fetch, Send, Settle, ShippingCore, Wait
from storage.spool import Spool
from tests.conftest import Server
from tests.storage.conftest import MakeSpool, anchor, event, sample

pytestmark = pytest.mark.system
PATIENCE = 60.0


class Shipper:
    """The loop of storage/shipping.py's docstring, on a server that may be away; waits are not waited for."""

    def __init__(self, server: Server, spool: Spool) -> None:
        self.spool = spool
        self.ingest = Ingest(server.client(timeout=5.0))
        self.core = ShippingCore(random.Random(1))
        self.now = 0.0

    def redirect(self, server: Server) -> None:
        """What the shipper does when it hears of another incarnation."""
        self.ingest.close()
        self.ingest = Ingest(server.client(timeout=5.0))
        self.core.redirect()
        self.spool.resend()

    def step(self) -> bool:
        """Do one thing; false when everything is shipped."""
        match self.core.next(self.now):
            case Fetch(limit, without):
                self.core.fetched(self.spool.batch(min(limit, 50), without=without), self.now)
            case Send(rows):
                self.core.sent(self.ingest.send(rows), self.now)
            case Settle(confirmed, refused):
                self.spool.confirm(confirmed)
                for number, reason in refused:
                    self.spool.refuse(number, reason)
                self.core.settled()
            case Wait(until):
                self.now = until
        return self.spool.backlog().waiting > 0

    def run(self) -> None:
        end = time.monotonic() + PATIENCE
        while self.step():
            assert time.monotonic() < end, self.core.troubles


@pytest.fixture
def database(own_questdb: Server) -> Iterator[QuestDB]:
    client = own_questdb.client()
    ensure_schema(client)
    yield client
    client.close()


@pytest.fixture
def shipper(own_questdb: Server, make_spool: MakeSpool) -> Iterator[Shipper]:
    spool = make_spool()
    spool.date(anchor())
    shipper = Shipper(own_questdb, spool)
    yield shipper
    shipper.ingest.close()


def wait(database: QuestDB) -> None:
    database.query("SELECT wait_wal_table('samples'), wait_wal_table('events')")


def test_a_server_killed_again_and_again_gets_every_row_once(
    own_questdb: Server, database: QuestDB, shipper: Shipper
) -> None:
    for kill in range(3):
        shipper.spool.append([sample(1000 * kill + number) for number in range(400)])
        shipper.spool.append([event(1000 * kill)])
        for _ in range(9):
            shipper.step()
        own_questdb.kill()
        for _ in range(20):
            shipper.step()
        own_questdb.start()
    shipper.run()
    wait(database)
    assert queries.count_samples(database) == {"r1": 1200}
    assert queries.sample_gaps(database) == queries.event_gaps(database) == []
    assert shipper.spool.backlog().refused == 0


def test_a_dropped_table_gets_everything_again(own_questdb: Server, database: QuestDB, shipper: Shipper) -> None:
    shipper.spool.append([sample(number) for number in range(300)])
    shipper.run()
    before = ensure_schema(database)
    database.execute("DROP TABLE samples")
    shipper.spool.append([sample(1000)])
    shipper.run()  # acknowledged, though the table of this connection is gone
    shipper.spool.append([sample(2000)])
    for _ in range(5):
        shipper.step()  # now it says so: nothing is made by itself, and no row is to blame
    assert any("does not exist" in trouble for trouble in shipper.core.troubles)
    assert ensure_schema(database).incarnation == before.incarnation + 1
    shipper.redirect(own_questdb)
    shipper.run()
    wait(database)
    assert queries.count_samples(database) == {"r1": 302}
    assert queries.sample_gaps(database) == []
    assert shipper.spool.backlog().refused == 0


def test_a_table_dropped_and_made_between_two_samples_gets_everything_again(
    own_questdb: Server, database: QuestDB, shipper: Shipper
) -> None:
    shipper.spool.append([sample(number) for number in range(300)])
    shipper.run()
    database.execute("DROP TABLE samples")
    ensure_schema(database)
    shipper.redirect(own_questdb)  # an old connection would be acknowledged the first batch into the old table
    shipper.run()
    wait(database)
    assert queries.count_samples(database) == {"r1": 300}


def test_a_changed_table_costs_no_row(database: QuestDB, shipper: Shipper) -> None:
    database.execute("DROP TABLE samples")
    database.execute(
        "CREATE TABLE samples (reactor SYMBOL, sensor SYMBOL, quantity SYMBOL, value BOOLEAN, unit SYMBOL,"
        " quality SYMBOL, spool SYMBOL, seq LONG, ts TIMESTAMP) TIMESTAMP(ts) PARTITION BY DAY WAL"
    )
    shipper.spool.append([sample(number) for number in range(100)])
    for _ in range(200):
        shipper.step()
    assert shipper.core.troubles
    assert shipper.spool.backlog().refused == 0
    database.execute("DROP TABLE samples")
    ensure_schema(database)
    shipper.run()
    wait(database)
    assert queries.count_samples(database) == {"r1": 100}
