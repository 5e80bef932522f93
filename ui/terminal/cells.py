"""Rows of the database to the cells of a table. Plain functions: the same rows are the same cells.

What a colour says, a word says too.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec

from storage.fleet import Newest, SettingNow
from transport.liveness import STATUS_INTERVAL, Life, life_of
from ui.terminal.draw import Course, age, number, spark
from ui.terminal.places import Found, Name

Tone = Literal["plain", "good", "warn", "bad", "head", "title", "chosen"]
SELF = "self"  # the reactor process's own numbers
OLD_BACKLOG = 300.0  # seconds that a row may wait before it is trouble
SPARKS = 24  # columns of a course in a table
_TONES: dict[str, Tone] = {
    "ok": "good",
    "stale": "warn",
    "lost": "bad",
    "fault": "bad",
    "applied": "good",
    "rejected": "bad",
}


@dataclass(frozen=True, slots=True)
class Cell:
    """A text, and how it is to be looked at."""

    text: str
    tone: Tone = "plain"


@dataclass(frozen=True, slots=True)
class Table:
    """Columns, and rows by a key that stays the same while what they show changes."""

    columns: tuple[str, ...]
    rows: Mapping[str, tuple[Cell, ...]]

    def having(self, text: str) -> "Table":
        """Keep the rows that have a text in any cell."""
        wanted = text.casefold()
        kept = {key: cells for key, cells in self.rows.items() if any(wanted in cell.text.casefold() for cell in cells)}
        return Table(self.columns, kept)


@dataclass(frozen=True, slots=True)
class Standing:
    """How a reactor is, as its newest readings tell. `heard` is seconds ago, none when nothing is known of it."""

    reactor: str
    life: Life
    heard: float | None
    waiting: int
    oldest: float
    refused: int
    dropped: int
    readings: tuple[Newest, ...]

    @property
    def troubles(self) -> list[str]:
        """What is to be looked at, in words."""
        found = [f"{name_of(one)} {one.quality}" for one in self.readings if one.quality != "ok"]
        if self.waiting and self.oldest > OLD_BACKLOG:
            found.append(f"rows wait for {age(self.oldest)}")
        found += [
            f"{count} rows {what}" for count, what in ((self.refused, "refused"), (self.dropped, "dropped")) if count
        ]
        return found


def standings(newest: Iterable[Newest], reactors: Iterable[str], interval: float = STATUS_INTERVAL) -> list[Standing]:
    """Judge every reactor by its newest readings, in the order of their names; `interval` is the status's, in s.

    `reactors` were wired once. Of the other names, those that only report themselves are hosts of managers.
    """
    newest = list(newest)
    reactors = {*reactors, *(one.reactor for one in newest if one.sensor != SELF)}
    by_reactor: dict[str, list[Newest]] = {name: [] for name in reactors}
    for one in newest:
        if one.reactor in by_reactor:
            by_reactor[one.reactor].append(one)
    return [_standing(name, found, interval) for name, found in sorted(by_reactor.items())]


def _standing(reactor: str, found: Sequence[Newest], interval: float) -> Standing:
    own = {one.quantity: one.value or 0.0 for one in found if one.sensor == SELF}
    heard = min((one.age for one in found if one.live), default=None)
    return Standing(
        reactor,
        "lost" if heard is None else life_of(heard, interval),
        heard,
        waiting=int(own.get("waiting", 0)),
        oldest=own.get("oldest", 0.0),
        refused=int(own.get("refused", 0)),
        dropped=int(own.get("dropped", 0)),
        readings=tuple(one for one in found if one.sensor != SELF),
    )


def name_of(one: Newest) -> str:
    """Name a quantity: of a sensor that measures what it is called after, once."""
    return one.sensor if one.sensor == one.quantity else f"{one.sensor}.{one.quantity}"


def valued(one: Newest) -> str:
    """Spell a reading with its unit; of one without a value, what is wrong with it."""
    return (
        f"{name_of(one)} {number(one.value)} {one.unit}".rstrip()
        if one.value is not None
        else (f"{name_of(one)} {one.quality}")
    )


def table(found: Found, interval: float = STATUS_INTERVAL) -> Table:
    """Make the table of a place."""
    return _TABLES[found.place.name](found, interval)


def summary(found: Found, interval: float = STATUS_INTERVAL) -> str:
    """Say in a few words how it is there."""
    match found.place.name:
        case "fleet":
            count = Counter(one.life for one in standings(found.newest, found.reactors, interval))
            return (
                ", ".join(f"{count[life]} {life}" for life in ("ok", "stale", "lost") if count[life]) or "no reactors"
            )
        case "database":
            suspended = sum(one.suspended for one in found.tables)
            missing = sum(one.missing for one in found.gaps)
            return f"{suspended} tables suspended, {missing} rows missing"
        case _:
            return ""


def _fleet(found: Found, interval: float) -> Table:
    rows = {}
    for one in standings(found.newest, found.reactors, interval):
        troubles = one.troubles
        well = ", ".join(valued(each) for each in one.readings if each.quality == "ok")
        rows[one.reactor] = (
            Cell(one.reactor),
            Cell(one.life, _TONES[one.life]),
            Cell("never" if one.heard is None else _ago(one.heard, interval)),
            Cell(f"{one.waiting}", "bad" if one.dropped or one.refused else "plain"),
            Cell(f"! {', '.join(troubles)}; {well}" if troubles else well, "bad" if troubles else "plain"),
        )
    return Table(("reactor", "state", "heard", "waiting", "readings"), rows)


def _readings(found: Found, interval: float) -> Table:
    rows = {}
    for one in sorted(found.newest, key=lambda each: each.sensor == SELF):  # its own numbers last
        course = found.courses.get((one.sensor, one.quantity), [])
        rows[f"{one.sensor}.{one.quantity}"] = (
            Cell(name_of(one)),
            Cell(number(one.value)),
            Cell(one.unit),
            Cell(one.quality, _TONES.get(one.quality, "warn")),
            Cell(_ago(one.age, interval)),
            Cell(spark(shortened(course, SPARKS))),
        )
    return Table(("reading", "value", "unit", "quality", "age", "course"), rows)


def _devices(found: Found, interval: float) -> Table:  # noqa: ARG001 - as the others
    rows = {}
    for one in found.settings:
        asked = _asked(one)
        rows[f"{one.device}.{one.setting}"] = (
            Cell(one.device),
            Cell(one.setting),
            Cell(one.value),
            Cell(asked, "plain" if asked in {"", one.value} else "warn"),
            Cell(one.asked_state, _TONES.get(one.asked_state, "warn")),
            Cell(one.author),
            Cell(age(one.age)),
        )
    return Table(("device", "setting", "applied", "desired", "state", "author", "since"), rows)


def _asked(one: SettingNow) -> str:
    """Find what somebody asked of a setting; anybody with the password may have written the document."""
    try:
        value = msgspec.json.decode(one.asked or "{}", type=dict[str, float | bool | str]).get(one.setting, "")
    except msgspec.MsgspecError:
        return "?"
    match value:
        case bool():
            return str(value).lower()
        case float():
            return f"{value:.10g}"
        case _:
            return value


def _events(found: Found, interval: float) -> Table:  # noqa: ARG001 - as the others
    rows = {}
    for one in found.events:
        tone: Tone = "bad" if one.kind in {"fault", "lost"} else "plain"
        moment = f"{one.ts[5:10]} {one.ts[11:19]}"
        rows[f"{one.ts} {one.reactor} {one.source} {one.kind}"] = tuple(
            Cell(text or "", tone) for text in (moment, one.reactor, one.source, one.kind, one.text)
        )
    return Table(("UTC", "reactor", "source", "kind", "what"), rows)


def _database(found: Found, interval: float) -> Table:  # noqa: ARG001 - as the others
    rows = {}
    for one in found.tables:
        state = Cell("suspended", "bad") if one.suspended else Cell("ok", "good")
        rows[one.name] = (
            Cell(one.name),
            state,
            Cell(f"{one.rows:,}"),
            Cell(f"{one.lag}"),
            Cell(one.newest[:19]),
            Cell(one.oldest[:10]),
            Cell(one.keep.lower()),
        )
    for gap in found.gaps:
        what = f"{gap.missing} of {gap.reactor} {gap.series} missing"
        rows[f"{gap.reactor} {gap.rows_of} {gap.series} {gap.until}"] = (
            *(Cell(gap.rows_of), Cell("gap", "bad"), Cell(what, "bad"), Cell("")),
            *(Cell(f"{gap.after} to {gap.until}"), Cell(""), Cell("")),
        )
    return Table(("table", "state", "rows", "behind", "newest", "oldest", "kept"), rows)


def shortened(course: Course, columns: int) -> list[float | None]:
    """Put neighbours together until there are at most so many; none only where all of them are."""
    size = -(-len(course) // columns) or 1
    short: list[float | None] = []
    for begin in range(0, len(course), size):
        known = [value for value in course[begin : begin + size] if value is not None]
        short.append(sum(known) / len(known) if known else None)
    return short


def _ago(seconds: float, interval: float) -> str:
    """Say `now` as long as it comes as it should: a text that stays is not sent again."""
    return "now" if life_of(seconds, interval) == "ok" else age(seconds)


_TABLES: dict[Name, Callable[[Found, float], Table]] = {
    "fleet": _fleet,
    "readings": _readings,
    "devices": _devices,
    "events": _events,
    "happenings": _events,
    "database": _database,
}
