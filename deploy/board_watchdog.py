"""The board's watchdog: it restarts the board when nobody feeds it (Linux, Documentation/watchdog/watchdog-api.rst)."""

import fcntl
import os
import sys
from collections.abc import Callable

SECONDS = 15  # until it bites; the Raspberry Pi's cannot wait longer
_SET_TIMEOUT = 0xC0045706  # WDIOC_SETTIMEOUT
_GOODBYE = b"V"  # said last, it keeps the board running


class BoardWatchdog:
    """Fed for as long as somebody calls `feed`. Without a path there is none, and nothing happens."""

    def __init__(self, path: str, log: Callable[[str, str], None]) -> None:
        self._path = path
        self._log = log
        self._device: int | None = None
        if not path:
            return
        try:
            self._device = os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError as error:
            log("error", f"the watchdog {path} is not fed: {error.strerror}")
            return
        try:
            fcntl.ioctl(self._device, _SET_TIMEOUT, SECONDS.to_bytes(4, sys.byteorder))
        except OSError as error:
            log("warning", f"the watchdog {path} keeps its own time: {error.strerror}")

    def feed(self) -> None:
        """Put off its bite."""
        if self._device is None:
            return
        try:
            os.write(self._device, b"\0")
        except OSError as error:
            self._log("error", f"the watchdog {self._path} cannot be fed: {error.strerror}")
            os.close(self._device)
            self._device = None

    def release(self) -> None:
        """Let it sleep: from here on somebody else is responsible, or nobody has to be."""
        if self._device is None:
            return
        try:
            os.write(self._device, _GOODBYE)
        except OSError as error:
            self._log("error", f"the watchdog {self._path} cannot be put to sleep: {error.strerror}")
        os.close(self._device)
        self._device = None
