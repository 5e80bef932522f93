"""EZO-PMP: what it replies, what it counts, what flows."""

import math

import pytest

from hardware.vessel.circuits.base import Circuit
from hardware.vessel.circuits.parts import Kept
from hardware.vessel.faults import Fault
from hardware.vessel.uart import UartCircuit
from tests.hardware.vessel.conftest import Workbench

FULL = 105.0  # ml/min
REFUSED = "*ER"


class Pump:
    """A pump with what it lets flow, in ml/min, and the time."""

    def __init__(self, circuit: Circuit) -> None:
        self.circuit = circuit
        self.flows: list[float] = []
        circuit.drive = self._drive
        self.now = 0.0

    def _drive(self, rate: float) -> None:
        self.flows.append(rate * 60.0 * 1e6)

    def ask(self, *commands: str) -> str | None:
        text: str | None = None
        for command in commands:
            reply = self.circuit.execute(command, self.now)
            text = f"{reply.text or ''}{REFUSED}" if reply.refused else reply.text
        return text

    def run(self, seconds: float) -> None:
        """Let time pass as the vessel does: what ends before, at its moment."""
        self.now += seconds
        while self.circuit.due() <= self.now:
            self.circuit.tick(self.circuit.due())

    @property
    def flow(self) -> float:
        return self.flows[-1] if self.flows else 0.0


@pytest.fixture
def pump(workbench: Workbench) -> Pump:
    return Pump(workbench.circuit("pmp"))


@pytest.mark.parametrize(
    ("dialogue", "answer"),
    [
        ("i", "?i,PMP,1.06"),
        ("R", "0.00"),
        ("D,?", "?D,0.00,0"),
        ("D,10; D,?", "?D,10.00,1"),
        ("D,-10; D,?", "?D,-10.00,1"),
        ("D,*; D,?", "?D,*,1"),
        ("D,-*; D,?", "?D,-*,1"),
        ("D,10; X", "*DONE,0.00"),
        ("X", "*DONE,0.00"),
        ("D,10; X; D,?", "?D,10.00,0"),
        ("D,0.4", "*MINVOL*ER"),
        ("D,0", "*MINVOL*ER"),
        ("D,10,10; D,?", "?D,10.00,1"),
        ("D,58.5,1", None),
        ("D,58.6,1", "*TOOFAST*ER"),
        ("D,10,0", REFUSED),
        ("D,x", REFUSED),
        ("D", REFUSED),
        ("D,1,2,3", REFUSED),
        ("DC,?", "?maxrate,58.5"),
        ("DC,20,10; D,?", "?D,200.00,1"),
        ("DC,-20,*; D,?", "?D,-*,1"),
        ("DC,60,1", "*TOOFAST*ER"),
        ("DC,0,1", REFUSED),
        ("DC,1", REFUSED),
        ("P,?", "?P,0"),
        ("P", REFUSED),
        ("D,10; P; P,?", "?P,1"),
        ("D,10; P; P; P,?", "?P,0"),
        ("TV,?", "?TV,0.00"),
        ("ATV,?", "?ATV,0.00"),
        ("TV", REFUSED),
        ("Clear", None),
        ("Invert,?", "?Invert,0"),
        ("Invert; Invert,?", "?Invert,1"),
        ("Invert; Invert; Invert,?", "?Invert,0"),
        ("Invert,1", REFUSED),
        ("Cal,?", "?Cal,0"),
        ("Cal,10", REFUSED),
        ("D,10; Cal,10", REFUSED),
        ("PV,?", "?PV,13.86"),
        ("PV", REFUSED),
        ("Dstart,?", "?Dstart,0.00"),
        ("Dstart,5; Dstart,?", "?Dstart,5.00"),
        ("Dstart,5; Dstart,off; Dstart,?", "?Dstart,0.00"),
        ("Dstart,0.1", "*MINVOL*ER"),
        ("O,?", "?,O,V"),
        ("O,TV,1; O,ATV,1; R", "0.00,0.00,0.00"),
        ("C,*", REFUSED),
    ],
)
def test_dialogues(pump: Pump, dialogue: str, answer: str | None) -> None:
    assert pump.ask(*dialogue.split("; ")) == answer


