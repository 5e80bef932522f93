"""The vessel's process: `run` serves one vessel until it is told to stop."""

import fcntl
import os
import threading

from hardware.clock import SystemClock
from hardware.vessel.config import BadVesselFile, VesselConfig, load
from hardware.vessel.server import Server

__all__ = ["BadVesselFile", "VesselConfig", "load", "run"]


class VesselRuns(RuntimeError):  # noqa: N818 - what happened
    """Another process serves a vessel in the same folder."""


def run(config: VesselConfig, stop: threading.Event) -> None:
    """Serve a vessel in `config.run_dir` on this thread until `stop` is set.

    Raises `VesselRuns`, and `OSError` when the folder cannot be used.
    """
    config.run_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.open(config.run_dir / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise VesselRuns(f"{config.run_dir}: another vessel runs there") from None
        server = Server(config, SystemClock())
        try:
            server.run(stop)
        finally:
            server.close()
    finally:
        os.close(lock)
