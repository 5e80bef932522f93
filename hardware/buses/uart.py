"""One serial port with one circuit behind it; a vessel's circuit is a pseudo-terminal, which is nothing special."""

import termios
from collections.abc import Callable
from typing import Protocol, TypeVar

import serial

from hardware.errors import BusError

T = TypeVar("T")

_WRITE_TIMEOUT = 1.0  # s; a command is 40 ms at 9600 baud: a port that takes longer is stuck


class Port(Protocol):
    """The part of `serial.Serial` that a port uses; methods raise `OSError` or `termios.error`."""

    timeout: float | None

    @property
    def in_waiting(self) -> int:
        """How many bytes have come and were not read."""

    def read(self, size: int = 1, /) -> bytes:
        """Read up to `size` bytes, waiting for them up to `timeout` seconds."""

    def write(self, data: bytes, /) -> int | None:
        """Send."""

    def reset_input_buffer(self) -> None:
        """Forget what has come."""

    def close(self) -> None:
        """Let go of the port."""


OpenPort = Callable[[str, int], Port]


def open_port(path: str, baud: int) -> Port:
    """Open the device: 8 data bits, no parity, one stop bit, no flow control, no other process beside us."""
    return serial.Serial(path, baud, write_timeout=_WRITE_TIMEOUT, exclusive=True)


class UartPort:
    """One port, used by one thread at a time: its circuit's.

    Every failure raises `BusError` and closes the port; the next call opens it again.
    """

    def __init__(self, path: str, baud: int, open_port: OpenPort = open_port) -> None:
        self.path = path
        self.baud = baud
        self._open_port = open_port
        self._port: Port | None = None

    def write(self, data: bytes) -> None:
        """Send `data`."""
        self._attempt(lambda port: port.write(data))

    def read(self, seconds: float) -> bytes:
        """Give what has come; when that is nothing, wait up to `seconds` (real time) for the first byte."""

        def read(port: Port) -> bytes:
            port.timeout = seconds
            first = port.read(1)
            return first + port.read(port.in_waiting) if first else b""

        return self._attempt(read)

    def discard(self) -> None:
        """Forget what has come so far."""
        self._attempt(lambda port: port.reset_input_buffer())

    def close(self) -> None:
        """Close the port if it is open."""
        port, self._port = self._port, None
        if port is not None:
            port.close()

    def _attempt(self, action: Callable[[Port], T]) -> T:
        try:
            if self._port is None:
                self._port = self._open_port(self.path, self.baud)
            return action(self._port)
        except (OSError, termios.error) as error:  # pyserial's own errors are OSErrors, tcflush's are not
            self.close()
            raise BusError(f"serial port {self.path}: {error}") from error
