"""Folders that say when a file in them is written, through Linux inotify(7): nothing to do while nothing happens."""

import ctypes
import os
from pathlib import Path
from typing import Final

IN_MODIFY: Final = 0x2  # uapi/linux/inotify.h
_LONGEST_READ: Final = 65536


class Watch:
    """Watches folders. `fileno` is readable from the moment a file in one is written, until `drain`."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor = _checked(self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))

    def fileno(self) -> int:
        """Give the descriptor to wait for."""
        return self._descriptor

    def add(self, folder: Path) -> None:
        """Watch a folder too, until it is deleted."""
        _checked(self._libc.inotify_add_watch(self._descriptor, os.fsencode(folder), IN_MODIFY))

    def drain(self) -> None:
        """Take note of all that happened so far."""
        try:
            while os.read(self._descriptor, _LONGEST_READ):
                pass
        except BlockingIOError:
            return

    def close(self) -> None:
        """Watch no more."""
        os.close(self._descriptor)


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"inotify: {os.strerror(number)}")
    return result
