"""Lives of a device on a vessel that end at a step, without any goodbye: `python -m tests.system.dying PUMP FOLDER`.

Each life is a child that is forked from here, where everything is imported. Of each step there are three: the first
asks for a dose and is killed at that step, the others start where it ended and ask for the same dose again. A line of
JSON tells what the others said. The last line is that of a first life that was not killed.
"""

import json
import os
import sys
from collections.abc import Callable, Mapping
from functools import wraps
from itertools import count
from pathlib import Path
from typing import Any

from actors.journal import Journal
from hardware.buses import Buses
from hardware.clock import SystemClock
from hardware.device import DeviceDriver
from hardware.driver import Wiring
from hardware.drivers.ezo_pmp import EzoPmp
from hardware.drivers.pump import Pump
from hardware.ezo.i2c import I2cCircuit
from tests.actors.conftest import FakeClock, Kept, make_around
from tests.actors.test_device import Scene

KILLED = 9
LONGEST = 60  # seconds of the device's time for a dose
MAKE: Mapping[str, Callable[[Path, float], DeviceDriver]] = {
    "circuit": lambda vessel, pace: EzoPmp(Wiring(f"{vessel}/i2c.sock:0x67", Buses(), SystemClock(pace))),
    "plain": lambda vessel, pace: Pump(
        Wiring(f"{vessel}/gpio.sock:18", Buses(), SystemClock(pace), {"output": "gpio"})
    ),
}


class Steps:
    """Ends the process at the `last` step: before and after everything that leaves a trace."""

    def __init__(self, last: int) -> None:
        self._left = last

    def step(self) -> None:
        self._left -= 1
        if self._left < 0:
            os._exit(KILLED)

    def around(self, owner: Any, name: str) -> None:  # noqa: ANN401 - a class or a module
        """Make a step before and after each call of this."""
        call = getattr(owner, name)

        @wraps(call)
        def stepped(*arguments: object, **options: object) -> object:
            self.step()
            result = call(*arguments, **options)
            self.step()
            return result

        setattr(owner, name, stepped)


def scene(folder: Path) -> Scene:
    clock, kept = FakeClock(), Kept()
    return Scene(make_around(clock, kept), clock, kept, folder)


def live(driver: DeviceDriver, folder: Path) -> list[tuple[str, str, str]]:
    """Start, ask for the dose, and wait for its end; tells what was answered."""
    here = scene(folder)
    here.drive(driver)
    here.do("dose", volume=1.0)
    for _ in range(LONGEST):
        if here.done and here.done[-1][1] != "begun":
            break
        here.settle(1.0)
    here.device.release()
    return here.done


def first(driver: DeviceDriver, folder: Path, last: int) -> None:
    """Live until a step of the journal, of the files, of the hardware, or of an answer."""
    steps = Steps(last)
    for owner, name in (
        (Journal, "begin"),
        (Journal, "end"),
        (os, "fdatasync"),
        (os, "fsync"),
        (Path, "mkdir"),
        (Path, "replace"),
        (I2cCircuit, "order"),
        (type(driver), "apply"),
        (type(driver), "act"),
        (Scene, "_say"),
    ):
        steps.around(owner, name)
    live(driver, folder)


def fork(life: Callable[[], None]) -> int:
    """Live in a child; gives its exit status."""
    child = os.fork()
    if not child:
        life()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def main(pump: str, folder: Path, vessel: Path, pace: float) -> None:
    for last in count():
        home = folder / str(last)
        home.mkdir()
        status = fork(lambda: first(MAKE[pump](vessel, pace), home, last))  # noqa: B023 - called at once
        answers: list[list[tuple[str, str, str]]] = []
        for _ in range(2):
            read, write = os.pipe()
            fork(lambda: void(os.write(write, json.dumps(live(MAKE[pump](vessel, pace), home)).encode())))  # noqa: B023
            os.close(write)
            with os.fdopen(read) as said:
                answers.append(json.loads(said.read()))
        print(json.dumps({"step": last, "status": status, "answers": answers}), flush=True)  # noqa: T201 - its output
        if status != KILLED:
            return


def void(_: object) -> None:
    """Forget a result."""


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), float(sys.argv[4]))
