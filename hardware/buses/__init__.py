"""The buses of one node: one object for each, made when first asked for."""

from threading import Lock

from hardware.buses.gpio import GpioLine, OpenChip, open_chip
from hardware.buses.i2c import I2cBus, OpenAdapter, open_adapter
from hardware.buses.uart import OpenPort, UartPort, open_port
from hardware.errors import BadConfiguration


class Buses:
    """Every bus and port of a process by its path. Safe to call from any thread; opens nothing by itself."""

    def __init__(
        self,
        open_adapter: OpenAdapter = open_adapter,
        open_port: OpenPort = open_port,
        open_chip: OpenChip = open_chip,
    ) -> None:
        self._open_adapter = open_adapter
        self._open_port = open_port
        self._open_chip = open_chip
        self._i2c: dict[str, I2cBus] = {}
        self._uart: dict[str, UartPort] = {}
        self._lock = Lock()

    def i2c(self, path: str) -> I2cBus:
        """Give the I2C bus at `path`, which every circuit wired to it shares."""
        with self._lock:
            return self._i2c.setdefault(path, I2cBus(path, self._open_adapter))

    def uart(self, path: str, baud: int = 9600) -> UartPort:
        """Give the serial port at `path`; another rate than before raises `BadConfiguration`: it has one circuit."""
        with self._lock:
            port = self._uart.setdefault(path, UartPort(path, baud, self._open_port))
        if port.baud != baud:
            raise BadConfiguration(f"{path} is already used at {port.baud} baud, not at {baud}")
        return port

    def line(self, path: str, line: int, *, active_low: bool) -> GpioLine:
        """Give a line of the GPIO chip at `path`: its asker's own, who closes it; nobody else can have it meanwhile."""
        return GpioLine(path, line, active_low, self._open_chip)

    def close(self) -> None:
        """Close whatever is open; a bus that is used again opens again."""
        with self._lock:
            for bus in self._i2c.values():
                bus.close()
            for port in self._uart.values():
                port.close()
