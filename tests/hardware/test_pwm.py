import os
from pathlib import Path

import pytest

from hardware.buses import Buses
from hardware.driver import Wiring
from hardware.drivers.pwm import Pwm
from hardware.errors import BadAnswer, BusError
from tests.hardware.fakes import FakeClock
from tests.hardware.simulators import Rig

ON = {"on": True, "duty": 90.0, "frequency": 1000.0}


@pytest.fixture
def device(rig: Rig) -> Pwm:
    made = rig.make(Pwm, rig.address("pwm"))
    made.open()
    return made


def test_writes_nanoseconds(rig: Rig, device: Pwm) -> None:
    device.apply({"on": True, "duty": 12.5, "frequency": 25_000.0})
    assert [rig.pwm.get(1, name) for name in ("period", "duty_cycle", "enable")] == ["40000", "5000", "1"]


def test_a_shorter_period_is_never_refused_nor_too_strong(rig: Rig, device: Pwm) -> None:
    device.apply(ON)
    rig.pwm.duties.clear()
    device.apply({"on": True, "duty": 10.0, "frequency": 50_000.0})
    assert rig.pwm.duties == [0.0, 0.0, 10.0]
    device.apply(ON)
    assert rig.pwm.duty(1) == 90.0


def test_off_takes_the_duty_away_before_it_disables(rig: Rig, device: Pwm) -> None:
    device.apply(ON)
    rig.pwm.seen.clear()
    device.apply(ON | {"on": False})
    assert rig.pwm.seen == ["pwm1/duty_cycle 0", "pwm1/enable 0"]


def test_what_is_safe_when_on_is_written_whatever_the_period_was(rig: Rig) -> None:
    air = rig.make(Pwm, rig.address("pwm"), safe=30.0)
    air.open()
    air.apply({"on": True, "duty": 90.0, "frequency": 100.0})
    rig.guard(air.safe_writes())
    assert air.read_back() == {"on": True, "duty": 30.0, "frequency": 1000.0}


def test_on_without_duty_is_not_off(rig: Rig, device: Pwm) -> None:
    device.apply(ON | {"duty": 0.0})
    assert device.read_back() == {"on": True, "duty": 0.0, "frequency": 1000.0}
    assert rig.pwm.duty(1) == 0.0


def test_what_runs_goes_on_when_it_is_opened(rig: Rig, device: Pwm) -> None:
    device.apply(ON)
    rig.pwm.seen.clear()
    rig.make(Pwm, rig.address("pwm")).open()
    assert rig.pwm.seen == []


def test_reads_the_files_not_its_memory(rig: Rig, device: Pwm) -> None:
    device.apply(ON)
    rig.pwm.write(rig.pwm.path / "pwm1" / "duty_cycle", "250000")
    assert device.read_back()["duty"] == 25.0
    rig.pwm.write(rig.pwm.path / "pwm1" / "enable", "0")
    assert device.read_back() == {"on": False}


@pytest.mark.parametrize("running", [False, True])
def test_the_hardware_inverts(rig: Rig, device: Pwm, running: bool) -> None:
    if running:
        device.apply(ON)
    inverted = rig.make(Pwm, rig.address("pwm"), active_low=True)
    inverted.open()
    inverted.apply(ON)
    assert rig.pwm.get(1, "polarity") == "inversed"
    device.open()
    assert [rig.pwm.get(1, name) for name in ("polarity", "enable")] == ["normal", "0"]


def test_a_polarity_that_is_lost_is_read_back_and_set_right(rig: Rig) -> None:
    inverted = rig.make(Pwm, rig.address("pwm"), active_low=True)
    inverted.open()
    inverted.apply(ON)
    asked = inverted.read_back()["duty"]
    rig.pwm.write(rig.pwm.path / "pwm1" / "enable", "0")
    rig.pwm.write(rig.pwm.path / "pwm1" / "polarity", "normal")
    rig.pwm.write(rig.pwm.path / "pwm1" / "enable", "1")
    assert asked != 50.0
    assert inverted.read_back()["duty"] == pytest.approx(100.0 - float(asked))
    inverted.apply(ON)
    assert rig.pwm.get(1, "polarity") == "inversed"
    assert inverted.read_back()["duty"] == asked


def test_a_channel_that_the_chip_has_not(rig: Rig) -> None:
    with pytest.raises(BusError, match="export: cannot write 7: No such device"):
        rig.make(Pwm, rig.address("pwm", 7)).open()


def test_waits_until_udev_lets_it_in(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([False, True, False, True, True, True])
    monkeypatch.setattr(os, "access", lambda *_: next(answers))
    rig.make(Pwm, rig.address("pwm")).open()
    assert rig.clock.slept == [0.02, 0.02]


def test_does_not_wait_for_ever(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(BusError, match="pwm1 cannot be written"):
        rig.make(Pwm, rig.address("pwm")).open()
    assert sum(rig.clock.slept) == pytest.approx(1.0, abs=0.03)


@pytest.mark.parametrize(
    ("name", "text"), [("period", "fast"), ("enable", ""), ("duty_cycle", "-1"), ("period", "1_0")]
)
def test_nonsense_in_a_file_is_no_number(rig: Rig, device: Pwm, name: str, text: str) -> None:
    device.apply(ON)
    (rig.pwm.path / "pwm1" / name).write_text(text)
    with pytest.raises(BadAnswer, match=f"{name} is '{text}', not a number"):
        device.read_back()


def test_bytes_in_a_file_are_no_answer(rig: Rig, device: Pwm) -> None:
    (rig.pwm.path / "pwm1" / "enable").write_bytes(b"\xff")
    with pytest.raises(BadAnswer, match="not ASCII"):
        device.read_back()


def test_no_period_is_no_answer(rig: Rig, device: Pwm) -> None:
    (rig.pwm.path / "pwm1" / "enable").write_text("1")
    with pytest.raises(BadAnswer, match="period of 0"):
        device.read_back()


def test_a_chip_that_vanished_says_so_and_comes_back(rig: Rig, device: Pwm) -> None:
    hidden = rig.pwm.path.rename(rig.folder / "away")
    with pytest.raises(BusError, match="No such file"):
        device.apply(ON)
    with pytest.raises(BusError, match="there is no PWM chip"):
        device.open()
    hidden.rename(rig.pwm.path)
    device.open()
    device.apply(ON)
    assert rig.pwm.duty(1) == 90.0


def test_writes_real_files_whole(tmp_path: Path) -> None:
    """Without the simulator between: what is longer than the new text must not stay."""
    channel = tmp_path / "pwm1"
    channel.mkdir()
    (tmp_path / "export").touch()
    for name, value in (("period", "123456789"), ("duty_cycle", "99999"), ("enable", "0"), ("polarity", "normal\n")):
        (channel / name).write_text(value)
    device = Pwm(Wiring(f"{tmp_path}:1", Buses(), FakeClock()))
    device.open()
    device.apply({"on": True, "duty": 50.0, "frequency": 100_000.0})
    assert {each.name: each.read_text().strip() for each in channel.iterdir()} == {
        "period": "10000",
        "duty_cycle": "5000",
        "enable": "1",
        "polarity": "normal",
    }
    (channel / "enable").chmod(0o400)
    if os.geteuid():
        with pytest.raises(BusError, match="enable: cannot write 0: Permission denied"):
            device.make_safe()
