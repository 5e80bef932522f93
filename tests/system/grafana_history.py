"""A known history of a small fleet, the last 40 minutes of it live: all was well until 20 minutes before its end.

tank    all is well
well    silent for the last 20 minutes
pond    for the last 10 minutes: its probe faulty, its database out of reach for rows, its clock 5 s behind, 3 rows
        refused; three of its samples are missing, another has the number of the one before it
host-1  a manager
"""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from storage.lines import Lines
from storage.questdb import QuestDB
from storage.schema import TABLES

LIVE = timedelta(seconds=10)  # between two live readings
KEPT = timedelta(minutes=1)  # between two samples
SILENT, TROUBLED = timedelta(minutes=20), timedelta(minutes=10)
Row = tuple[Any, ...]

UNITS = {"ph": "pH", "waiting": "rows", "refused": "rows", "dropped": "rows", "oldest": "s", "clock_offset": "s"}
GOOD = {
    ("ph1", "ph"): 7.0,
    ("self", "waiting"): 0.0,
    ("self", "oldest"): 0.0,
    ("self", "refused"): 0.0,
    ("self", "dropped"): 0.0,
    ("self", "clock_offset"): 0.1,
    ("self", "load"): 2.0,
    ("self", "memory"): 45.0,
    ("self", "attached"): 1.0,
}
TROUBLE = {
    ("ph1", "ph"): None,
    ("self", "waiting"): 1500.0,
    ("self", "oldest"): 1200.0,
    ("self", "refused"): 3.0,
    ("self", "clock_offset"): -5.0,
}
MANAGER = {"attached": 2, "stale": 1, "reports": 24, "refused": 1, "dropped": 7, "load": 4, "memory": 60}

MANAGERS_UNITS = {"attached": "reactors", "stale": "reactors", "dropped": "rows", "load": "%", "memory": "MiB"}


def write(client: QuestDB, end: datetime) -> None:
    """Write all of it, the last row just before `end`."""

    def ago(minutes: int) -> datetime:
        return end - timedelta(minutes=minutes)

    for table, columns, rows in (
        ("readings", "reactor, sensor, quantity, value, unit, quality, ts", [*_readings(end), *_manager(end)]),
        ("samples", "reactor, sensor, quantity, value, unit, quality, spool, seq, ts", list(_samples(end))),
        (
            "events",
            "reactor, source, kind, text, spool, seq, ts",
            [
                ("pond", "reactor", "started", "0.1.0", "pond-1", 1, ago(35)),
                ("pond", "ph1", "fault", "no answer", "pond-1", 1, ago(10)),
                ("pond", "ph1", "fault", "still no answer", "pond-1", 3, ago(9)),  # the second is missing
            ],
        ),
        (
            "settings",
            "reactor, device, setting, value, number, revision, state, author, spool, seq, ts",
            [
                ("tank", "fan", "duty", "40", 40.0, 1, "applied", "ada", "tank-1", 1, end - timedelta(days=2)),
                ("tank", "fan", "duty", "60", 60.0, 2, "applied", "ada", "tank-1", 2, ago(30)),
                ("tank", "fan", "duty", "160", 160.0, 3, "rejected", "bob", "tank-1", 1, ago(25)),
                ("pond", "fan", "duty", "10", 10.0, 1, "applied", "ada", "pond-1", 1, ago(25)),
            ],
        ),
        (
            "desired",
            "reactor, device, document, revision, author, ts",
            [("tank", "fan", '{"duty": 80}', 4, "eve", ago(5))],
        ),
        ("inventory", "reactor, kind, name, label, driver, address, descriptor, ts", list(_inventory(end))),
    ):
        _insert(client, table, columns, rows)
    _refresh(client)


def _insert(client: QuestDB, table: str, columns: str, rows: list[Row]) -> None:
    kinds = next(dict(one.columns) for one in TABLES if one.name == table)
    lines = Lines()
    for *cells, ts in rows:
        told = dict(zip(columns.split(", "), cells, strict=False))
        symbols = {name: value for name, value in told.items() if kinds[name] == "SYMBOL"}
        lines.add(table, symbols, {name: told[name] for name in told.keys() - symbols}, _microseconds(ts))
    status, answer = client.write(bytes(lines))
    assert status == 204, answer
    client.query(f"SELECT wait_wal_table('{table}')")


def _refresh(client: QuestDB) -> None:
    """Refresh the materialized views, which their timers would do within a minute and within ten."""
    for name in ("hourly", "tallies"):
        client.execute(f"REFRESH MATERIALIZED VIEW {name} FULL")
    behind = (
        "SELECT count() FROM materialized_views()"
        " WHERE view_status <> 'valid' OR coalesce(refresh_base_table_txn, -1) <> base_table_txn"
    )
    end = time.monotonic() + 60
    while client.query(behind) != [(0,)]:
        assert time.monotonic() < end, "the views are not refreshed"
        time.sleep(0.02)
    for name in ("hourly", "tallies"):
        client.query(f"SELECT wait_wal_table('{name}')")


def _microseconds(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def _moments(end: datetime, every: timedelta, since: timedelta) -> Iterator[tuple[datetime, timedelta]]:
    """Moments, the last of them `every` before `end`; each with how long before it is."""
    for number in range(int(since / every), 0, -1):
        yield end - number * every, number * every


def _numbers(reactor: str, before: timedelta) -> dict[tuple[str, str], float | None]:
    return {**GOOD, **TROUBLE} if reactor == "pond" and before <= TROUBLED else {**GOOD}


def _quality(value: float | None) -> str:
    return "fault" if value is None else "ok"


def _readings(end: datetime) -> Iterator[Row]:
    for ts, before in _moments(end, LIVE, timedelta(minutes=40)):
        for reactor in ("tank", "pond", "well"):
            if reactor == "well" and before <= SILENT:
                continue
            for (sensor, quantity), value in _numbers(reactor, before).items():
                yield reactor, sensor, quantity, value, UNITS.get(quantity, "1"), _quality(value), ts


def _manager(end: datetime) -> Iterator[Row]:
    for ts, _ in _moments(end, LIVE, timedelta(minutes=40)):
        for quantity, value in MANAGER.items():
            yield "host-1", "self", quantity, float(value), MANAGERS_UNITS.get(quantity, "1"), "ok", ts


def _samples(end: datetime) -> Iterator[Row]:
    """180 of each series, numbered from 1; of pond the numbers 173 to 175 are missing, and 178 is there twice."""
    for number, (ts, before) in enumerate(_moments(end, KEPT, timedelta(hours=3)), start=1):
        for reactor in ("tank", "pond", "well"):
            if (reactor == "well" and before <= SILENT) or (reactor == "pond" and number in {173, 174, 175}):
                continue
            seq = 178 if reactor == "pond" and number == 179 else number
            for (sensor, quantity), value in _numbers(reactor, before).items():
                yield (
                    reactor,
                    sensor,
                    quantity,
                    value,
                    UNITS.get(quantity, "1"),
                    _quality(value),
                    f"{reactor}-1",
                    seq,
                    ts,
                )


def _inventory(end: datetime) -> Iterator[Row]:
    told = f'{{"live_interval": 10.0, "sample_interval": {KEPT.total_seconds()}}}'
    for reactor in ("tank", "pond", "well"):
        for name, driver in (("ph1", "ezo-ph"), ("self", "self")):
            yield reactor, "sensor", name, name, driver, "none", told, end - timedelta(days=3)
        yield reactor, "device", "fan", "Fan", "pwm", "none", "{}", end - timedelta(days=3)
