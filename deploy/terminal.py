"""`reactorium tui`, `status` and `tail`: what the database says, for a terminal and for pipes."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from deploy import logins, logs
from deploy.errors import StartError
from deploy.settings import Settings
from storage.questdb import DatabaseError
from storage.reader import Reader
from ui.terminal import printing
from ui.terminal.places import Found, Place, find


def run_tui(settings: Settings) -> None:
    """Show the page until a person leaves it. Raises StartError when this is no terminal."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise StartError("this is no terminal: `reactorium status` and `reactorium tail` are for pipes")
    from ui.terminal.app import TerminalPage  # noqa: PLC0415 - a third of a second that `status` does not need

    TerminalPage(partial(_find, reader(settings)), settings.refresh, settings.status_interval).run()


def _find(reader: Reader, place: Place) -> Found:
    """Ask for what a person looks at; when the terminal is gone nobody does, and the program ends.

    The hang-up that says so does not reach every program behind sudo or runuser, and Textual waits for ever to write.
    """
    if not os.isatty(0):
        os._exit(128 + signal.SIGHUP)
    return find(reader, place)


def run_status(settings: Settings) -> None:
    """Print how every reactor is, once. Raises StartError with the database's words."""
    with _printing(settings):
        printing.status(reader(settings), sys.stdout, settings.output, settings.status_interval)


def run_tail(settings: Settings) -> None:
    """Print what is kept as it comes, until told to stop. Raises StartError when the database never answered."""
    with _printing(settings):
        printing.tail(reader(settings), sys.stdout, settings.output, settings.refresh)


def reader(settings: Settings) -> Reader:
    """Find whom to ask, as the user who may only read. Raises ConfigurationError when nobody is named."""
    login = logins.reader(settings)
    return Reader(logins.reader_host(settings), settings.questdb_pg_port, login.user, login.password)


@contextmanager
def _printing(settings: Settings) -> Iterator[None]:
    logs.setup("status", "error", settings.log_format)
    try:
        yield
        sys.stdout.flush()
    except DatabaseError as error:
        raise StartError(str(error)) from error
    except BrokenPipeError:  # who reads has enough, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
