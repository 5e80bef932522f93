"""Circuits below the real drivers that answer with spoiled replies, over both wires and in fake time."""

import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import cycle

from hardware.drivers.ezo_pmp import EzoPmp
from hardware.errors import HardwareError
from hardware.ezo.sensor import EzoSensor
from hardware.values import judge
from tests.faults.mutations import spoil_bytes
from tests.hardware.ezo_cases import CASES
from tests.hardware.fakes import Answer, Bench, ScriptedCircuit

LONGEST_TEXT = 300  # characters of an error, at most
PATIENCE = 60.0  # s, by the fake clock, that one call may take
CALIBRATION = {
    "CAL,?": "?Cal,2",
    "TCAL,?": "?Tcal,1",
    "SLOPE,?": "?Slope,99.7,100.3,-0.89",
    "STATUS": "?Status,P,5.038",
}
PUMP = {
    **CALIBRATION,
    "I": "?i,PMP,1.06",
    "O,?": "?,O,V,TV,ATV",
    "R": "15.00,10.00,20.00",
    "D,?": "?D,15.00,0",
    "INVERT,?": "?Invert,0",
    "DC,?": "?MAXRATE,58.5",
    "X": "*DONE,14.2",
}
SCRIPTS: Mapping[type[EzoSensor | EzoPmp], Mapping[str, str]] = {
    **{case.driver: {**CALIBRATION, **case.script, "R": case.text} for case in CASES},
    EzoPmp: PUMP,
}
EVERY_REPLY = sorted({text for script in SCRIPTS.values() for text in script.values()})


@dataclass
class Liar(ScriptedCircuit):
    """Answers with whatever bytes `speak` makes of a command."""

    uart: bool = False
    speak: Callable[[str], bytes] = lambda _: b""
    said: list[bytes] = field(default_factory=list)

    def hear(self, command: bytes) -> Answer:
        self.said.append(self.speak(command.decode("ascii").upper()))
        return self.said[-1]


@dataclass(frozen=True, slots=True)
class Wired:
    """A driver with the circuit below it."""

    name: str
    driver: EzoSensor | EzoPmp
    liar: Liar
    bench: Bench


class Liars:
    """Every EZO driver on both wires, each with a circuit that lies."""

    def __init__(self) -> None:
        self._wired = [_wire(kind, wire) for kind in SCRIPTS for wire in ("i2c", "uart")]
        self.asked = ""  # who was called last
        self.said: list[bytes] = []  # what it heard

    def ask(self, source: random.Random) -> bool:
        """Call a driver whose circuit lies; whether it believed what it heard.

        Raises what is no HardwareError, and AssertionError for a broken promise.
        """
        wired = source.choice(self._wired)
        wired.liar.speak = partial(_lie, source, SCRIPTS[type(wired.driver)], uart=wired.liar.uart)
        return self._see(wired, source.randrange(6))

    def repeat(self, name: str, said: Sequence[bytes]) -> None:
        """Answer everything that this driver can be called for with the same bytes again. Raises as `ask` does."""
        (wired,) = (one for one in self._wired if one.name == name)
        for doing in range(6):
            wired.liar.speak = partial(_repeat, cycle(said))
            self._see(wired, doing)

    def _see(self, wired: Wired, doing: int) -> bool:
        clock = wired.bench.clock
        clock.slept.clear()
        self.asked, self.said = wired.name, []
        wired.liar.said = self.said
        began = clock.ns
        problem: str | None = None
        values: Mapping[str, float | bool | str] = {}
        try:
            values = _call(wired.driver, doing)
        except HardwareError as error:
            problem = str(error)
        assert clock.ns - began < PATIENCE * 1e9, "it comes back late"
        if problem is not None:
            assert len(problem) <= LONGEST_TEXT, f"an error of {len(problem)} characters"
            assert problem.isprintable(), "an error that is none for a log"
            return False
        for name, value in values.items():
            assert isinstance(value, (bool, str)) or math.isfinite(value), f"{name} is {value}"
        return True


def _wire(kind: type[EzoSensor | EzoPmp], wire: str) -> Wired:
    bench = Bench()
    liar = Liar(uart=wire == "uart")
    driver: EzoSensor | EzoPmp = bench.wire(kind, wire, liar)  # type: ignore[assignment] # which of the two, `kind` says
    if isinstance(driver, EzoSensor):
        for quantity in driver.compensations:
            driver.compensate(quantity.name, 30.0)
    return Wired(f"{driver.descriptor.driver} over {wire}", driver, liar, bench)


def _repeat(said: Iterator[bytes], _command: str) -> bytes:
    return next(said)


def _lie(source: random.Random, script: Mapping[str, str], command: str, *, uart: bool) -> bytes:
    """Say what the script has, half of the time spoiled, now and then what belongs to another command or circuit."""
    chance = source.random()
    text = source.choice(EVERY_REPLY) if chance < 0.1 else script.get(command, "")
    raw = f"{text}\r*OK\r".encode() if uart else b"\x01" + text.encode() + b"\0"
    return spoil_bytes(source, raw) if chance < 0.5 else raw


def _call(driver: EzoSensor | EzoPmp, doing: int) -> Mapping[str, float | bool | str]:
    if isinstance(driver, EzoPmp):
        if doing == 0:
            driver.open()
            return {}
        return driver.act("stop", {}) if doing == 1 else driver.read_back()
    match doing:
        case 0:
            driver.open()
            return {}
        case 1 if driver.points:
            return driver.calibrated()
        case _:
            values = driver.read()
            for quantity in driver.quantities:
                judge(quantity, values[quantity.name], taken_ns=0)
            return values
