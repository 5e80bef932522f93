"""Who logs in to the database: what the environment names, else the two users that the local server was made with."""

from urllib.parse import urlsplit

from actors.config import DatabaseLogin
from deploy import questdb
from deploy.errors import ConfigurationError
from deploy.questdb import Logins
from deploy.settings import PREFIX, Settings

FILE = "questdb-logins.toml"


def database_address(settings: Settings) -> str:
    """Where rows go and queries are asked: the server that the environment names, else the local one."""
    return settings.questdb_url or f"http://{questdb.LOOPBACK}:{settings.questdb_http_port}"


def reader_host(settings: Settings) -> str:
    """Where the PostgreSQL wire is: the host of `database_address`."""
    return urlsplit(database_address(settings)).hostname or questdb.LOOPBACK


def make(settings: Settings) -> Logins:
    """Read the local server's users, or make them at the first start; the state folder must be there."""
    return questdb.load_or_make_logins(settings.state_dir / FILE)


def owner(settings: Settings) -> DatabaseLogin:
    """Find who writes. Raises ConfigurationError when nobody is named."""
    if settings.questdb_user is not None:
        return DatabaseLogin(settings.questdb_user, settings.questdb_password or "")
    return _local(settings, "USER").owner


def reader(settings: Settings) -> DatabaseLogin:
    """Find who only reads. Raises ConfigurationError when nobody is named."""
    if settings.questdb_reader is not None:
        return DatabaseLogin(settings.questdb_reader, settings.questdb_reader_password or "")
    return _local(settings, "READER").viewer


def _local(settings: Settings, variable: str) -> Logins:
    path = settings.state_dir / FILE
    if settings.questdb_url is not None or not path.exists():
        raise ConfigurationError(
            f"{PREFIX}QUESTDB_{variable} is not set, and there is no local server's login in {path}"
        )
    return make(settings)
