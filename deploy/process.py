"""What every process does first: its name, its log, its end."""

import threading
from collections.abc import Callable
from typing import Any

import pykka
import setproctitle
from loguru import logger

from deploy import lifeline, logs
from deploy.errors import StartError
from deploy.settings import Settings

LOOK = 1.0  # seconds between two looks at what must be alive


def begin(settings: Settings, name: str, *secrets: str) -> threading.Event:
    """Make this process `reactorium NAME`: in the process list, in its log, until the event that it returns is set.

    Call once, from the main thread; `secrets` never reach the log. Raises StartError when who started it is gone.
    """
    setproctitle.setproctitle(f"reactorium {name}")
    logs.setup(name, settings.log_level, settings.log_format, secrets)
    stop = lifeline.stop_on_signals()
    lifeline.hold(settings.parent)
    logger.info("starts")
    return stop


def stay(stop: threading.Event, root: pykka.ActorRef[Any], *alive: Callable[[], bool]) -> None:
    """Block until told to stop, then stop the root actor.

    Raises StartError when the root, or something else that the process cannot be without, is dead.
    """
    try:
        wait(stop, root.is_alive, *alive)
    finally:
        root.stop()


def wait(stop: threading.Event, *alive: Callable[[], bool]) -> None:
    """Block until told to stop. Raises StartError when something that the process cannot be without is dead."""
    while not stop.wait(LOOK):
        if not all(check() for check in alive):
            raise StartError("what this process stands on has died: it ends, to be started again")
    logger.info("stops")
