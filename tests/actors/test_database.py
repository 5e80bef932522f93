"""The server's database actors: what waits, what is dropped, and when a new database is noticed."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import pykka
import pytest
from loguru import logger

from actors import database
from actors.database import DatabaseWatch, DatabaseWriter, Outbox
from actors.keeper import Ready
from actors.ticker import Ticker
from storage.queries import TableHealth
from storage.questdb import LoginRefused, QuestDB, Unreachable
from storage.readings import InventoryEntry, LiveReading, Writer, Written
from storage.schema import TABLES, DatabaseIdentity, Keeping, SchemaDrift
from storage.views import Invalid
from tests.actors.conftest import FakeClock

FIRST = DatabaseIdentity("a" * 32, 1, 1, 0)
SECOND = DatabaseIdentity("b" * 32, 1, 1, 0)
ALL_TABLES = frozenset(table.name for table in TABLES)


def reading(value: float) -> LiveReading:
    return LiveReading("r1", "water", "ph", value, "pH", "ok", 1)


def entry(reactor: str, name: str = "water", label: str = "") -> InventoryEntry:
    return InventoryEntry(reactor, "sensor", name, label, "ezo-ph", "/dev/i2c-1:99", "{}", 1)


def test_the_outbox_keeps_the_newest_and_counts_the_others() -> None:
    outbox = Outbox(limit=3)
    outbox.put([reading(1), reading(2)])
    outbox.put([reading(3), reading(4)])
    readings, _ = outbox.take()
    assert [row.value for row in readings] == [2, 3, 4]
    assert outbox.dropped == 1
    assert outbox.take() == ([], [])


def test_the_outbox_keeps_the_newest_inventory_of_a_reactor() -> None:
    outbox = Outbox()
    outbox.put([], [entry("r1", "water"), entry("r1", "air"), entry("r2")])
    outbox.put([], [entry("r1", "water", "new")])
    _, inventory = outbox.take()
    assert inventory == [entry("r1", "water", "new"), entry("r2")]


def test_inventory_that_is_put_back_yields_to_what_came_since() -> None:
    outbox = Outbox()
    outbox.put([], [entry("r1", "old"), entry("r2", "a"), entry("r2", "b")])
    _, inventory = outbox.take()
    outbox.put([], [entry("r1", "new")])
    outbox.put_back(inventory)
    assert outbox.take()[1] == [entry("r1", "new"), entry("r2", "a"), entry("r2", "b")]


class FakeWriter(Writer):
    """A database that is there, or not."""

    def __init__(self) -> None:
        self.addresses: list[str] = []
        self.written: list[LiveReading | InventoryEntry] = []
        self.away = False
        self.closed = 0

    def connect(self, address: str) -> Writer:
        self.addresses.append(address)
        return self

    def write(self, rows: Sequence[LiveReading] | Sequence[InventoryEntry]) -> Written:
        if self.away:
            return Written(0, len(rows), "away")
        self.written += rows
        return Written(len(rows), 0, "")

    def close(self) -> None:
        self.closed += 1


class Pulse:
    """Moves the clock, rings what is due and waits until the actor has handled it."""

    def __init__(self, ref: pykka.ActorRef[Any], clock: FakeClock, ticker: Ticker) -> None:
        self.ref, self.clock, self.ticker = ref, clock, ticker
        self.settle()

    def settle(self) -> None:
        self.ref.proxy().actor_urn.get(timeout=5)

    def __call__(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.ticker.ring()
        self.settle()


@pytest.fixture
def writer() -> FakeWriter:
    return FakeWriter()


@pytest.fixture
def outbox() -> Outbox:
    return Outbox()


@pytest.fixture
def pulse(writer: FakeWriter, outbox: Outbox, clock: FakeClock, ticker: Ticker) -> Iterator[Pulse]:
    reports: list[object] = []
    ref = DatabaseWriter.start(reports.append, outbox=outbox, connect=writer.connect, clock=clock, ticker=ticker)
    yield Pulse(ref, clock, ticker)
    assert reports == [Ready()]
    ref.stop()


def test_nothing_is_written_before_the_database_is_known(pulse: Pulse, writer: FakeWriter, outbox: Outbox) -> None:
    outbox.put([reading(1)])
    pulse(1)
    assert writer.addresses == []
    outbox.address = "http://h:1"
    pulse(1)
    assert writer.written == [reading(1)]


def test_what_waits_is_written_in_one_batch_of_each_kind(pulse: Pulse, writer: FakeWriter, outbox: Outbox) -> None:
    outbox.address = "http://h:1"
    outbox.put([reading(1)], [entry("r1")])
    outbox.put([reading(2)])
    pulse(1)
    assert writer.written == [reading(1), reading(2), entry("r1")]
    pulse(1)
    assert len(writer.written) == 3


def test_while_the_database_is_away_readings_are_dropped_and_inventory_waits(
    pulse: Pulse, writer: FakeWriter, outbox: Outbox
) -> None:
    outbox.address = "http://h:1"
    writer.away = True
    outbox.put([reading(1), reading(2)], [entry("r1")])
    pulse(1)
    writer.away = False
    outbox.put([reading(3)])
    pulse(1)
    assert writer.written == []  # it rests first
    pulse(5)
    assert writer.written == [reading(3), entry("r1")]
    assert outbox.dropped == 2


def test_another_address_is_another_connection(pulse: Pulse, writer: FakeWriter, outbox: Outbox) -> None:
    for address in ("http://h:1", "http://h:1", "http://h:2"):
        outbox.address = address
        outbox.put([reading(1)])
        pulse(1)
    assert writer.addresses == ["http://h:1", "http://h:2"]
    assert writer.closed == 1


class FakeServer(QuestDB):
    """What the schema's functions find."""

    def __init__(self) -> None:
        self.identity: DatabaseIdentity | None = None
        self.tables = frozenset[str]()
        self.made = FIRST
        self.migrations = 0
        self.away = False
        self.locked = False
        self.drift = ""
        self.suspended: set[str] = set()
        self.resumed: list[str] = []
        self.invalid: dict[str, Invalid] = {}

    def read_identity(self, _: QuestDB) -> DatabaseIdentity | None:
        if self.away:
            raise Unreachable("away")
        if self.locked:
            raise LoginRefused("the login is refused")
        return self.identity

    def missing(self, _: QuestDB) -> frozenset[str]:
        return ALL_TABLES - self.tables

    def table_health(self, _: QuestDB) -> list[TableHealth]:
        return [
            TableHealth(name, name in self.suspended, 0, " full") for name in ("samples", "hourly", "gaps", "theirs")
        ]

    def resume(self, _: QuestDB, table: str) -> None:
        self.resumed.append(table)

    def invalid_views(self, _: QuestDB) -> dict[str, Invalid]:
        return dict(self.invalid)

    def fill_again(self, _: QuestDB, views: Mapping[str, Invalid]) -> None:
        for name in views:
            del self.invalid[name]

    def ensure_schema(self, _: QuestDB, keeping: Keeping) -> DatabaseIdentity:
        assert keeping == Keeping()
        self.migrations += 1
        self.identity = self.identity or self.made
        self.tables = ALL_TABLES
        if self.drift:
            raise SchemaDrift(self.drift, self.identity)
        return self.identity

    def close(self) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> FakeServer:
    server = FakeServer()
    for name in ("read_identity", "missing", "ensure_schema", "table_health", "resume", "invalid_views", "fill_again"):
        monkeypatch.setattr(database, name, partial(getattr(FakeServer, name), server))
    return server


