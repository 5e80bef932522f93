"""The server's processes: coordinator, managers, the local QuestDB."""

import threading
from pathlib import Path

from actors import coordinator, manager
from actors.access import reach
from actors.config import CoordinatorConfig, ManagerConfig
from actors.coordinator import CoordinatorProcess
from actors.launcher import SupervisorLauncher
from actors.manager import ManagerProcess
from deploy import keyring, logins, process, questdb, supervision
from deploy.errors import ConfigurationError, StartError
from deploy.folders import Folder
from deploy.questdb import QuestDBConfig, QuestDBUnavailable
from deploy.settings import PREFIX, Settings
from hardware.clock import SystemClock
from storage.desired import DesiredTable
from storage.questdb import QuestDB
from storage.readings import Writer
from storage.schema import Keeping
from transport.errors import KeyFileError
from transport.keys import KeyPair, load_or_make
from transport.wire import Wire


def run_coordinator(settings: Settings) -> None:
    """Run the coordinator until told to stop."""
    config = CoordinatorConfig(
        endpoint=f"tcp://{settings.bind}:{settings.coordinator_port}",
        state_dir=settings.state_dir / "coordinator",
        allow_dir=keyring.allow_folder(settings),
        database_address=logins.database_address(settings),
        database_login=logins.owner(settings),
        manager_numbers=settings.managers,
        manager_capacity=settings.manager_capacity,
        status_interval=settings.status_interval,
        empty_manager=settings.empty_manager,
        supervisor=f"unix://{supervision.socket_path(settings)}",
        keeping=keeping(settings),
    )
    login = config.database_login
    stop = process.begin(settings, "coordinator", login.password)
    clock = SystemClock()
    with Folder(config.state_dir):
        wire = Wire(_keys(keyring.coordinator_key_file(settings)), clock)
        surroundings = coordinator.Surroundings(
            clock=clock,
            wire=wire,
            launcher=SupervisorLauncher(config.supervisor),
            database=QuestDB(config.database_address, login.user, login.password),
            connect=lambda address: Writer(QuestDB(address, login.user, login.password)),
        )
        root = CoordinatorProcess.start(config, surroundings, threading.Event())
        process.stay(stop, root, wire.is_alive)


def keeping(settings: Settings) -> Keeping:
    """Read how long rows are kept. Raises ConfigurationError."""
    days = {
        "samples": settings.keep_samples,
        "events": settings.keep_events,
        "settings": settings.keep_settings,
        "readings": settings.keep_readings,
    }
    if settings.samples_partition == "week" and (settings.keep_samples or 0) % 7:
        raise ConfigurationError(
            f"{PREFIX}KEEP_SAMPLES={settings.keep_samples} must be whole weeks, as {PREFIX}SAMPLES_PARTITION is"
        )
    known = {table: count for table, count in days.items() if count is not None}
    return Keeping(known, settings.samples_partition.upper())


def run_manager(settings: Settings) -> None:
    """Run one manager, the one of REACTORIUM_MANAGER_NUMBER, until told to stop."""
    number = settings.manager_number
    config = ManagerConfig(
        number=number,
        bind=settings.bind,
        capacity=settings.manager_capacity,
        state_dir=settings.state_dir / "managers" / f"{number:02d}",
        coordinator=keyring.coordinator_endpoint(settings),
        coordinator_key=keyring.coordinator_key(settings),
        database_login=logins.access(settings, keyring.host_key_file(settings).parent),
        status_interval=settings.status_interval,
    )
    login = config.database_login
    stop = process.begin(settings, f"manager {number:02d}", *logins.secrets(login))
    clock = SystemClock()
    with Folder(config.state_dir):
        wire = Wire(_keys(keyring.host_key_file(settings)), clock)
        surroundings = manager.Surroundings(
            clock=clock,
            wire=wire,
            connect=lambda address: Writer(reach(address, login)),
            desired=lambda address: DesiredTable(reach(address, login)),
        )
        root = ManagerProcess.start(config, surroundings, threading.Event())
        process.stay(stop, root, wire.is_alive)


def _keys(path: Path) -> KeyPair:
    try:
        return load_or_make(path)
    except KeyFileError as error:
        raise StartError(str(error)) from error


def run_questdb(settings: Settings) -> None:
    """Become the local QuestDB server, which is fetched first when it was never here."""
    if settings.questdb_url is not None:
        raise ConfigurationError(f"{PREFIX}QUESTDB_URL names another server: there is no local one to run")
    process.begin(settings, "questdb")
    folder = Folder(settings.state_dir / "questdb")
    try:
        config = QuestDBConfig(
            root=folder.path,
            cache=settings.cache_dir,
            http_port=settings.questdb_http_port,
            pg_port=settings.questdb_pg_port,
            health_port=settings.questdb_health_port,
            logins=logins.make(settings),
        )
        jar = questdb.install(settings.cache_dir)
        folder.keep()  # the server has the lock from here on
        questdb.exec_server(config, jar)
    except QuestDBUnavailable as error:
        raise StartError(str(error)) from error
