"""Where one can be on the page, and what is asked for there."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

from storage import fleet, history
from storage.fleet import Missing, Newest, SettingNow, TableSize
from storage.history import EventRow, Page, Span
from storage.reader import Reader

Name = Literal["fleet", "events", "database", "readings", "devices", "happenings"]
OF_A_REACTOR: tuple[Name, ...] = ("readings", "devices", "happenings")
SPANS = {"15 min": 900, "1 h": 3600, "6 h": 21_600, "1 d": 86_400, "7 d": 604_800, "30 d": 2_592_000}
MOST_EVENTS = 300
MOST_GAPS = 50
EVENTS_OF = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Place:
    """Where one is: what is shown, of which reactor, over which time (s), in how many steps."""

    name: Name = "fleet"
    reactor: str = ""
    seconds: int = SPANS["1 h"]
    columns: int = 120


@dataclass(frozen=True, slots=True)
class Found:
    """What the database answered for a place, and when; what was not asked for is empty."""

    place: Place
    at: str
    newest: Sequence[Newest] = ()
    reactors: Sequence[str] = ()
    courses: dict[tuple[str, str], list[float | None]] = field(default_factory=dict)
    settings: Sequence[SettingNow] = ()
    events: Sequence[EventRow] = ()
    tables: Sequence[TableSize] = ()
    gaps: Sequence[Missing] = ()


def find(reader: Reader, place: Place) -> Found:
    """Ask what a place shows. Raises `DatabaseError`."""
    now = datetime.now(UTC)
    at = now.strftime("%H:%M:%S")
    match place.name:
        case "fleet":
            return Found(place, at, newest=fleet.newest(reader), reactors=fleet.reactors(reader))
        case "readings":
            courses = fleet.trends(reader, place.reactor, place.seconds, place.columns)
            return Found(place, at, newest=fleet.newest(reader, place.reactor), courses=courses)
        case "devices":
            return Found(place, at, settings=fleet.settings_now(reader, place.reactor))
        case "events" | "happenings":
            span = Span((now - EVENTS_OF).isoformat(), (now + timedelta(days=1)).isoformat())
            return Found(place, at, events=history.events(reader, span, Page(MOST_EVENTS), reactor=place.reactor))
        case "database":
            return Found(place, at, tables=fleet.table_sizes(reader), gaps=fleet.gaps(reader, MOST_GAPS))
