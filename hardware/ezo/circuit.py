"""A circuit as a driver sees it: commands go in, answers come out, whatever the wire."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from hardware.clock import Clock
from hardware.errors import NoAnswer
from hardware.ezo import replies

QUICK: Final = 0.3  # s: every command that neither measures nor calibrates (data sheets)
COMPENSATED: Final = 0.9  # s: RT, set the temperature and read, on every circuit that has it
PATIENCE: Final = 2.0  # s beyond the data sheet's delay: pH was measured to take 1.66 instead of 0.9

Parse = Callable[[str], list[str] | None]  # a line's fields, none when it is not the answer


@dataclass(frozen=True, slots=True)
class Delays:
    """A circuit's processing delays in seconds, as its data sheet has them."""

    read: float
    calibrate: float


class Circuit(ABC):
    """One circuit. Its methods block for the processing delay and belong to one thread at a time.

    They raise `NoAnswer` (absent, silent, restarting, asleep, warming up), `BadAnswer` (garbage), `Refused` and
    `BusError`. `where` names the circuit in their texts.
    """

    def __init__(self, where: str, delays: Delays, clock: Clock) -> None:
        self.where = where
        self.delays = delays
        self._clock = clock

    @abstractmethod
    def open(self) -> None:
        """Bring the conversation itself into a known state; asks nothing about the circuit."""

    @abstractmethod
    def _exchange(self, command: str, delay: float, parse: Parse | None, *, coded: bool = True) -> list[str]:
        """Send a command and give what `parse` makes of the answer; without it, wait until it was accepted.

        `coded`: over UART a response code ends the answer, as nearly always.
        """

    @abstractmethod
    def reset(self) -> None:
        """Send it back to factory settings: calibration, name, outputs are gone, and it starts again."""

    def read(self, command: str, delay: float) -> list[str]:
        """Take a reading (`R`, `RT,t`): its fields as text."""
        fields = self._exchange(command, delay, replies.reading)
        if fields[0].upper() == replies.WARMING_UP:
            raise NoAnswer(f"{self.where} is warming up")
        return fields

    def query(self, command: str, key: str = "") -> list[str]:
        """Ask (`Cal,?`, `i`, `Status`): the fields of the answer without its name, which may be another `key`."""
        key = key or command.partition(",")[0]
        return self._exchange(command, QUICK, lambda line: replies.answer(line, key))

    def order(self, command: str, delay: float = QUICK) -> None:
        """Give an order (`L,1`, `Cal,mid,7`) that the circuit only accepts or refuses."""
        self._exchange(command, delay, None)

    def stop(self) -> list[float]:
        """End a pump's dose: the ml that it was, when the circuit says so (over UART instead of a response code)."""
        fields = self._exchange("X", QUICK, replies.done, coded=False)
        return [volume for field in fields if (volume := replies.number(field)) is not None]
