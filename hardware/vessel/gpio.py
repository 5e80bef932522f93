"""The GPIO chip's lines: each is one client's or nobody's, and keeps its level when it is released.

A line that nobody has taken since the vessel started is an input: what hangs on it is off.
"""

import errno
import struct
from collections.abc import Callable, Hashable
from dataclasses import dataclass

from hardware.vessel.frames import (
    ACTIVE_FLAG,
    ACTIVE_LOW_FLAG,
    LINE,
    LINE_LEVEL,
    FrameError,
    Kind,
    encode_failure,
    frame,
)
from hardware.vessel.journal import Delivery, Journal
from hardware.vessel.outputs import GPIO_LINES, PinLevel


class _FailedError(OSError):
    """What the kernel refuses, with its number."""


@dataclass(frozen=True, slots=True)
class _Hold:
    owner: Hashable
    active_low: bool


class GpioChip:
    """One chip. An owner is a client's connection; `gone(owner)` says whether it has ended, and then releases all."""

    def __init__(self, journal: Journal, changed: PinLevel, gone: Callable[[Hashable], bool]) -> None:
        self._journal = journal
        self._changed = changed
        self._gone = gone
        self._high: dict[int, bool] = {}
        self._holds: dict[int, _Hold] = {}

    def serve(self, owner: Hashable, kind: int, payload: bytes) -> bytes:
        """Carry out one request, give the frame that answers it; raises `FrameError`."""
        try:
            match kind:
                case Kind.TAKE:
                    line, flags = _unpack(LINE_LEVEL, payload[: LINE_LEVEL.size])
                    self._take(owner, line, flags, payload[LINE_LEVEL.size :].decode(errors="replace"))
                case Kind.SET:
                    line, active = _unpack(LINE_LEVEL, payload)
                    self._set(owner, line, active=bool(active))
                case Kind.GET:
                    return frame(Kind.DONE, self._get(owner, *_unpack(LINE, payload)))
                case Kind.RELEASE:
                    self._release(self._held(owner, *_unpack(LINE, payload)))
                case _:
                    return encode_failure(errno.EOPNOTSUPP, "Operation not supported")
        except _FailedError as error:
            return encode_failure(error.errno or 0, error.strerror or "")
        return frame(Kind.DONE, b"")

    def release_all(self, owner: Hashable) -> None:
        """Take back what a client had that has gone."""
        for line in [line for line, hold in self._holds.items() if hold.owner == owner]:
            self._release(line)

    def _take(self, owner: Hashable, line: int, flags: int, consumer: str) -> None:
        active, active_low = bool(flags & ACTIVE_FLAG), bool(flags & ACTIVE_LOW_FLAG)
        command = f"take {'low' if active == active_low else 'high'} {consumer}"
        if line >= GPIO_LINES:
            self._refuse(line, command, errno.EINVAL, "Invalid argument")
        hold = self._holds.get(line)
        if hold is not None and not self._gone(hold.owner):
            self._refuse(line, command, errno.EBUSY, "Device or resource busy")
        self._holds[line] = _Hold(owner, active_low)
        self._journal.write(_name(line), command)
        self._put(line, high=active != active_low)

    def _set(self, owner: Hashable, line: int, *, active: bool) -> None:
        high = active != self._holds[self._held(owner, line)].active_low
        self._journal.write(_name(line), "high" if high else "low")
        self._put(line, high=high)

    def _get(self, owner: Hashable, line: int) -> bytes:
        active = self._high[self._held(owner, line)] != self._holds[line].active_low
        self._journal.read(_name(line), Delivery("get", b"1" if active else b"0"))
        return bytes([active])

    def _held(self, owner: Hashable, line: int) -> int:
        hold = self._holds.get(line)
        if hold is None or hold.owner != owner:
            raise _FailedError(errno.EPERM, "Operation not permitted")
        return line

    def _release(self, line: int) -> None:
        del self._holds[line]
        self._journal.write(_name(line), "release")

    def _put(self, line: int, *, high: bool) -> None:
        if self._high.get(line) != high:
            self._high[line] = high
            self._changed(line, float(high))

    def _refuse(self, line: int, command: str, number: int, text: str) -> None:
        self._journal.write(_name(line), command, error=number)
        raise _FailedError(number, text)


def _name(line: int) -> str:
    return f"gpio{line}"


def _unpack(form: struct.Struct, payload: bytes) -> tuple[int, ...]:
    try:
        return tuple(form.unpack(payload))
    except struct.error:
        raise FrameError("a request of a wrong length") from None
