"""What the terminal shows of rows: plain functions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.fleet import Missing, Newest, SettingNow, TableSize
from storage.history import EventRow
from ui.terminal import cells, draw
from ui.terminal.cells import Cell, Table, shortened, standings
from ui.terminal.picture import View, changed, table_lines
from ui.terminal.places import Found, Place


def reading(
    sensor: str = "ph", value: float | None = 7.0, *, reactor: str = "tank", quality: str = "ok", age: float = 1.0
) -> Newest:
    return Newest(reactor, sensor, sensor, value, "pH", quality, age, live=True)


def own(quantity: str, value: float, reactor: str = "tank") -> Newest:
    return Newest(reactor, "self", quantity, value, "rows", "ok", 1.0, live=True)


def shown(found: Found) -> list[list[str]]:
    return [[cell.text for cell in row] for row in cells.table(found).rows.values()]


@pytest.mark.parametrize(
    ("age", "life", "heard"), [(0.5, "ok", "now"), (11, "ok", "now"), (13, "stale", "13 s"), (400, "lost", "7 min")]
)
def test_a_reactor_is_as_its_newest_reading(age: float, life: str, heard: str) -> None:
    found = Found(Place(), "", newest=[reading(age=age), reading("water", age=age + 50)])
    assert shown(found)[0][:3] == ["tank", life, heard]
    assert cells.summary(found) == f"1 {life}"


def test_one_that_was_never_heard_is_lost() -> None:
    kept = Newest("tank", "ph", "ph", 7.0, "pH", "ok", 5.0, live=False)
    found = Found(Place(), "", newest=[kept], reactors=["other", "tank"])
    assert [row[:3] for row in shown(found)] == [["other", "lost", "never"], ["tank", "lost", "never"]]


def test_a_host_of_managers_is_no_reactor() -> None:
    assert [one.reactor for one in standings([reading(), own("load", 3, "host-1")], [])] == ["tank"]


def test_what_is_wrong_comes_first() -> None:
    newest = [
        reading(),
        reading("oxygen", None, quality="fault"),
        own("waiting", 40),
        own("oldest", 600),
        own("dropped", 3),
    ]
    (row,) = cells.table(Found(Place(), "", newest=newest)).rows.values()
    assert row[3] == Cell("40", "bad")
    assert row[4] == Cell("! oxygen fault, rows wait for 10 min, 3 rows dropped; ph 7 pH", "bad")


def test_a_reactors_own_numbers_come_last() -> None:
    found = Found(Place("readings", "tank"), "", newest=[own("load", 3), reading("water", 20.123456)])
    assert [row[:2] for row in shown(found)] == [["water", "20.123"], ["self.load", "3"]]


def test_devices_show_applied_beside_desired() -> None:
    settings = [
        SettingNow("heater", "duty", "40", "ann", 3 * 3600, "pending", '{"duty": 55.5, "on": true}'),
        SettingNow("heater", "on", "true", "ann", 90, "pending", '{"duty": 55.5, "on": true}'),
        SettingNow("light", "mode", "slow", "bob", 5, "applied", ""),
        SettingNow("pump", "rate", "1", "bob", 5, "applied", "{nonsense"),
    ]
    assert shown(Found(Place("devices", "tank"), "", settings=settings)) == [
        ["heater", "duty", "40", "55.5", "pending", "ann", "3 h"],
        ["heater", "on", "true", "true", "pending", "ann", "90 s"],
        ["light", "mode", "slow", "", "applied", "bob", "5 s"],
        ["pump", "rate", "1", "?", "applied", "bob", "5 s"],
    ]


def test_events_and_tables() -> None:
    event = EventRow("2026-03-01T10:00:00.000000Z", "tank", "ph", "fault", "no answer")
    assert shown(Found(Place("events"), "", events=[event])) == [["03-01 10:00:00", "tank", "ph", "fault", "no answer"]]
    table = TableSize("samples", 12_345, "2026-01-01T00:00:00Z", "2026-03-01T00:00:00Z", True, 7, "30 DAY")
    gap = Missing("tank", "samples", "ph/ph", 4, 9, 2)
    found = Found(Place("database"), "", tables=[table], gaps=[gap])
    assert shown(found) == [
        ["samples", "suspended", "12,345", "7", "2026-03-01T00:00:00", "2026-01-01", "30 day"],
        ["samples", "gap", "2 of tank ph/ph missing", "", "4 to 9", "", ""],
    ]
    assert cells.summary(found) == "1 tables suspended, 2 rows missing"


def test_a_course_is_drawn_from_lowest_to_highest() -> None:
    assert draw.spark([1, None, 8]) == "▁ █"
    assert draw.spark([5, 5]) == "▁▁"
    assert draw.spark([None] * 3) == "   "
    assert draw.plot([0, 1, None, 1], 1) == ["         1 ⡸⠈"]


@given(
    st.lists(st.one_of(st.none(), st.floats(-1e9, 1e9).map(lambda value: round(value, 6))), min_size=1, max_size=60),
    st.integers(1, 9),
)
def test_every_course_has_a_plot_of_its_size(course: list[float | None], height: int) -> None:
    lines = draw.plot(course, height)
    assert len(lines) == height
    assert len(draw.spark(course)) == len(course)
    if any(value is not None for value in course):
        assert {len(line) for line in lines} == {draw.LABEL + (len(course) + 1) // 2}


@given(st.lists(st.one_of(st.none(), st.floats(-10, 10)), max_size=60), st.integers(1, 30))
def test_a_shorter_course_keeps_what_there_is(course: list[float | None], columns: int) -> None:
    short = shortened(course, columns)
    assert len(short) <= columns
    assert (set(course) <= {None}) == (set(short) <= {None})


NAMES = Table(("name", "n"), {f"row{n}": (Cell(f"row{n}"), Cell(str(n))) for n in range(10)})


def test_the_cursor_stays_on_its_row_and_in_sight() -> None:
    view = View()
    assert [line[0].tone for line in table_lines(NAMES, view, 4)][:2] == ["head", "chosen"]
    view.move(NAMES, 6)
    texts = [line[0].text.strip() for line in table_lines(NAMES, view, 4)]
    assert texts == ["name", "row3", "row4", "row5", "row6"]
    later = Table(NAMES.columns, {"row-new": (Cell("new"), Cell("")), **NAMES.rows})
    table_lines(later, view, 4)
    assert view.key == "row6"
    view.move(later, 100)
    assert (view.key, len(table_lines(later, view, 40))) == ("row9", 41)
    table_lines(NAMES.having("row2"), view, 4)
    assert view.key == "row2"


def test_only_what_differs_is_drawn_again() -> None:
    old = [(Cell("abc"), Cell("123")), (Cell("same"),)]
    new = [(Cell("abc"), Cell("193", "bad")), (Cell("same"),), (Cell("µ°"),)]
    assert changed(old, new) == [(0, 3, 3), (2, 0, 2)]
    assert changed([(Cell("abc  "),)], [(Cell("abc"),)]) == []
    assert changed([(Cell("温度 7"),)], [(Cell("温度 8"),)]) == [(0, 5, 1)]
