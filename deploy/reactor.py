"""The reactor's process."""

import threading
from importlib.metadata import version

from loguru import logger

from actors.config import ReactorConfig
from actors.reactor import Outside, Reactor
from actors.timebase import disciplined
from deploy import keyring, logins, process, reactor_file
from deploy.errors import StartError
from deploy.folders import Folder
from deploy.settings import Settings
from hardware.buses import Buses
from hardware.clock import SystemClock, boot_id
from hardware.registry import device_class, driver_class
from transport.errors import KeyFileError
from transport.keys import load_or_make
from transport.wire import Wire


def run_reactor(settings: Settings) -> None:
    """Run the reactor of REACTORIUM_REACTOR_FILE until told to stop."""
    config = _reactor_config(settings)
    stop = process.begin(settings, f"reactor {config.name}", *logins.secrets(config.database_login))
    clock = SystemClock(config.pace)
    with Folder(config.state_dir):
        try:
            keys = load_or_make(config.state_dir / "key")
        except KeyFileError as error:
            raise StartError(str(error)) from error
        logger.info("public key {}: the server lets it in by a file of its allow-list", keys.public)
        outside = Outside(
            software=version("reactorium"),
            boot=boot_id(),
            clock=clock,
            disciplined=disciplined,
            driver=driver_class,
            device=device_class,
            buses=Buses(),
            wire=Wire(keys, clock),
        )
        root = Reactor.start(config, outside, threading.Event())
        process.stay(stop, root, outside.wire.is_alive)


def _reactor_config(settings: Settings) -> ReactorConfig:
    file = reactor_file.load(reactor_file.only_file(settings), settings, driver_class)
    folder = keyring.reactor_folder(settings, file.name)
    return ReactorConfig(
        name=file.name,
        label=file.label,
        sensors=file.sensors,
        state_dir=folder,
        coordinator=keyring.coordinator_endpoint(settings),
        coordinator_key=keyring.coordinator_key(settings),
        database_login=logins.access(settings, folder),
        status_interval=settings.status_interval,
        spool_limit=settings.spool_limit,
        spool_retention=settings.spool_retention,
        pace=settings.pace or 1.0,
        devices=file.devices,
        interlocks=file.interlocks,
    )
