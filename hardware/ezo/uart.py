"""The EZO protocol over UART: lines that end with CR, answers first, then `*OK` or `*ER`, anything in between."""

from collections.abc import Iterator

from hardware.buses.uart import UartPort
from hardware.clock import Clock
from hardware.errors import BadAnswer, NoAnswer, Refused
from hardware.ezo.circuit import PATIENCE, Circuit, Delays, Parse
from hardware.ezo.replies import shown

BAUD_RATES = (300, 1200, 2400, 9600, 19200, 38400, 57600, 115200)
_SETTLE = 1.0  # s for what may never be answered


class UartCircuit(Circuit):
    """The circuit at the other end of a serial port. Times out in real time, whatever the clock's pace."""

    def __init__(self, port: UartPort, where: str, delays: Delays, clock: Clock) -> None:
        super().__init__(where, delays, clock)
        self._port = port

    def open(self) -> None:
        """Wake it, end continuous mode, have every command answered with a code.

        A sleeping circuit loses the command that wakes it, and one whose response codes are off says nothing: only
        the last order must be accepted.
        """
        self._port.discard()
        for command in ("", "C,0"):
            self._send(command)
            for line in self._lines(_SETTLE):
                if line.upper() in {"*OK", "*ER"}:
                    break
        self.order("*OK,1")

    def reset(self) -> None:
        """It says yes before it restarts."""
        self.order("Factory")

    def _exchange(self, command: str, delay: float, parse: Parse | None, *, coded: bool = True) -> list[str]:
        """Take the last line that fits before `*OK`: stray readings of continuous mode come before the answer.

        An `*OK` without an answer belongs to a command that was given up before.
        """
        self._port.discard()
        self._send(command)
        answer: list[str] | None = None
        heard: list[str] = []
        for line in self._lines(delay + PATIENCE):
            match line.upper():
                case "*OK" if parse is None or not coded:
                    return []
                case "*OK" if answer is not None:
                    return answer
                case "*ER":
                    raise Refused(f"{self.where} does not accept {command}{_among(heard)}")
                case "*RS" | "*RE":  # whatever it was doing is gone, the command too
                    raise NoAnswer(f"{self.where} restarted during {command}")
            heard.append(line)
            fitting = parse(line) if parse else None
            answer = answer if fitting is None else fitting
            if answer is not None and not coded:
                return answer
        problem = f"{self.where} did not answer {command} within {delay + PATIENCE:g} s{_among(heard)}"
        raise BadAnswer(problem) if heard else NoAnswer(problem)

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


def _among(heard: list[str]) -> str:
    return f", only {shown(' '.join(heard))}" if heard else ""
