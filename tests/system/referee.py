"""Puts the checker to a running system: reads the vessels' journals and the rows, until they agree."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hardware.buses.address import I2cAddress, UartAddress, parse
from hardware.vessel import config as vessel_files
from hardware.vessel.journal import entries
from storage import queries
from storage.questdb import DatabaseError, literal
from tests.system.checker import Blurred, Missed, Quantity, Tick, compare, deliveries, missed, silent_ticks
from tests.system.whole import CLOCK, Whole

SETTLED = 90.0  # seconds until rows and journals must agree
PACE = 0.5
LATE = "clock_offset"  # left out until it is known, so its numbers are behind those of its tick


@dataclass(frozen=True, slots=True)
class Wired:
    """A sensor of a running reactor; `circuit` is what it is wired to in the vessel's journal, none on no vessel."""

    reactor: str
    sensor: str
    journal: Path
    circuit: str | None
    quantities: tuple[Quantity, ...]
    interval: float  # seconds between two samples


@dataclass(frozen=True, slots=True)
class Hazards:
    """What was done to a system beside the kills that `Whole` knows of.

    `blurred_ns`: when the vessel's end of a reactor's circuit was disturbed. `restarts`: reactors were ended by others,
    too, so that each `started` counts as an end.
    """

    blurred_ns: Mapping[tuple[str, str], Sequence[tuple[int, int]]] = field(default_factory=dict)
    restarts: bool = False


NONE = Hazards()


@dataclass(frozen=True, slots=True)
class History:
    """What the database says of one reactor."""

    spools: frozenset[str]
    started_us: Sequence[int]
    ticks: Mapping[str, list[Tick]]  # by sensor
    missed: Mapping[str, list[Missed]]


def wiring(whole: Whole, vessels: Mapping[str, Path]) -> list[Wired]:
    """Find what is wired from what the system itself tells (table `inventory`); `vessels` are their files."""
    circuits = {
        (whole.state / "vessels" / name, one.address if one.wire == "i2c" else one.name): one.name
        for name, file in vessels.items()
        for one in vessel_files.load(file).circuits
    }
    rows = whole.database.query("SELECT reactor, name, address, descriptor FROM inventory WHERE kind = 'sensor'")
    found = []
    for reactor, sensor, address, told in {row[:2]: row for row in rows}.values():
        descriptor = json.loads(told)
        folder, circuit = _place(address)
        quantities = tuple(Quantity(one["name"], one["low"], one["high"]) for one in descriptor["quantities"])
        interval = descriptor["sample_interval"]
        found.append(
            Wired(reactor, sensor, folder / "journal.jsonl", circuits.get((folder, circuit)), quantities, interval)
        )
    return found


def _place(address: str) -> tuple[Path, str | int]:
    """Tell the folder of a vessel from the address of a sensor, and what on its wires it is."""
    match parse(address):
        case I2cAddress(path, number):
            return Path(path).parent, number
        case UartAddress(path):
            return Path(path).parent, Path(path).name.removeprefix("uart-")
    return Path(), ""


def history(whole: Whole, reactor: str, wired: Sequence[Wired]) -> History:
    """Ask for everything that a reactor kept, in the order in which it kept it."""
    rows = whole.database.query(
        "SELECT sensor, seq, quantity, cast(ts AS LONG), value, quality, spool FROM samples"
        f" WHERE reactor = {literal(reactor)} ORDER BY seq"
    )
    events = whole.database.query(
        f"SELECT source, kind, cast(ts AS LONG), text FROM events WHERE reactor = {literal(reactor)} ORDER BY ts"
    )
    sensors = {one.sensor: one for one in wired}
    kept: dict[tuple[str, int], dict[str, tuple[int, float | None, str]]] = {}
    for sensor, seq, quantity, taken_us, value, quality, _ in rows:
        if quantity == LATE:
            continue
        kept.setdefault((sensor, seq), {})[quantity] = (int(taken_us), value, quality)
    ticks: dict[str, list[Tick]] = {one.sensor: [] for one in wired}
    for (sensor, _), of in kept.items():
        ticks[sensor].append(_tick(sensors[sensor], of))
    return History(
        frozenset(row[-1] for row in rows),
        [int(us) for _, kind, us, _ in events if kind == "started"],
        ticks,
        {
            one.sensor: missed((int(us), text) for source, kind, us, text in events if source == one.sensor)
            for one in wired
        },
    )


def _tick(wired: Wired, of: Mapping[str, tuple[int, float | None, str]]) -> Tick:
    cells = [of.get(quantity.name, (0, None, "absent")) for quantity in wired.quantities]
    failed = all(quality == "fault" for _, _, quality in cells)
    return Tick(max(us for us, _, _ in cells), None if failed else tuple(value for _, value, _ in cells))


def mistakes(whole: Whole, wired: Sequence[Wired], until_ns: int | None, hazards: Hazards) -> list[str]:
    """Everything that is wrong with what is in the database now."""
    wall_us = CLOCK.wall_us() - CLOCK.monotonic_ns() // 1000
    found = [f"missing by number: {gap}" for gap in queries.sample_gaps(whole.database)]
    found += [f"missing by number: {gap}" for gap in queries.event_gaps(whole.database)]
    journals = {path: list(entries(path)) for path in {one.journal for one in wired if one.circuit}}
    for reactor in {one.reactor for one in wired}:
        ours = [one for one in wired if one.reactor == reactor]
        told = history(whole, reactor, ours)
        if len(told.spools) != 1:
            found.append(f"{reactor}: {len(told.spools)} spools")
        ends = list(whole.kills_ns.get(f"reactorium reactor {reactor}", []))
        if hazards.restarts:
            ends += [(us - wall_us) * 1000 for us in told.started_us]
        for one in ours:
            problems = silent_ticks(told.started_us, told.ticks[one.sensor], told.missed[one.sensor], one.interval)
            if one.circuit:
                delivered = deliveries(journals[one.journal], one.circuit, one.quantities)
                if not any(reading.values for reading in delivered):
                    problems.append("nothing was delivered")
                blurred = Blurred(hazards.blurred_ns.get((reactor, one.circuit), ()), wall_us)
                problems += compare(delivered, told.ticks[one.sensor], ends, until_ns=until_ns, blurred=blurred)
            found += [f"{reactor} {one.sensor}: {problem}" for problem in problems]
    return found


def settle(whole: Whole, wired: Sequence[Wired], *, over: bool = False, hazards: Hazards = NONE) -> float:
    """Wait until everything delivered up to now is in the database as it was delivered, and nothing else is.

    `over`: nothing more is delivered, so that both sides are equal to the last row. Returns the seconds that it took.
    """
    began = time.monotonic()
    until_ns = None if over else CLOCK.monotonic_ns()
    while True:
        try:
            found = mistakes(whole, wired, until_ns, hazards)
        except DatabaseError as error:
            found = [str(error)]
        if not found:
            return time.monotonic() - began
        assert time.monotonic() - began < SETTLED, "\n".join(found)
        time.sleep(PACE)
