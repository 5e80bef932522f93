"""The reactor's process."""

import os
import threading
import time
from collections.abc import Callable
from importlib.metadata import version
from secrets import token_hex

import pykka
from loguru import logger

from actors.config import ReactorConfig
from actors.device import Device, Rest
from actors.reactor import Guarded, Outside, Reactor
from actors.timebase import disciplined
from deploy import keyring, lifeline, logins, process, reactor_file
from deploy.errors import StartError
from deploy.folders import Folder
from deploy.guard_start import safe_writes
from deploy.safekeeping import Safekeeping
from deploy.settings import Settings
from deploy.tether import Tether
from hardware.buses import Buses
from hardware.clock import SystemClock, boot_id
from hardware.registry import device_class, driver_class
from hardware.safe_writer import carry_out
from transport.errors import KeyFileError
from transport.keys import load_or_make
from transport.wire import Wire

AT_REST = 0.5  # seconds that devices get to make their outputs safe when the guard has gone
AT_ONCE = 1.0  # seconds for those that did not


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
            instance=token_hex(16),
            boot=boot_id(),
            clock=clock,
            disciplined=disciplined,
            driver=driver_class,
            device=device_class,
            buses=Buses(),
            wire=Wire(keys, clock),
            guard=_guarded(settings, lambda: _end_alone(config, stop)),
        )
        root = Reactor.start(config, outside, threading.Event())
        process.stay(stop, root, outside.wire.is_alive)


def _guarded(settings: Settings, gone: Callable[[], None]) -> Guarded:
    if settings.guard_pipes is None:
        return Guarded()
    tether = Tether(*settings.guard_pipes, gone)
    return Guarded(tether.take_over, tether.prove, settings.guard_news)


def _end_alone(config: ReactorConfig, stop: threading.Event) -> None:
    """End without a guard, whoever else hangs: first the outputs, by the devices themselves, then of those that hang.

    On a thread of its own. A line of a device that hangs is ours until we have ended: the next guard has to do it.
    """
    pykka.ActorRegistry.broadcast(Rest(), target_class=Device)
    stop.set()
    logger.critical("the guard has gone: the reactor makes its outputs safe and ends")
    time.sleep(AT_REST)
    Safekeeping(safe_writes(config.devices), carry_out).begin(AT_ONCE)
    time.sleep(lifeline.PATIENCE)
    os._exit(1)


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
