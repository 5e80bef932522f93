"""What people ask of the past, of the real server."""

import pytest
from loguru import logger

from actors.twins import Twins
from storage import history
from storage.desired import Desired, DesiredTable
from storage.history import Page, Series, Span
from storage.questdb import QuestDB
from storage.reader import Reader
from storage.readings import Writer
from storage.schema import TABLES
from tests.storage.conftest import insert
from tests.ui.pretend import describe
from transport.keys import Peer
from transport.messages import Document, Header
from transport.wire import Received

pytestmark = pytest.mark.system

ALL = Span("2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z")
PH = Series("r1", "ph", "ph")
FIRST_TEN = Page(10)
NOON_US = 1_790_000_000_000_000


def fill(database: QuestDB) -> None:
    """Six samples, 10 s apart, the fourth without a value."""
    values = ["7.0", "7.2", "7.4", "null", "7.6", "7.8"]
    rows = [
        f"'r1', 'ph', 'ph', {value}, 'pH', '{'fault' if value == 'null' else 'ok'}', '2026-03-01T10:00:{n}0Z'"
        for n, value in enumerate(values)
    ]
    insert(database, "samples", "reactor, sensor, quantity, value, unit, quality, ts", *rows)


def test_samples_come_oldest_first_within_their_span(database: QuestDB, reader: Reader) -> None:
    fill(database)
    span = Span("2026-03-01T10:00:10Z", "2026-03-01T10:00:40Z")
    with history.samples(reader, "samples", PH, span, 100) as answer:
        assert list(answer.columns) == ["ts", "value", "quality"]
        rows = [tuple(row) for row in answer.rows]
    assert rows == [
        ("2026-03-01T10:00:10.000000Z", 7.2, "ok"),
        ("2026-03-01T10:00:20.000000Z", 7.4, "ok"),
        ("2026-03-01T10:00:30.000000Z", None, "fault"),
    ]
    with history.samples(reader, "samples", PH, ALL, 2) as answer:
        assert len(list(answer.rows)) == 2


def test_intervals_are_put_together_and_empty_ones_left_out(database: QuestDB, reader: Reader) -> None:
    fill(database)
    insert(
        database,
        "samples",
        "reactor, sensor, quantity, value, unit, quality, ts",
        "'r1', 'ph', 'ph', 9.0, 'pH', 'ok', '2026-03-01T10:05:00Z'",
    )
    with history.aggregated(reader, "samples", PH, ALL, 30, ["avg", "min", "max", "count"]) as answer:
        assert list(answer.columns) == ["ts", "avg", "min", "max", "count"]
        rows = [tuple(row) for row in answer.rows]
    assert rows == [
        ("2026-03-01T10:00:00.000000Z", pytest.approx(7.2), 7.0, 7.4, 3),
        ("2026-03-01T10:00:30.000000Z", pytest.approx(7.7), 7.6, 7.8, 2),
        ("2026-03-01T10:05:00.000000Z", 9.0, 9.0, 9.0, 1),
    ]


@pytest.mark.parametrize("name", ["'; DROP TABLE samples; --", "r1' OR '1'='1", "%"])
def test_a_name_is_a_name(database: QuestDB, reader: Reader, name: str) -> None:
    fill(database)
    with history.samples(reader, "samples", Series(name, name, name), ALL, 10) as answer:
        assert list(answer.rows) == []
    assert database.query("SELECT count() FROM samples") == [(6,)]


def test_events_are_found_by_what_they_are(database: QuestDB, reader: Reader) -> None:
    insert(
        database,
        "events",
        "reactor, source, kind, text, ts",
        "'r1', 'reactor', 'started', 'version 1', '2026-03-01T10:00:00Z'",
        "'r1', 'ph', 'fault', 'no answer', '2026-03-01T10:01:00Z'",
        "'r2', 'reactor', 'started', '', '2026-03-01T10:02:00Z'",
    )
    assert [event.reactor for event in history.events(reader, ALL, FIRST_TEN)] == ["r2", "r1", "r1"]
    assert [event.text for event in history.events(reader, ALL, FIRST_TEN, reactor="r1", kind="fault")] == ["no answer"]
    assert [event.source for event in history.events(reader, ALL, Page(1), reactor="r1")] == ["ph"]
    assert [event.source for event in history.events(reader, ALL, Page(5, offset=1), reactor="r1")] == ["reactor"]
    for text, sources in {"NO ANS": ["ph"], "reactor": ["reactor", "reactor"], "%": [], "o' OR '1": []}.items():
        assert [event.source for event in history.events(reader, ALL, FIRST_TEN, text=text)] == sources


