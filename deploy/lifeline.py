"""How a process ends: when it is told to, and when the one that started it is gone, however that ended.

The kernel sends the child a signal at the parent's death (PR_SET_PDEATHSIG, Linux prctl(2)); it survives an exec. The
parent names itself in the environment, so that a child that comes too late to hold on sees that it is an orphan.
"""

import ctypes
import os
import signal
import sys
import threading
from types import FrameType

from deploy.errors import StartError

PARENT = "REACTORIUM_PARENT"
PATIENCE = 8.0  # seconds from being told to stop to being made to: less than supervisor waits before it kills
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def hold(parent: int | None) -> None:
    """Have this process sent SIGTERM when `parent` ends; none for a process that a person or systemd started.

    Call from the main thread, early. Raises StartError when the parent is gone already.
    """
    if parent is None:
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        raise StartError(f"the process {parent} that started this one has ended")


def environment() -> dict[str, str]:
    """Make a child's environment: this process's own, and itself named as the parent."""
    return {**os.environ, PARENT: str(os.getpid())}


def command(subcommand: str) -> list[str]:
    """Build what starts a subcommand: this Python, which never looks for our packages in the working folder."""
    return [sys.executable, "-P", "-m", "deploy.main", subcommand]


def stop_on_signals(patience: float = PATIENCE) -> threading.Event:
    """Return an event that SIGTERM, SIGINT and SIGHUP set; who is not gone `patience` seconds later is ended.

    Call from the main thread.
    """
    stop = threading.Event()

    def stopped(_number: int, _frame: FrameType | None) -> None:
        if not stop.is_set():
            stop.set()
            last = threading.Timer(patience, os._exit, [1])
            last.daemon = True
            last.start()

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, stopped)
    return stop
