"""The vessel's journal: every write to and every read from its hardware, with its time; the referee of system tests.

What a write makes an output do is an entry of its own (`drive`), whatever the wire: the last one of an output is what
it does to the tank.

One JSON object a line, appended before the answer leaves the vessel. It survives a restart of the vessel.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from hardware.clock import Clock


@dataclass(frozen=True, slots=True)
class Delivery:
    """What a circuit puts on its wire: the answer's own bytes, the command that it answers."""

    command: str = ""
    answer: bytes = b""
    status: int | None = None  # I2C's first byte
    reading: bool = False
    baud: int = 0  # the rate at which a serial line says it


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """One transfer, or what one did. `answer` is the bytes as Latin-1, a circuit's on I2C without its status byte."""

    ns: int  # CLOCK_BOOTTIME
    us: int  # since 1970
    circuit: str
    do: str  # "write", "read" or "drive"
    command: str  # what was written, or what this read answers; what an output drives
    answer: str = ""
    status: int | None = None  # I2C's first byte
    error: int = 0  # errno of a transfer that failed
    reading: bool = False  # the answer is a reading that was taken for it
    level: float | None = None  # what an output does now, in the unit of the actuator that it drives


class Journal:
    """Appends to the journal; the file is at most `limit` bytes, then one older generation (`.1`) is kept beside it."""

    def __init__(self, path: Path, clock: Clock, limit: int) -> None:
        self._path = path
        self._clock = clock
        self._limit = limit
        self._file = self._open()
        self._size = os.fstat(self._file).st_size
        if self._size and os.pread(self._file, 1, self._size - 1) != b"\n":
            self._append(b"\n")  # a vessel was killed in the middle of a line

    def write(self, circuit: str, command: str, *, error: int = 0) -> None:
        """Note a command that a client sent; `error` is the errno of a transfer that nobody acknowledged."""
        self._note(Entry(self._clock.monotonic_ns(), self._clock.wall_us(), circuit, "write", command, error=error))

    def read(self, circuit: str, delivery: Delivery, *, error: int = 0) -> None:
        """Note an answer that is about to be delivered."""
        entry = Entry(
            self._clock.monotonic_ns(),
            self._clock.wall_us(),
            circuit,
            "read",
            delivery.command,
            delivery.answer.decode("latin-1"),
            delivery.status,
            error,
            delivery.reading,
        )
        self._note(entry)

    def drive(self, output: str, actuator: str, level: float) -> None:
        """Note what an output does from now on."""
        now, wall = self._clock.monotonic_ns(), self._clock.wall_us()
        self._note(Entry(now, wall, output, "drive", actuator, level=level))

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)

    def _note(self, entry: Entry) -> None:
        if self._size > self._limit:
            os.close(self._file)
            self._path.replace(self._path.with_name(self._path.name + ".1"))
            self._file = self._open()
            self._size = 0
        self._append(msgspec.json.encode(entry) + b"\n")

    def _append(self, line: bytes) -> None:
        os.write(self._file, line)
        self._size += len(line)

    def _open(self) -> int:
        return os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)


def entries(path: Path) -> Iterator[Entry]:
    """Read a journal, a line cut short by a kill left out."""
    with path.open("rb") as file:
        for line in file:
            try:
                yield msgspec.json.decode(line, type=Entry)
            except msgspec.DecodeError:
                continue
