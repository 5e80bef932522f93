"""Circuits on a serial line, without pseudo-terminals."""

import math

import pytest

from hardware.vessel.faults import Fault
from hardware.vessel.uart import UartCircuit
from tests.hardware.vessel.conftest import Workbench

READY = 2.0  # long after the start


class Line:
    """A serial line whose circuit is quiet and ready, unless a test wants it otherwise."""

    def __init__(self, uart: UartCircuit) -> None:
        self.uart = uart
        self.faults = uart.circuit.faults
        self.heard(READY)

    def heard(self, until: float) -> list[str]:
        """Let time pass, give the lines said."""
        lines = []
        while self.uart.due() <= until:
            lines += [each.answer.decode("latin-1") for each in self.uart.speak(self.uart.due())]
        return lines

    def ask(self, command: bytes, now: float = READY) -> list[str]:
        self.uart.hear(command, now)
        return self.heard(now + 3.0)


@pytest.fixture
def fresh(workbench: Workbench) -> UartCircuit:
    uart = UartCircuit(workbench.circuit("ph", wire="uart"))
    uart.restart(0.0, "P")
    return uart


@pytest.fixture
def line(fresh: UartCircuit) -> Line:
    fresh.circuit.kept.numbers["C"] = 0.0
    return Line(fresh)


def test_power_up(fresh: UartCircuit) -> None:
    assert fresh.due() == pytest.approx(0.8)
    assert [each.answer for each in fresh.speak(0.804)] == [b"*RS\r", b"*RE\r"]
    assert fresh.due() == pytest.approx(1.804)
    reading = fresh.speak(1.804)
    assert [(each.answer, each.reading) for each in reading] == [(b"7.000\r", True)]
    assert fresh.due() == pytest.approx(2.804)


def test_a_circuit_is_deaf_while_it_starts(fresh: UartCircuit) -> None:
    fresh.hear(b"C,0\r", 0.5)
    assert fresh.due() == pytest.approx(0.8)
    assert fresh.circuit.kept.numbers["C"] == 1.0


def test_data_then_ok(line: Line) -> None:
    assert line.ask(b"R\r") == ["7.000\r", "*OK\r"]
    assert line.ask(b"T,20\r") == ["*OK\r"]
    assert line.ask(b"T,?\r") == ["?T,20\r", "*OK\r"]


def test_delays(line: Line) -> None:
    line.uart.hear(b"R\r", READY)
    assert line.uart.due() == pytest.approx(READY + 0.9)
    line.heard(10.0)
    line.uart.hear(b"what\r", 10.0)
    assert line.uart.due() == pytest.approx(10.03)


@pytest.mark.parametrize("command", [b"what\r", b"\r", b"\nR\r", b"R,9\r", b"\xfe\r"])
def test_what_it_does_not_know_is_refused(line: Line, command: bytes) -> None:
    assert line.ask(command) == ["*ER\r"]


def test_commands_may_come_in_pieces_and_together(line: Line) -> None:
    assert line.uart.hear(b"T,", READY) == []
    assert line.uart.hear(b"20\rT,?\r", READY) == ["T,20", "T,?"]
    assert line.heard(READY + 0.6) == ["*OK\r", "?T,20\r", "*OK\r"]


def test_response_codes_off(line: Line) -> None:
    assert line.ask(b"*OK,?\r") == ["?*OK,1\r"]
    assert line.ask(b"*OK,0\r") == []
    assert line.ask(b"R\r") == ["7.000\r"]
    assert line.ask(b"what\r") == ["*ER\r"]


def test_continuous_mode(line: Line) -> None:
    assert line.ask(b"C,?\r") == ["?C,0\r", "*OK\r"]
    line.uart.hear(b"C,2\r", 10.0)
    assert line.heard(14.5) == ["*OK\r", "7.000\r", "7.000\r"]
    assert line.ask(b"C,100\r", 14.5)[0] == "*ER\r"


def test_readings_come_between_a_command_and_its_answer(line: Line) -> None:
    line.uart.hear(b"C,1\r", 10.0)
    line.heard(10.5)
    line.uart.hear(b"i\r", 10.8)
    assert line.heard(11.2) == ["7.000\r", "?i,pH,2.16\r", "*OK\r"]


def test_find_ends_continuous_mode(line: Line) -> None:
    line.ask(b"C,1\r")
    line.ask(b"Find\r", 10.0)
    line.heard(20.0)
    assert line.uart.due() == math.inf


def test_a_vessel_held_up_says_one_reading(line: Line) -> None:
    line.uart.hear(b"C,1\r", 10.0)
    assert len(line.uart.speak(100.0)) <= 3


def test_sleep_and_wake(line: Line) -> None:
    assert line.ask(b"Sleep\r") == ["*OK\r", "*SL\r"]
    assert line.ask(b"R\r", 10.0) == ["*WA\r"]
    assert line.ask(b"R\r", 20.0) == ["7.000\r", "*OK\r"]


def test_factory_restarts(line: Line) -> None:
    line.ask(b"T,20\r")
    assert line.ask(b"Factory\r", 10.0)[:3] == ["*OK\r", "*RS\r", "*RE\r"]
    line.ask(b"C,0\r", 20.0)
    assert line.ask(b"T,?\r", 30.0) == ["?T,25\r", "*OK\r"]


def test_what_follows_a_restart_is_lost(line: Line) -> None:
    line.uart.hear(b"Factory\rName,x\r", READY)
    assert line.uart.circuit.kept.name == ""


def test_a_new_baud_rate_holds_from_the_restart_on(line: Line) -> None:
    assert line.ask(b"Baud,?\r") == ["?Baud,9600\r", "*OK\r"]
    line.uart.hear(b"Baud,38400\r", 10.0)
    assert line.uart.baud(10.3) == 9600
    assert line.uart.baud(11.2) == 38400
    line.heard(12.0)
    assert line.ask(b"Baud,1234\r", 20.0) == ["*ER\r"]


def test_a_circuit_that_went_to_i2c_is_silent(line: Line) -> None:
    assert line.ask(b"I2C,99\r") == ["*OK\r"]
    assert line.ask(b"R\r", 10.0) == []


def test_endless_input_is_forgotten(line: Line) -> None:
    for _ in range(100):
        line.uart.hear(b"x" * 1000, READY)
    assert line.ask(b"\r") == ["*ER\r"]


def test_faults(line: Line) -> None:
    line.faults.switch_on(Fault.ABSENT)
    assert line.ask(b"R\r") == []
    line.faults.switch_off()
    line.faults.switch_on(Fault.SILENT)
    assert line.ask(b"T,20\r", 10.0) == []
    assert line.uart.circuit.temperature == 20.0
    line.faults.switch_off()
    line.faults.switch_on(Fault.STRAY)
    assert line.ask(b"i\r", 20.0) == [
        "7.000\r".replace("7.000", line.uart.circuit.take_reading(0.0)),
        "?i,pH,2.16\r",
        "*OK\r",
    ]
    line.faults.switch_off()
    line.faults.switch_on(Fault.CUT)
    assert line.ask(b"i\r", 30.0) == ["?i,pH,2.16", "*OK"]
    line.faults.switch_off()
    line.faults.switch_on(Fault.GARBAGE)
    assert "?i,pH,2.16\r" not in line.ask(b"i\r", 40.0)