@pytest.fixture
def watch(server: FakeServer, clock: FakeClock, ticker: Ticker) -> Iterator[Callable[[float], list[DatabaseIdentity]]]:
    found: list[DatabaseIdentity] = []
    ref = DatabaseWatch.start(lambda _: None, database=server, found=found.append, clock=clock, ticker=ticker)
    pulse = Pulse(ref, clock, ticker)

    def look(seconds: float) -> list[DatabaseIdentity]:
        pulse(seconds)
        told, found[:] = found[:], []
        return told

    yield look
    ref.stop()


@pytest.fixture
def said() -> Iterator[list[str]]:
    """What the log says."""
    said: list[str] = []
    sink = logger.add(lambda message: said.append(message.record["message"]))
    yield said
    logger.remove(sink)


Watch = Callable[[float], list[DatabaseIdentity]]


def test_the_schema_is_made_once_and_told_at_every_look(watch: Watch, server: FakeServer, said: list[str]) -> None:
    """Who is told may have started again since."""
    assert watch(0) == [FIRST]
    assert [watch(5) for _ in range(3)] == [[FIRST], [FIRST], [FIRST]]
    assert server.migrations == 1
    assert len(said) == 1


def test_an_old_schema_is_migrated_at_the_start(watch: Watch, server: FakeServer) -> None:
    server.identity, server.tables = FIRST, ALL_TABLES
    watch(0)
    assert server.migrations == 1


