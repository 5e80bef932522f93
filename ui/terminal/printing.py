"""`status` and `tail`: the same that the page shows, for pipes. As text for people, or as JSON, an object a line."""

import sys
import time
from collections.abc import Callable, Sequence
from typing import Literal, TextIO

import msgspec

from storage import fleet
from storage.fleet import Arrival
from storage.questdb import DatabaseError
from storage.reader import Reader
from ui.terminal.cells import Standing, standings, valued
from ui.terminal.draw import age, number

Form = Literal["text", "json"]
LOOK_BACK = 60.0  # seconds: rows that were late to come by no more than this are still seen


def status(reader: Reader, to: TextIO, form: Form, interval: float) -> None:
    """Write how every reactor is; `interval` is the status's in s. Raises `DatabaseError`."""
    found = standings(fleet.newest(reader), fleet.reactors(reader), interval)
    if form == "json":
        to.writelines(_as_json(_as_data(one)) + "\n" for one in found)
    else:
        to.writelines(line + "\n" for line in columns([_as_words(one) for one in found]))


def tail(reader: Reader, to: TextIO, form: Form, every: float, sleep: Callable[[float], None] = time.sleep) -> None:
    """Write what is kept as it comes, asked for `every` so many seconds: samples, events, settings.

    A database that goes away is told on stderr, and waited for. Raises `DatabaseError` when it never answered.
    """
    arrived = Arrived(fleet.arrivals(reader, round(LOOK_BACK + every)))
    trouble = False
    while True:
        sleep(every)
        try:
            rows = arrived.new(fleet.arrivals(reader, round(LOOK_BACK + every)))
        except DatabaseError as error:
            if not trouble:
                sys.stderr.write(f"reactorium: {error}; trying again\n")
            trouble = True
            continue
        trouble = False
        spell = _as_json if form == "json" else _line
        to.writelines(spell(row) + "\n" for row in rows)
        to.flush()


class Arrived:
    """Tells which rows were not there before."""

    def __init__(self, rows: Sequence[Arrival]) -> None:
        self._known = set(rows)

    def new(self, rows: Sequence[Arrival]) -> list[Arrival]:
        """Take the rows of the last while, and return those that came since."""
        fresh = [row for row in rows if row not in self._known]
        self._known = set(rows)
        return fresh


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Put words below each other, as wide as the widest."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _as_words(one: Standing) -> tuple[str, ...]:
    heard = "never" if one.heard is None else age(one.heard)
    readings = ", ".join(valued(each) for each in one.readings)
    return (one.reactor, one.life, heard, f"{one.waiting} waiting", "; ".join(one.troubles) or "-", readings)


def _as_data(one: Standing) -> dict[str, object]:
    return {
        "reactor": one.reactor,
        "state": one.life,
        "heard": one.heard,
        "waiting": one.waiting,
        "oldest": one.oldest,
        "refused": one.refused,
        "dropped": one.dropped,
        "troubles": one.troubles,
        "readings": [
            {"sensor": each.sensor, "quantity": each.quantity, "value": each.value, "unit": each.unit}
            | {"quality": each.quality, "age": each.age}
            for each in one.readings
        ],
    }


def _as_json(row: object) -> str:
    return msgspec.json.encode(row).decode()


def _line(row: Arrival) -> str:
    said = f"{number(row.value)} {row.unit} {row.quality}" if row.rows_of == "sample" else row.text
    return f"{row.ts[:19]}Z  {row.reactor}  {row.what}  {said}".rstrip()
