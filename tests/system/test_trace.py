"""A recorded trace arrives in the database as it is, whatever it holds; trace.py is what `make trace` runs."""

import random
from pathlib import Path

import pytest

from tests.system.trace import BadTrace, differences, four_digits, read, run, spelled

ROWS = 300
EDGES = {
    "temperature_c": [-1.0, 0.0, 0.0004, 25.0005, 99.9994, 20.123456789],
    "ec_us_cm": [0.07, 99.994, 99.996, 999.94, 999.96, 9999.4, 9999.6, 46145.0, 99994.0, 123456.0],
    "do_mg_l": [0.0, 0.004, 0.006, 35.999, 7.125],
    "ph": [0.001, 14.0, 7.0, 6.9995, 7.00049],
}


def made(rows: int) -> dict[str, list[float]]:
    """Edges of the circuits' rounding first, then anything that a vessel may be."""
    chance = random.Random(3)
    spans = {"temperature_c": (-2.0, 60.0), "ec_us_cm": (0.1, 60_000.0), "do_mg_l": (0.0, 20.0), "ph": (3.0, 11.0)}
    return {name: [*EDGES[name], *(chance.uniform(*span) for _ in range(rows))][:rows] for name, span in spans.items()}


@pytest.mark.system
@pytest.mark.timeout(300)
def test_every_row_arrives_as_the_circuit_rounds_it(tmp_path: Path) -> None:
    path = tmp_path / "made.csv"
    path.write_text(spelled(made(ROWS)))
    (tmp_path / "system").mkdir()
    outcome = run(path, tmp_path / "system")
    assert outcome.differences == []
    assert (outcome.rows, outcome.columns) == (ROWS, 4)


def test_what_differs_is_found() -> None:
    sent = {"ph": [7.0, 7.1004, 7.2]}
    assert differences(sent, {"ph": [7.0, 7.1, 7.2, 7.2]}) == []
    assert differences(sent, {"ph": [7.0, 7.1004, 7.2]}) == ["ph, row 2: 7.1004 was stored as 7.1004"]
    assert len(differences(sent, {"ph": [7.1, 7.0, 7.2]})) == 2
    assert differences(sent, {"ph": [7.0]}) == ["ph: 1 of 3 rows arrived"]


def test_a_file_is_read_as_far_as_is_asked(tmp_path: Path) -> None:
    path = tmp_path / "made.csv"
    path.write_text(spelled(made(20)))
    assert read(path) == made(20)
    assert read(path, 5) == {name: values[:5] for name, values in made(20).items()}


@pytest.mark.parametrize(
    "text", ["", "seconds,ph\n", "seconds,salt\n0,1\n", "seconds,ph\n0,seven\n", "seconds,ph\n0\n"]
)
def test_a_file_that_is_no_trace_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(BadTrace, match=r"bad\.csv: "):
        read(path)
    with pytest.raises(BadTrace):
        read(tmp_path / "absent.csv")


def test_conductivity_has_four_digits_and_two_decimals_at_most() -> None:
    values = (12.346, 99.994, 99.996, 999.94, 999.96, 1234.4, 46144.0, 123456.0)
    assert [four_digits(value) for value in values] == [12.35, 99.99, 100.0, 999.9, 1000.0, 1234.0, 46140.0, 123500.0]