def test_settings_tell_who_asked(database: QuestDB, reader: Reader) -> None:
    insert(
        database,
        "settings",
        "reactor, device, setting, value, number, revision, state, author, ts",
        "'r1', 'heater', 'duty', '40', 40, 5, 'applied', 'ann', '2026-03-01T10:00:00Z'",
        "'r1', 'heater', 'duty', '140', 140, 6, 'rejected', 'bob', '2026-03-01T11:00:00Z'",
        "'r1', 'heater', 'duty', '50', 50, 7, 'applied', 'bob', '2026-03-01T12:00:00Z'",
        "'r1', 'heater', 'mode', 'slow', null, 7, 'applied', 'bob', '2026-03-01T12:00:00Z'",
    )
    newest, *_ = history.setting_changes(reader, "r1", ALL, FIRST_TEN, device="heater", setting="duty")
    assert (newest.value, newest.number, newest.author, newest.state) == ("50", 50.0, "bob", "applied")
    assert len(history.setting_changes(reader, "r1", ALL, FIRST_TEN)) == 4
    assert history.setting_changes(reader, "r2", ALL, FIRST_TEN) == []
    levels = history.setting_levels(reader, "r1", "heater", "duty", Span("2026-03-01T11:30:00Z", ALL.until))
    assert levels == [("2026-03-01T10:00:00.000000Z", 40.0), ("2026-03-01T12:00:00.000000Z", 50.0)]


def test_documents_come_back_as_they_were_asked_for(database: QuestDB, reader: Reader) -> None:
    table = DesiredTable(database)
    documents = [
        Document(target="heater", revision=NOON_US + n, author="ann", values={"duty": float(n), "on": True})
        for n in range(3)
    ]
    table.keep([Desired("r1", document) for document in documents])
    insert(
        database,
        "desired",
        "reactor, device, document, revision, author, ts",
        "'r1', 'light', '{nonsense', 1, 'eve', '2026-03-01T10:00:00Z'",
    )
    asked = history.asked_documents(reader, "r1", "heater", 10)
    assert [one.values["duty"] for one in asked] == [2.0, 1.0, 0.0]
    assert history.desired_documents(reader) == {"r1": [documents[-1]]}
    assert history.asked_documents(reader, "r1", "light", 10) == []


def test_what_was_wired_is_described_as_the_reactor_did(database: QuestDB, reader: Reader) -> None:
    attach = describe("r1")
    twins = Twins(capacity=1, interval=5.0)
    header = Header(type=attach.TYPE, id=1)
    twins.hear(Received(Peer("r1", "reactor", ""), b"", header, attach, 0), NOON_US)
    assert Writer(database).write(twins.wired(NOON_US)).lost == 0
    database.query("SELECT wait_wal_table('inventory')")
    told = history.described(reader)["r1"]
    assert sorted(told.sensors, key=lambda one: one.name) == sorted(attach.sensors, key=lambda one: one.name)
    assert sorted(told.devices, key=lambda one: one.name) == sorted(attach.devices, key=lambda one: one.name)
    assert {one.name for one in history.inventory(reader)} >= {"ph", "heater", "acid"}


def test_a_descriptor_that_is_none_is_passed_over(database: QuestDB, reader: Reader) -> None:
    insert(
        database,
        "inventory",
        "reactor, kind, name, label, driver, address, descriptor, ts",
        "'r1', 'sensor', 'ph', 'pH', 'ezo-ph', 'x', '[1]', '2026-03-01T10:00:00Z'",
        "'r1', 'device', 'heater', 'Heater', 'pwm', 'x', '{\"settings\": [{}]}', '2026-03-01T10:00:00Z'",
    )
    said: list[str] = []
    sink = logger.add(lambda message: said.append(str(message)), level="WARNING")
    told = history.described(reader)["r1"]
    logger.remove(sink)
    assert told.sensors == []
    assert told.devices == []
    assert len(said) == 2


def test_every_table_has_its_health(database: QuestDB, reader: Reader) -> None:
    fill(database)
    states = {state.name: state for state in history.table_states(reader)}
    assert states.keys() >= {table.name for table in TABLES}
    assert not states["samples"].suspended
    assert states["samples"].error == ""
