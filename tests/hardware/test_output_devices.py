"""What every device on an output owes to its actor and to the guard, on each kind of output."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pytest

from hardware.device import DeviceDriver, Value, check_settings
from hardware.driver import Wiring
from hardware.drivers.pca9685 import Pca9685
from hardware.drivers.pump import Pump
from hardware.drivers.pwm import Pwm
from hardware.drivers.switch import Switch
from hardware.errors import BadConfiguration, HardwareError
from tests.hardware.simulators import Rig


@dataclass(frozen=True)
class Case:
    """A driver on an output: a document that has it run, and what the pin then shows."""

    driver: Callable[[Wiring], DeviceDriver]
    kind: str
    running: Mapping[str, Value]
    shows: float
    options: Mapping[str, object]
    rests: float = 0.0  # what the pin shows while it is safe


PWM_ON: Mapping[str, Value] = {"on": True, "duty": 37.5, "frequency": 500.0}
PUMPING: Mapping[str, Value] = {"on": True, "duty": 75.0, "flow": 1.5}
CASES = {
    "pwm": Case(Pwm, "pwm", PWM_ON, 37.5, {}),
    "pca9685": Case(Pca9685, "pca9685", PWM_ON, 37.5, {}),
    "switch": Case(Switch, "gpio", {"on": True}, 100.0, {}),
    "switch-low": Case(Switch, "gpio", {"on": True}, 0.0, {"active_low": True}, rests=100.0),
    "pump-pwm": Case(Pump, "pwm", PUMPING, 75.0, {"output": "pwm"}),
    "pump-pca9685": Case(Pump, "pca9685", PUMPING, 75.0, {"output": "pca9685"}),
    "pump-gpio": Case(Pump, "gpio", {"on": True, "flow": 1.5}, 100.0, {"output": "gpio"}),
    "air": Case(Pwm, "pwm", PWM_ON, 37.5, {"safe": 60.0}, rests=60.0),
    "air-pca9685": Case(Pca9685, "pca9685", PWM_ON, 37.5, {"safe": 60}, rests=60.0),
    "air-switch": Case(Switch, "gpio", {"on": False}, 0.0, {"safe": True}, rests=100.0),
}


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]


def make(rig: Rig, case: Case) -> DeviceDriver:
    return rig.make(case.driver, rig.address(case.kind), **case.options)


@pytest.fixture
def device(rig: Rig, case: Case) -> DeviceDriver:
    made = make(rig, case)
    made.open()
    return made


def about(value: float) -> object:
    return pytest.approx(value, abs=0.02)  # a PCA9685 has 4,096 steps


def off(case: Case) -> dict[str, Value]:
    return {**case.running, "on": False}


def test_making_one_touches_nothing(rig: Rig, case: Case) -> None:
    driver = make(rig, case)
    assert driver.settings
    assert driver.safe_writes()
    assert not rig.seen
    assert not rig.pwm.seen
    assert not rig.gpio.opened


def test_finding_changes_nothing(rig: Rig, case: Case) -> None:
    registers = bytes(rig.chip.registers)
    make(rig, case).find()
    assert rig.chip.registers == registers
    assert not rig.pwm.seen
    assert not rig.gpio.opened


def test_its_own_values_are_within_its_limits(rig: Rig, case: Case) -> None:
    settings = make(rig, case).settings
    assert check_settings(settings, {each.name: each.default for each in settings}) == ()
    assert check_settings(settings, {each.name: each.safe for each in settings}) == ()
    assert check_settings(settings, case.running) == ()
    assert {each.name for each in settings} == set(case.running)


def test_names_of_its_descriptor_are_its_settings(rig: Rig, case: Case) -> None:
    driver = make(rig, case)
    known = {each.name for each in driver.descriptor.settings}
    assert {each.name for each in driver.settings} <= known
    assert {driver.descriptor.ramped, driver.descriptor.cycled} - {None} <= known


def test_applies_and_reads_back_what_the_pin_shows(rig: Rig, case: Case, device: DeviceDriver) -> None:
    device.apply(case.running)
    assert rig.shown(case.kind) == about(case.shows)
    for name, value in device.read_back().items():
        assert value == pytest.approx(case.running[name], rel=0.02)  # of a PCA9685's frequency
    assert device.read_back()["on"] is case.running["on"]


def test_applying_again_changes_nothing(rig: Rig, case: Case, device: DeviceDriver) -> None:
    device.apply(case.running)
    registers, files = bytes(rig.chip.registers), dict(rig.gpio.levels)
    rig.pwm.duties.clear()
    device.apply(case.running)
    assert rig.chip.registers == registers
    assert rig.gpio.levels == files
    assert set(rig.pwm.duties) <= {case.shows}
    assert rig.shown(case.kind) == about(case.shows)


def test_off_is_off(rig: Rig, case: Case, device: DeviceDriver) -> None:
    device.apply(case.running)
    device.apply(off(case))
    assert device.read_back() == {"on": False}
    assert rig.shown(case.kind) == (100.0 if case.options.get("active_low") else 0.0)


def test_is_made_safe_by_its_driver(rig: Rig, case: Case, device: DeviceDriver) -> None:
    device.apply(case.running)
    device.make_safe()
    assert rig.shown(case.kind) == about(case.rests)


def test_is_made_safe_without_its_driver(rig: Rig, case: Case, device: DeviceDriver) -> None:
    device.apply(case.running)
    writes = make(rig, case).safe_writes()
    rig.restart()
    rig.guard(writes)
    assert rig.shown(case.kind) == about(case.rests)
    rig.guard(writes)
    assert rig.shown(case.kind) == about(case.rests)


def test_what_the_guard_wrote_is_read_back_as_safe(rig: Rig, case: Case, device: DeviceDriver) -> None:
    device.apply(case.running)
    rig.guard(device.safe_writes())
    rig.restart()
    again = make(rig, case)
    again.open()
    safe = {each.name: each.safe for each in again.settings}
    assert again.read_back()["on"] is safe["on"]


def test_safe_writes_do_no_harm_to_what_was_never_used(rig: Rig, case: Case) -> None:
    rig.guard(make(rig, case).safe_writes())
    expected = 0.0 if case.kind == "pwm" else case.rests  # nobody has exported the channel
    assert rig.shown(case.kind) == about(expected)


def test_another_process_goes_on_where_the_last_one_was(rig: Rig, case: Case, device: DeviceDriver) -> None:
    device.apply(case.running)
    rig.restart()
    again = make(rig, case)
    again.open()
    again.apply(case.running)
    assert rig.shown(case.kind) == about(case.shows)


def test_letting_go_keeps_the_level(rig: Rig, case: Case, device: DeviceDriver) -> None:
    device.apply(case.running)
    device.close()
    device.close()
    assert rig.shown(case.kind) == about(case.shows)
    assert not rig.gpio.opened
    device.open()  # its line is free again


def test_what_is_not_there_is_said(rig: Rig, case: Case) -> None:
    address = {"pwm": "/sys/class/pwm/pwmchip9:0", "pca9685": "/dev/i2c-1:0x41:0", "gpio": "/dev/gpiochip0:99"}
    driver = rig.make(case.driver, address[case.kind], **case.options)
    with pytest.raises(HardwareError, match=r"pwmchip9|0x41|line 99 of /dev/gpiochip0: Invalid argument"):
        driver.open()


def test_has_no_act_of_its_own(device: DeviceDriver) -> None:
    assert all(act.timed for act in device.descriptor.acts)
    with pytest.raises(NotImplementedError):
        device.act("dose", {"volume": 1.0})


@pytest.mark.parametrize("address", ["host", "/dev/ttyAMA0", "/dev/i2c-1:", "7", "", "pwmchip0:1", "/a:-1", "/a:12345"])
def test_takes_its_own_kind_of_address(rig: Rig, case: Case, address: str) -> None:
    with pytest.raises(BadConfiguration, match=r"takes .*pwmchip0:1|takes .*0x40:3|takes .*gpiochip0:17"):
        rig.make(case.driver, address, **case.options)


def test_every_mistake_in_its_options_is_told(rig: Rig, case: Case) -> None:
    with pytest.raises(BadConfiguration, match=r"option (active_low|safe|frequency) is .*has no option 'colour', only"):
        rig.make(
            case.driver,
            rig.address(case.kind),
            **{**case.options, "active_low": 1, "safe": "on", "frequency": -1, "colour": "red"},
        )
