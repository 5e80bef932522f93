"""Circuits on the simulated I2C bus, without sockets."""

import errno
from pathlib import Path

import pytest

from hardware.vessel.faults import BusFault, Fault
from hardware.vessel.frames import Read, Write
from hardware.vessel.i2c import HANG, I2cBus, I2cCircuit, TransferError
from hardware.vessel.journal import Journal, entries
from tests.hardware.vessel.conftest import Workbench

PH = 99
PROCESSING, NO_DATA, SYNTAX = b"\xfe", b"\xff", b"\x02"


class Master:
    """Writes and reads one circuit at times of the test's choice."""

    def __init__(self, bus: I2cBus, circuit: I2cCircuit) -> None:
        self.bus = bus
        self.circuit = circuit
        self.faults = circuit.circuit.faults

    def write(self, command: bytes, now: float = 0.0, address: int = PH) -> None:
        self.bus.transfer([Write(address, command)], now)

    def read(self, now: float, address: int = PH, count: int = 40) -> bytes:
        return self.bus.transfer([Read(address, count)], now)

    def ask(self, command: bytes, now: float = 0.0) -> bytes:
        self.write(command, now)
        return self.read(now + 2.0)


@pytest.fixture
def master(workbench: Workbench, journal: Journal) -> Master:
    circuits = {kind: I2cCircuit(workbench.circuit(kind)) for kind in ("ph", "rtd")}
    return Master(I2cBus(list(circuits.values()), journal), circuits["ph"])


def failure(master: Master, now: float = 0.0) -> int | None:
    with pytest.raises(TransferError) as caught:
        master.read(now)
    return caught.value.errno


def test_an_answer_is_status_text_and_nothing_more(master: Master) -> None:
    assert master.ask(b"R") == b"\x017.000".ljust(40, b"\0")


@pytest.mark.parametrize("command", [b"i\0", b"i"])
def test_a_command_may_end_with_nul(master: Master, command: bytes) -> None:
    assert master.ask(command).rstrip(b"\0") == b"\x01?i,pH,2.16"


def test_a_carriage_return_is_no_part_of_a_command(master: Master) -> None:
    assert master.ask(b"R\r")[:1] == SYNTAX


def test_too_early_a_read_gives_254_and_does_no_harm(master: Master) -> None:
    master.write(b"R")
    assert master.read(0.0)[:1] == PROCESSING
    assert master.read(0.89)[:1] == PROCESSING
    assert master.read(0.9)[:6] == b"\x017.000"


def test_an_answer_is_delivered_once(master: Master) -> None:
    master.ask(b"R")
    assert master.read(5.0)[:1] == NO_DATA


def test_reading_the_status_alone_uses_the_answer_up(master: Master) -> None:
    master.write(b"R")
    assert master.read(1.0, count=1) == b"\x01"
    assert master.read(1.0)[:1] == NO_DATA


def test_without_a_command_there_is_no_data(master: Master) -> None:
    assert master.read(0.0)[:1] == NO_DATA


def test_a_second_command_takes_the_place_of_the_first(master: Master) -> None:
    master.write(b"R")
    master.write(b"i", 0.1)
    assert master.read(0.5)[:3] == b"\x01?i"


def test_what_it_does_not_know_is_a_syntax_error(master: Master) -> None:
    assert master.ask(b"Bogus")[:1] == SYNTAX
    assert master.ask(b"\xff\x80")[:1] == SYNTAX


def test_a_setting_answers_with_its_status_alone(master: Master) -> None:
    assert master.ask(b"T,20") == b"\x01".ljust(40, b"\0")


def test_one_transaction_can_only_get_254(master: Master) -> None:
    assert master.bus.transfer([Write(PH, b"R"), Read(PH, 8)], 0.0)[:1] == PROCESSING
    assert master.read(1.0)[:6] == b"\x017.000"


def test_circuits_work_at_the_same_time(master: Master) -> None:
    master.write(b"R")
    master.write(b"R", address=102)
    assert master.read(0.9)[:6] == b"\x017.000"
    assert master.read(0.9, address=102)[:7] == b"\x0125.000"


def test_nobody_acknowledges_an_address_without_a_circuit(master: Master) -> None:
    with pytest.raises(TransferError) as caught:
        master.read(0.0, address=50)
    assert caught.value.errno == errno.EREMOTEIO


def test_an_empty_write_asks_whether_somebody_is_there(master: Master) -> None:
    master.write(b"R")
    master.write(b"", 0.5)
    assert master.read(1.0)[:6] == b"\x017.000"


