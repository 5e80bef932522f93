"""Supervisor, which runs every process of one machine: its configuration, and itself.

It is a child of `reactorium up`, or what `reactorium server`, `node` and `host` become.
"""

import os
import resource
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from pathlib import Path
from typing import NoReturn

import setproctitle
import supervisor.supervisord  # type: ignore[import-untyped]

from deploy import lifeline
from deploy.errors import StartError
from deploy.settings import Settings

STOP_SECONDS = 15  # supervisor kills who is not gone by then: later than a guard ends that has to kill its reactor
LONGEST_SOCKET = 107  # bytes of a Unix socket's path, Linux unix(7)
FILES = 16_384  # open files that a process may have, where the machine allows it: a manager has one a reactor
STARTED = "5"  # seconds: who ends sooner did not start, and waits longer each time
_FOREVER = 1_000_000  # starts tried: supervisor waits one second longer before each


@dataclass(frozen=True, slots=True)
class Program:
    """One process: a subcommand with what it finds in its environment. Lower priorities start first and stop last."""

    group: str
    name: str
    command: str
    priority: int
    variables: Mapping[str, str] = field(default_factory=dict)


class Managers(Enum):
    """Which managers a machine's supervisor has."""

    NONE = auto()
    ASKED = auto()  # the coordinator has them started and stopped
    ALL = auto()  # the coordinator is elsewhere: they run all the time


def socket_path(settings: Settings) -> Path:
    """Where supervisor answers. Raises StartError when the kernel takes no path that long."""
    path = settings.state_dir / "supervisor.sock"
    if len(os.fsencode(path)) > LONGEST_SOCKET:
        raise StartError(
            f"the path of the state folder {settings.state_dir} is too long: "
            f"it may have {LONGEST_SOCKET - len('/supervisor.sock')} bytes"
        )
    return path


def configuration(settings: Settings, programs: Sequence[Program], managers: Managers = Managers.ASKED) -> str:
    """Write supervisor's configuration: these programs, and the managers."""
    state, logs = settings.state_dir, settings.state_dir / "logs"
    sections = [
        _section("unix_http_server", file=_plain(socket_path(settings)), chmod="0700"),
        _section(
            "supervisord",
            logfile=_plain(logs / "supervisor.log"),
            logfile_maxbytes="5MB",
            logfile_backups="2",
            pidfile=_plain(state / "supervisor.pid"),
            nodaemon="true",
            silent="true",
            minfds=str(_files()),
            umask="077",
        ),
        _section(
            "rpcinterface:supervisor",
            **{"supervisor.rpcinterface_factory": "supervisor.rpcinterface:make_main_rpcinterface"},
        ),
    ]
    sections += [_program(settings, program) for program in programs]
    groups: dict[str, list[Program]] = {}
    for program in programs:
        groups.setdefault(program.group, []).append(program)
    sections += [_group(group, members) for group, members in groups.items() if members[0].name != group]
    if managers is not Managers.NONE:
        sections.append(_managers(settings, always=managers is Managers.ALL))
    return "\n".join(sections)


def run(configuration_file: Path) -> None:
    """Be supervisor, in this process and in the foreground, until told to stop."""
    parent = os.environ.get(lifeline.PARENT)
    lifeline.hold(int(parent) if parent else None)
    setproctitle.setproctitle("reactorium supervisor")
    os.environ.update(lifeline.environment())
    supervisor.supervisord.main(["-c", str(configuration_file)])


def become(configuration_file: Path) -> NoReturn:
    """Be supervisor in this program's place, as systemd wants it."""
    os.execv(sys.executable, [sys.executable, "-P", "-m", __name__, str(configuration_file)])  # noqa: S606 - ourselves


def _files() -> int:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    return FILES if most == resource.RLIM_INFINITY else min(FILES, most)


def _program(settings: Settings, program: Program) -> str:
    section = program.name if program.group == program.name else f"{program.group}-{program.name}"
    return _section(
        f"program:{section}",
        command=_command(program.command),
        process_name=program.name,
        priority=str(program.priority),
        environment=",".join(f'{name}="{_plain(value)}"' for name, value in program.variables.items()),
        autostart="true",
        autorestart="true",
        startsecs=STARTED,
        startretries=str(_FOREVER),
        **_common(settings, section),
    )


def _group(group: str, members: Sequence[Program]) -> str:
    names = ",".join(f"{group}-{member.name}" for member in members)
    return _section(f"group:{group}", programs=names, priority=str(members[0].priority))


def _managers(settings: Settings, *, always: bool) -> str:
    """Say how managers run: always, as other programs do, or when the coordinator says so."""
    start = str(always).lower()
    return _section(
        "program:manager",
        command=_command("manager"),
        process_name="manager_%(process_num)02d",
        numprocs=str(settings.managers),
        numprocs_start=str(settings.managers_from),
        priority="30",
        environment='REACTORIUM_MANAGER_NUMBER="%(process_num)d"',
        autostart=start,
        autorestart=start,  # else the coordinator decides whether another is needed
        startsecs=STARTED if always else "0",
        startretries=str(_FOREVER if always else 0),
        **_common(settings, "manager_%(process_num)02d", plain=False),
    )


def _common(settings: Settings, name: str, *, plain: bool = True) -> dict[str, str]:
    folder = _plain(settings.state_dir / "logs")
    return {
        "stopsignal": "TERM",
        "stopwaitsecs": str(STOP_SECONDS),
        "redirect_stderr": "true",
        "stdout_logfile": f"{folder}/{_plain(name) if plain else name}.log",
        "stdout_logfile_maxbytes": "5MB",
        "stdout_logfile_backups": "2",
    }


def _section(title: str, **values: str) -> str:
    lines = [f"[{title}]", *(f"{key} = {value}" for key, value in values.items() if value)]
    return "\n".join(lines) + "\n"


def _command(subcommand: str) -> str:
    return _plain(shlex.join(lifeline.command(subcommand)))


def _plain(text: object) -> str:
    """Spell a text so that supervisor expands nothing in it."""
    return str(text).replace("%", "%%")


if __name__ == "__main__":
    run(Path(sys.argv[1]))
