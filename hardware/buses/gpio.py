"""One line of a GPIO chip as an output, through gpiod (libgpiod 2): a device of Linux, or a vessel's socket."""

import errno
import stat
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from hardware.errors import BusError

if TYPE_CHECKING:
    from gpiod.line import Value
    from gpiod.line_settings import LineSettings

_CONSUMER = "reactorium"  # what `gpioinfo` shows as the line's user


class Request(Protocol):
    """The part of `gpiod.LineRequest` that a line uses; methods raise `OSError`."""

    def get_value(self, line: int, /) -> "Value":
        """Say which logical level the line has."""

    def set_value(self, line: int, value: "Value", /) -> None:
        """Give the line a logical level."""

    def release(self) -> None:
        """Let go of the line; real ones then keep their level or not, as the chip likes."""


class Chip(Protocol):
    """The part of `gpiod.Chip` that a line uses; methods raise `OSError` (EBUSY: the line is somebody's)."""

    def request_lines(
        self, config: "dict[Iterable[int | str] | int | str, LineSettings | None]", consumer: str
    ) -> Request:
        """Take lines with direction, active low and output value as `config` has them."""

    def close(self) -> None:
        """Let go of the chip; a line of it stays requested until it is released."""


OpenChip = Callable[[str], Chip]


def open_chip(path: str) -> Chip:
    """Open the chip at `path`: a vessel's Unix socket or a device. The only place where the two differ."""
    if stat.S_ISSOCK(Path(path).stat().st_mode):
        from hardware.vessel import client  # noqa: PLC0415 - real hardware never loads the simulation

        return client.SocketChip(path)
    import gpiod  # noqa: PLC0415 - 4 MiB that a reactor without GPIO does not carry

    return gpiod.Chip(path)


class GpioLine:
    """One line, used by one thread at a time: its device's.

    Every failure raises `BusError` and lets go of the line; the next `set` requests it again.
    """

    def __init__(self, path: str, line: int, active_low: bool, open_chip: OpenChip = open_chip) -> None:  # noqa: FBT001
        self.where = f"line {line} of {path}"
        self._path = path
        self._line = line
        self._active_low = active_low
        self._open_chip = open_chip
        self._taken: tuple[Chip, Request] | None = None

    def find(self) -> None:
        """See that the chip can be opened; asks for no line."""
        try:
            self._open_chip(self._path).close()
        except OSError as error:
            raise self._failure(error) from error

    def set(self, active: bool) -> None:  # noqa: FBT001 - a level
        """Give the line a level; the first time it becomes an output that has this level from its start."""
        from gpiod.line import Value  # noqa: PLC0415 - as in open_chip

        value = Value.ACTIVE if active else Value.INACTIVE
        try:
            if self._taken is None:
                self._taken = self._take(value)
            else:
                self._taken[1].set_value(self._line, value)
        except OSError as error:
            self.close()
            raise self._failure(error) from error

    def get(self) -> bool:
        """Ask the chip which level the line has; `BusError` when `set` has not taken it."""
        if self._taken is None:
            raise BusError(f"{self.where} is not taken")
        try:
            return bool(self._taken[1].get_value(self._line))
        except OSError as error:
            self.close()
            raise self._failure(error) from error

    def close(self) -> None:
        """Let go of the line if it is taken."""
        taken, self._taken = self._taken, None
        if taken is not None:
            chip, request = taken
            request.release()
            chip.close()

    def _take(self, value: "Value") -> tuple[Chip, Request]:
        from gpiod.line import Direction  # noqa: PLC0415 - as in open_chip
        from gpiod.line_settings import LineSettings  # noqa: PLC0415

        settings = LineSettings(direction=Direction.OUTPUT, active_low=self._active_low, output_value=value)
        chip = self._open_chip(self._path)
        try:
            return chip, chip.request_lines({self._line: settings}, _CONSUMER)
        except OSError:
            chip.close()
            raise

    def _failure(self, error: OSError) -> BusError:
        if error.errno == errno.EBUSY:
            return BusError(f"{self.where} is used by another program")
        return BusError(f"{self.where}: {error.strerror or error}")
