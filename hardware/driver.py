"""What a driver is. One file a driver: its quantities as data, its protocol, one registration (an entry point)."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from hardware.acts import Act, Value
from hardware.buses import Buses
from hardware.clock import Clock
from hardware.values import Quantity


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A driver as data: what status, database, page and checks know of it.

    `driver` is its registered name, `buses` the kinds of address it takes (`i2c`, `uart`, `none`),
    `longest_operation` the longest time in seconds that one call may take when everything is well,
    `compensations` the quantities that it can be told (`temperature`, `salinity`, `pressure`), `optional` those that
    it reads and that there may be none of when all is well.
    """

    driver: str
    title: str
    quantities: tuple[Quantity, ...]
    buses: tuple[str, ...]
    longest_operation: float
    compensations: tuple[str, ...] = ()
    acts: tuple[Act, ...] = ()
    optional: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Wiring:
    """What a driver is made with: its address as the file spells it, the node's buses, a clock, the file's options."""

    address: str
    buses: Buses
    clock: Clock
    options: Mapping[str, object] = field(default_factory=dict)


class SensorDriver(ABC):
    """Reads one sensor. Every method runs on the sensor's own thread, may block, and raises `HardwareError`."""

    descriptor: ClassVar[Descriptor]

    def __init__(self, wiring: Wiring) -> None:
        """Check address and options (`BadConfiguration` names the key, the value and what it may be); touch nothing."""
        self.wiring = wiring

    @property
    def quantities(self) -> tuple[Quantity, ...]:
        """What this sensor reads as it is configured: all of the descriptor's, or those that the options chose."""
        return self.descriptor.quantities

    def find(self) -> None:  # noqa: B027 - some have nothing to look for
        """See that what the file names is there, and change nothing that lasts; `open` does it first of all."""

    @abstractmethod
    def open(self) -> None:
        """Find the circuit and bring it into a known state. Called before the first read and after a failed one."""

    @abstractmethod
    def read(self) -> Mapping[str, float]:
        """Take one reading: quantity name to number in its unit. One left out failed, unless it is optional."""

    def compensate(self, quantity: str, value: float) -> None:
        """Tell the circuit what another sensor reads, in that quantity's unit; the driver renews it after a restart."""
        raise NotImplementedError(quantity)

    def act(self, name: str, arguments: Mapping[str, float]) -> Mapping[str, Value]:
        """Do one of the descriptor's acts; the result is what there is to say of it. `arguments` are checked.

        `Refused` says that nothing was done; after any other error nobody knows.
        """
        raise NotImplementedError(f"{name}({arguments})")

    def close(self) -> None:  # noqa: B027 - most drivers hold nothing
        """Let go of what `open` took; never raises."""