def test_a_dose_ends_by_itself(pump: Pump) -> None:
    pump.ask("D,7")
    assert pump.flow == pytest.approx(FULL)
    assert pump.circuit.due() == pytest.approx(4.0)
    pump.run(2.0)
    assert (pump.ask("R"), pump.ask("D,?")) == ("3.50", "?D,7.00,1")
    pump.run(10.0)
    assert (pump.ask("R"), pump.ask("D,?"), pump.flow) == ("7.00", "?D,7.00,0", 0.0)
    assert pump.circuit.due() == math.inf
    assert pump.circuit.unasked == []  # on I2C nobody would hear it


@pytest.mark.parametrize(
    ("command", "rate", "seconds"), [("D,-10,2", -5.0, 120.0), ("DC,30,0.5", 30.0, 30.0), ("D,2,4", 0.5, 240.0)]
)
def test_metered_doses(pump: Pump, command: str, rate: float, seconds: float) -> None:
    pump.ask(command)
    assert [pump.flow, pump.circuit.due()] == pytest.approx([rate, seconds])


def test_without_end_until_stopped(pump: Pump) -> None:
    pump.ask("D,-*")
    pump.run(60.0)
    assert pump.flow == pytest.approx(-FULL)
    assert pump.ask("X") == "*DONE,-105.00"
    pump.run(60.0)
    assert (pump.ask("R"), pump.flow) == ("-105.00", 0.0)


def test_totals(pump: Pump) -> None:
    pump.ask("D,10")
    pump.run(60.0)
    pump.ask("D,-4")
    pump.run(60.0)
    assert (pump.ask("TV,?"), pump.ask("ATV,?")) == ("?TV,6.00", "?ATV,14.00")
    assert pump.ask("O,TV,1", "O,ATV,1", "R") == "-4.00,6.00,14.00"
    pump.ask("Clear")
    assert (pump.ask("TV,?"), pump.ask("ATV,?")) == ("?TV,0.00", "?ATV,0.00")


def test_pause_keeps_what_is_left(pump: Pump) -> None:
    pump.ask("D,7")
    pump.run(1.0)
    pump.ask("P")
    pump.run(100.0)
    assert (pump.ask("R"), pump.flow, pump.ask("D,?")) == ("1.75", 0.0, "?D,7.00,1")
    pump.ask("P")
    assert pump.circuit.due() == pytest.approx(104.0)
    pump.run(5.0)
    assert pump.ask("R") == "7.00"


def test_another_dose_takes_the_place_of_the_first(pump: Pump) -> None:
    pump.ask("D,7")
    pump.run(2.0)
    pump.ask("D,1")
    pump.run(10.0)
    assert (pump.ask("R"), pump.ask("ATV,?")) == ("1.00", "?ATV,4.50")


def test_inverted_flow_counts_as_before(pump: Pump) -> None:
    pump.ask("D,7")
    pump.run(1.0)
    pump.ask("Invert")
    assert pump.flow == pytest.approx(-FULL)
    pump.run(10.0)
    assert (pump.ask("R"), pump.flow) == ("7.00", 0.0)


def test_calibration_by_volume(workbench: Workbench) -> None:
    pump = Pump(workbench.circuit("pmp", gain=0.83))
    pump.ask("D,10")
    assert pump.flow == pytest.approx(0.83 * FULL)
    pump.run(60.0)
    pump.ask("Cal,8.3")
    assert (pump.ask("Cal,?"), pump.ask("DC,?")) == ("?Cal,1", "?maxrate,48.6")
    pump.ask("D,8.3")
    assert pump.flow * pump_seconds(pump) == pytest.approx(8.3)
    pump.ask("Cal,clear")
    assert (pump.ask("Cal,?"), pump.ask("DC,?")) == ("?Cal,0", "?maxrate,58.5")


def test_calibration_over_time_is_another(workbench: Workbench) -> None:
    pump = Pump(workbench.circuit("pmp", gain=0.9))
    pump.ask("D,10,1")
    pump.run(60.0)
    pump.ask("Cal,9")
    assert pump.ask("Cal,?") == "?Cal,2"
    pump.ask("D,5,1")
    assert pump.flow == pytest.approx(5.0)
    pump.ask("D,5")
    assert pump.flow * pump_seconds(pump) == pytest.approx(4.5)
    pump.run(60.0)
    pump.ask("Cal,4.5")
    assert pump.ask("Cal,?") == "?Cal,3"


