"""The state folder: who owns which part of it, and that nobody else is in there."""

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from typing import Self

from deploy.errors import StartError

WIDTH = 32  # bytes of a lock's file: the id of the process that holds it, and blanks


class Folder:
    """One process's own folder, 0700, locked for as long as this object (and with it the process) lives."""

    def __init__(self, path: Path) -> None:
        """Make and lock it. Raises StartError that names folder and cause, or the process that is in there."""
        self.path = path
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StartError(f"the folder {path} cannot be written: {error.strerror}") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = _owner(self._lock)
            os.close(self._lock)
            raise StartError(f"the folder {path} is in use by process {owner}") from None
        with suppress(OSError):  # a full disk; what stands there already is written over, which needs no room
            os.pwrite(self._lock, f"{os.getpid():<{WIDTH}}".encode("ascii"), 0)

    def keep(self) -> int:
        """Let the lock outlive this program when it execs another in its place; returns its descriptor."""
        os.set_inheritable(self._lock, True)  # noqa: FBT003 - takes no keywords
        return self._lock

    def close(self) -> None:
        """Let others in."""
        os.close(self._lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def locked_by(path: Path) -> str | None:
    """Return the id of the process whose folder this is at the moment, changing nothing; none when it is free."""
    try:
        lock = os.open(path / "lock", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _owner(lock)
    else:
        return None
    finally:
        os.close(lock)


def _owner(lock: int) -> str:
    """Read who holds it; on a disk that was always full nobody could write that down."""
    return os.pread(lock, WIDTH, 0).decode("ascii", "replace").strip() or "unknown"
