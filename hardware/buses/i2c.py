"""One I2C bus, real or simulated, shared by the threads of all its circuits."""

import errno
import stat
import time
from collections.abc import Callable
from pathlib import Path
from threading import Lock, get_ident
from typing import Protocol

from smbus2 import SMBus, i2c_msg

from hardware.errors import BusError, NoAnswer

# What Linux's adapters say when nobody acknowledges an address (kernel, Documentation/i2c/fault-codes.rst).
_NOT_ACKNOWLEDGED = frozenset({errno.EREMOTEIO, errno.ENXIO})
REST = 2.0  # seconds between two tries of a bus that hangs: each takes about one, and keeps everybody waiting
HANGS = 2  # users in a row whose transfers timed out: it is the bus then, and no single circuit


class Adapter(Protocol):
    """The part of `smbus2.SMBus` that a bus uses; both methods raise `OSError`."""

    def i2c_rdwr(self, *i2c_msgs: i2c_msg) -> None:
        """Carry out the messages in one transaction."""

    def close(self) -> None:
        """Let go of the adapter."""


OpenAdapter = Callable[[str], Adapter]


def open_adapter(path: str) -> Adapter:
    """Open the bus at `path`: a vessel's Unix socket or a device. The only place where the two differ."""
    if stat.S_ISSOCK(Path(path).stat().st_mode):
        from hardware.vessel.client import SocketSMBus  # noqa: PLC0415 - real hardware never loads the simulation

        return SocketSMBus(path)
    return SMBus(path)


class I2cBus:
    """One bus. The lock is held for a single transfer, never for a circuit's processing delay.

    Raises `NoAnswer` when nothing acknowledges the address, `BusError` when the bus itself fails; a bus that failed
    is closed, and opened again by the next transfer (an unplugged adapter, a vessel that was restarted). One that hangs
    fails at once between two tries, so that nobody waits for all the others on it.
    """

    def __init__(
        self, path: str, open_adapter: OpenAdapter = open_adapter, now: Callable[[], float] = time.monotonic
    ) -> None:
        self.path = path
        self._now = now
        self._timed_out: set[int] = set()  # threads, since anybody was answered
        self._rests_until = 0.0
        self._open_adapter = open_adapter
        self._adapter: Adapter | None = None
        self._lock = Lock()
        self._chip_locks: dict[int, Lock] = {}

    def write(self, address: int, data: bytes) -> None:
        """Send `data` to the circuit at `address`."""
        self._transfer(address, i2c_msg.write(address, data))

    def read(self, address: int, count: int) -> bytes:
        """Read `count` bytes from the circuit at `address`."""
        message = i2c_msg.read(address, count)
        self._transfer(address, message)
        return bytes(message)

    def exchange(self, address: int, data: bytes, count: int) -> bytes:
        """Send `data`, then read `count` bytes, in one transaction that no other thread comes between."""
        message = i2c_msg.read(address, count)
        self._transfer(address, i2c_msg.write(address, data), message)
        return bytes(message)

    def chip_lock(self, address: int) -> Lock:
        """Give the lock for changing, in several transfers, what the outputs of the chip at `address` share."""
        with self._lock:
            return self._chip_locks.setdefault(address, Lock())

    def close(self) -> None:
        """Close the adapter if it is open."""
        with self._lock:
            self._drop()

    def _transfer(self, address: int, *messages: i2c_msg) -> None:
        with self._lock:
            if self._now() < self._rests_until:
                raise BusError(f"I2C bus {self.path} hangs")
            try:
                if self._adapter is None:
                    self._adapter = self._open_adapter(self.path)
                self._adapter.i2c_rdwr(*messages)
                self._timed_out.clear()
            except OSError as error:
                if error.errno in _NOT_ACKNOWLEDGED:
                    self._timed_out.clear()
                    raise NoAnswer(f"nothing answers at address {address} (0x{address:02x}) of {self.path}") from error
                self._drop()
                if isinstance(error, TimeoutError):
                    self._rest()
                raise BusError(f"I2C bus {self.path}: {error.strerror or error}") from error

    def _rest(self) -> None:
        self._timed_out.add(get_ident())
        if len(self._timed_out) >= HANGS:
            self._rests_until = self._now() + REST

    def _drop(self) -> None:
        adapter, self._adapter = self._adapter, None
        if adapter is not None:
            adapter.close()