def pump_seconds(pump: Pump) -> float:
    """Minutes until the dose ends."""
    return (pump.circuit.due() - pump.now) / 60.0


def test_without_motor_power(pump: Pump) -> None:
    pump.circuit.faults.switch_on(Fault.DISCONNECTED)
    assert (pump.ask("D,10"), pump.ask("PV,?"), pump.flow) == ("*UV,PUMPPWR,0.00*ER", "?PV,0.00", 0.0)


def test_a_restart_stops_and_forgets_but_for_the_calibration(pump: Pump) -> None:
    pump.ask("D,10")
    pump.run(60.0)
    pump.ask("Cal,9", "D,*")
    pump.circuit.restart(pump.now, "S")
    assert (pump.flow, pump.circuit.due()) == (0.0, math.inf)
    assert (pump.ask("ATV,?"), pump.ask("D,?"), pump.ask("Cal,?")) == ("?ATV,0.00", "?D,0.00,0", "?Cal,1")


def test_a_dose_at_power_up(workbench: Workbench) -> None:
    kept = Kept("pmp", outputs=["V"], numbers={"DSTART": 7.0})
    pump = Pump(workbench.circuit("pmp", kept=kept))
    pump.circuit.restart(0.0, "S")
    assert pump.flow == 0.0
    pump.circuit.restart(0.0, "P")
    pump.run(60.0)
    assert (pump.flows[-2:], pump.ask("R")) == ([pytest.approx(FULL), 0.0], "7.00")


class TestOnASerialLine:
    @pytest.fixture
    def uart(self, workbench: Workbench) -> UartCircuit:
        uart = UartCircuit(workbench.circuit("pmp", wire="uart"))
        uart.circuit.kept.numbers["C"] = 0.0
        return uart

    @staticmethod
    def heard(uart: UartCircuit, now: float = 0.0, *, until: float) -> list[str]:
        """Let time pass as the vessel does, give the lines said."""
        lines: list[str] = []
        while (due := min(uart.due(), uart.circuit.due())) <= until:
            now = max(now, due)
            uart.circuit.tick(now)
            lines += [each.answer.decode() for each in uart.speak(now)]
        return lines

    def test_a_dose_says_when_it_ends(self, uart: UartCircuit) -> None:
        uart.hear(b"D,7\r", 0.0)
        assert self.heard(uart, until=10.0) == ["*OK\r", "*DONE,7.00\r"]

    def test_it_may_say_so_before_an_answer(self, uart: UartCircuit) -> None:
        uart.hear(b"D,7\r", 0.0)
        self.heard(uart, until=3.9)
        uart.hear(b"D,?\r", 3.9)
        assert self.heard(uart, 3.9, until=10.0) == ["*DONE,7.00\r", "?D,7.00,1\r", "*OK\r"]

    def test_stop_has_no_response_code(self, uart: UartCircuit) -> None:
        uart.hear(b"D,*\r", 0.0)
        self.heard(uart, until=1.0)
        uart.hear(b"X\r", 2.0)
        assert self.heard(uart, until=10.0) == ["*DONE,3.50\r"]

    def test_refusals_say_why(self, uart: UartCircuit) -> None:
        uart.hear(b"D,0.1\r", 0.0)
        assert self.heard(uart, until=1.0) == ["*MINVOL\r", "*ER\r"]

    def test_readings_while_it_runs(self, uart: UartCircuit) -> None:
        uart.hear(b"C,*\rC,?\r", 0.0)
        assert self.heard(uart, until=1.0) == ["*OK\r", "?C,*\r", "*OK\r"]
        assert uart.due() == math.inf
        uart.hear(b"D,7\r", 2.0)
        lines = self.heard(uart, 2.0, until=20.0)
        assert [line for line in lines if line[0] != "*"] == ["1.75\r", "3.50\r", "5.25\r"]
        uart.hear(b"C,0\rC,?\r", 30.0)
        assert self.heard(uart, until=40.0) == ["*OK\r", "?C,0\r", "*OK\r"]
