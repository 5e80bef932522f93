"""What systemd starts at boot on a machine that is not the server: a node with its reactors, a host of managers.

Each becomes supervisor, which runs the rest. The server itself: `deploy.up.server`.
"""

from collections.abc import Sequence

from actors.files import make_sure
from deploy import keyring, logins, reactor_file, supervision
from deploy.errors import ConfigurationError, StartError
from deploy.folders import Folder
from deploy.settings import PREFIX, Settings
from deploy.supervision import Managers, Program
from hardware.registry import driver_class

REACTOR = 50  # the priority of `deploy.up`
LAST = 99  # the highest number of a manager


def run_node(settings: Settings) -> None:
    """Become supervisor of this board's guards, one for each reactor's file. Raises ConfigurationError, StartError."""
    if not settings.reactor_file:
        raise ConfigurationError(f"{PREFIX}REACTOR_FILE names no file: there is no reactor to run")
    programs = []
    for path in settings.reactor_file:
        name = reactor_file.load(path, settings, driver_class).name
        programs.append(Program("reactors", name, "guard", REACTOR, {f"{PREFIX}REACTOR_FILE": str(path)}))
    _become(settings, programs, Managers.NONE)


def run_host(settings: Settings) -> None:
    """Become supervisor of this host's managers, for a coordinator elsewhere. Raises ConfigurationError, StartError."""
    last = settings.managers_from + settings.managers - 1
    if settings.managers_from == 1 or last > LAST:
        raise ConfigurationError(
            f"{PREFIX}MANAGERS_FROM={settings.managers_from}: {settings.managers} managers from there would have the "
            f"numbers up to {last}; the first ones are the server's own, and {LAST} is the last"
        )
    keyring.coordinator_key(settings)
    logins.access(settings, keyring.host_key_file(settings).parent)
    _become(settings, [], Managers.ALL)


def _become(settings: Settings, programs: Sequence[Program], managers: Managers) -> None:
    folder = Folder(settings.state_dir)
    conf = settings.state_dir / "supervisor.conf"
    try:
        (settings.state_dir / "logs").mkdir(mode=0o700, exist_ok=True)
        make_sure(conf, supervision.configuration(settings, programs, managers))
    except OSError as error:
        raise StartError(f"the folder {settings.state_dir} cannot be written: {error.strerror}") from error
    folder.keep()  # supervisor has the lock from here on
    supervision.become(conf)
