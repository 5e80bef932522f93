"""The queries, against tables with known holes."""

from collections.abc import Iterator, Sequence

import pytest

from storage import queries
from storage.ilp import Ingest, Stored
from storage.queries import Gap
from storage.questdb import QuestDB
from storage.rows import Event, Row, Sample
from storage.schema import ensure_schema
from storage.spool import SpooledRow
from tests.conftest import Server
from tests.storage.conftest import NOON, setting

pytestmark = pytest.mark.system


class Tables:
    """Fills the real tables through the real ingest."""

    def __init__(self, questdb: Server) -> None:
        self.database = questdb.client()
        self.ingest = Ingest(questdb.client())

    def put(self, rows: Sequence[SpooledRow]) -> None:
        assert self.ingest.send(rows) == Stored()
        self.database.query("SELECT wait_wal_table('samples'), wait_wal_table('events'), wait_wal_table('settings')")

    def samples(self, seqs: Sequence[int], *, reactor: str = "r1", spool: str = "a", interval: float = 10.0) -> None:
        """One sample a number, each at its number times the interval."""
        self.put(
            [
                spooled(seq, Sample(reactor, "ph1", "ph", float(seq), "pH", "ok", 0), spool, seq * interval)
                for seq in seqs
            ]
        )

    def event(self, seq: int, second: float, *, source: str = "reactor", kind: str = "started") -> None:
        self.put([spooled(seq, Event("r1", source, kind, "", 0), "a", second)])


def spooled(seq: int, row: Row, spool: str, second: float) -> SpooledRow:
    return SpooledRow(seq, spool, seq, NOON + round(second * 1_000_000), row)


@pytest.fixture
def tables(questdb: Server) -> Iterator[Tables]:
    tables = Tables(questdb)
    ensure_schema(tables.database)
    for table in ("samples", "events", "settings"):
        tables.database.execute(f"TRUNCATE TABLE {table}")
        tables.database.query(f"SELECT wait_wal_table('{table}')")
    yield tables
    tables.ingest.close()
    tables.database.close()


@pytest.fixture
def database(tables: Tables) -> QuestDB:
    return tables.database


def test_no_gap_where_every_number_is_there(tables: Tables, database: QuestDB) -> None:
    tables.samples([3, 1, 2])
    tables.samples([1, 2], reactor="r2", spool="b")
    assert queries.sample_gaps(database) == []


def test_every_missing_number_is_named(tables: Tables, database: QuestDB) -> None:
    tables.samples([2, 3, 6, 7])
    tables.samples([1, 3], reactor="r2", spool="b")
    first, middle = Gap("r1", "a", "ph1/ph", 0, 1), Gap("r1", "a", "ph1/ph", 3, 5)
    assert queries.sample_gaps(database, "r1") == [first, middle]
    assert queries.sample_gaps(database) == [first, middle, Gap("r2", "b", "ph1/ph", 1, 2)]


def test_a_new_spool_counts_afresh(tables: Tables, database: QuestDB) -> None:
    tables.samples([1, 2])
    tables.put([spooled(1, Sample("r1", "ph1", "ph", 1.0, "pH", "ok", 0), "b", 30.0)])
    assert queries.sample_gaps(database) == []


def test_events_are_numbered_too(tables: Tables, database: QuestDB) -> None:
    tables.event(1, 0.0)
    tables.event(3, 60.0)
    assert queries.event_gaps(database, "r1") == [Gap("r1", "a", "reactor/started", 1, 2)]


def test_settings_are_numbered_too(tables: Tables, database: QuestDB) -> None:
    tables.put([spooled(1, setting(0), "a", 0.0), spooled(3, setting(0), "a", 60.0)])
    assert queries.setting_gaps(database, "r1") == [Gap("r1", "a", "heater/duty/applied", 1, 2)]


def test_a_missed_tick_is_found(tables: Tables, database: QuestDB) -> None:
    tables.samples([1, 2, 4, 5])
    (missed,) = queries.missed_ticks(database, "r1", "ph1", 10.0)
    assert (missed.quantity, missed.seconds) == ("ph", 20.0)
    assert (missed.after, missed.until) == ("2026-09-21T14:13:40.000000Z", "2026-09-21T14:14:00.000000Z")
    assert queries.missed_ticks(database, "r1", "ph1", 20.0) == []
    assert queries.missed_ticks(database, "r2", "ph1", 10.0) == []


@pytest.mark.parametrize(
    ("second", "source", "kind", "explains"),
    [
        (25.0, "reactor", "started", True),
        (49.9, "ph1", "fault", True),
        (25.0, "ph2", "fault", False),
        (25.0, "reactor", "attached", False),
        (19.0, "reactor", "started", False),
        (51.0, "reactor", "started", False),
    ],
)
def test_an_event_beside_it_explains_a_missed_tick(
    tables: Tables, database: QuestDB, second: float, source: str, kind: str, *, explains: bool
) -> None:
    tables.samples([1, 2, 4, 5])
    tables.event(1, second, source=source, kind=kind)
    assert (queries.missed_ticks(database, "r1", "ph1", 10.0) == []) is explains


def test_counts_and_the_first(tables: Tables, database: QuestDB) -> None:
    assert queries.count_samples(database) == {}
    assert queries.first_sample(database) is None
    tables.samples([1, 2])
    tables.samples([5], reactor="r2")
    assert queries.count_samples(database) == {"r1": 2, "r2": 1}
    assert queries.first_sample(database) == "2026-09-21T14:13:30.000000Z"


def test_the_latest_passes_over_what_a_wrong_clock_dated(tables: Tables, database: QuestDB) -> None:
    tables.samples([1, 2])
    tables.put([spooled(9, Sample("r1", "ph1", "ph", 99.0, "pH", "ok", 0), "a", 40 * 365 * 86_400.0)])
    tables.put([spooled(1, Sample("r1", "rtd1", "temperature", None, "°C", "fault", 0), "a", 5.0)])
    assert [row[:5] for row in queries.latest_samples(database, "r1")] == [
        ("ph1", "ph", 2.0, "pH", "ok"),
        ("rtd1", "temperature", None, "°C", "fault"),
    ]


def test_a_name_from_outside_stays_a_name(tables: Tables, database: QuestDB) -> None:
    tables.samples([1])
    assert queries.latest_samples(database, "r1' OR '1' = '1") == []
    assert queries.sample_gaps(database, "x'; DROP TABLE samples") == []
    assert queries.count_samples(database) == {"r1": 1}


def test_a_suspended_table_is_seen_and_resumed(own_questdb: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    own_questdb.stop()
    monkeypatch.setenv("QDB_DEV_MODE_ENABLED", "true")  # which allows SUSPEND WAL
    own_questdb.start()
    tables = Tables(own_questdb)
    ensure_schema(tables.database)
    health = {table.name: table for table in queries.table_health(tables.database)}
    assert not health["samples"].suspended
    tables.database.execute("ALTER TABLE samples SUSPEND WAL WITH 28, 'disk full'")
    row = spooled(1, Sample("r1", "ph1", "ph", 1.0, "pH", "ok", 0), "a", 0.0)
    assert tables.ingest.send([row]) == Stored()  # acknowledged all the same
    health = {table.name: table for table in queries.table_health(tables.database)}
    assert health["samples"].suspended
    assert health["samples"].lag == 1
    assert "disk full" in health["samples"].error
    queries.resume(tables.database, "samples")
    tables.database.query("SELECT wait_wal_table('samples')")
    assert queries.count_samples(tables.database) == {"r1": 1}
    tables.ingest.close()
    tables.database.close()
