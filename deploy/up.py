"""`reactorium up`: the whole system of one machine in the foreground, and what it says while it runs."""

import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from actors.files import make_sure
from deploy import keyring, lifeline, logins, proxy, questdb, reactor_file, supervision, watch, web
from deploy.errors import ConfigurationError, StartError
from deploy.folders import Folder
from deploy.questdb import QuestDBUnavailable
from deploy.settings import PREFIX, Settings
from deploy.supervision import Program
from hardware.registry import driver_class
from ui.accounts import FIRST

EXAMPLES = ("bioreactor", "aquarium", "hydroponics")
PATIENCE = 60.0  # seconds that supervisor gets to stop everything
# They start in this order and stop in the other; managers are 30.
DATABASE, COORDINATOR, GATEWAY, WEB, VESSEL, REACTOR = 10, 20, 32, 35, 40, 50


@dataclass(frozen=True, slots=True)
class Node:
    """A reactor that runs here, and the file of its vessel, if that is simulated."""

    name: str
    file: Path
    vessel: Path | None


def up(settings: Settings) -> None:
    """Run everything until a signal comes. Raises ConfigurationError, StartError."""
    nodes = _nodes([(file, None) for file in settings.reactor_file] or _examples(), settings)
    with Folder(settings.state_dir):
        _preflight(settings)
        conf = _prepare(settings, nodes)
        _say_where(settings, nodes)
        stop = lifeline.stop_on_signals(PATIENCE + 30)
        process = subprocess.Popen(  # noqa: S603 - our own module, our own file
            [sys.executable, "-P", "-m", supervision.__name__, str(conf)],
            env=lifeline.environment(),
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C in the terminal is ours alone: supervisor hears it from us
        )
        try:
            watch.watch(settings, process, stop)
        finally:
            _end(process)


def server(settings: Settings) -> None:
    """Become supervisor of a server: everything of `up` but the examples. Raises ConfigurationError, StartError."""
    nodes = _nodes([(file, None) for file in settings.reactor_file], settings)
    folder = Folder(settings.state_dir)
    _preflight(settings)
    conf = _prepare(settings, nodes)
    folder.keep()  # supervisor has the lock from here on
    supervision.become(conf)


def _nodes(files: Sequence[tuple[Path, Path | None]], settings: Settings) -> list[Node]:
    """Find out which reactors run here; every mistake in any of their files is told at once."""
    nodes: list[Node] = []
    mistakes: list[str] = []
    for file, vessel in files:
        try:
            name = reactor_file.load(file, settings, driver_class).name
        except ConfigurationError as error:
            mistakes += error.mistakes
            continue
        if name in [node.name for node in nodes]:
            mistakes.append(f"{file}: another file has the name {name} too")
        nodes.append(Node(name, file, vessel))
    if mistakes:
        raise ConfigurationError(*mistakes)
    return nodes


def _examples() -> list[tuple[Path, Path | None]]:
    folder = Path(str(files("deploy"))) / "examples"
    return [(folder / f"{name}.toml", folder / "vessels" / f"{name}.toml") for name in EXAMPLES]


def _preflight(settings: Settings) -> None:
    """See that this machine can run it, before anything is started. Raises StartError."""
    ports = [
        ("COORDINATOR_PORT", settings.bind, settings.coordinator_port),
        ("WEB_PORT", settings.web_bind, settings.web_port),
    ]
    if settings.questdb_url is None:
        ports += [
            ("QUESTDB_HTTP_PORT", questdb.LOOPBACK, settings.questdb_http_port),
            ("QUESTDB_PG_PORT", questdb.LOOPBACK, settings.questdb_pg_port),
            ("QUESTDB_HEALTH_PORT", questdb.LOOPBACK, settings.questdb_health_port),
        ]
    if settings.gateway_port is not None:
        ports.append(("GATEWAY_PORT", settings.bind, settings.gateway_port))
        proxy.nginx()
    for variable, address, port in ports:
        _see_that_it_is_free(PREFIX + variable, address, port)
    supervision.socket_path(settings)


def _see_that_it_is_free(variable: str, address: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the servers do; what has just ended is free
        try:
            probe.bind((address, port))
        except OSError as error:
            raise StartError(f"{variable}: {address}:{port} cannot be used: {error.strerror}") from error


def _prepare(settings: Settings, nodes: Sequence[Node]) -> Path:
    """Make what the first start makes: the database's server and users, keys; returns supervisor's configuration."""
    conf = settings.state_dir / "supervisor.conf"
    try:
        if settings.questdb_url is None:
            questdb.java()
            questdb.install(settings.cache_dir, watch.Progress("QuestDB"))
            logins.make(settings)
        else:
            logins.owner(settings)
        (settings.state_dir / "logs").mkdir(mode=0o700, exist_ok=True)
        make_sure(conf, supervision.configuration(settings, _programs(settings, nodes)))
    except QuestDBUnavailable as error:
        raise StartError(str(error)) from error
    except OSError as error:
        raise StartError(f"the folder {settings.state_dir} cannot be written: {error.strerror}") from error
    keyring.make(settings, [node.name for node in nodes])
    return conf


def _programs(settings: Settings, nodes: Sequence[Node]) -> list[Program]:
    programs = [
        Program("coordinator", "coordinator", "coordinator", COORDINATOR),
        Program("web", "web", "web", WEB),
    ]
    if settings.questdb_url is None:
        programs.append(Program("questdb", "questdb", "questdb", DATABASE))
    if settings.gateway_port is not None:
        programs.append(Program("gateway", "gateway", "gateway", GATEWAY))
        programs.append(Program("proxy", "proxy", "proxy", GATEWAY))
    for node in nodes:
        reactor = {f"{PREFIX}REACTOR_FILE": str(node.file)}
        programs.append(Program("reactors", node.name, "guard", REACTOR, reactor))
        if node.vessel is not None:
            vessel = {f"{PREFIX}VESSEL_FILE": str(node.vessel)}
            programs.append(Program("vessels", node.name, "vessel", VESSEL, vessel))
    return programs


def _say_where(settings: Settings, nodes: Sequence[Node]) -> None:
    password = web.make_accounts(settings)
    lines = {
        "reactors": ", ".join(node.name for node in nodes),
        "web page": web.address(settings),
        "coordinator": keyring.coordinator_endpoint(settings),
        "database": logins.database_address(settings),
        "state": settings.state_dir,
        "logs": settings.state_dir / "logs",
    }
    if settings.questdb_url is None:
        secret = settings.state_dir / logins.FILE
        lines["database"] = f"{lines['database']} (web console: user reactorium, password `owner` in {secret})"
    if settings.gateway_port is not None:
        lines["gateway"] = f"https://{settings.bind}:{settings.gateway_port}"
    for what, where in lines.items():
        watch.say(f"{what:<12} {where}")
    if password is not None:
        watch.say(
            f"{'log in as':<12} {FIRST}, password {password} (shown this once; reactorium password makes another)"
        )
    watch.say("Ctrl-C stops everything.")


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Have supervisor stop everything, the reactors first, and wait for it."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()  # its children hold on to it and end too
        process.wait()
    watch.say("everything is stopped")
