"""`reactorium guard`: reads and checks what the reactor's file wires up, then becomes the light `deploy.guard`."""

import os
import signal
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NoReturn

from actors.config import DeviceConfig
from actors.progress import patience
from actors.safe_mode import FILE as SAFE_MODE
from deploy import keyring, lifeline, reactor_file
from deploy.errors import StartError
from deploy.folders import Folder, locked_by
from deploy.guard_plan import Plan, stamp
from deploy.reactor_file import ReactorFile
from deploy.settings import Settings
from hardware.buses import Buses
from hardware.clock import SystemClock
from hardware.driver import Wiring
from hardware.registry import device_class, driver_class
from hardware.safe import SafeWrite
from hardware.vessel import sockets

PROGRAM = "deploy.guard"
PATIENCE = 15.0  # seconds that a reactor gets whose guard has died: more than it gives itself (`lifeline`)
VESSELS = 10.0  # seconds that a simulated vessel gets to be there, which may be started at the same moment
LOOK = 0.1  # seconds between two looks


def run_guard(settings: Settings) -> NoReturn:
    """Guard the reactor of REACTORIUM_REACTOR_FILE until told to stop. Raises ConfigurationError, StartError."""
    path = reactor_file.only_file(settings)
    lifeline.hold(settings.parent)  # outlives the exec, as the process's id and the folder's lock do
    state = stamp(str(path))
    file = reactor_file.load(path, settings, driver_class, device_class)
    folder = keyring.reactor_folder(settings, file.name)
    own = Folder(folder / "guard")
    lock = own.keep()
    _wait_until_free(folder, own.path / "child")
    addresses = [*(sensor.address for sensor in file.sensors), *(device.address for device in file.devices)]
    _wait_for_vessels(settings.state_dir / "vessels", addresses)
    plan = Plan(
        name=file.name,
        outputs=safe_writes(file.devices),
        child=lifeline.command("reactor"),
        variables={lifeline.PARENT: str(os.getpid())},
        again=lifeline.command("guard"),
        file=str(path),
        stamp=state,
        pace=settings.pace or 1.0,
        log_level=settings.log_level,
        log_format=settings.log_format,
        lock=lock,
        patience=_patience(file, settings.pace or 1.0),
        folder=str(own.path),
        safe_mode=str(folder / SAFE_MODE),
        failures=settings.safe_mode_after,
        watchdog=settings.watchdog or "",
    )
    os.execv(sys.executable, [sys.executable, "-P", "-m", PROGRAM, str(plan.hand_over())])  # noqa: S606 - ourselves


def safe_writes(devices: Iterable[DeviceConfig]) -> dict[str, tuple[SafeWrite, ...]]:
    """Ask each device's driver what makes it safe; nothing is opened."""
    buses, clock = Buses(), SystemClock()
    wired = {one.name: (one.driver, Wiring(one.address, buses, clock, one.options)) for one in devices}
    return {name: device_class(driver)(wiring).safe_writes() for name, (driver, wiring) in wired.items()}


def _patience(file: ReactorFile, pace: float) -> float:
    longest = [driver_class(one.driver).descriptor.longest_operation for one in file.sensors]
    longest += [device_class(one.driver).descriptor.longest_operation for one in file.devices]
    return patience(longest, pace)


def _wait_until_free(folder: Path, child: Path) -> None:
    """Wait for a reactor that has lost its guard and is about to end: until then outputs and lines are its own.

    One that does not end is killed, if it is the `child` of the guard before us; somebody else's is left alone.
    """
    deadline = time.monotonic() + PATIENCE
    while owner := locked_by(folder):
        if time.monotonic() >= deadline:
            if not child.exists() or child.read_text(encoding="ascii") != owner:
                raise StartError(f"the folder {folder} is in use by process {owner}")
            os.kill(int(owner), signal.SIGKILL)
        time.sleep(LOOK)


def _wait_for_vessels(vessels: Path, addresses: Iterable[str]) -> None:
    """Wait for the vessels that are wired to it; without them it starts all the same, and says what it misses."""
    folders = {
        vessels / address.removeprefix(f"{vessels}/").partition("/")[0]
        for address in addresses
        if address.startswith(f"{vessels}/")
    }
    deadline = time.monotonic() + VESSELS
    while not all(map(_is_served, folders)) and time.monotonic() < deadline:
        time.sleep(LOOK)


def _is_served(folder: Path) -> bool:
    """Whether a vessel runs there: its last socket is its control socket."""
    try:
        sockets.connect(folder / sockets.CONTROL_SOCKET, LOOK).close()
    except OSError:
        return False
    return True