def test_a_wiped_database_is_made_again_and_told(watch: Watch, server: FakeServer) -> None:
    watch(0)
    server.identity, server.tables, server.made = None, frozenset(), SECOND
    assert watch(5) == [SECOND]
    assert server.tables == ALL_TABLES


def test_a_table_that_was_dropped_is_made_again(watch: Watch, server: FakeServer) -> None:
    watch(0)
    server.tables -= {"samples"}
    watch(5)
    assert server.tables == ALL_TABLES


def test_a_table_that_differs_is_said_once_and_the_database_is_told_all_the_same(
    watch: Watch, server: FakeServer, said: list[str]
) -> None:
    server.drift = "samples.value is INT"
    assert watch(0) == [FIRST]
    assert [watch(5) for _ in range(3)] == [[FIRST], [FIRST], [FIRST]]
    server.drift = ""
    watch(5)
    watch(5)
    assert [text for text in said if "a" * 8 not in text] == [
        "the database: samples.value is INT",
        "the database is back",
    ]


def test_a_suspended_table_is_said_at_once_and_goes_on_by_itself(
    watch: Watch, server: FakeServer, said: list[str]
) -> None:
    watch(0)
    server.suspended = {"samples", "gaps", "theirs"}
    watch(5)
    assert said[1:] == ["the table samples is suspended, it takes rows and shows none: full"]
    watch(59)
    assert server.resumed == []
    watch(5)
    watch(5)
    assert server.resumed == ["samples"]
    watch(60)
    assert server.resumed == ["samples", "samples"]
    server.suspended = {"hourly"}
    watch(5)
    assert said[2:] == [
        "the table hourly is suspended, it takes rows and shows none: full",
        "the table samples is not suspended any more",
    ]


def test_an_invalid_view_is_said_and_filled_again_once_no_table_is_suspended(
    watch: Watch, server: FakeServer, said: list[str]
) -> None:
    watch(0)
    server.suspended = {"samples"}
    server.invalid = {"tallies": Invalid("[28] No space left", alone=False)}
    watch(5)
    assert said[2:] == ["the view tallies is brought up to date no more: [28] No space left"]
    watch(60)
    assert (server.resumed, list(server.invalid)) == (["samples"], ["tallies"])
    server.suspended = set()
    watch(60)
    watch(5)
    assert server.invalid == {}
    assert said[-1] == "the view tallies is brought up to date again"
    server.invalid = {"hourly": Invalid("why", alone=True)}
    watch(5)
    assert "has rows that the samples do not have any more: left to people" in said[-1]


def test_a_database_that_is_away_changes_nothing_until_it_is_back(watch: Watch, server: FakeServer) -> None:
    server.away = True
    assert watch(0) == []
    server.away = False
    assert watch(5) == [FIRST]
    server.away = True
    assert watch(5) == []
    server.away = False
    assert watch(5) == [FIRST]


def test_another_trouble_than_the_one_before_is_said(watch: Watch, server: FakeServer, said: list[str]) -> None:
    watch(0)
    server.away = True  # while it starts again, with another password
    watch(5)
    server.away, server.locked = False, True
    watch(5)
    watch(5)
    server.locked = False
    watch(5)
    assert said[1:] == ["the database: away", "the database: the login is refused", "the database is back"]
