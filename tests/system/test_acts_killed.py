"""A reactor killed at every step of a dose on a vessel: no dose is given twice, none is forgotten."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from hardware.clock import SystemClock
from hardware.vessel.circuits.parts import CircuitConfig
from hardware.vessel.config import Running, VesselConfig
from hardware.vessel.journal import Entry, entries
from hardware.vessel.outputs import OutputConfig
from hardware.vessel.server import JOURNAL, Server
from tests.system.dying import KILLED

pytestmark = pytest.mark.system
PACE = 100.0
FEWEST = {"circuit": 12, "plain": 12}  # steps


@pytest.fixture
def vessel(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "vessel"
    folder.mkdir()
    circuits = (CircuitConfig("acid", "pmp", "i2c", 0x67, drives="acid"),)
    outputs = (OutputConfig("nutrients", "gpio", 18, "nutrients", 1e-6),)
    server = Server(VesselConfig(folder, circuits, outputs, running=Running(pace=PACE)), SystemClock())
    stop = threading.Event()
    thread = threading.Thread(target=server.run, args=(stop,))
    thread.start()
    yield folder
    stop.set()
    thread.join()
    server.close()


def is_dose(entry: Entry) -> bool:
    """Whether a pump was told to dose, or switched on."""
    if entry.circuit == "acid":
        return entry.do == "write" and entry.command.startswith("D,") and entry.command != "D,?"
    return entry.do == "drive" and bool(entry.level)


@pytest.mark.parametrize("pump", FEWEST)
def test_no_dose_is_given_twice_and_none_is_forgotten(pump: str, vessel: Path, tmp_path: Path) -> None:
    lives = tmp_path / "lives"
    lives.mkdir()
    command = [sys.executable, "-m", "tests.system.dying", pump, str(lives), str(vessel), str(PACE)]
    outcomes: list[tuple[int, str]] = []
    seen = 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout
        for line in child.stdout:
            told = json.loads(line)
            doses = sum(map(is_dose, entries(vessel / JOURNAL)))
            second, third = told["answers"]
            state = second[-1][1]
            assert doses - seen <= 1, told
            assert state in {"done", "unknown"}, told
            assert state == "unknown" or doses - seen == 1, told
            assert [answer[1] for answer in third] == [state], told  # what became of it, and nothing is done
            outcomes.append((doses - seen, state))
            seen = doses
            assert told["status"] in {KILLED, 0}
    assert child.returncode == 0
    assert len(outcomes) > FEWEST[pump]
    assert outcomes[0] == outcomes[-1] == (1, "done")  # killed before it began, and not killed
    assert {(0, "unknown"), (1, "unknown")} <= set(outcomes)
