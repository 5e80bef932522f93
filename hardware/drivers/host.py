"""The machine itself: how warm and how busy it is, how full its memory and disk are. A real probe on every machine."""

from collections.abc import Mapping

import psutil

from hardware.buses.address import parse_for
from hardware.driver import Descriptor, SensorDriver, Wiring
from hardware.errors import BadConfiguration, HardwareError
from hardware.values import Quantity

# Linux's names of what measures the processor: Raspberry Pi, other ARM boards, Intel, AMD; then whatever there is.
_THERMOMETERS = ("cpu_thermal", "soc_thermal", "coretemp", "k10temp", "acpitz")

_TEMPERATURE = Quantity("cpu_temperature", "°C", -60.0, 150.0, 1)
_OTHERS = (
    Quantity("load", "", 0.0, 1e6, 2),
    Quantity("memory_used", "%", 0.0, 100.0, 1),
    Quantity("disk_used", "%", 0.0, 100.0, 1),
)


class Host(SensorDriver):
    """Processor temperature, load of the last minute (waiting and running processes), memory and disk in use.

    A machine without a thermometer (a virtual one) has no quantity `cpu_temperature`. Option: `disk`, a path on the
    file system that is measured, `/` without it.
    """

    descriptor = Descriptor(
        driver="host",
        title="This machine",
        quantities=(_TEMPERATURE, *_OTHERS),
        buses=("none",),
        longest_operation=1.0,
    )

    def __init__(self, wiring: Wiring) -> None:
        """Read the options, and look whether there is a thermometer."""
        super().__init__(wiring)
        parse_for(self.descriptor.driver, self.descriptor.buses, wiring.address)
        unknown = wiring.options.keys() - {"disk"}
        disk = wiring.options.get("disk", "/")
        if unknown:
            raise BadConfiguration(f"host has no option {', '.join(map(repr, sorted(unknown)))}, only disk")
        if not isinstance(disk, str) or not disk.startswith("/"):
            raise BadConfiguration(f"option disk is an absolute path, not {disk!r}")
        self._disk = disk
        self._warm = _processor_temperature() is not None

    @property
    def quantities(self) -> tuple[Quantity, ...]:
        """All of them, or all but the temperature."""
        return (_TEMPERATURE, *_OTHERS) if self._warm else _OTHERS

    def open(self) -> None:
        """Nothing to find."""

    def read(self) -> Mapping[str, float]:
        """Ask the kernel."""
        try:
            values = {
                "load": psutil.getloadavg()[0],
                "memory_used": psutil.virtual_memory().percent,
                "disk_used": psutil.disk_usage(self._disk).percent,
            }
        except OSError as error:
            raise HardwareError(f"host: {error}") from error
        celsius = _processor_temperature()
        return values if celsius is None else {"cpu_temperature": celsius, **values}


def _processor_temperature() -> float | None:
    """Give the first temperature of the likeliest thermometer, in °C; none when there is none."""
    found = psutil.sensors_temperatures()
    for chip in (*_THERMOMETERS, *found):
        if found.get(chip):
            return float(found[chip][0].current)
    return None
