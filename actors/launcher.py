"""Starting and stopping managers: a small interface, supervisor behind it, and the actor that waits for it."""

import http.client
import re
import socket
import xmlrpc.client
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from loguru import logger

from actors.keeper import Kept, Report, tell
from actors.ticker import SECOND, Ticker
from hardware.clock import Clock

LOOK_EVERY = 1.0  # seconds
TIMEOUT = 5.0  # seconds for one answer of supervisor
GROUP = "manager"
NUMBERED = re.compile(r"manager_(\d+)")

# supervisor.xmlrpc.Faults and supervisor.states.ProcessStates
NOT_RUNNING, ALREADY_STARTED, SHUTDOWN_STATE = 70, 60, 6
STARTING, RUNNING, BACKOFF, STOPPING = 10, 20, 30, 40


class LauncherError(Exception):
    """The process engine did not do it; the text says why."""


class EngineStops(Exception):  # noqa: N818 - what happens, and no error
    """The process engine is being stopped, and everything that it runs with it."""


class Launcher(Protocol):
    """A process engine that runs managers by their numbers.

    Calls may block for seconds, and raise `LauncherError`, or `EngineStops`.
    """

    def start(self, number: int) -> None:
        """Start this manager; harmless when it runs."""

    def stop(self, number: int) -> None:
        """Have this manager stopped, without waiting for its end; harmless when it does not run."""

    def running(self) -> Mapping[int, int]:
        """Tell which managers run and the process id of each, 0 while it is between two."""

    def close(self) -> None:
        """Let go of the engine."""


class SupervisorLauncher:
    """Supervisor's `manager:manager_NN`, through XML-RPC on its Unix socket. Of one thread."""

    def __init__(self, address: str) -> None:
        """`address` as `unix:///path`."""
        self._transport = _UnixTransport(address.removeprefix("unix://"))
        self._server = xmlrpc.client.ServerProxy("http://localhost", transport=self._transport)

    def close(self) -> None:
        """Close the connection."""
        self._transport.close()

    def start(self, number: int) -> None:
        """See `Launcher`."""
        with _translated(ALREADY_STARTED):
            self._server.supervisor.startProcess(_process(number), False)  # noqa: FBT003 - XML-RPC knows no names

    def stop(self, number: int) -> None:
        """See `Launcher`."""
        with _translated(NOT_RUNNING):
            self._server.supervisor.stopProcess(_process(number), False)  # noqa: FBT003

    def running(self) -> Mapping[int, int]:
        """See `Launcher`."""
        with _translated():
            processes: Any = self._server.supervisor.getAllProcessInfo()
            return {
                int(match[1]): process["pid"]
                for process in processes
                if process["group"] == GROUP
                and process["state"] in {STARTING, RUNNING, BACKOFF, STOPPING}
                and (match := NUMBERED.fullmatch(process["name"]))
            }


def _process(number: int) -> str:
    return f"{GROUP}:manager_{number:02d}"


@contextmanager
def _translated(*harmless: int) -> Iterator[None]:
    try:
        yield
    except xmlrpc.client.Fault as fault:
        if fault.faultCode == SHUTDOWN_STATE:
            raise EngineStops("supervisor stops") from fault
        if fault.faultCode not in harmless:
            raise LauncherError(f"supervisor: {fault.faultString}") from fault
    except (OSError, http.client.HTTPException, xmlrpc.client.Error) as error:
        raise LauncherError(f"supervisor does not answer: {error}") from error


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=TIMEOUT)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(TIMEOUT)
        self.sock.connect(self._path)


class _UnixTransport(xmlrpc.client.Transport):
    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path

    def make_connection(self, host: Any) -> http.client.HTTPConnection:  # noqa: ANN401 - the library's own
        _, connection = self._connection
        if connection is None:
            connection = _UnixConnection(self._path)
            self._connection = host, connection
        return connection


@dataclass(frozen=True, slots=True)
class Launch:
    """Start this number."""

    number: int


@dataclass(frozen=True, slots=True)
class Halt:
    """Stop this number."""

    number: int


@dataclass(frozen=True, slots=True)
class Look:
    """It is time to look."""


@dataclass(frozen=True, slots=True)
class Launched:
    """This number was started."""

    number: int


@dataclass(frozen=True, slots=True)
class LaunchFailed:
    """This number could not be started."""

    number: int
    why: str


@dataclass(frozen=True, slots=True)
class Running:
    """These numbers run, with these process ids."""

    pids: Mapping[int, int]


class LauncherActor(Kept):
    """Waits for the process engine so that the coordinator does not. `hearer` is told what came of it, in order."""

    def __init__(
        self,
        report: Report,
        launcher: Launcher,
        hearer: Callable[[Launched | LaunchFailed | Running], None],
        clock: Clock,
        ticker: Ticker,
    ) -> None:
        super().__init__(report)
        self._launcher = launcher
        self._hearer = hearer
        self._clock = clock
        self._trouble = ""
        self._alarm = ticker.alarm(partial(tell, self.actor_ref, Look()))

    def begin(self) -> None:
        """Look at once."""
        self._alarm.set(self._clock.monotonic_ns())

    def handle(self, message: object) -> None:
        """Start, stop, look. Nobody is told of an engine that is being stopped: we are about to be, too."""
        with suppress(EngineStops):
            match message:
                case Launch(number):
                    self._launch(number)
                case Halt(number):
                    self._halt(number)
                case Look():
                    self._alarm.set(self._clock.monotonic_ns() + round(LOOK_EVERY * SECOND))
                    self._look()

    def release(self) -> None:
        """Look no more."""
        self._alarm.cancel()
        self._launcher.close()

    def _launch(self, number: int) -> None:
        try:
            self._launcher.start(number)
        except LauncherError as error:
            self._hearer(LaunchFailed(number, str(error)))
        else:
            self._hearer(Launched(number))

    def _halt(self, number: int) -> None:
        try:
            self._launcher.stop(number)
        except LauncherError as error:
            logger.warning("manager {} was not stopped: {}", number, error)

    def _look(self) -> None:
        try:
            self._hearer(Running(self._launcher.running()))
        except LauncherError as error:
            if not self._trouble:
                logger.warning("no managers can be started: {}", error)
            self._trouble = str(error)
        else:
            if self._trouble:
                logger.info("managers can be started again")
            self._trouble = ""
