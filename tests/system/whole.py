"""The whole system as a person runs it, `reactorium up`, in a state folder and on ports of the test's own.

Everything that it starts it stops, whatever becomes of the test. Waiting is for a condition, with a deadline.
"""

import os
import signal
import subprocess
import sys
import threading
import time
import tomllib
import xmlrpc.client
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import psutil
from supervisor.xmlrpc import SupervisorTransport  # type: ignore[import-untyped]

from deploy.questdb import default_cache, load_or_make_logins
from deploy.settings import PREFIX
from hardware.clock import SystemClock
from storage.questdb import QuestDB
from tests.conftest import free_ports
from transport.keys import KeyPair, Peer, load_or_make, write_peer
from transport.messages import Hello, Overview, Role
from transport.wire import Happening, Received, Up, Wire

STARTED = 120.0  # seconds, on a busy machine
STOPPED = 60.0
PACE = 0.2  # between two looks
ANSWER = 10.0
SHELL = 0o022  # the umask that a person's has
CLOCK = SystemClock()


def wait_for(condition: Callable[[], object], what: str, seconds: float = STARTED) -> float:
    """Wait until it is true; returns how many seconds that took."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, f"not within {seconds:.0f} s: {what}"
        time.sleep(PACE)
    return time.monotonic() - began


class Whole:
    """One system: `start` it, as often as you like; `database` and `overview` ask it; `close` ends it."""

    def __init__(self, folder: Path, **variables: object) -> None:
        """Live in `folder`; `variables` are reactorium's, without the prefix."""
        coordinator, http, pg, health, web = free_ports(5)
        self.folder = folder
        self.state = folder / "state"
        self.coordinator = f"tcp://127.0.0.1:{coordinator}"
        self.questdb_port = http
        self.lines: deque[str] = deque()
        self.variables: dict[str, object] = {
            "STATE_DIR": self.state,
            "CACHE_DIR": default_cache(),
            "COORDINATOR_PORT": coordinator,
            "QUESTDB_HTTP_PORT": http,
            "QUESTDB_PG_PORT": pg,
            "QUESTDB_HEALTH_PORT": health,
            "WEB_PORT": web,
            **variables,
        }
        self.others: dict[str, str] = {}  # variables that are not reactorium's
        self.kills_ns: dict[str, list[int]] = {}  # by process title
        self._said = threading.Condition()
        self._up: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None
        self._family: set[psutil.Process] = set()
        self._database: QuestDB | None = None
        self._wire: Wire | None = None

    # processes

    @property
    def environment(self) -> dict[str, str]:
        others = {name: text for name, text in os.environ.items() if not name.startswith(PREFIX)}
        return others | self.others | {f"{PREFIX}{name}": str(value) for name, value in self.variables.items()}

    def run(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Run another command of the same system to its end."""
        return subprocess.run(
            command(*words),
            env=self.environment,
            cwd=self.folder,
            check=False,
            capture_output=True,
            text=True,
            timeout=STARTED,
            umask=SHELL,
        )

    def start(self) -> None:
        """Start it, until it says that everything is on its way."""
        self.lines.clear()
        self._up = subprocess.Popen(
            command("up"),
            env=self.environment,
            cwd=self.folder,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            umask=SHELL,
            process_group=0,  # Ctrl-C in the terminal of whoever tests is not for it
        )
        self._reader = threading.Thread(target=self._read, args=[self._up], daemon=True)
        self._reader.start()
        self.wait_for_line("Ctrl-C stops everything")

    def _read(self, up: "subprocess.Popen[str]") -> None:
        assert up.stdout
        with up.stdout:
            for line in up.stdout:
                with self._said:
                    self.lines.append(line.rstrip())
                    self._said.notify_all()

    def wait_for_line(self, text: str, seconds: float = STARTED) -> None:
        """Wait until `up` says so."""
        with self._said:
            found = self._said.wait_for(lambda: any(text in line for line in self.lines), seconds)
        assert found, "\n".join(self.lines)

    @property
    def pid(self) -> int:
        assert self._up
        return self._up.pid

    def family(self) -> list[psutil.Process]:
        """Everything that runs because of it, itself excepted."""
        found = psutil.Process(self.pid).children(recursive=True)
        self._family.update(found)
        return found

    def titles(self) -> list[str]:
        """What `ps` shows of them, Java's arguments left out."""
        return sorted(title for process in self.family() if (title := title_of(process)))

    def process(self, title: str) -> psutil.Process | None:
        """Find one by its title."""
        return next((process for process in self.family() if title_of(process) == title), None)

    def kill(self, *titles: str) -> None:
        """`kill -9` these, all at once, and wait until they are dead."""
        found = [process for title in titles if (process := self.process(title))]
        assert len(found) == len(titles), f"{titles} are not all among {self.titles()}"
        for process in found:
            process.kill()
        assert not psutil.wait_procs(found, timeout=ANSWER)[1]
        for title in titles:
            self.kills_ns.setdefault(title, []).append(CLOCK.monotonic_ns())

    def wait_for_another(self, title: str, than: psutil.Process | None) -> None:
        """Wait until there is a process of this title, and not this one."""
        wait_for(lambda: self.process(title) not in {None, than}, f"another {title}")

    def interrupt(self) -> int:
        """Ctrl-C; returns the exit status once every process is gone."""
        assert self._up
        self.family()
        self._up.send_signal(signal.SIGINT)
        status = self._up.wait(STOPPED)
        assert self._left(PACE) == []
        return status

    def kill_up(self) -> list[psutil.Process]:
        """`kill -9` what the person started; returns what is still there long afterwards."""
        assert self._up
        self.family()
        self._up.kill()
        self._up.wait()
        return self._left(STOPPED)

    def _left(self, seconds: float) -> list[psutil.Process]:
        """Wait for the end of what ran, and of what `up` says; returns what did not end."""
        assert self._reader
        left = psutil.wait_procs(self._family, timeout=seconds)[1]
        if not left:
            self._reader.join()
        return left

    def close(self) -> None:
        """End all of it, by force what does not end by itself."""
        if self._wire is not None:
            self._wire.close()
        if self._database is not None:
            self._database.close()
        if self._up is None:
            return
        if self._up.poll() is None:
            self.family()
            self._up.terminate()
            try:
                self._up.wait(STOPPED)
            except subprocess.TimeoutExpired:
                self._up.kill()
                self._up.wait()
        for process in self._left(ANSWER):
            process.kill()

    # supervisor

    def stop_programs(self, *names: str) -> None:
        """Have supervisor stop these, and not start them again; a name ending in `:*` is a whole group."""
        with self._supervisor() as supervisor:
            for name in names:
                if name.endswith(":*"):
                    supervisor.stopProcessGroup(name.removesuffix(":*"))
                else:
                    supervisor.stopProcess(name)

    def start_program(self, name: str) -> None:
        """Have supervisor start it again."""
        with self._supervisor() as supervisor:
            supervisor.startProcess(name, False)

    @contextmanager
    def _supervisor(self) -> Iterator[Any]:
        transport = SupervisorTransport(None, None, f"unix://{self.state / 'supervisor.sock'}")
        with xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport) as server:
            yield server.supervisor

    # what it knows

    @property
    def database(self) -> QuestDB:
        """Its database, as the owner."""
        if self._database is None:
            owner = load_or_make_logins(self.state / "questdb-logins.toml").owner
            self._database = QuestDB(f"http://127.0.0.1:{self.questdb_port}", owner.user, owner.password, ANSWER)
        return self._database

    @property
    def coordinator_key(self) -> str:
        return (self.state / "keys" / "coordinator.pub").read_text(encoding="ascii").strip()

    def secrets(self) -> dict[Path, list[bytes]]:
        """Every file of the state folder that holds secrets, and what they are."""
        files = [path for path in (self.state / "keys").iterdir() if path.suffix != ".pub"]
        found = {path: [path.read_bytes().strip()] for path in (*files, *self.state.glob("reactors/*/key"))}
        logins = self.state / "questdb-logins.toml"
        found[logins] = [password.encode() for password in tomllib.loads(logins.read_text()).values()]
        return found

    def let_in(self, name: str, role: Role) -> Path:
        """Give somebody a key that may speak; returns its file."""
        path = self.folder / f"{name}.key"
        self._admit(name, role, load_or_make(path))
        return path

    def _admit(self, name: str, role: Role, keys: KeyPair) -> None:
        write_peer(self.state / "allow", Peer(name, role, keys.public))

    def overview(self) -> Overview | None:
        """Ask the coordinator as an operator; none when it does not answer."""
        if self._wire is None:
            path = self.let_in("referee", "operator")
            self._wire = Wire(load_or_make(path), CLOCK)
        heard: SimpleQueue[list[Happening]] = SimpleQueue()
        connection = self._wire.connect(self.coordinator, self.coordinator_key, accept=(Overview,), deliver=heard.put)
        try:
            if not isinstance(heard.get(timeout=ANSWER)[0], Up):
                return None
            connection.send(Hello(software="referee"))
            for happening in heard.get(timeout=ANSWER):
                if isinstance(happening, Received) and isinstance(happening.body, Overview):
                    return happening.body
        except Empty:
            pass
        finally:
            connection.close()
        return None

    def placed(self) -> Mapping[str, list[str]]:
        """Which reactors each manager has, as the coordinator says."""
        overview = self.overview()
        return {one.name: [place.reactor for place in one.reactors] for one in overview.managers} if overview else {}

    def wait_until_attached(self, *reactors: str) -> float:
        """Wait until the coordinator shows all of these at some manager; returns the seconds."""
        wanted = set(reactors)
        return wait_for(
            lambda: wanted <= {reactor for placed in self.placed().values() for reactor in placed},
            f"{', '.join(reactors)} attached",
        )


def command(*words: str) -> list[str]:
    return [sys.executable, "-P", "-m", "deploy.main", *words]


def title_of(process: psutil.Process) -> str:
    """What `ps` shows of it; nothing of one that is gone."""
    try:
        words = process.cmdline()
    except psutil.NoSuchProcess:
        return ""
    return " ".join(words).split(" -")[0].strip()
