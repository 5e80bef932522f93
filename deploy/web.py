"""The web process, and who may log in to it."""

import sys
from importlib.metadata import version
from ipaddress import ip_address
from pathlib import Path

from loguru import logger

from deploy import keyring, logins, process
from deploy.errors import StartError
from deploy.folders import Folder
from deploy.settings import Settings
from hardware.clock import SystemClock
from storage.reader import Reader
from transport.errors import KeyFileError
from transport.keys import load_or_make
from transport.wire import Wire
from ui import accounts
from ui.accounts import FIRST, AccountError, Accounts
from ui.operator import OperatorConfig
from ui.server import WebConfig, WebServer


def run_web(settings: Settings) -> None:
    """Run the web page and `/api` until told to stop."""
    login = logins.reader(settings)
    software = f"reactorium {version('reactorium')}"
    config = WebConfig(
        address=settings.web_bind,
        port=settings.web_port,
        operator=OperatorConfig(
            coordinator=keyring.coordinator_endpoint(settings),
            coordinator_key=keyring.coordinator_key(settings),
            status_interval=settings.status_interval,
            software=software,
        ),
        reader=Reader(logins.reader_host(settings), settings.questdb_pg_port, login.user, login.password),
        software=software,
        console=console(settings),
    )
    stop = process.begin(settings, "web", login.password)
    with Folder(folder(settings)):
        _see_that_somebody_may_log_in(settings)
        warn_of_exposure(settings)
        try:
            wire = Wire(load_or_make(keyring.web_key_file(settings)), SystemClock())
        except KeyFileError as error:
            raise StartError(str(error)) from error
        server = WebServer(config, Accounts(_file(settings)), wire)
        server.start()
        try:
            process.wait(stop, server.is_alive)
        finally:
            server.close()


def _see_that_somebody_may_log_in(settings: Settings) -> None:
    """Let a first person in who sits in front of it; a log is no place for a password."""
    if sys.stdout.isatty():
        password = make_accounts(settings)
        if password is not None:
            _show(FIRST, password)
    elif not Accounts(_file(settings)).people():
        logger.warning("nobody can log in yet: reactorium password NAME lets somebody in")


def warn_of_exposure(settings: Settings) -> None:
    """Say that passwords cross a network that anybody may listen to."""
    if not ip_address(settings.web_bind).is_loopback:
        logger.warning(
            "the web page listens on {} without TLS: whoever is on the way reads passwords and tokens (docs/web.md)",
            settings.web_bind,
        )


def make_accounts(settings: Settings) -> str | None:
    """Let a first person in at the first start: returns their password, which nobody can read again."""
    try:
        folder(settings).mkdir(mode=0o700, parents=True, exist_ok=True)
        return Accounts(_file(settings)).make_first()
    except (OSError, AccountError) as error:
        raise StartError(f"who may log in cannot be written down: {error}") from error


def new_password(settings: Settings, name: str) -> None:
    """Give somebody a new password and show it once; who is new may change everything. Raises StartError."""
    password = accounts.new_password()
    try:
        folder(settings).mkdir(mode=0o700, parents=True, exist_ok=True)
        book = Accounts(_file(settings))
        access: accounts.Access = next((person.access for person in book.people() if person.name == name), "operator")
        book.put_person(name, access, password)
    except (OSError, AccountError) as error:
        raise StartError(str(error)) from error
    _show(name, password)


def address(settings: Settings) -> str:
    """Where a browser on this machine finds the page."""
    host = "127.0.0.1" if settings.web_bind == "0.0.0.0" else settings.web_bind  # noqa: S104 - compared, not bound
    return f"http://{host}:{settings.web_port}"


def console(settings: Settings) -> str:
    """Where a browser finds the database's own page: as named, else the local server's if our page is local too."""
    if settings.questdb_console is not None:
        return settings.questdb_console
    local = settings.questdb_url is None and ip_address(settings.web_bind).is_loopback
    return logins.database_address(settings) if local else ""


def folder(settings: Settings) -> Path:
    """The web process's own folder."""
    return settings.state_dir / "web"


def _file(settings: Settings) -> Path:
    return folder(settings) / "accounts.json"


def _show(name: str, password: str) -> None:
    """Say it on the terminal, and never in a log."""
    sys.stdout.write(f"log in as {name}, password {password}\n")
    sys.stdout.flush()
