"""The EZO protocol over UART: lines that end with CR, answers first, then `*OK` or `*ER`, anything in between."""

from collections.abc import Iterator

from hardware.buses.uart import UartPort
from hardware.clock import Clock
from hardware.errors import NoAnswer, Refused
from hardware.ezo.circuit import PATIENCE, QUICK, Circuit, Delays
from hardware.ezo.replies import shown

BAUD_RATES = (300, 1200, 2400, 9600, 19200, 38400, 57600, 115200)
_LONGEST_LINE = 256  # bytes without a CR that are noise for certain


class UartCircuit(Circuit):
    """The circuit at the other end of a serial port. Times out in real time, whatever the clock's pace."""

    def __init__(self, port: UartPort, where: str, delays: Delays, clock: Clock) -> None:
        super().__init__(where, delays, clock)
        self._port = port

    def open(self) -> None:
        """Wake it, end continuous mode, have every command answered with a code.

        None of this may be expected to be answered before it is done: a sleeping circuit loses the command that wakes
        it, and one whose response codes are off says nothing. So only the last order must be accepted.
        """
        for command in ("", "C,0"):
            self._send(command)
            for _ in self._lines(QUICK):
                pass
        self.order("*OK,1")

    def _exchange(self, command: str, delay: float) -> list[str]:
        self._port.discard()
        self._send(command)
        lines: list[str] = []
        for line in self._lines(delay + PATIENCE):
            match line.upper():
                case "*OK":
                    return lines
                case "*ER":
                    said = f" ({shown(lines)})" if lines else ""
                    raise Refused(f"{self.where} does not accept {command}{said}")
                case "*RS" | "*RE":  # whatever it was doing is gone, the command too
                    raise NoAnswer(f"{self.where} restarted during {command}")
                case _:
                    lines.append(line)
        said = f", only {shown(lines)}" if lines else ""
        raise NoAnswer(f"{self.where} did not answer {command} within {delay + PATIENCE:g} s{said}")

    def _send(self, command: str) -> None:
        self._port.write(command.encode("ascii") + b"\r")

    def _lines(self, seconds: float) -> Iterator[str]:
        """Give the lines that come within `seconds`; noise is a line like any other, which nobody will understand."""
        deadline = self._clock.monotonic_ns() + int(seconds * 1e9)
        pending = b""
        while (left := deadline - self._clock.monotonic_ns()) > 0:
            *complete, pending = (pending + self._port.read(left / 1e9)).split(b"\r")
            for line in complete:
                yield line.decode("latin-1").strip()
            if len(pending) > _LONGEST_LINE:
                pending = b""
