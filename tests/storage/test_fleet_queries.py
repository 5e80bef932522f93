"""What the terminal asks, of the real server."""

import pytest

from storage import fleet
from storage.fleet import Arrival
from storage.questdb import QuestDB
from storage.reader import Reader
from tests.storage.conftest import insert

pytestmark = pytest.mark.system


READING = "reactor, sensor, quantity, value, unit, quality, ts"


def test_a_course_is_cut_by_the_clock(database: QuestDB, reader: Reader) -> None:
    rows = [
        f"'r1', 'ph', 'ph', {value}, 'pH', 'ok', dateadd('s', {-ago}, now())"
        for ago, value in ((300, "1.0"), (60, "2.0"), (30, "null"), (4000, "9.0"))
    ]
    insert(database, "readings", READING, *rows, "'r2', 'ph', 'ph', 5, 'pH', 'ok', now()")
    courses = fleet.trends(reader, "r1", 600, 10)
    (course,) = courses.values()
    assert len(course) == 10
    assert [value for value in course if value is not None] == [1.0, 2.0]
    assert course.index(2.0) - course.index(1.0) == 4


def test_the_age_is_by_the_databases_clock(database: QuestDB, reader: Reader) -> None:
    insert(database, "readings", READING, "'r1', 'ph', 'ph', 7.0, 'pH', 'ok', dateadd('s', -100, now())")
    (one,) = fleet.newest(reader, "r1")
    assert 100 <= one.age < 160
    assert (one.value, one.live) == (7.0, True)
    assert fleet.newest(reader, "nobody'; --") == []


def test_settings_and_what_came(database: QuestDB, reader: Reader) -> None:
    insert(
        database,
        "settings",
        "reactor, device, setting, value, number, revision, state, author, seq, ts",
        "'r1', 'heater', 'duty', '40', 40, 5, 'applied', 'ann', 1, dateadd('s', -20, now())",
    )
    insert(database, "events", "reactor, source, kind, text, seq, ts", "'r1', 'ph', 'fault', 'no answer', 1, now()")
    insert(database, "samples", READING, "'r1', 'ph', 'ph', null, 'pH', 'fault', dateadd('s', -10, now())")
    (setting,) = fleet.settings_now(reader, "r1")
    assert (setting.value, setting.asked_state, setting.asked) == ("40", "applied", "")
    setting_row, sample, event = fleet.arrivals(reader, 600)
    assert sample == Arrival(sample.ts, "sample", "r1", "ph.ph", "", None, "pH", "fault")
    assert (setting_row.what, setting_row.text) == ("heater.duty = 40", "applied for ann")
    assert (event.what, event.text, event.value) == ("ph fault", "no answer", None)
    assert fleet.arrivals(reader, 0) == []


def test_tables_and_gaps(database: QuestDB, reader: Reader) -> None:
    insert(database, "events", "reactor, source, kind, spool, seq, ts", "'r1', 'ph', 'fault', 's', 3, now()")
    sizes = {one.name: one for one in fleet.table_sizes(reader)}
    assert (sizes["events"].rows, sizes["samples"].rows, sizes["samples"].oldest) == (1, 0, "")
    assert sizes["readings"].keep == "1 DAY"
    assert not {"current", "gaps"} & set(sizes)
    (gap,) = fleet.gaps(reader, 10)
    assert (gap.rows_of, gap.after, gap.until, gap.missing) == ("events", 0, 3, 2)