def test_a_circuit_is_away_while_it_restarts(master: Master) -> None:
    master.write(b"T,20")
    master.write(b"Factory", 1.0)
    assert failure(master, 1.7) == errno.EREMOTEIO
    assert master.read(1.9)[:1] == NO_DATA
    assert master.ask(b"T,?", 2.0).rstrip(b"\0") == b"\x01?T,25"


def test_a_new_address_is_answered_after_the_restart(master: Master) -> None:
    master.write(b"I2C,40")
    assert failure(master, 2.0) == errno.EREMOTEIO
    master.write(b"R", 2.0, address=40)
    assert master.read(3.0, address=40)[:6] == b"\x017.000"


def test_the_last_import_says_so_before_the_restart(master: Master) -> None:
    master.ask(b"Cal,mid,7")
    strings = []
    while (string := master.ask(b"Export")[1:].rstrip(b"\0")) != b"*DONE":
        strings.append(string)
    answers = [master.ask(b"Import," + string) for string in strings]
    assert answers[-1].rstrip(b"\0") == b"\x01*Pending"
    assert failure(master, 2.0) == errno.EREMOTEIO


def test_a_circuit_that_went_to_uart_is_gone(master: Master) -> None:
    master.write(b"Baud,9600")
    assert failure(master, 60.0) == errno.EREMOTEIO


def test_any_write_wakes_and_is_lost(master: Master) -> None:
    master.write(b"Sleep")
    master.write(b"R", 5.0)
    assert master.read(7.0)[:1] == NO_DATA
    assert master.ask(b"R", 8.0)[:6] == b"\x017.000"


def test_a_read_wakes_too(master: Master) -> None:
    master.write(b"Sleep")
    assert master.read(1.0)[:1] == NO_DATA
    assert not master.circuit.circuit.asleep


def test_absent(master: Master) -> None:
    master.faults.switch_on(Fault.ABSENT)
    assert failure(master) == errno.EREMOTEIO
    master.faults.switch_off(Fault.ABSENT)
    assert master.ask(b"R")[:6] == b"\x017.000"


def test_silent(master: Master) -> None:
    master.faults.switch_on(Fault.SILENT)
    assert master.ask(b"R")[:1] == NO_DATA


def test_slow(master: Master) -> None:
    master.faults.switch_on(Fault.SLOW, 0.75)
    master.write(b"R")
    assert master.read(1.6)[:1] == PROCESSING
    assert master.read(1.65)[:6] == b"\x017.000"


def test_garbage_and_noise_keep_the_status(master: Master) -> None:
    for fault in (Fault.GARBAGE, Fault.NOISE):
        master.faults.switch_on(fault, 1.0)
        answer = master.ask(b"R")
        assert answer[:1] == b"\x01"
        assert answer[1:6] != b"7.000"
        master.faults.switch_off()


def test_top_bits(master: Master) -> None:
    master.faults.switch_on(Fault.TOP_BIT)
    answer = master.ask(b"R")
    assert answer[:1] == b"\x01"
    assert bytes(byte & 0x7F for byte in answer[1:6]) == b"7.000"
    assert answer[1] & 0x80
    assert answer[6:] == bytes(34)


def test_cut(master: Master) -> None:
    master.faults.switch_on(Fault.CUT)
    assert master.ask(b"R").rstrip(b"\0") == b"\x017.00"


def test_a_held_bus_times_out_for_everybody(master: Master) -> None:
    master.bus.faults.add(BusFault.HANG)
    with pytest.raises(TransferError) as caught:
        master.read(0.0, address=50)
    assert (caught.value.errno, caught.value.after) == (errno.ETIMEDOUT, HANG)


def test_a_bus_on_which_nobody_acknowledges(master: Master) -> None:
    master.bus.faults.add(BusFault.NACK)
    assert failure(master) == errno.EREMOTEIO


def test_the_journal_has_every_transfer(master: Master, tmp_path: Path) -> None:
    master.write(b"R")
    master.read(0.1)
    master.read(1.0)
    master.faults.switch_on(Fault.ABSENT)
    assert failure(master) == errno.EREMOTEIO
    noted = [
        (each.circuit, each.do, each.command, each.answer, each.status, each.error, each.reading)
        for each in entries(tmp_path / "journal.jsonl")
    ]
    assert noted == [
        ("ph", "write", "R", "", None, 0, False),
        ("ph", "read", "R", "", 254, 0, False),
        ("ph", "read", "R", "7.000", 1, 0, True),
        ("ph", "read", "", "", None, errno.EREMOTEIO, False),
    ]
