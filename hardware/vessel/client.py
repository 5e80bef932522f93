"""The clients of a vessel: its I2C bus with smbus2's interface, its GPIO chip with gpiod's, and the control socket.

`SocketSMBus` stands where `smbus2.SMBus` stands with hardware, `SocketChip` where `gpiod.Chip` does; neither driver nor
actor sees a difference. `send` and `SocketLine` are the same without smbus2 and gpiod, for the guard.
"""

import errno
import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self, cast

from hardware.vessel import frames, sockets
from hardware.vessel.frames import Kind, Read, Write

if TYPE_CHECKING:
    from gpiod.line import Value
    from gpiod.line_settings import LineSettings
    from smbus2 import i2c_msg

ANSWER_TIMEOUT = 5.0  # s: a hung bus answers after 1 s, so silence for longer is a vessel that stands still


class _Connection:
    """One connection to a socket of the vessel: a frame there, a frame back."""

    def __init__(self, path: str | Path) -> None:
        self._unpacker = frames.Unpacker()
        self._connection = sockets.connect(Path(path), ANSWER_TIMEOUT)

    def ask(self, request: bytes) -> bytes:
        """Send a frame, give what its answer says; raises `OSError`."""
        self._connection.sendall(request)
        kind, payload = self._answer()
        if kind != Kind.DONE:
            raise frames.decode_failure(payload)
        return payload

    def close(self) -> None:
        self._connection.close()

    def _answer(self) -> tuple[int, bytes]:
        while True:
            try:
                data = self._connection.recv(frames.LONGEST_FRAME)
            except TimeoutError:
                self.close()  # its answer, should it still come, must not be taken for the next one's
                raise
            if not data:
                raise OSError(errno.ENODEV, "the vessel is gone")
            if whole := self._unpacker.feed(data):
                return whole[0]


class SocketSMBus:
    """`smbus2.SMBus` on the bus that a vessel simulates at `path` (its `i2c.sock`).

    Raises `OSError` with the numbers of Linux: EREMOTEIO (121) for an address that nobody acknowledges, ETIMEDOUT for a
    hung bus, ENODEV when the vessel went away; then only a new object helps. One thread at a time.
    """

    def __init__(self, path: str | Path) -> None:
        self._connection = _Connection(path)

    def i2c_rdwr(self, *messages: "i2c_msg") -> None:
        """Carry out one transaction; reads are filled in place."""
        import ctypes  # noqa: PLC0415 - smbus2 has loaded it; the guard, which only sends, does without both

        payload = self._connection.ask(frames.encode_transfer([_message(message) for message in messages]))
        if len(payload) != sum(message.len for message in messages if message.flags & frames.READ_FLAG):
            raise OSError(errno.EIO, "the simulated bus answered something else")
        position = 0
        for message in messages:
            if message.flags & frames.READ_FLAG:
                ctypes.memmove(message.buf, payload[position : position + message.len], message.len)
                position += message.len

    def close(self) -> None:
        """Leave the bus."""
        self._connection.close()


def _message(message: "i2c_msg") -> Read | Write:
    if message.flags & frames.READ_FLAG:
        return Read(message.addr, message.len)
    return Write(message.addr, bytes(message))


def send(path: str | Path, address: int, data: bytes) -> None:
    """Send one message over the bus at `path`; raises `OSError` as `SocketSMBus` does."""
    connection = _Connection(path)
    try:
        connection.ask(frames.encode_transfer([Write(address, data)]))
    finally:
        connection.close()


class SocketLine:
    """One line of a vessel's GPIO chip as an output of ours, from its first moment with a level.

    Raises `OSError` as Linux does: EBUSY when the line is somebody's, EINVAL when there is no such line; ENODEV when
    the vessel went away. Who ends without `release` loses the line, which keeps its level.
    """

    def __init__(self, path: str | Path, line: int, consumer: str, *, active_low: bool, active: bool) -> None:
        self._line = line
        self._connection = _Connection(path)
        flags = active_low * frames.ACTIVE_LOW_FLAG | active * frames.ACTIVE_FLAG
        try:
            self._ask(Kind.TAKE, frames.LINE_LEVEL.pack(line, flags) + consumer.encode())
        except OSError:
            self._connection.close()
            raise

    def set(self, active: bool) -> None:  # noqa: FBT001 - a level
        """Give the line a logical level."""
        self._ask(Kind.SET, frames.LINE_LEVEL.pack(self._line, active))

    def get(self) -> bool:
        """Ask for the line's logical level."""
        return self._ask(Kind.GET, frames.LINE.pack(self._line)) == b"\x01"

    def release(self) -> None:
        """Let go of the line: it is free when this returns."""
        with suppress(OSError):  # then it is free already
            self._ask(Kind.RELEASE, frames.LINE.pack(self._line))
        self._connection.close()

    def _ask(self, kind: Kind, payload: bytes) -> bytes:
        return self._connection.ask(frames.frame(kind, payload))


