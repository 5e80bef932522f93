"""`reactorium check`: reads the configuration, tries what it names, prints what it found, changes nothing."""

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue

from actors.access import reach
from actors.config import DeviceConfig, SensorConfig
from actors.targets import kept_file, spell
from deploy import keyring, logins, logs, reactor_file
from deploy.errors import ConfigurationError
from deploy.folders import locked_by
from deploy.reactor_file import ReactorFile
from deploy.settings import Settings
from hardware.buses import Buses
from hardware.clock import SystemClock
from hardware.device import DeviceDriver
from hardware.driver import SensorDriver, Wiring
from hardware.errors import HardwareError
from hardware.registry import device_class, driver_class
from storage.ilp import LoginFailed, Stored, judge
from storage.questdb import DatabaseError, QuestDB
from storage.schema import read_identity
from transport.errors import KeyFileError
from transport.keys import KeyPair, load_or_make
from transport.messages import Error
from transport.wire import Down, Happening, Up, Wire

PATIENCE = 5.0  # seconds for coordinator and database each


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the answer: what was tried, and how it went."""

    what: str
    text: str
    good: bool = True


def check(settings: Settings) -> int:
    """Try everything that the configuration names; returns 0 when all of it is good, else 1."""
    logs.setup("check", "error", settings.log_format)  # what goes wrong is printed as a finding
    wrong = 0
    for finding in _findings(settings):
        sys.stdout.write(f"{'ok   ' if finding.good else 'WRONG'} {finding.what}: {finding.text}\n")
        sys.stdout.flush()
        wrong += not finding.good
    return min(wrong, 1)


def _findings(settings: Settings) -> Iterator[Finding]:
    owner = locked_by(settings.state_dir)
    there = "there" if settings.state_dir.exists() else "not made yet"
    yield Finding("state folder", f"{settings.state_dir} is {f'in use by process {owner}' if owner else there}")
    keys = None
    folder = keyring.host_key_file(settings).parent
    for path in settings.reactor_file:
        try:
            file = reactor_file.load(path, settings, driver_class, device_class)
        except ConfigurationError as error:
            yield from (Finding("reactor file", mistake, good=False) for mistake in error.mistakes)
            continue
        yield Finding("reactor file", f"{path}: {file.name}, {len(file.sensors)} sensors, {len(file.devices)} devices")
        yield from _changes(settings, file)
        yield from _wired(settings, file)
        folder = keyring.reactor_folder(settings, file.name)
        keys, findings = _key(folder / "key", file.name)
        yield from findings
    if keys is None:  # no reactor here: the server's own key is one that the coordinator knows
        keys, findings = _key(keyring.host_key_file(settings), keyring.HOST)
        yield from findings
    yield _coordinator(settings, keys)
    yield _database(settings) if settings.gateway is None else _gateway(settings, folder)


def _changes(settings: Settings, file: ReactorFile) -> Iterator[Finding]:
    """List what was changed from outside and goes before the file."""
    for target in [one.name for one in file.sensors] + [one.name for one in file.devices]:
        kept = kept_file(keyring.reactor_folder(settings, file.name), target).read()
        if kept is None:
            continue
        for name, (value, replaced) in kept.changes().items():
            text = (
                f"{name} is {spell(value)}, set by {kept.author}: it ends when the file's {spell(replaced)} is edited"
            )
            yield Finding(f"change of {target}", text)


def _wired(settings: Settings, file: ReactorFile) -> Iterator[Finding]:
    """Look for each circuit and output; a reactor that runs has its buses for itself."""
    running = locked_by(keyring.reactor_folder(settings, file.name))
    if running:
        yield Finding(f"reactor {file.name}", f"runs as process {running}: its buses are not tried")
        return
    buses = Buses()
    clock = SystemClock(settings.pace or 1.0)
    for sensor in file.sensors:
        wiring = Wiring(sensor.address, buses, clock, sensor.options)
        yield _found(f"sensor {sensor.name}", sensor, driver_class(sensor.driver)(wiring))
    for device in file.devices:
        wiring = Wiring(device.address, buses, clock, device.options)
        yield _found(f"device {device.name}", device, device_class(device.driver)(wiring))
    buses.close()


def _found(what: str, wired: SensorConfig | DeviceConfig, driver: SensorDriver | DeviceDriver) -> Finding:
    try:
        driver.find()
    except HardwareError as error:
        return Finding(what, str(error), good=False)
    finally:
        driver.close()
    return Finding(what, f"{wired.driver} at {wired.address} answers")


def _key(path: Path, name: str) -> tuple[KeyPair | None, Iterable[Finding]]:
    """Read a key that is there, and say what lets its owner in."""
    what = f"key of {name}"
    if not path.exists():
        return None, [Finding(what, f"{path} is not made yet: the first start makes it")]
    try:
        keys = load_or_make(path)
    except KeyFileError as error:
        return None, [Finding(what, str(error), good=False)]
    role = "manager" if name == keyring.HOST else "reactor"
    entry = f"allow/{name}.toml there has the lines role = '{role}' and public_key = '{keys.public}'"
    return keys, [Finding(what, f"{path}; the server lets it in when {entry}")]


def _coordinator(settings: Settings, keys: KeyPair | None) -> Finding:
    """Shake hands with the coordinator as the node that this is, and say nothing."""
    endpoint = keyring.coordinator_endpoint(settings)
    what = "coordinator"
    try:
        server_key = keyring.coordinator_key(settings)
    except ConfigurationError as error:
        return Finding(what, str(error), good=False)
    if keys is None:
        return Finding(what, f"{endpoint} is not tried without a key", good=False)
    wire = Wire(keys, SystemClock())
    heard: SimpleQueue[list[Happening]] = SimpleQueue()
    try:
        wire.connect(endpoint, server_key, accept=(Error,), deliver=heard.put)
        match heard.get(timeout=PATIENCE):
            case [Up(), *_]:
                return Finding(what, f"{endpoint} answers and lets this node in")
            case [Down(reason), *_]:
                return Finding(what, f"{endpoint}: {reason}", good=False)
            case other:
                return Finding(what, f"{endpoint} said {other}", good=False)
    except Empty:
        return Finding(what, f"{endpoint} does not answer", good=False)
    finally:
        wire.close()


def _database(settings: Settings) -> Finding:
    """Log in as the one who writes, and see which database it is."""
    address = logins.database_address(settings)
    try:
        login = logins.owner(settings)
        database = QuestDB(address, login.user, login.password, timeout=PATIENCE)
        identity = read_identity(database)
    except (ConfigurationError, DatabaseError) as error:
        return Finding("database", str(error), good=False)
    if identity is None:
        return Finding("database", f"{address} answers and has no tables yet: the coordinator makes them")
    schema = f"schema {identity.schema_major}.{identity.schema_minor}"
    return Finding("database", f"{address} answers: {identity.identity}, {schema}")


def _gateway(settings: Settings, folder: Path) -> Finding:
    """Write nothing through the gateway, with the certificate in `folder`."""
    what = "gateway"
    try:
        database = reach("", logins.access(settings, folder), PATIENCE)
        status, body = database.write(b"")
    except (ConfigurationError, DatabaseError) as error:
        return Finding(what, str(error), good=False)
    match judge(status, body, 0):
        case Stored():
            return Finding(what, f"{database.address} answers, lets this node in, and reaches the database")
        case LoginFailed():
            return Finding(what, f"{database.address} does not let this node in: reactorium approve does", good=False)
        case outcome:
            return Finding(what, f"{database.address}: {outcome}", good=False)
