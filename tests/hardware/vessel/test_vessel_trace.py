"""Recorded traces, and that what they say arrives as it is."""

from pathlib import Path

import pytest

from hardware.vessel.frames import Read, Write
from hardware.vessel.i2c import I2cBus, I2cCircuit
from hardware.vessel.journal import Journal
from hardware.vessel.trace import ByReading, ByTime, Column, TraceConfig, read_columns
from tests.hardware.vessel.conftest import Workbench

COLUMN = Column((0.0, 10.0, 30.0), (1.0, 2.0, 6.0))


@pytest.mark.parametrize(
    ("now", "linear", "step"),
    [(-5.0, 1.0, 1.0), (0.0, 1.0, 1.0), (5.0, 1.5, 1.0), (10.0, 2.0, 2.0), (25.0, 5.0, 2.0), (99.0, 6.0, 6.0)],
)
def test_by_time(now: float, linear: float, step: float) -> None:
    assert ByTime(COLUMN, linear=True).value(now) == linear
    assert ByTime(COLUMN, linear=False).value(now) == step


def test_by_reading_goes_on_with_each_delivery_and_stays_at_the_end() -> None:
    feed = ByReading(COLUMN)
    seen = [feed.value(0.0), feed.value(99.0)]
    for _ in range(4):
        feed.delivered()
        seen.append(feed.value(0.0))
    assert seen == [1.0, 1.0, 2.0, 6.0, 6.0, 6.0]


def test_the_trace_says_who_follows_it() -> None:
    trace = TraceConfig("reading", "linear", {"ph": COLUMN})
    assert isinstance(trace.feed("ph"), ByReading)
    assert trace.feed("rtd") is None
    assert isinstance(TraceConfig("time", "step", {"ph": COLUMN}).feed("ph"), ByTime)


def test_a_row_is_used_up_by_its_delivery_alone(workbench: Workbench, journal: Journal) -> None:
    """Neither a read that came too early nor a command whose answer nobody fetched costs a row."""
    circuit = I2cCircuit(workbench.circuit("do", feed=ByReading(COLUMN), noise=5.0, gain=3.0))
    bus = I2cBus([circuit], journal)
    answers = []
    for row in range(3):
        now = 10.0 * row
        bus.transfer([Write(97, b"RT,29.5")], now)
        bus.transfer([Read(97, 40)], now)
        bus.transfer([Write(97, b"R")], now + 2.0)
        answers.append(bus.transfer([Read(97, 40)], now + 4.0).strip(b"\0\1"))
    assert answers == [b"1.00", b"2.00", b"6.00"]


def write(path: Path, text: str) -> Path:
    file = path / "trace.csv"
    file.write_text(text)
    return file


def test_read_columns(tmp_path: Path) -> None:
    mistakes: list[str] = []
    file = write(tmp_path, "seconds,t,ph\n0,29.0,7.9\n900,29.1,8\n")
    columns = read_columns(file, "seconds", {"ph": "ph", "rtd": "t"}, mistakes)
    assert columns == {"ph": Column((0.0, 900.0), (7.9, 8.0)), "rtd": Column((0.0, 900.0), (29.0, 29.1))}
    assert mistakes == []


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("", "no rows"),
        ("seconds,ph\n", "no rows"),
        ("seconds,other\n0,1\n", "no column ph; it has seconds, other"),
        ("time,ph\n0,1\n", "no column seconds"),
        ("seconds,ph\n0,1\n1,\n", "line 3: ph: '' is not a number"),
        ("seconds,ph\n0,1\n1,nan\n", "line 3: ph: 'nan'"),
        ("seconds,ph\n0,1\n1\n", "line 3: ph: None"),
        ("seconds,ph\n5,1\n5,1\n", "does not ascend"),
    ],
)
def test_mistakes_in_a_file(tmp_path: Path, text: str, mistake: str) -> None:
    mistakes: list[str] = []
    read_columns(write(tmp_path, text), "seconds", {"ph": "ph"}, mistakes)
    assert mistake in mistakes[0]


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    mistakes: list[str] = []
    assert read_columns(tmp_path / "none.csv", "seconds", {"ph": "ph"}, mistakes) == {}
    assert len(mistakes) == 1
