"""The clients of a vessel: a simulated I2C bus with smbus2's interface, and the control socket.

`SocketSMBus` stands where `smbus2.SMBus` stands with hardware; neither driver nor actor sees a difference.
"""

import ctypes
import errno
import json
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self, cast

from smbus2 import i2c_msg

from hardware.vessel import frames, sockets
from hardware.vessel.frames import Kind, Read, Write

ANSWER_TIMEOUT = 5.0  # s: a hung bus answers after 1 s, so silence for longer is a vessel that stands still


class SocketSMBus:
    """`smbus2.SMBus` on the bus that a vessel simulates at `path` (its `i2c.sock`).

    Raises `OSError` with the numbers of Linux: EREMOTEIO (121) for an address that nobody acknowledges, ETIMEDOUT for a
    hung bus, ENODEV when the vessel went away; then only a new object helps. One thread at a time.
    """

    def __init__(self, path: str | Path) -> None:
        self._unpacker = frames.Unpacker()
        self._connection = sockets.connect(Path(path), ANSWER_TIMEOUT)

    def i2c_rdwr(self, *messages: i2c_msg) -> None:
        """Carry out one transaction; reads are filled in place."""
        self._connection.sendall(frames.encode_transfer([_message(message) for message in messages]))
        kind, payload = self._answer()
        if kind != Kind.DONE:
            raise frames.decode_failure(payload)
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

    def _answer(self) -> tuple[int, bytes]:
        while True:
            try:
                data = self._connection.recv(frames.LONGEST_FRAME)
            except TimeoutError:
                self.close()  # its answer, should it still come, must not be taken for the next one's
                raise
            if not data:
                raise OSError(errno.ENODEV, "the simulated bus is gone")
            if whole := self._unpacker.feed(data):
                return whole[0]


def _message(message: i2c_msg) -> Read | Write:
    if message.flags & frames.READ_FLAG:
        return Read(message.addr, message.len)
    return Write(message.addr, bytes(message))


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
        """Switch a fault of a circuit on (`circuit` "bus": of the whole I2C bus); names in `faults.py`."""
        self._ask({"do": "fault", "circuit": circuit, "fault": fault, "amount": amount})

    def clear(self, circuit: str | None = None, fault: str | None = None) -> None:
        """Switch one fault off, all of a circuit, or all."""
        self._ask({"do": "clear", "circuit": circuit, "fault": fault})

    def restart(self, circuit: str) -> None:
        """Cut the circuit's power for a moment: it starts again and has lost its compensation."""
        self._ask({"do": "restart", "circuit": circuit})

    def actuate(self, **values: float) -> None:
        """Set actuators: heater W, stirrer 1/s, light W, air, acid, base and circulation m³/s; the others stay."""
        self._ask({"do": "actuate", "values": values})

    def state(self) -> Mapping[str, object]:
        """The tank's true state, actuators, circuits and the faults that are on."""
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
