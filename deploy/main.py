"""The command line: `reactorium` and a subcommand, no flags. Everything else comes from the environment and files."""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module

import dotenv
from loguru import logger

from deploy import lifeline, logs, settings
from deploy.errors import ConfigurationError, StartError

BAD_USE, BAD_CONFIGURATION, NOT_NOW = 64, 78, 69  # sysexits(3): EX_USAGE, EX_CONFIG, EX_UNAVAILABLE
INTERRUPTED = 130  # as shells say of SIGINT


@dataclass(frozen=True, slots=True)
class Command:
    """A subcommand: where its function is (`module:function`), imported only when asked for; its arguments' names."""

    function: str
    does: str
    argument: str = ""


COMMANDS = {
    "up": Command("deploy.up:up", "run the whole system on this machine until Ctrl-C"),
    "server": Command("deploy.up:server", "run this server's processes, as systemd starts them"),
    "node": Command("deploy.service:run_node", "run this board's reactors, as systemd starts them"),
    "host": Command("deploy.service:run_host", "run managers for a coordinator elsewhere, as systemd starts them"),
    "enrol": Command("deploy.enrol:enrol", "make a node's keys, and its request to be let in", "NAME ROLE"),
    "approve": Command("deploy.enrol:approve", "let in a node that shows this fingerprint", "REQUEST FINGERPRINT"),
    "join": Command("deploy.enrol:join", "take over what the server made for this node", "BUNDLE"),
    "bundle": Command("deploy.enrol:bundle", "let in a new node, and make its keys for it", "FILE"),
    "nodes": Command("deploy.enrol:nodes", "show who may speak"),
    "revoke": Command("deploy.enrol:revoke", "let a node in no more", "NAME"),
    "check": Command("deploy.check:check", "read the configuration, try everything it names, change nothing"),
    "tui": Command("deploy.terminal:run_tui", "show the fleet in this terminal"),
    "status": Command("deploy.terminal:run_status", "say how every reactor is"),
    "tail": Command("deploy.terminal:run_tail", "print what is kept as it comes"),
    "sql": Command("deploy.sql:sql", "answer a read-only query as CSV", "QUERY"),
    "export": Command("deploy.export:run_export", "write rows of a time range as CSV or Parquet", "TABLE FROM TO FILE"),
    "backup": Command("deploy.backup:run_backup", "copy the running database into a new folder", "FOLDER"),
    "restore": Command("deploy.backup:run_restore", "put a backup in the database's place", "FOLDER"),
    "password": Command("deploy.web:new_password", "give somebody who logs in a new password, and show it", "NAME"),
    "coordinator": Command("deploy.server:run_coordinator", "run the coordinator"),
    "manager": Command("deploy.server:run_manager", "run one manager"),
    "web": Command("deploy.web:run_web", "run the web page and /api"),
    "questdb": Command("deploy.server:run_questdb", "run the local QuestDB"),
    "gateway": Command("deploy.gateway:run_gateway", "run the gateway, which lets nodes write their own rows"),
    "proxy": Command("deploy.proxy:run_proxy", "run nginx in front of the gateway"),
    "guard": Command("deploy.guard_start:run_guard", "guard that reactor: hold its outputs' safe values, and run it"),
    "reactor": Command("deploy.reactor:run_reactor", "run the reactor that REACTORIUM_REACTOR_FILE describes"),
    "vessel": Command("deploy.vessel:run_vessel", "run the simulated vessel that REACTORIUM_VESSEL_FILE describes"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand; returns the process's exit status. What stands in the way is one line each on stderr."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    command = COMMANDS.get(words[0]) if words else None
    if command is None or len(words) != 1 + len(command.argument.split()):
        sys.stderr.write(usage())
        return BAD_USE
    os.umask(0o077)  # whatever any of our processes makes is its owner's alone
    try:
        dotenv.load_dotenv(".env", interpolate=False)  # the environment wins; a key or password may have ${ in it
        read = settings.load()
        module, _, function = command.function.partition(":")
        return getattr(import_module(module), function)(read, *words[1:]) or 0
    except ConfigurationError as error:
        return _refuse(words[0], error.mistakes, BAD_CONFIGURATION)
    except StartError as error:
        return _refuse(words[0], [str(error)], NOT_NOW)
    except KeyboardInterrupt:
        return INTERRUPTED


def usage() -> str:
    """Every subcommand with what it does."""
    names = {name: f"{name} {command.argument}".rstrip() for name, command in COMMANDS.items()}
    lines = [f"  {names[name]:<29} {command.does}" for name, command in COMMANDS.items()]
    return "\n".join(["usage: reactorium COMMAND (settings come from the environment: env.sample)", *lines]) + "\n"


def _refuse(name: str, lines: Sequence[str], status: int) -> int:
    """Say what stands in the way: to the person, or in the log of a process that another one started."""
    if lifeline.PARENT in os.environ:
        logs.setup(name, "info", os.environ.get("REACTORIUM_LOG_FORMAT", "text"))
        for line in lines:
            logger.critical("{}", line)
    else:
        sys.stderr.writelines(f"reactorium: {line}\n" for line in lines)
    return status


if __name__ == "__main__":
    sys.exit(main())
