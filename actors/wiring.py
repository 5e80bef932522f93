"""Makes sensors and devices of a reactor's configuration: drivers, rules, the files in which they remember.

What was changed from outside goes before the file here too, so that a reactor starts as it was when it ended.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from actors.config import DeviceConfig, DoseLimits, ReactorConfig, SensorConfig
from actors.device import WiredDevice
from actors.device_core import shape_of
from actors.documents import Documents
from actors.following import Hearers, Target
from actors.interlocks import rules_of
from actors.inventory import Inventory, device_info, sensor_info
from actors.journal import Journal
from actors.live import Around
from actors.schedule import Schedule
from actors.sensor import Asking
from actors.sensor_settings import Addresses, Remaker, Wired, stale_after
from actors.targets import KeptFile, kept_file
from actors.ticker import SECOND
from hardware.device import DeviceDriver
from hardware.driver import SensorDriver
from transport.messages import DeviceInfo

MakeSensor = Callable[[SensorConfig], SensorDriver]
MakeDevice = Callable[[DeviceConfig], DeviceDriver]


@dataclass(frozen=True, slots=True)
class Makers:
    """How drivers are made; both raise `BadConfiguration`."""

    sensor: MakeSensor
    device: MakeDevice


@dataclass(frozen=True, slots=True)
class Wires:
    """What is wired: sensors with how they can be asked, devices, and what the manager is told of all of them."""

    sensors: list[tuple[Wired, Asking]]
    devices: list[WiredDevice]
    inventory: Inventory


class Workbench:
    """Puts together what is wired to one reactor. Touches no hardware."""

    def __init__(self, config: ReactorConfig, boot: str, around: Around, makers: Makers, hearers: Hearers) -> None:
        self._config = config
        self._boot = boot
        self._around = around
        self._makers = makers
        self._hearers = hearers
        self._addresses = Addresses()

    def wire(self, own: SensorConfig) -> Wires:
        """Wire devices and sensors, and `own`, the sensor that is the reactor itself. Raises `BadConfiguration`."""
        devices = [self._device(device) for device in self._config.devices]
        drivers = {sensor.name: self._makers.sensor(sensor) for sensor in (*self._config.sensors, own)}
        sensors = [self._sensor(sensor, drivers, movable=True) for sensor in self._config.sensors]
        sensors.append(self._sensor(own, drivers, movable=False))
        infos = [sensor_info(wired.config, wired.driver, remaker.settings()) for wired, remaker in sensors]
        inventory = Inventory(infos, [info for _, info in devices])
        return Wires(
            [(wired, self._asking(remaker, inventory)) for wired, remaker in sensors],
            [wired for wired, _ in devices],
            inventory,
        )

    def _device(self, device: DeviceConfig) -> tuple[WiredDevice, DeviceInfo]:
        driver = self._makers.device(device)
        second_ns = round(SECOND / self._config.pace)
        rules = rules_of(device.name, self._config.interlocks)
        shape = shape_of(driver.descriptor, driver.settings, rules, second_ns, device.lease)
        self._addresses.move(device.name, driver.address)
        target = Target(device.name, shape.all(), device.settings, self._kept(device.name))
        wired = WiredDevice(target, driver, shape, self._journal(device.name, device.limits))
        return wired, device_info(device, driver, shape)

    def _sensor(
        self, sensor: SensorConfig, drivers: Mapping[str, SensorDriver], *, movable: bool
    ) -> tuple[Wired, Remaker]:
        """Wire a sensor as it was set last; as the file says, when that cannot be any more."""
        driver = drivers[sensor.name]
        remaker = Remaker(
            config=sensor,
            pace=self._config.pace if movable else 1.0,
            make=self._makers.sensor,
            compensations=driver.descriptor.compensations,
            quantities={name: tuple(one.name for one in other.quantities) for name, other in drivers.items()},
            addresses=self._addresses,
            movable=movable,
        )
        values = Documents(remaker.settings(), remaker.file(), self._kept(sensor.name).read()).values
        reason = remaker.against(values)
        if reason is not None:
            self._around.faults.event(sensor.name, "fault", f"what was set last cannot be done any more: {reason}")
            values = remaker.file()
            remaker.against(values)
        config = remaker.configure(values)
        if (config.address, config.compensation) != (sensor.address, sensor.compensation):
            driver = self._makers.sensor(config)
        self._around.live.expect(sensor.name, stale_after(config))
        schedule = Schedule(self._around.began_ns, config.live_interval, config.sample_interval)
        return Wired(config, driver, schedule), remaker

    def _asking(self, remaker: Remaker, inventory: Inventory) -> Asking:
        name = remaker.config.name
        return Asking(remaker, self._kept(name), self._journal(name, DoseLimits()), self._hearers, inventory)

    def _kept(self, name: str) -> KeptFile:
        return kept_file(self._config.state_dir, name)

    def _journal(self, name: str, limits: DoseLimits) -> Journal:
        path = self._config.state_dir / "acts" / f"{name}.jsonl"
        return Journal(path, limits, clock=self._around.clock, boot=self._boot, wall=self._wall)

    def _wall(self) -> int | None:
        anchor = self._around.timebase.anchor
        return None if anchor is None else anchor.wall(self._around.clock.monotonic_ns())
