"""What is wired to a reactor, as the manager is told."""

import threading
from collections.abc import Sequence
from dataclasses import asdict

from actors.config import DeviceConfig, DoseLimits, SensorConfig
from actors.device_core import Shape
from actors.targets import act_info, setting_info
from hardware.device import DeviceDriver, Setting
from hardware.driver import SensorDriver
from hardware.values import Quantity
from transport.messages import DeviceInfo, LimitsInfo, QuantityInfo, SensorInfo, line

ANY = 1e9  # ml: what is dosed when there is no limit to it


class Inventory:
    """Sensors and devices in the file's order. Thread safe. `version` changes with every change."""

    def __init__(self, sensors: Sequence[SensorInfo], devices: Sequence[DeviceInfo]) -> None:
        self.devices = list(devices)
        self.version = 0
        self._lock = threading.Lock()
        self._sensors = {sensor.name: sensor for sensor in sensors}

    def sensors(self) -> list[SensorInfo]:
        """Return all sensors."""
        with self._lock:
            return list(self._sensors.values())

    def change(self, sensor: SensorInfo) -> None:
        """Take a sensor that is wired otherwise now."""
        with self._lock:
            if self._sensors[sensor.name] != sensor:
                self._sensors[sensor.name] = sensor
                self.version += 1


def sensor_info(sensor: SensorConfig, driver: SensorDriver, settings: Sequence[Setting]) -> SensorInfo:
    """Describe a sensor."""
    return SensorInfo(
        name=sensor.name,
        label=line(sensor.label),
        driver=line(sensor.driver),
        address=line(sensor.address),
        quantities=[_quantity(one) for one in driver.quantities],
        live_interval=sensor.live_interval,
        sample_interval=sensor.sample_interval,
        settings=[setting_info(one) for one in settings],
        acts=[act_info(one) for one in driver.descriptor.acts],
    )


def device_info(device: DeviceConfig, driver: DeviceDriver, shape: Shape) -> DeviceInfo:
    """Describe a device, its interlocks and limits included."""
    descriptor = driver.descriptor
    doses = any(act.volume for act in descriptor.acts)
    return DeviceInfo(
        name=device.name,
        label=line(device.label),
        looks=device.looks,
        driver=line(device.driver),
        address=line(device.address),
        settings=[setting_info(one) for one in shape.all()],
        acts=[act_info(act) for act in descriptor.acts],
        reported=[_quantity(one) for one in (*descriptor.reported, *(_dosed(device.limits) if doses else ()))],
        rules=[line(text) for text in shape.rules_told()],
        ramped=shape.ramped.name if shape.ramped else "",
        cycled=shape.cycled or "",
        limits=LimitsInfo(**_finite(device.limits)) if doses else None,
    )


def _dosed(limits: DoseLimits) -> tuple[Quantity, ...]:
    """What a device that doses reports of its doses; their highest value is the limit."""
    return (
        Quantity("dosed_hour", "ml", 0.0, min(limits.hour, ANY), 2),
        Quantity("dosed_day", "ml", 0.0, min(limits.day, ANY), 2),
        Quantity("dosed_total", "ml", 0.0, ANY, 2),
    )


def _finite(limits: DoseLimits) -> dict[str, float]:
    return {span: most for span, most in asdict(limits).items() if most < ANY}


def _quantity(one: Quantity) -> QuantityInfo:
    return QuantityInfo(name=one.name, unit=one.unit, low=one.low, high=one.high, decimals=one.decimals)
