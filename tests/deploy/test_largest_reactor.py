"""The largest reactor that its file allows can describe itself and report: no message of it is above its limit."""

from functools import partial
from pathlib import Path

import pytest

from actors.config import DatabaseLogin, DeviceConfig, ReactorConfig, SensorConfig
from actors.following import Hearers
from actors.self_sensor import SelfSensor
from actors.wiring import Makers, Wires, Workbench
from deploy import reactor_file
from deploy.reactor_file import MOST_DEVICES, MOST_INTERLOCKS, MOST_SENSORS
from deploy.toml_table import LONGEST_TEXT
from hardware.buses import Buses
from hardware.clock import SystemClock
from hardware.device import DeviceDriver
from hardware.driver import SensorDriver, Wiring
from storage.spool import Spool
from tests.actors.conftest import Kept, make_around
from tests.deploy.conftest import MakeSettings
from tests.deploy.test_examples import find, find_device
from transport.envelope import LIMITS, decode, encode
from transport.messages import (
    MAX_TEXT,
    AppliedState,
    Attach,
    Backlog,
    DeviceInfo,
    Document,
    Message,
    Reading,
    SensorInfo,
    Snapshot,
    Status,
)

LABEL = "Ы" * LONGEST_TEXT  # two bytes each
READINGS = 512
LARGEST = 2.0**53


def path(number: int) -> str:
    """An address of its own, as long as one may be."""
    return f"/dev/serial/by-id/{number:04}-".ljust(LONGEST_TEXT, "x")


def sensor(number: int) -> str:
    name = f"s{number:031}"
    return f'[[sensors]]\nname = "{name}"\nlabel = "{LABEL}"\ndriver = "ezo-do"\naddress = "{path(number)}"\n'


def device(number: int) -> str:
    """Make the kinds in turn that have most to say."""
    kinds = (("ezo-pmp", path(number + MOST_SENSORS)), ("pca9685", f"/dev/i2c-{number}:0x40:3"))
    driver, address = kinds[number % 2]
    name = f"d{number:031}"
    return f'[[devices]]\nname = "{name}"\nlabel = "{LABEL}"\ndriver = "{driver}"\naddress = "{address}"\n'


def interlock(number: int) -> str:
    watched = f"s{number % MOST_SENSORS:031}.dissolved_oxygen"
    own = f"d{number % MOST_DEVICES // 2 * 2 + 1:031}"
    return f'[[interlocks]]\nname = "i{number:031}"\ndevice = "{own}"\nneeds = "{watched}"\n'


@pytest.fixture
def wires(make_settings: MakeSettings, tmp_path: Path) -> Wires:
    """Wire everything that one file may name, as a reactor does."""
    parts = [
        'name = "r"\n',
        *map(sensor, range(MOST_SENSORS)),
        *map(device, range(MOST_DEVICES)),
        *map(interlock, range(MOST_INTERLOCKS)),
    ]
    file = tmp_path / "r.toml"
    file.write_text("\n".join(parts), encoding="utf-8")
    found = reactor_file.load(file, make_settings(), find, find_device)
    config = ReactorConfig(
        name="r",
        label=LABEL,
        sensors=found.sensors,
        state_dir=tmp_path,
        coordinator="tcp://127.0.0.1:1",
        coordinator_key="k" * 40,
        database_login=DatabaseLogin("u", "p"),
        status_interval=5.0,
        spool_limit=1 << 20,
        spool_retention=60.0,
        pace=1.0,
        devices=found.devices,
        interlocks=found.interlocks,
    )
    clock = SystemClock()
    around = make_around(clock, Kept(), reactor="r")
    buses = Buses()
    spool = Spool(tmp_path / "spool.sqlite", clock=clock, boot="boot", limit=1 << 20, retention=60.0)

    def make_sensor(of: SensorConfig) -> SensorDriver:
        wiring = Wiring(of.address, buses, clock, of.options)
        return SelfSensor(wiring, around, spool) if of.driver == "self" else find(of.driver)(wiring)

    def make_device(of: DeviceConfig) -> DeviceDriver:
        return find_device(of.driver)(Wiring(of.address, buses, clock, of.options))

    own = SensorConfig("self", "reactor process", "self", "host", 5.0, 600.0, {}, {})
    hearers = Hearers(say=lambda *_: None, keep=lambda _: None)
    made = Workbench(config, "boot", around, Makers(make_sensor, make_device), hearers).wire(own)
    spool.close()
    return made


def state(info: SensorInfo | DeviceInfo) -> AppliedState:
    """Say everything that a status can say of a target, at its longest."""
    values = {one.name: LABEL if one.kind == "text" else LARGEST / 3 for one in info.settings}
    told = values if isinstance(info, DeviceInfo) else {}
    return AppliedState(info.name, 2**53, "a" * MAX_TEXT, values, told, "h" * MAX_TEXT, "f" * MAX_TEXT, "d" * MAX_TEXT)


def survives(message: Message) -> int:
    """Send it and read it; gives the bytes that it took."""
    frames = encode(message, id=1)
    assert decode(frames).body == message
    return len(frames[2])


def test_it_can_attach_and_report_and_be_shown(wires: Wires) -> None:
    inventory = wires.inventory
    sensors, devices = inventory.sensors(), inventory.devices
    assert (len(sensors), len(devices)) == (MOST_SENSORS + 1, MOST_DEVICES)
    infos: list[SensorInfo | DeviceInfo] = [*sensors, *devices]
    applied = [state(info) for info in infos]
    attach = Attach(epoch=1, label=LABEL, software="1", sensors=sensors, devices=devices, applied=applied)
    make = partial(Reading, value=LARGEST / 3, quality="out_of_range", taken_us=2**62)
    status = Status(
        now_us=2**62,
        readings=[make(f"s{number:031}", f"q{number:031}") for number in range(READINGS)],
        backlog=Backlog(waiting=2**53, oldest=1e6, refused=2**53, dropped=2**53),
        clock_known=True,
        clock_offset=1e6,
        database="d" * 400,
        faults=["f" * MAX_TEXT] * 64,
        devices=applied,
    )
    desired = [Document(target=one.target, revision=2**53, author=one.author, values=one.values) for one in applied]
    shown = Snapshot(reactor="r", number=1, life="ok", attach=attach, status=status, desired=desired)
    assert survives(attach) > LIMITS.size
    survives(status)
    survives(shown)
