"""Devices and interlocks of the reactor's file: configuration, or one line for each mistake."""

import math
from pathlib import Path

import pytest

from actors.config import Above, Apart, DeviceConfig, DoseLimits, MaxOn, MinOff, Needs
from deploy.errors import ConfigurationError
from deploy.reactor_file import ReactorFile, load
from deploy.settings import Settings
from hardware.drivers.pump import Pump
from hardware.drivers.pwm import Pwm
from hardware.drivers.switch import Switch
from hardware.errors import BadConfiguration
from tests.deploy.test_reactor_file import find as find_sensor

GOOD = """
name = "tank"

[[sensors]]
name = "ph"
driver = "probe"
address = "/dev/i2c-1:0x63"

[[devices]]
name = "heater"
label = "Heater"
looks = "heater"
driver = "pwm"
address = "vessels/tank/pwmchip0:1"
settings = { on = true, duty = 20, ramp = 5 }

[[devices]]
name = "acid"
driver = "pump"
address = "/dev/gpiochip0:4"
options = { output = "gpio" }
limits = { dose = 5, hour = 20.5 }
lease = 600

[[devices]]
name = "base"
driver = "switch"
address = "/dev/gpiochip0:5"

[[interlocks]]
name = "not-too-long"
device = "heater"
max_on = 3600

[[interlocks]]
name = "rest"
device = "heater"
min_off = 60

[[interlocks]]
name = "never-both"
apart = ["acid", "base"]

[[interlocks]]
name = "blind"
device = "heater"
needs = "ph.ph"

[[interlocks]]
name = "sour"
device = "heater"
above = "ph.ph"
limit = 8
"""


BOTH_ON = """
address = "/dev/gpiochip0:5"
settings = { on = true }

[[devices]]
name = "heat"
driver = "switch"
address = "/dev/gpiochip0:6"
settings = { on = true }

[[interlocks]]
name = "x"
apart = ["base", "heat"]
"""


def find_device(name: str) -> type[Pwm | Pump | Switch]:
    drivers: dict[str, type[Pwm | Pump | Switch]] = {"pwm": Pwm, "pump": Pump, "switch": Switch}
    if name not in drivers:
        raise BadConfiguration(f"no driver {name}")
    return drivers[name]


def read(path: Path, text: str, settings: Settings) -> ReactorFile:
    path.write_text(text, encoding="utf-8")
    return load(path, settings, find_sensor, find_device)


def mistakes(path: Path, text: str, settings: Settings) -> list[str]:
    with pytest.raises(ConfigurationError) as raised:
        read(path, text, settings)
    return [mistake.removeprefix(f"{path}: ") for mistake in raised.value.mistakes]


def test_devices_and_interlocks(path: Path, settings: Settings) -> None:
    found = read(path, GOOD, settings)
    assert found.devices[0] == DeviceConfig(
        name="heater",
        label="Heater",
        looks="heater",
        driver="pwm",
        address=f"{settings.state_dir}/vessels/tank/pwmchip0:1",
        options={},
        settings={"on": True, "duty": 20, "ramp": 5},
        limits=DoseLimits(),
    )
    assert (found.devices[1].limits, found.devices[1].looks) == (DoseLimits(5.0, 20.5, math.inf), "pump")
    assert found.interlocks == (
        MaxOn("not-too-long", "heater", 3600.0),
        MinOff("rest", "heater", 60.0),
        Apart("never-both", ("acid", "base")),
        Needs("blind", "heater", "ph", "ph"),
        Above("sour", "heater", "ph", "ph", 8.0),
    )
    assert [device.lease for device in found.devices] == [None, 600.0, None]


