"""The EZO protocol over I2C: write the command, wait, read a status byte and the text."""

from enum import IntEnum

from hardware.buses.i2c import I2cBus
from hardware.clock import Clock
from hardware.errors import BadAnswer, NoAnswer, Refused
from hardware.ezo.circuit import PATIENCE, Circuit, Delays, Parse
from hardware.ezo.replies import shown


class _Status(IntEnum):
    SUCCESS = 1
    SYNTAX_ERROR = 2
    PROCESSING = 254
    NO_DATA = 255


_READ = 40  # bytes: status, the longest answer and its NUL; other drivers read 31 to 52
_FIRST_PAUSE, _LONGEST_PAUSE, _GROWTH = 0.05, 0.15, 1.5  # s between polls: ten slow circuits leave the bus mostly idle


class I2cCircuit(Circuit):
    """A circuit at an I2C address. The bus is held for each transfer, free while the circuit works."""

    def __init__(self, bus: I2cBus, address: int, where: str, delays: Delays, clock: Clock) -> None:
        super().__init__(where, delays, clock)
        self._bus = bus
        self._address = address

    def open(self) -> None:
        """Nothing to do: every write starts a conversation afresh."""

    def reset(self) -> None:
        """No answer can be read of what restarts."""
        self._bus.write(self._address, b"Factory")

    def _exchange(
        self,
        command: str,
        delay: float,
        parse: Parse | None,
        *,
        coded: bool = True,  # noqa: ARG002 - a status byte codes every answer
    ) -> list[str]:
        self._bus.write(self._address, command.encode("ascii"))
        self._clock.sleep(delay)
        text = self._text(self._poll(command, delay))
        if parse is None:
            return []
        answer = parse(text)
        if answer is None:
            raise BadAnswer(f"{self.where} answered {command} with {shown(text)}")
        return answer

    def _poll(self, command: str, delay: float) -> bytes:
        """Read until the circuit is ready, `PATIENCE` beyond its delay at most; what follows its status byte."""
        pause = _FIRST_PAUSE
        deadline = self._clock.monotonic_ns() + int(PATIENCE * 1e9)
        while True:
            status, *rest = self._bus.read(self._address, _READ)
            match status:
                case _Status.SUCCESS:
                    return bytes(rest)
                case _Status.SYNTAX_ERROR:
                    raise Refused(f"{self.where} does not accept {command}")
                case _Status.NO_DATA:
                    raise NoAnswer(f"{self.where} lost the command {command}")
                case _Status.PROCESSING:
                    if self._clock.monotonic_ns() >= deadline:
                        raise NoAnswer(f"{self.where} still works on {command} after {delay + PATIENCE:g} s")
                case _:
                    raise BadAnswer(f"{self.where} answered {command} with status {status}")
            self._clock.sleep(pause)
            pause = min(pause * _GROWTH, _LONGEST_PAUSE)

    def _text(self, data: bytes) -> str:
        # A Raspberry Pi may set the top bit of what it receives; the vendor's code masks it off too.
        text, end, _ = bytes(byte & 0x7F for byte in data).decode("ascii").partition("\0")
        if not end or not text.isprintable():
            raise BadAnswer(f"{self.where} sent {shown(data)}")
        return text
