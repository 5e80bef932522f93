"""Carries out safe writes with the kernel's plain calls: the guard has no memory for the drivers' libraries.

gpiod (1 MiB) is loaded with the first line of a real chip, the vessel's client with the first simulated bus.
"""

import fcntl
import os
import stat
import termios
from collections.abc import Callable

from hardware.safe import FileWrite, I2cWrite, LineWrite, SafeWrite, UartWrite

Release = Callable[[], None]

_I2C_SLAVE_FORCE = 0x0706  # linux/i2c-dev.h; forced, because the drivers' transfers ask nobody either
_CONSUMER = "reactorium guard"  # what `gpioinfo` shows as the line's user


def carry_out(write: SafeWrite) -> Release | None:
    """Do it now; a line comes back taken, and what is returned lets go of it.

    Raises `OSError` and `termios.error`; `ValueError` for what no bus can carry. Blocks for as long as the bus does
    (a hung I2C bus about 1 s), so each bus has a thread of its own.
    """
    match write:
        case FileWrite(path, text):
            _write_file(path, text)
        case I2cWrite(path, address, data):
            _write_i2c(path, address, data)
        case LineWrite():
            return _take(write)
        case UartWrite(path, baud, data):
            _write_uart(path, baud, data)
    return None


def _write_file(path: str, text: str) -> None:
    """Write in one go, as the kernel wants it; what says so already may refuse to be told (PWM without a period)."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC)
    except FileNotFoundError:
        return  # nobody has exported the channel, so nobody has switched it on
    try:
        os.write(descriptor, text.encode("ascii"))
    except OSError:
        with open(path, encoding="ascii") as file:  # noqa: PTH123 - pathlib is 1 MiB
            if file.read().strip() != text:
                raise
    finally:
        os.close(descriptor)


def _write_i2c(path: str, address: int, data: bytes) -> None:
    if _is_simulated(path):
        from hardware.vessel import client  # noqa: PLC0415 - real hardware never loads the simulation

        client.send(path, address, data)
        return
    bus = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.ioctl(bus, _I2C_SLAVE_FORCE, address)
        os.write(bus, data)
    finally:
        os.close(bus)


def _write_uart(path: str, baud: int, data: bytes) -> None:
    port = os.open(path, os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        speed: int = getattr(termios, f"B{baud}")
        modes = termios.CS8 | termios.CREAD | termios.CLOCAL
        characters = termios.tcgetattr(port)[6]
        termios.tcsetattr(port, termios.TCSANOW, [0, 0, modes, 0, speed, speed, characters])
        os.write(port, data)
    finally:
        os.close(port)  # sends what is on its way: some ms


def _take(write: LineWrite) -> Release:
    if _is_simulated(write.chip):
        from hardware.vessel import client  # noqa: PLC0415 - as above

        line = client.SocketLine(write.chip, write.line, _CONSUMER, active_low=write.active_low, active=write.value)
        return line.release
    import gpiod  # noqa: PLC0415 - only where there are lines

    settings = gpiod.LineSettings(
        direction=gpiod.line.Direction.OUTPUT,
        active_low=write.active_low,
        output_value=gpiod.line.Value.ACTIVE if write.value else gpiod.line.Value.INACTIVE,
    )
    return gpiod.request_lines(write.chip, {write.line: settings}, _CONSUMER).release


def _is_simulated(path: str) -> bool:
    return stat.S_ISSOCK(os.stat(path).st_mode)  # noqa: PTH116 - as above