def test_a_reactor_without_devices_is_one(path: Path, settings: Settings) -> None:
    found = read(path, GOOD[: GOOD.index("[[devices]]")], settings)
    assert (found.devices, found.interlocks) == ((), ())


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('driver = "pwm"', 'driver = "pmw"', "[[devices]] heater: no driver pmw"),
        ('driver = "pwm"', "", "[[devices]] heater: driver is missing"),
        ('looks = "heater"', 'looks = "A Heater"', "[[devices]] heater: looks = 'A Heater' must be a-z, then up to"),
        ('name = "heater"', 'name = "ph"', "[[devices]] ph: the name is taken"),
        ("duty = 20", "duty = 120", "[[devices]] heater: settings: duty 120: must be a number from 0 to 100 %"),
        ("duty = 20", "dutty = 20", "[[devices]] heater: settings: dutty 20: unknown, there is on, duty"),
        ("ramp = 5", "on_time = 5", "[[devices]] heater: settings: on_time and off_time are both 0 s (no cycle)"),
        (
            "ramp = 5",
            "on_time = 4000, off_time = 60",
            "[[devices]] heater: settings: interlock not-too-long: on for at most 3600 s at a time, and not for 4000 s",
        ),
        ("dose = 5", "dose = 0", "[[devices]] acid: limits: dose = 0 must be a number above 0, up to 1e+06"),
        ("dose = 5", 'dose = "5"', "[[devices]] acid: limits: dose = '5' must be a number above 0, up to 1e+06"),
        ("dose = 5", "month = 5", "[[devices]] acid: limits: unknown key month: known are dose, hour, day"),
        ("limits = { dose = 5, hour = 20.5 }", "limits = 5", "[[devices]] acid: limits = 5 must be a table"),
        (
            'address = "/dev/gpiochip0:5"',
            'address = "/dev/gpiochip0:4"',
            "[[devices]] base: address /dev/gpiochip0:4 is that of acid too",
        ),
        ("max_on = 3600", "max_on = 0", "[[interlocks]] not-too-long: max_on = 0 must be 0.05 to 31622400 s"),
        ("max_on = 3600", "", "[[interlocks]] not-too-long: must have one of max_on, min_off, needs, above, apart"),
        (
            "max_on = 3600",
            "max_on = 3600\nmin_off = 3",
            "[[interlocks]] not-too-long: must have one of max_on, min_off, needs, above, apart",
        ),
        ("max_on = 3600", "max_no = 3600", "[[interlocks]] not-too-long: must have one of max_on, min_off, needs"),
        (
            'device = "heater"\nmax_on',
            'device = "cooler"\nmax_on',
            "[[interlocks]] not-too-long: there is no device 'cooler', but heater, acid, base",
        ),
        ('name = "rest"', 'name = "not-too-long"', "[[interlocks]] not-too-long: the name is taken"),
        ('["acid", "base"]', '["acid"]', "[[interlocks]] never-both: apart must name two devices or more, each once"),
        ('["acid", "base"]', '["acid", "acid"]', "[[interlocks]] never-both: apart must name two devices or more"),
        ('["acid", "base"]', '"acid"', "[[interlocks]] never-both: apart = 'acid' must be an array of names"),
        ('"ph.ph"', '"rtd.ph"', "[[interlocks]] blind: needs: there is no sensor 'rtd' (write sensor.quantity)"),
        ('"ph.ph"', '"ph.mv"', "[[interlocks]] blind: needs: ph has no 'mv', but ph"),
        (
            'address = "/dev/gpiochip0:5"',
            'address = "/dev/gpiochip0:5"\noptions = { safe = true }',
            "[[interlocks]] never-both: base is on when it is safe: no interlock can switch it off",
        ),
        ("lease = 600", "lease = 0", "[[devices]] acid: lease = 0 must be 0.05 to 31622400 s"),
        (
            "lease = 600",
            "",
            "[[devices]] acid: runs until somebody says otherwise: it must have a lease (s without contact), or an",
        ),
        ("limit = 8", "limit = 14", "[[interlocks]] sour: limit = 14 must be 0 to below 14"),
        ("limit = 8", "limit = true", "[[interlocks]] sour: limit = True must be a number"),
        ("limit = 8", "", "[[interlocks]] sour: limit = None must be a number"),
        ('above = "ph.ph"', 'above = "ph.mv"', "[[interlocks]] sour: above: ph has no 'mv', but ph"),
        (
            'address = "/dev/gpiochip0:5"',
            BOTH_ON,
            "[[interlocks]] x: interlock x: base and heat are never on together, but their settings switch base and",
        ),
    ],
)
def test_a_mistake_is_named_with_its_place(path: Path, settings: Settings, old: str, new: str, told: str) -> None:
    assert old in GOOD
    first, *_ = mistakes(path, GOOD.replace(old, new, 1), settings)
    assert first.startswith(told)


def test_a_pump_that_may_not_run_for_long_needs_no_lease(path: Path, settings: Settings) -> None:
    rule = '[[interlocks]]\nname = "short"\ndevice = "acid"\nmax_on = 60\n'
    found = read(path, GOOD.replace("lease = 600\n", "") + rule, settings)
    assert found.devices[1].lease is None
