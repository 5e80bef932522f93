"""A recorded trace through circuits, drivers, spool and QuestDB, compared row by row with what arrives.

    python -m tests.system.trace FILE [ROWS]

FILE is a CSV file with a column `seconds` and at least one of the columns of `COLUMNS`; ROWS takes only the first so
many. The whole system runs in a folder of its own, faster than life: a vessel whose circuits deliver row n of the file
at their n-th reading, a reactor with the real drivers, spool and shipper, coordinator, manager and QuestDB. The last
line says how it went; the exit status is 0 when every value is what the circuit rounds it to, 1 when one is not, and 2
when the file is none or the system did not run.
"""

import csv
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.lifeline import PARENT
from storage import queries
from storage.questdb import DatabaseError, literal
from tests.system.whole import Whole, command, wait_for

PACE = 25  # times as fast as life
INTERVAL = 1.2  # seconds of the vessel's time between two readings: a reading takes 0.9
STALLED = 60.0  # seconds without a new row
SHOWN = 10  # differences
LOOK = 0.5
REACTOR = VESSEL = "trace"


@dataclass(frozen=True, slots=True)
class Circuit:
    """What reads a column: sensor, driver, address on the bus, the quantity, and how the circuit rounds it."""

    kind: str
    address: int
    quantity: str
    rounded: Callable[[float], float]
    chosen: bool = False  # it has others too


def decimals(count: int) -> Callable[[float], float]:
    """Make the rounding of a circuit that spells so many decimals."""
    return lambda value: float(f"{value:.{count}f}")


def four_digits(value: float) -> float:
    """Round as the EC circuit does: two decimals, but never more than four digits."""
    return float(f"{value:.2f}" if value < 99.995 else f"{value:.4g}")


COLUMNS = {
    "temperature_c": Circuit("rtd", 102, "temperature", decimals(3)),
    "ec_us_cm": Circuit("ec", 100, "conductivity", four_digits, chosen=True),
    "do_mg_l": Circuit("do", 97, "dissolved_oxygen", decimals(2), chosen=True),
    "ph": Circuit("ph", 99, "ph", decimals(3)),
}


class BadTrace(Exception):  # noqa: N818 - what it is
    """A file that is no trace; the text is one line."""


