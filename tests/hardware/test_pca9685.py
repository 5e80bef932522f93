from threading import Thread

import pytest

from hardware.drivers.pca9685 import Pca9685
from hardware.errors import BadAnswer, BadConfiguration, NoAnswer, Refused
from tests.hardware.simulators import ALL_CALL, BUS, CHIP, INCREMENT, MODE1, SLEEP, Rig

ON = {"on": True, "duty": 40.0, "frequency": 1000.0}


def channel(rig: Rig, number: int) -> Pca9685:
    made = rig.make(Pca9685, rig.address("pca9685", number))
    made.open()
    return made


def test_wakes_a_chip_that_just_got_power(rig: Rig) -> None:
    channel(rig, 3)
    assert rig.chip.registers[MODE1] == INCREMENT  # no more answers to the address of all chips
    assert rig.clock.slept == [0.0005]


def test_leaves_a_chip_that_runs_alone(rig: Rig) -> None:
    first = channel(rig, 3)
    first.apply(ON)
    rig.seen.clear()
    channel(rig, 4)
    assert rig.seen == ["00 | r1"]


def test_one_write_sets_a_channel(rig: Rig) -> None:
    device = channel(rig, 3)
    device.apply(ON)
    rig.seen.clear()
    device.apply(ON | {"duty": 75.0})
    assert rig.seen == ["00 | r1", "fe | r1", "12 00 00 00 0c"]


@pytest.mark.parametrize(
    ("duty", "shown"), [(0.0, 0.0), (0.01, 0.0), (0.013, 100 / 4096), (50.0, 50.0), (99.99, 100.0), (100.0, 100.0)]
)
def test_the_whole_range_and_never_equal_counts(rig: Rig, duty: float, shown: float) -> None:
    device = channel(rig, 15)
    device.apply(ON | {"duty": duty})
    assert rig.chip.duty(15) == pytest.approx(shown)
    assert device.read_back() == {
        "on": True,
        "duty": pytest.approx(shown),
        "frequency": pytest.approx(1017.25, abs=0.01),
    }


@pytest.mark.parametrize(("asked", "got"), [(24.0, 24.03), (200.0, 196.89), (1000.0, 1017.25), (1526.0, 1525.88)])
def test_the_frequency_is_read_back_as_it_is(rig: Rig, asked: float, got: float) -> None:
    device = channel(rig, 0)
    device.apply(ON | {"frequency": asked})
    assert (
        device.read_back()["frequency"] == pytest.approx(got, abs=0.01) == pytest.approx(rig.chip.frequency, abs=0.01)
    )


def test_another_frequency_is_refused_while_others_run(rig: Rig) -> None:
    one, other = channel(rig, 0), channel(rig, 7)
    one.apply(ON)
    with pytest.raises(Refused, match=r"0x40:7: frequency 200 Hz: .* at 1017.3 Hz it serves channel 0: switch off"):
        other.apply(ON | {"frequency": 200.0})
    assert [rig.chip.duty(0), rig.chip.duty(7)] == pytest.approx([40.0, 0.0], abs=0.02)
    assert other.read_back() == {"on": False}


@pytest.mark.parametrize("duty", [0.0, 40.0, 100.0])
def test_a_channel_that_is_on_holds_the_frequency_whatever_its_duty(rig: Rig, duty: float) -> None:
    channel(rig, 0).apply(ON | {"duty": duty})
    with pytest.raises(Refused, match="serves channel 0"):
        channel(rig, 7).apply(ON | {"frequency": 200.0})


def test_the_frequency_is_free_once_the_others_are_off(rig: Rig) -> None:
    one, other = channel(rig, 0), channel(rig, 7)
    one.apply(ON)
    one.apply(ON | {"on": False})
    other.apply(ON | {"frequency": 200.0})
    assert rig.chip.frequency == pytest.approx(196.9, abs=0.1)
    with pytest.raises(Refused):
        one.apply(ON)
    assert rig.chip.duty(0) == 0.0


def test_its_own_frequency_changes_without_a_wrong_pulse(rig: Rig) -> None:
    device = channel(rig, 7)
    device.apply(ON)
    shown: set[float] = set()
    rig.watch = lambda: shown.add(round(rig.chip.duty(7), 1))
    device.apply(ON | {"frequency": 200.0, "duty": 80.0})
    assert shown == {40.0, 0.0, 80.0}
    assert not rig.chip.stopped


