"""Who logs in to the database: what the environment names, else the two users that the local server was made with.

Across a network nobody does: certificates in the folder of the node's key let it through the gateway.
"""

from pathlib import Path
from urllib.parse import urlsplit

from actors.config import DatabaseLogin, GatewayLogin, Login
from deploy import questdb
from deploy.errors import ConfigurationError
from deploy.questdb import Logins
from deploy.settings import PREFIX, Settings
from storage.questdb import Certificates

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


def access(settings: Settings, folder: Path) -> Login:
    """Find how the node whose key is in `folder` writes. Raises ConfigurationError when something is missing."""
    if settings.gateway is None:
        return owner(settings)
    found = certificates(folder)
    try:
        found.context()
    except OSError as error:
        raise ConfigurationError(
            f"{PREFIX}GATEWAY is set, and the certificates in {folder} cannot be used ({error}): "
            "reactorium join unpacks them"
        ) from error
    return GatewayLogin(settings.gateway, found)


def certificates(folder: Path) -> Certificates:
    """Where the certificates are of the node whose key is in `folder`."""
    return Certificates(folder / "gateway-ca.crt", folder / "gateway.crt", folder / "gateway.key")


def secrets(login: Login) -> list[str]:
    """What of it may not turn up in a log."""
    return [login.password] if isinstance(login, DatabaseLogin) else []


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
