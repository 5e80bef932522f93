"""Spoiled input for a short, bounded time; everything that ever escaped, again; and that an escape is noticed."""

import json
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.faults import fuzz
from tests.faults.doors import Doors
from tests.faults.fuzz import Escape, Round, Run, run_round
from tests.faults.replies import Liars
from transport import envelope

CORPUS = sorted((Path(__file__).parent / "corpus").glob("*.json"))


@pytest.fixture(scope="module")
def doors() -> Iterator[Doors]:
    doors = Doors()
    yield doors
    doors.close()


def test_nothing_escapes(doors: Doors) -> None:
    done = run_round(seed=6, number=0, frames=4000, doors=doors, liars=Liars())
    assert done.escapes == []
    assert (done.frames, done.calls) == (4000, 4000 // fuzz.REPLIES)
    assert 0 < done.let_in < done.frames
    assert 0 < done.believed < done.calls


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
def test_what_once_escaped_does_not_again(path: Path, doors: Doors) -> None:
    kept = json.loads(path.read_text(encoding="utf-8"))
    data = [bytes.fromhex(one) for one in kept["data"]]
    door = next((one for one in doors.doors if one.name == kept["target"]), None)
    if door is not None:
        doors.call(partial(doors.admit, door, data))
    else:
        Liars().repeat(kept["target"], data)


def test_a_round_is_the_same_again(doors: Doors) -> None:
    one, two, other = (run_round(6, number, 300, doors, Liars()) for number in (1, 1, 2))
    assert (one.let_in, one.believed) == (two.let_in, two.believed)
    assert one.let_in != other.let_in


def test_what_escapes_is_kept(doors: Doors, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(envelope, "_refuse_tag", lambda tag: {}[tag])  # raises what it may not
    done = run_round(6, 0, 4000, doors, Liars())
    assert done.escapes
    kept = json.loads(done.escapes[0].write(tmp_path / "found", "one").read_text())
    assert "KeyError" in kept["error"]
    assert kept["target"] in [door.name for door in doors.doors]
    assert [bytes.fromhex(one) for one in kept["data"]] == done.escapes[0].data


def test_growth_and_escapes_and_lost_processes_are_no_success() -> None:
    made = Run(seed=1)
    for size in (50, 100, 103, 104):
        made.add(Round(0, frames=10, process=7, size=size * 2**20))
    made.add(Round(0, frames=10, process=8, size=50 * 2**20))
    assert (made.frames, made.growth, made.is_good) == (50, 4 * 2**20, True)
    made.add(Round(0, process=7, size=100 * 2**20 + fuzz.MOST_GROWTH + 1))
    assert not made.is_good
    assert not Run(1, lost="a process ended").is_good
    escaped = Run(1)
    escaped.add(Round(3, escapes=[Escape("manager", [], "")]))
    assert not escaped.is_good


@pytest.mark.system
def test_it_runs_from_the_command_line(tmp_path: Path) -> None:
    command = [sys.executable, "-m", fuzz.__name__, "--frames", "45000", "--seed", "6", "--folder", str(tmp_path)]
    answer = subprocess.run(command, check=False, capture_output=True, text=True, timeout=110)
    assert (answer.returncode, answer.stderr) == (0, "")
    assert "seed 6: 45000 frames (" in answer.stdout
    assert list(tmp_path.iterdir()) == []
