"""The keys of one machine and its allow-list, made at the first start.

keys/coordinator        the coordinator's secret; coordinator.pub beside it is what the nodes pin
keys/web                the web page's secret: the operator for everybody who logs in
keys/host               the managers' secret: a manager is its host's key and a number
reactors/NAME/key       a reactor's secret, in its own folder
allow/NAME.toml         one file a peer that may speak: its role and its public key
"""

from collections.abc import Iterable
from pathlib import Path

from actors import placement
from actors.files import make_sure
from deploy.errors import ConfigurationError, StartError
from deploy.settings import PREFIX, PUBLIC_KEY, Settings
from transport.errors import KeyFileError
from transport.keys import KeyPair, Peer, load_or_make, write_peer
from transport.messages import Role

HOST = placement.OWN  # the peer that all managers of this machine are
WEB = "web"  # the operator that the web page is


def coordinator_key_file(settings: Settings) -> Path:
    """Where the coordinator's secret stands."""
    return settings.state_dir / "keys" / "coordinator"


def host_key_file(settings: Settings) -> Path:
    """Where the managers' secret stands."""
    return settings.state_dir / "keys" / HOST


def web_key_file(settings: Settings) -> Path:
    """Where the web page's secret stands."""
    return settings.state_dir / "keys" / WEB


def reactor_folder(settings: Settings, name: str) -> Path:
    """A reactor's own folder: key, spool, lock."""
    return settings.state_dir / "reactors" / name


def allow_folder(settings: Settings) -> Path:
    """Who may speak to this machine's coordinator and managers."""
    return settings.state_dir / "allow"


def make(settings: Settings, reactors: Iterable[str]) -> None:
    """Make every key of this machine that is not there yet, and let its owners speak. Raises StartError."""
    try:
        for folder in (settings.state_dir / "keys", allow_folder(settings)):
            folder.mkdir(mode=0o700, exist_ok=True)
        make_sure(_public_file(settings), load_or_make(coordinator_key_file(settings)).public + "\n")
        _let_in(settings, HOST, "manager", load_or_make(host_key_file(settings)))
        _let_in(settings, WEB, "operator", load_or_make(web_key_file(settings)))
        for name in reactors:
            folder = reactor_folder(settings, name)
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _let_in(settings, name, "reactor", load_or_make(folder / "key"))
    except (OSError, KeyFileError) as error:
        raise StartError(f"the keys cannot be made: {error}") from error


def coordinator_endpoint(settings: Settings) -> str:
    """Find the coordinator: the environment's, else this machine's."""
    return settings.coordinator or f"tcp://{settings.bind}:{settings.coordinator_port}"


def coordinator_key(settings: Settings) -> str:
    """Find the public key that a node pins: the environment's, else this machine's. Raises ConfigurationError."""
    if settings.coordinator_key is not None:
        return settings.coordinator_key
    path = _public_file(settings)
    try:
        key = path.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        key = ""
    if PUBLIC_KEY.fullmatch(key) is None:
        raise ConfigurationError(f"{PREFIX}COORDINATOR_KEY is not set, and there is no key in {path}")
    return key


def _public_file(settings: Settings) -> Path:
    return coordinator_key_file(settings).with_suffix(".pub")


def _let_in(settings: Settings, name: str, role: Role, keys: KeyPair) -> None:
    write_peer(allow_folder(settings), Peer(name, role, keys.public))
