"""A GPIO line as an output: on or off, nothing between."""

from hardware.buses.address import LineAddress, parse_line
from hardware.driver import Wiring
from hardware.outputs.output import Level, Output
from hardware.safe import LineWrite, SafeWrite

ON = Level()


class LineOutput(Output):
    """A GPIO line that switches something. `active_low`: it is on while the line is low."""

    address: LineAddress

    def __init__(self, driver: str, wiring: Wiring, *, active_low: bool) -> None:
        self.address = parse_line(driver, wiring.address)
        self._active_low = active_low
        self._line = wiring.buses.line(self.address.path, self.address.line, active_low=active_low)

    def find(self) -> None:
        """See that the chip is there."""
        self._line.find()

    def write(self, level: Level | None) -> None:
        """Switch it; any level is on. The first write takes the line."""
        self._line.set(active=level is not None)

    def read(self) -> Level | None:
        """Ask which level the line has."""
        return ON if self._line.get() else None

    def safe_writes(self, level: Level | None) -> tuple[SafeWrite, ...]:
        """Take the line with its level."""
        return (LineWrite(self.address.path, self.address.line, self._active_low, level is not None),)

    def close(self) -> None:
        """Let go of the line."""
        self._line.close()
