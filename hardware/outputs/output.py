"""What every output can do: take a level, say which one it has, tell how the guard makes it safe."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from hardware.buses.address import OutputAddress
from hardware.safe import SafeWrite


@dataclass(frozen=True, slots=True)
class Level:
    """What an output does while it is on: `duty` in percent, `frequency` in Hz (1 of 100 %: plainly on)."""

    duty: float = 100.0
    frequency: float = 1.0


class Output(ABC):
    """One output, used by one thread at a time. Methods raise `HardwareError`; none as level is off."""

    address: OutputAddress

    @abstractmethod
    def find(self) -> None:
        """See that it is there; changes nothing."""

    def open(self) -> None:  # noqa: B027 - a line has no state between nobody's and written
        """Make it ready to be written and read; it goes on with what it does."""

    @abstractmethod
    def write(self, level: Level | None) -> None:
        """Give it a level, now."""

    @abstractmethod
    def read(self) -> Level | None:
        """Ask the hardware which level it has, in the hardware's steps."""

    @abstractmethod
    def safe_writes(self, level: Level | None) -> tuple[SafeWrite, ...]:
        """Spell `write` as plain data."""

    def close(self) -> None:  # noqa: B027 - most hold nothing
        """Let go of it."""
