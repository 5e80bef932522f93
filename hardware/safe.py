"""What makes an output safe, as plain data: the guard writes it without any driver.

Imports nothing but the standard library, so that the guard stays light. Each write can be repeated at any time and
stands for itself: one that fails must not keep the next from being tried.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FileWrite:
    """Write `text` into a file in one go; needless while there is no such file (PWM that nobody has exported)."""

    path: str
    text: str


@dataclass(frozen=True, slots=True)
class I2cWrite:
    """Send `data` to `address` of the bus at `path` (a device, or a vessel's Unix socket) in one message."""

    path: str
    address: int
    data: bytes


@dataclass(frozen=True, slots=True)
class LineWrite:
    """Request a GPIO line as output with this logical value; `chip` is a device or a vessel's Unix socket.

    A line is nobody's once it is released: hold it for as long as nobody else needs it.
    """

    chip: str
    line: int
    active_low: bool
    value: bool


@dataclass(frozen=True, slots=True)
class UartWrite:
    """Send `data` to the serial port at `path`: 8 data bits, no parity, one stop bit, `baud`."""

    path: str
    baud: int
    data: bytes


SafeWrite = FileWrite | I2cWrite | LineWrite | UartWrite
