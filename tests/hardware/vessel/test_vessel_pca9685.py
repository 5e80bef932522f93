"""The chip's registers, through the bus."""

import errno
import random
from collections.abc import Mapping
from pathlib import Path

import pytest

from hardware.vessel.faults import Fault
from hardware.vessel.frames import Read, Write
from hardware.vessel.i2c import I2cBus, I2cCircuit, TransferError
from hardware.vessel.journal import Journal, entries
from hardware.vessel.pca9685 import Pca9685
from tests.hardware.vessel.conftest import Workbench

CHIP, OTHER, ALL = 0x40, 0x41, 0x70
AWAKE = b"\x00\x20"  # MODE1: auto-increment, nothing else
HALF = bytes([0, 0, 0, 8])  # on at 0, off at 2048
OFF, ON = bytes([0, 0, 0, 0x10]), bytes([0, 0x10, 0, 0])


class Rig:
    """Two chips and a circuit on a bus."""

    def __init__(self, workbench: Workbench, journal: Journal) -> None:
        self.pins: dict[int, dict[int, float]] = {CHIP: {}, OTHER: {}}
        self.chips = {address: self._chip(address) for address in (CHIP, OTHER)}
        self.bus = I2cBus([I2cCircuit(workbench.circuit("ph")), *self.chips.values()], journal)

    def _chip(self, address: int) -> Pca9685:
        def changed(levels: Mapping[int, float]) -> None:
            self.pins[address].update(levels)

        return Pca9685(address, random.Random(1), changed)

    def put(self, data: bytes, address: int = CHIP) -> None:
        self.bus.transfer([Write(address, data)], 0.0)

    def get(self, register: int, count: int = 1, address: int = CHIP) -> bytes:
        return self.bus.transfer([Write(address, bytes([register])), Read(address, count)], 0.0)

    def channel(self, channel: int, counts: bytes, address: int = CHIP) -> None:
        self.put(bytes([6 + 4 * channel]) + counts, address)

    def pin(self, channel: int, address: int = CHIP) -> float:
        return self.pins[address].get(channel, 0.0)


@pytest.fixture
def rig(workbench: Workbench, journal: Journal) -> Rig:
    return Rig(workbench, journal)


@pytest.fixture
def awake(rig: Rig) -> Rig:
    rig.put(AWAKE)
    return rig


def test_power_up_is_as_in_the_data_sheet(rig: Rig) -> None:
    assert rig.get(0x00) == b"\x11"
    assert rig.get(0x01) == b"\x04"
    assert rig.get(0xFE) == b"\x1e"
    rig.put(b"\x00\x31")
    assert rig.get(0x02, 4) == b"\xe2\xe4\xe8\xe0"
    assert rig.get(0x06, 64) == OFF * 16


def test_a_sleeping_chip_drives_nothing(rig: Rig) -> None:
    rig.channel(3, HALF)
    assert rig.pin(3) == 0.0
    rig.put(AWAKE)
    rig.channel(3, HALF)
    assert rig.pin(3) == 0.5


def test_without_increment_one_register_takes_it_all(rig: Rig) -> None:
    rig.put(b"\x00\x00")
    rig.put(b"\x06\x01\x02\x03")
    assert rig.get(0x06, 3) == b"\x03\x03\x03"
    rig.put(AWAKE)
    assert rig.get(0x06, 3) == b"\x03\x00\x00"


def test_increment_goes_from_the_last_channel_and_the_prescaler_to_the_first_register(awake: Rig) -> None:
    assert awake.get(0x45, 2) == b"\x10\x20"
    assert awake.get(0xFE, 2) == b"\x1e\x20"


@pytest.mark.parametrize(
    ("counts", "share"),
    [
        (HALF, 0.5),
        (OFF, 0.0),
        (ON, 1.0),
        (bytes([0, 0x10, 0, 0x10]), 0.0),  # full off wins
        (bytes([0x00, 0x0C, 0x00, 0x04]), 0.5),  # on at 3072, off at 1024 of the next period
        (bytes([0, 0, 1, 0]), 1 / 4096),
        (bytes([0, 0xE0, 0, 0xE8]), 0.5),  # the high bits cannot be written
    ],
)
def test_counts(awake: Rig, counts: bytes, share: float) -> None:
    awake.channel(15, counts)
    assert awake.pin(15) == share


def test_all_channels_at_once(awake: Rig) -> None:
    awake.put(b"\xfa" + HALF)
    assert awake.pins[CHIP] == dict.fromkeys(range(16), 0.5)
    assert awake.get(0xFA, 4) == bytes(4)
    awake.put(b"\xfd\x10")
    assert awake.pins[CHIP] == dict.fromkeys(range(16), 0.0)