def read(path: Path, limit: int | None = None) -> dict[str, list[float]]:
    """Read the columns that a circuit reads, each as long as the file or `limit`. Raises BadTrace."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))[:limit]
        found = {name: [float(row[name]) for row in rows] for name in COLUMNS if rows and name in rows[0]}
    except (OSError, ValueError, TypeError) as error:
        raise BadTrace(f"{path}: {error}") from error
    if not found:
        raise BadTrace(f"{path}: no rows, or none of the columns {', '.join(COLUMNS)}")
    return found


def differences(trace: Mapping[str, Sequence[float]], stored: Mapping[str, Sequence[float]]) -> list[str]:
    """Compare in order: each stored value must be the trace's as the circuit rounds it."""
    found = []
    for name, values in trace.items():
        rounded = COLUMNS[name].rounded
        arrived = stored[name]
        if len(arrived) < len(values):
            found.append(f"{name}: {len(arrived)} of {len(values)} rows arrived")
        found += [
            f"{name}, row {number}: {value!r} was stored as {other!r}"
            for number, (value, other) in enumerate(zip(values, arrived, strict=False), 1)
            if other != rounded(value)
        ]
    return found


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it."""

    rows: int
    columns: int
    differences: list[str]
    seconds: float

    def __str__(self) -> str:
        wrong = f"{len(self.differences)} differences" if self.differences else "no difference"
        values = self.rows * self.columns
        return f"{self.rows} rows of {self.columns} columns, {values} values: {wrong}, in {self.seconds:.0f} s"


def run(path: Path, folder: Path, limit: int | None = None, say: Callable[[str], None] = lambda _: None) -> Outcome:
    """Send a trace through a whole system in `folder`. Raises BadTrace, and AssertionError when it does not run."""
    began = time.monotonic()
    trace = read(path, limit)
    rows = len(next(iter(trace.values())))
    (folder / "trace.csv").write_text(spelled(trace), encoding="utf-8")
    (folder / "reactor.toml").write_text(_reactor(trace), encoding="utf-8")
    (folder / f"{VESSEL}.toml").write_text(_vessel(trace), encoding="utf-8")
    whole = Whole(
        folder, PACE=PACE, LIVE_INTERVAL=INTERVAL, SAMPLE_INTERVAL=INTERVAL, REACTOR_FILE=folder / "reactor.toml"
    )
    try:
        with _vessel_of(whole):
            whole.start()
            _wait_for_rows(whole, trace, rows, say)
            stored = {name: _stored(whole, name) for name in trace}
            gaps = [f"missing by number: {gap}" for gap in queries.sample_gaps(whole.database, REACTOR)]
    finally:
        whole.close()
    return Outcome(rows, len(trace), [*gaps, *differences(trace, stored)], time.monotonic() - began)


def spelled(trace: Mapping[str, Sequence[float]]) -> str:
    """Write a trace as a CSV file, a row every 900 s."""
    rows = zip(*trace.values(), strict=True)
    lines = [",".join(map(repr, (number * 900, *row))) for number, row in enumerate(rows)]
    return "\n".join([",".join(["seconds", *trace]), *lines]) + "\n"


def _vessel(trace: Iterable[str]) -> str:
    tables = [f'[circuits.{name}]\nkind = "{COLUMNS[name].kind}"' for name in trace]
    columns = "\n".join(f'{name} = "{name}"' for name in trace)
    return "\n".join([*tables, '[trace]\nfile = "trace.csv"\nfollow = "reading"', "[trace.columns]", columns, ""])


def _reactor(trace: Iterable[str]) -> str:
    tables = [f'name = "{REACTOR}"']
    for name in trace:
        circuit = COLUMNS[name]
        tables.append(f'[[sensors]]\nname = "{name}"\ndriver = "ezo-{circuit.kind}"')
        tables.append(f'address = "vessels/{VESSEL}/i2c.sock:{circuit.address}"')
        if circuit.chosen:
            tables.append(f'options = {{ outputs = ["{circuit.quantity}"] }}')
    return "\n".join([*tables, ""])


@contextmanager
def _vessel_of(whole: Whole) -> Iterator[None]:
    """Run the vessel: `up` brings vessels of its own for its examples only."""
    variables = {"REACTORIUM_VESSEL_FILE": str(whole.folder / f"{VESSEL}.toml"), PARENT: str(os.getpid())}
    with (whole.folder / "vessel.log").open("wb") as log:
        process = subprocess.Popen(command("vessel"), env=whole.environment | variables, stdout=log, stderr=log)
    try:
        wait_for((whole.state / "vessels" / VESSEL / "i2c.sock").exists, "the vessel's bus")
        yield
    finally:
        process.terminate()
        process.wait()


def _wait_for_rows(whole: Whole, trace: Iterable[str], rows: int, say: Callable[[str], None]) -> None:
    """Wait until every column has that many, as long as they become more."""
    least, told, moved = -1, 0, time.monotonic()
    while least < rows:
        time.sleep(LOOK)
        counts = _counts(whole)
        now = min(counts.get(name, 0) for name in trace)
        if now > least:
            least, moved = now, time.monotonic()
        assert time.monotonic() - moved < STALLED, f"nothing arrives any more after {least} of {rows} rows"
        if least - told >= rows / 10:
            told = least
            say(f"{min(least, rows)} of {rows} rows are stored")


def _counts(whole: Whole) -> dict[str, int]:
    try:
        return dict(whole.database.query("SELECT sensor, count() FROM samples WHERE value IS NOT NULL GROUP BY sensor"))
    except DatabaseError:  # it is on its way
        return {}


def _stored(whole: Whole, sensor: str) -> list[float]:
    """All values of a sensor in the order in which they were taken; a read that failed has none."""
    rows = whole.database.query(
        f"SELECT value FROM samples WHERE sensor = {literal(sensor)} AND value IS NOT NULL ORDER BY seq"
    )
    return [value for (value,) in rows]


def main() -> int:
    """Run as the module's docstring says."""
    path, *more = sys.argv[1:]
    limit = int(more[0]) if more else None
    with tempfile.TemporaryDirectory(prefix="reactorium-trace-") as folder:
        try:
            outcome = run(Path(path), Path(folder), limit, _say)
        except (BadTrace, AssertionError) as error:
            _say(str(error))
            return 2
    for difference in outcome.differences[:SHOWN]:
        _say(difference)
    _say(str(outcome))
    return 1 if outcome.differences else 0


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
