"""What every process does first: its name, its log, its end."""

import threading

import setproctitle
from loguru import logger

from deploy import lifeline, logs
from deploy.settings import Settings


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