def test_the_prescaler_is_written_asleep_alone(awake: Rig) -> None:
    awake.put(b"\xfe\x79")
    assert awake.get(0xFE) == b"\x1e"
    awake.put(b"\x00\x30")
    awake.put(b"\xfe\x79")
    assert awake.get(0xFE) == b"\x79"
    awake.put(b"\xfe\x01")
    assert awake.get(0xFE) == b"\x03"


def test_what_ran_before_sleep_needs_a_restart(awake: Rig) -> None:
    awake.channel(0, HALF)
    awake.put(b"\x00\x30")
    assert (awake.get(0x00), awake.pin(0)) == (b"\xb0", 0.0)
    awake.put(b"\x00\xa0")  # awake, yet written before the oscillator runs: the bit stays
    assert (awake.get(0x00), awake.pin(0)) == (b"\xa0", 0.0)
    awake.put(b"\x00\xa0")
    assert (awake.get(0x00), awake.pin(0)) == (b"\x20", 0.5)


def test_a_channel_that_is_written_ends_the_halt(awake: Rig) -> None:
    awake.channel(0, HALF)
    awake.put(b"\x00\x30")
    awake.put(AWAKE)
    awake.channel(1, ON)
    assert awake.get(0x00) == b"\x20"
    assert (awake.pin(0), awake.pin(1)) == (0.5, 1.0)


def test_an_orderly_shutdown_leaves_nothing_to_restart(awake: Rig) -> None:
    awake.channel(0, OFF)
    awake.put(b"\x00\x30")
    assert awake.get(0x00) == b"\x30"


def test_no_clock_comes_from_the_clock_pin(awake: Rig) -> None:
    awake.channel(0, HALF)
    awake.put(b"\x00\x60")
    assert awake.pin(0) == 0.0
    awake.put(AWAKE)
    assert awake.get(0x00) == b"\x60"  # until a reset


def test_inverted_pins(awake: Rig) -> None:
    awake.channel(0, bytes([0, 0, 0, 4]))
    awake.put(b"\x01\x14")
    assert (awake.pin(0), awake.pin(1)) == (0.75, 1.0)


def test_shared_addresses_are_written_only(rig: Rig) -> None:
    for address in (CHIP, OTHER):
        rig.put(b"\x00\x21", address)
    rig.channel(2, HALF, ALL)
    assert (rig.pin(2), rig.pin(2, OTHER)) == (0.5, 0.5)
    with pytest.raises(TransferError):
        rig.bus.transfer([Read(ALL, 1)], 0.0)
    rig.put(AWAKE, OTHER)
    rig.channel(2, OFF, ALL)
    assert (rig.pin(2), rig.pin(2, OTHER)) == (0.0, 0.5)
    rig.put(b"\x00\x28", OTHER)
    rig.channel(2, OFF, 0xE2 >> 1)
    assert rig.pin(2, OTHER) == 0.0


def test_a_software_reset(awake: Rig) -> None:
    awake.channel(0, ON)
    awake.put(b"\x05", 0)
    assert awake.pin(0) == 1.0
    awake.put(b"\x06", 0)
    assert (awake.pin(0), awake.get(0x00)) == (0.0, b"\x11")


def test_a_power_cut(awake: Rig) -> None:
    awake.channel(0, ON)
    awake.chips[CHIP].restart(0.0, "P")
    assert (awake.pin(0), awake.get(0xFE), awake.get(0x00)) == (0.0, b"\x1e", b"\x11")


def test_an_absent_chip_goes_on_as_it_was(awake: Rig) -> None:
    awake.channel(0, ON)
    awake.chips[CHIP].faults.switch_on(Fault.ABSENT)
    with pytest.raises(TransferError) as absent:
        awake.channel(0, OFF)
    assert (absent.value.errno, awake.pin(0)) == (errno.EREMOTEIO, 1.0)


def test_damaged_answers_keep_their_length(awake: Rig) -> None:
    awake.chips[CHIP].faults.switch_on(Fault.GARBAGE)
    assert len(awake.get(0x06)) == 1
    assert awake.get(0x06, 8) != OFF + OFF


def test_the_journal_says_what_was_written_in_hexadecimal(awake: Rig, tmp_path: Path) -> None:
    awake.channel(0, HALF)
    awake.get(0x09)
    awake.chips[CHIP].faults.switch_on(Fault.ABSENT)
    with pytest.raises(TransferError):
        awake.put(b"\x00")
    noted = [
        (each.circuit, each.do, each.command, each.answer, each.error) for each in entries(tmp_path / "journal.jsonl")
    ]
    assert noted == [
        ("pca9685-0x40", "write", "00 20", "", 0),
        ("pca9685-0x40", "write", "06 00 00 00 08", "", 0),
        ("pca9685-0x40", "write", "09", "", 0),
        ("pca9685-0x40", "read", "09", "\x08", 0),
        ("pca9685-0x40", "write", "00", "", errno.EREMOTEIO),
    ]
