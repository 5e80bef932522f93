"""What a guard has to know, as plain data: made by the program that reads the reactor's file, kept by the light one.

The two are one process: `reactorium guard` reads and checks, then becomes the light program in its own place, which
finds the plan in an open file.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from hardware.safe import FileWrite, I2cWrite, LineWrite, SafeWrite, UartWrite


@dataclass(frozen=True, slots=True)
class Plan:
    """All that a guard goes by. Commands are complete, with the program in front."""

    name: str  # the reactor's
    outputs: Mapping[str, tuple[SafeWrite, ...]]  # a device's name: what makes it safe, in this order
    child: list[str]  # the reactor
    variables: Mapping[str, str]  # what the reactor finds in its environment beside the guard's own
    again: list[str]  # what makes a plan anew, once the file is another
    file: str  # the reactor's file
    stamp: list[int]  # `stamp(file)` when it was read
    pace: float
    log_level: str
    log_format: str
    lock: int  # descriptor of the lock that the guard holds
    patience: float  # seconds that a part of the reactor may give no proof of progress
    folder: str  # the guard's own
    safe_mode: str  # the file that puts the reactor into safe mode
    failures: int  # ends of the reactor, within some minutes, that are too many
    watchdog: str  # the board's; none when empty

    def hand_over(self) -> int:
        """Write the plan into a file without a name; returns its descriptor, which outlives an exec."""
        outputs = {name: [_spell(write) for write in writes] for name, writes in self.outputs.items()}
        descriptor = os.memfd_create("plan", 0)
        with open(descriptor, "w", encoding="utf-8", closefd=False) as file:
            json.dump({**asdict(self), "outputs": outputs}, file)
        os.lseek(descriptor, 0, os.SEEK_SET)
        return descriptor

    @classmethod
    def receive(cls, descriptor: int) -> Self:
        """Read what `hand_over` wrote, and close it."""
        with open(descriptor, encoding="utf-8") as file:
            said: dict[str, Any] = json.load(file)
        said["outputs"] = {name: tuple(_read(write) for write in writes) for name, writes in said["outputs"].items()}
        return cls(**said)


def stamp(path: str) -> list[int]:
    """Tell one state of a file from another; nothing while it is not there."""
    try:
        state = os.stat(path)  # noqa: PTH116 - pathlib is 1 MiB of a guard
    except OSError:
        return []
    return [state.st_ino, state.st_size, state.st_mtime_ns]


def _spell(write: SafeWrite) -> list[object]:
    match write:
        case FileWrite(path, text):
            return ["file", path, text]
        case I2cWrite(path, address, data):
            return ["i2c", path, address, data.hex()]
        case LineWrite(chip, line, active_low, value):
            return ["line", chip, line, active_low, value]
        case UartWrite(path, baud, data):
            return ["uart", path, baud, data.hex()]


def _read(said: list[Any]) -> SafeWrite:
    match said:
        case ["file", path, text]:
            return FileWrite(path, text)
        case ["i2c", path, address, data]:
            return I2cWrite(path, address, bytes.fromhex(data))
        case ["line", chip, line, active_low, value]:
            return LineWrite(chip, line, active_low, value)
        case ["uart", path, baud, data]:
            return UartWrite(path, baud, bytes.fromhex(data))
    raise ValueError(f"no safe write: {said}")
