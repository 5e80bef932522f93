"""`status` and `tail` over a pretended database."""

import io
import json

import pytest

from storage import fleet
from storage.fleet import Arrival, Newest
from storage.questdb import Unreachable
from storage.reader import Reader
from ui.terminal import printing

READER = Reader("h", 8812, "viewer", "")
NEWEST = [
    Newest("two", "ph", "ph", None, "pH", "fault", 2.0, live=True),
    Newest("two", "water", "temperature", 24.5, "°C", "ok", 2.0, live=True),
    Newest("two", "self", "waiting", 7.0, "rows", "ok", 2.0, live=True),
]


class Enough(Exception):  # noqa: N818 - ends a tail
    pass


@pytest.fixture
def _fleet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet, "newest", lambda _: NEWEST)
    monkeypatch.setattr(fleet, "reactors", lambda _: ["a-long-name", "two"])


@pytest.mark.usefixtures("_fleet")
def test_status_is_a_line_a_reactor() -> None:
    to = io.StringIO()
    printing.status(READER, to, "text", 5.0)
    assert to.getvalue().splitlines() == [
        "a-long-name  lost  never  0 waiting  -",
        "two          ok    2 s    7 waiting  ph fault  ph fault, water.temperature 24.5 °C",
    ]


@pytest.mark.usefixtures("_fleet")
def test_status_is_an_object_a_line_for_programs() -> None:
    to = io.StringIO()
    printing.status(READER, to, "json", 5.0)
    nothing, two = map(json.loads, to.getvalue().splitlines())
    assert (nothing["state"], nothing["heard"], nothing["readings"]) == ("lost", None, [])
    assert (two["waiting"], two["troubles"], two["readings"][0]["value"]) == (7, ["ph fault"], None)


def test_no_reactors_are_no_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet, "newest", lambda _: [])
    monkeypatch.setattr(fleet, "reactors", lambda _: [])
    to = io.StringIO()
    printing.status(READER, to, "text", 5.0)
    assert to.getvalue() == ""


def arrival(second: int, what: str = "ph.ph") -> Arrival:
    return Arrival(f"2026-03-01T10:00:0{second}.000000Z", "sample", "one", what, "", 7.25, "pH", "ok")


def test_tail_prints_each_row_once_and_outlives_the_database(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = Arrival("2026-03-01T10:00:05.000000Z", "event", "one", "ph fault", "no answer", None, "", "")
    answers: list[list[Arrival] | Exception] = [
        [arrival(1)],
        [arrival(1), arrival(2)],
        Unreachable("away"),
        Unreachable("away"),
        [arrival(2), said],
        Enough(),
    ]

    def answer(*_: object) -> list[Arrival]:
        found = answers.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    monkeypatch.setattr(fleet, "arrivals", answer)
    to = io.StringIO()
    with pytest.raises(Enough):
        printing.tail(READER, to, "text", 1.0, sleep=lambda _: None)
    assert to.getvalue().splitlines() == [
        "2026-03-01T10:00:02Z  one  ph.ph  7.25 pH ok",
        "2026-03-01T10:00:05Z  one  ph fault  no answer",
    ]
    assert capsys.readouterr().err == "reactorium: away; trying again\n"