class SocketChip:
    """The part of `gpiod.Chip` that outputs need, on the chip that a vessel simulates at `path` (its `gpio.sock`)."""

    def __init__(self, path: str | Path) -> None:
        self._path = path
        self._connection = _Connection(path)

    def request_lines(
        self, config: "dict[Iterable[int | str] | int | str, LineSettings | None]", consumer: str
    ) -> "SocketRequest":
        """Take one line by its number, as an output; anything else is EOPNOTSUPP here."""
        from gpiod.line import Direction  # noqa: PLC0415 - 4 MiB that I2C alone does not need

        match list(config.items()):
            case [(int(line), settings)] if settings is not None and settings.direction == Direction.OUTPUT:
                active = bool(settings.output_value)
                taken = SocketLine(self._path, line, consumer, active_low=settings.active_low, active=active)
                return SocketRequest(taken)
        raise OSError(errno.EOPNOTSUPP, "the simulated chip gives single lines as outputs")

    def close(self) -> None:
        """Let go of the chip; a line stays taken until it is released."""
        self._connection.close()


class SocketRequest:
    """The part of `gpiod.LineRequest` that outputs need, for its one line."""

    def __init__(self, line: SocketLine) -> None:
        self._line = line

    def get_value(self, line: int, /) -> "Value":  # noqa: ARG002 - there is one
        """Give the line's logical level."""
        from gpiod.line import Value  # noqa: PLC0415 - as in request_lines

        return Value.ACTIVE if self._line.get() else Value.INACTIVE

    def set_value(self, line: int, value: "Value", /) -> None:  # noqa: ARG002
        """Give the line a logical level."""
        self._line.set(bool(value))

    def release(self) -> None:
        """Let go of the line."""
        self._line.release()


class VesselControl:
    """A person's or a test's hand in a running vessel: faults, actuators, its state. `path`: its `control.sock`.

    Raises `OSError` when the vessel is away and `ValueError` with the vessel's own words when it declines. One request
    a line, one answer a line, JSON: a shell can do the same.
    """

    def __init__(self, path: str | Path) -> None:
        self._connection = sockets.connect(Path(path), ANSWER_TIMEOUT)
        self._lines = self._connection.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def fault(self, circuit: str, fault: str, amount: float | None = None) -> None:
        """Switch a fault of a circuit on; names in `faults.py`.

        `circuit` "bus" is the whole I2C bus, "pca9685-0x40" a chip, of whom only absent, garbage and noise are known.
        """
        self._ask({"do": "fault", "circuit": circuit, "fault": fault, "amount": amount})

    def clear(self, circuit: str | None = None, fault: str | None = None) -> None:
        """Switch one fault off, all of a circuit, or all."""
        self._ask({"do": "clear", "circuit": circuit, "fault": fault})

    def restart(self, circuit: str) -> None:
        """Cut the power of a circuit or chip for a moment: it starts again and has lost what it does not keep."""
        self._ask({"do": "restart", "circuit": circuit})

    def actuate(self, **values: float) -> None:
        """Set actuators that no output drives: heater and light W, stirrer 1/s, the others m³/s; the rest stay."""
        self._ask({"do": "actuate", "values": values})

    def state(self) -> Mapping[str, object]:
        """The tank's true state, actuators, outputs, circuits and the faults that are on."""
        return self._ask({"do": "state"})

    def close(self) -> None:
        """Let go of the vessel; what was switched stays."""
        self._lines.close()
        self._connection.close()

    def _ask(self, request: Mapping[str, object]) -> Mapping[str, object]:
        self._connection.sendall(json.dumps(request).encode() + b"\n")
        line = self._lines.readline()
        if not line:
            raise OSError(errno.ENODEV, "the vessel is gone")
        answer = cast("dict[str, object]", json.loads(line))
        if "error" in answer:
            raise ValueError(str(answer["error"]))
        return answer