def test_a_brown_out_is_seen_and_healed(rig: Rig) -> None:
    device = channel(rig, 3)
    device.apply(ON)
    rig.chip.cut_power()
    assert device.read_back() == {"on": False}
    device.apply(ON)
    assert device.read_back()["duty"] == pytest.approx(40.0, abs=0.02)
    assert rig.chip.duty(3) == pytest.approx(40.0, abs=0.02)


def test_a_chip_sent_to_sleep_goes_on_with_all_channels(rig: Rig) -> None:
    one, other = channel(rig, 0), channel(rig, 7)
    one.apply(ON)
    other.apply(ON)
    rig.chip.write(bytes([MODE1, INCREMENT | SLEEP]))
    assert rig.chip.duty(7) == 0.0
    one.open()
    assert rig.chip.duty(7) == pytest.approx(40.0, abs=0.02)


def test_a_chip_that_another_program_set_up_is_told_then_taken(rig: Rig) -> None:
    device = channel(rig, 3)
    device.apply(ON)
    rig.chip.write(bytes([MODE1, ALL_CALL]))
    with pytest.raises(BadAnswer, match="mode 0x01"):
        device.read_back()
    device.open()
    assert device.read_back()["on"] is True


def test_safe_needs_no_mode(rig: Rig) -> None:
    """Single registers: a chip that does not count registers up is switched off all the same."""
    device = channel(rig, 3)
    device.apply(ON)
    rig.chip.write(bytes([MODE1, 0]))
    rig.guard(device.safe_writes())
    assert rig.chip.duty(3) == 0.0


def test_safe_touches_no_other_channel(rig: Rig) -> None:
    one, other = channel(rig, 0), channel(rig, 7)
    one.apply(ON)
    other.apply(ON)
    rig.guard(one.safe_writes())
    assert [rig.chip.duty(0), rig.chip.duty(7)] == pytest.approx([0.0, 40.0], abs=0.02)


def test_channels_on_threads_of_their_own_agree_on_a_frequency(rig: Rig) -> None:
    """Whoever is first has it; no interleaving gives a channel a frequency that it did not ask for."""
    devices = {number: channel(rig, number) for number in range(8)}
    refused: list[int] = []

    def run(number: int) -> None:
        try:
            devices[number].apply(ON | {"frequency": 100.0 if number % 2 else 1000.0})
        except Refused:
            refused.append(number)

    threads = [Thread(target=run, args=(number,)) for number in devices]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    parity = {number % 2 for number in devices if number not in refused}
    assert len(parity) == 1
    assert {number % 2 for number in refused} == {1 - parity.pop()}
    assert rig.chip.frequency == pytest.approx(1017.25 if refused[0] % 2 else 100.06, abs=0.5)


def test_the_chip_is_held_while_what_all_share_is_looked_at_and_changed(rig: Rig) -> None:
    device = channel(rig, 3)
    lock = rig.buses.i2c(BUS).chip_lock(CHIP)
    held: list[bool] = []
    rig.watch = lambda: held.append(lock.locked())
    device.apply(ON)
    device.open()
    device.make_safe()
    assert len(held) > 8
    assert all(held)


def test_a_channel_that_idles_is_off_once_it_is_safe(rig: Rig) -> None:
    device = channel(rig, 3)
    device.apply(ON | {"duty": 0.0})
    rig.guard(device.safe_writes())
    assert device.read_back() == {"on": False}


def test_a_chip_that_went_away(rig: Rig) -> None:
    with pytest.raises(NoAnswer, match="0x41"):
        rig.make(Pca9685, "/dev/i2c-1:0x41:3").find()


@pytest.mark.parametrize("address", ["/dev/i2c-1:0x40:16", "/dev/i2c-1:0x80:1"])
def test_a_chip_has_sixteen_channels_and_seven_bits(rig: Rig, address: str) -> None:
    with pytest.raises(BadConfiguration, match=r"0 to 15, not 16|1 to 127, not 128"):
        rig.make(Pca9685, address)


def test_equal_wiring_is_an_equal_address(rig: Rig) -> None:
    assert rig.make(Pca9685, "/dev/i2c-1:64:3").address == rig.make(Pca9685, "/dev/i2c-1:0x40:3").address
    assert str(rig.make(Pca9685, "/dev/i2c-1:64:3").address) == "/dev/i2c-1:0x40:3"
