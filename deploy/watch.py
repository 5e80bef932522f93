"""What `reactorium up` tells the person in front of it: processes that start and end, and the first sample stored."""

import sys
import threading
import time
import xmlrpc.client
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from supervisor.xmlrpc import SupervisorTransport  # type: ignore[import-untyped]

from deploy import logins, supervision
from deploy.errors import StartError
from deploy.settings import Settings
from storage.queries import count_samples
from storage.questdb import DatabaseError, QuestDB, SqlError

if TYPE_CHECKING:
    from subprocess import Popen

PACE = 0.5  # seconds between two looks
STEPS = 10  # lines that a download is told in


def say(text: str) -> None:
    """Tell the person one line, if there still is one: a closed terminal ends nothing."""
    with suppress(OSError):
        sys.stdout.write(text + "\n")
        sys.stdout.flush()


@dataclass(slots=True)
class Progress:
    """Called with bytes so far and in all; says a line for every tenth."""

    what: str
    _told: int = -1

    def __call__(self, done: int, total: int) -> None:
        """Note how far it is."""
        step = STEPS * done // total if total else 0
        if step > self._told:
            self._told = step
            say(f"downloading {self.what}: {done / 1e6:.0f} of {total / 1e6:.0f} MB")


@dataclass(slots=True)
class Changes:
    """Turns what supervisor knows of its processes into one line for each thing that changed."""

    _told: dict[str, str] = field(default_factory=dict)

    def since_last(self, processes: Iterable[Mapping[str, Any]]) -> list[str]:
        """Compare `getAllProcessInfo` with the one before."""
        told = []
        for process in processes:
            group, one = process["group"], process["name"]
            name = one if group in {one, "manager"} else f"{group.removesuffix('s')} {one}"
            line = _line(name, process)
            if line and line != self._told.get(name):
                self._told[name] = line
                told.append(line)
        return told


def _line(name: str, process: Mapping[str, Any]) -> str:
    match process["statename"]:
        case "RUNNING":
            return f"{name} runs (process {process['pid']})"
        case "BACKOFF" | "FATAL":
            return f"{name} does not start: see {process['logfile']}"
        case "EXITED" if process["exitstatus"] < 0:
            return f"{name} was killed"
        case "EXITED":
            return f"{name} ended with status {process['exitstatus']}"
    return ""


def watch(settings: Settings, supervisor: "Popen[bytes]", stop: threading.Event) -> None:
    """Tell what happens until `stop` is set. Raises StartError when supervisor ends by itself."""
    changes = Changes()
    began = time.monotonic()
    first = FirstSamples()
    while not stop.wait(PACE):
        if supervisor.poll() is not None:
            raise StartError(f"supervisor ended with status {supervisor.returncode}: see {settings.state_dir}/logs")
        lines = changes.since_last(_processes(settings))
        if not first.told:
            lines += first.look(_count(settings), time.monotonic() - began)
        for line in lines:
            say(f"{time.strftime('%H:%M:%S')} {line}")


@dataclass(slots=True)
class FirstSamples:
    """Notices when the samples in the database become more than they were at the start."""

    told: bool = False
    _before: int | None = None

    def look(self, count: int | None, seconds: float) -> list[str]:
        """Take the count, none while the database does not answer; says so once, `seconds` after the start."""
        if count is None:
            return []
        if self._before is None:
            self._before = count
        self.told = count > self._before
        return [f"first samples are stored, {seconds:.0f} s after the start"] if self.told else []


def _processes(settings: Settings) -> list[dict[str, Any]]:
    transport = SupervisorTransport(None, None, f"unix://{supervision.socket_path(settings)}")
    with xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport) as server:
        try:
            return server.supervisor.getAllProcessInfo()  # type: ignore[return-value]
        except OSError:  # it does not listen yet, or is stopping
            return []


def _count(settings: Settings) -> int | None:
    login = logins.owner(settings)
    database = QuestDB(logins.database_address(settings), login.user, login.password, timeout=1.0)
    try:
        return sum(count_samples(database).values())
    except SqlError:  # there are no tables yet
        return 0
    except DatabaseError:
        return None
    finally:
        database.close()
