"""A vessel, a guard and its reactor as real processes, without coordinator and database, and the vessel's journal."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from pathlib import Path

import msgspec
import psutil

from hardware.clock import SystemClock
from hardware.vessel.client import VesselControl
from hardware.vessel.journal import Entry, entries
from storage.rows import Event

WITHIN = 60.0  # seconds for what takes one or two on an idle machine
LOOK = 0.02  # seconds between two looks
PACE = 50.0  # how much faster than life everything runs
CLOCK = SystemClock()

VESSEL = """
[outputs.heater]
wire = "pca9685"
address = 0x40
channel = 3
drives = "heater"
full = 60

[outputs.light]
wire = "pwm"
channel = 1
drives = "light"
full = 40

[outputs.air]
wire = "gpio"
line = 17
active_low = true
drives = "air"
full = 1e-4

[circuits.acid]
kind = "pmp"
drives = "acid"

[circuits.base]
kind = "pmp"
wire = "uart"
drives = "base"
"""

REACTOR = """
name = "tank"

[[sensors]]
name = "board"
driver = "host"
address = "host"

[[devices]]
name = "heater"
driver = "pca9685"
address = "vessels/tank/i2c.sock:0x40:3"
settings = { on = true, duty = 50 }

[[devices]]
name = "light"
driver = "pwm"
address = "vessels/tank/pwmchip0:1"
settings = { on = true, duty = 50 }

[[devices]]
name = "air"
driver = "switch"
address = "vessels/tank/gpio.sock:17"
options = { active_low = true }
settings = { on = true }

[[devices]]
name = "acid"
driver = "ezo-pmp"
address = "vessels/tank/i2c.sock:0x67"

[[devices]]
name = "base"
driver = "ezo-pmp"
address = "vessels/tank/uart-base"
"""
SWITCHED = ("heater", "light", "air")  # what the file switches on


def is_gone(process: psutil.Process) -> bool:
    """Whether it has ended, even if nobody has asked how."""
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def wait_for(condition: Callable[[], object], what: str) -> None:
    """Wait until it is true."""
    deadline = time.monotonic() + WITHIN
    while not condition():
        assert time.monotonic() < deadline, f"not within {WITHIN:.0f} s: {what}"
        time.sleep(LOOK)


class Guarded:
    """One vessel; its guard may be started as often as a test likes. `close` ends whatever is left."""

    def __init__(self, folder: Path, compiled: Path) -> None:
        """Live in `folder`; `compiled` is where Python keeps what it has compiled."""
        self.folder = folder
        self._compiled = compiled
        self.state = folder / "state"
        self.vessel = self.state / "vessels" / "tank"
        self.file = folder / "tank.toml"
        self.file.write_text(REACTOR, encoding="utf-8")
        (folder / "vessels").mkdir()
        (folder / "vessels" / "tank.toml").write_text(VESSEL, encoding="utf-8")
        self.state.mkdir()
        self.log = folder / "log"
        self._log = self.log.open("wb")
        self._read = 0  # bytes of the journal
        self._levels: dict[str, tuple[int, float]] = {}
        self._running: list[subprocess.Popen[bytes]] = []
        self._simulation = self._start("vessel", {"VESSEL_FILE": folder / "vessels" / "tank.toml", "PACE": PACE})
        wait_for((self.vessel / "control.sock").exists, "the vessel")
        self.guard: subprocess.Popen[bytes] | None = None

    def _start(self, subcommand: str, variables: Mapping[str, object]) -> "subprocess.Popen[bytes]":
        ours = {
            "STATE_DIR": self.state,
            "REACTOR_FILE": self.file,
            "QUESTDB_URL": "http://127.0.0.1:1",  # nothing is there
            "QUESTDB_USER": "nobody",
            "QUESTDB_PASSWORD": "nothing",
            "COORDINATOR": "tcp://127.0.0.1:1",
            "COORDINATOR_KEY": "a" * 40,
            "SAFE_MODE_AFTER": 1000,  # whoever kills on purpose
            **variables,
        }
        environment = {**os.environ, **{f"REACTORIUM_{name}": str(value) for name, value in ours.items()}}
        path = f"{os.getcwd()}:{self.folder}"  # noqa: PTH109
        environment |= {"PYTHONPATH": path, "PYTHONPYCACHEPREFIX": str(self._compiled)}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)  # a person's guard is compiled but once
        process = subprocess.Popen(
            [sys.executable, "-m", "deploy.main", subcommand],
            env=environment,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        self._running.append(process)
        return process

    def start(self, pace: float = PACE, **variables: object) -> None:
        """Start the guard."""
        self.guard = self._start("guard", {"PACE": pace, **variables})

    def install(self, source: str, **drivers: str) -> None:
        """Install a package of drivers as others do: names with the classes in `source`."""
        (self.folder / "bad_drivers.py").write_text(source, encoding="utf-8")
        package = self.folder / "bad_drivers-1.dist-info"
        package.mkdir()
        (package / "METADATA").write_text("Name: bad-drivers\nVersion: 1\n")
        lines = [f"{name} = bad_drivers:{kind}" for name, kind in drivers.items()]
        (package / "entry_points.txt").write_text("\n".join(["[reactorium.drivers]", *lines]))

    def rows(self, table: str) -> list[bytes]:
        """What the reactor has committed to its spool."""
        with closing(sqlite3.connect(f"file:{self.state}/reactors/tank/spool.sqlite?mode=ro", uri=True)) as spool:
            found = spool.execute("SELECT body FROM rows WHERE kind = ? ORDER BY id", (table,)).fetchall()
        return [body for (body,) in found]

    def events(self, kind: str) -> list[str]:
        """The texts of one kind of events."""
        events = [msgspec.json.decode(body, type=Event) for body in self.rows("events")]
        return [event.text for event in events if event.kind == kind]

    @property
    def pid(self) -> int:
        assert self.guard
        return self.guard.pid

    def wait(self) -> int:
        """Wait for the guard's end; gives its status."""
        assert self.guard
        return self.guard.wait(WITHIN)

    def reactor(self) -> psutil.Process | None:
        """Find the guard's child, once it is a reactor by its name."""
        for child in psutil.Process(self.pid).children():
            with suppress(psutil.Error):  # it ends while we look
                if child.cmdline()[:1] == ["reactorium reactor tank"]:
                    return child
        return None

    def control(self) -> VesselControl:
        """Get a hand in the vessel."""
        return VesselControl(self.vessel / "control.sock")

    def said(self, text: str) -> bool:
        """Whether a line of the log has this in it."""
        return text in self.log.read_text(encoding="utf-8")

    def written(self) -> list[Entry]:
        """Everything that somebody wrote to the vessel."""
        return [entry for entry in entries(self.vessel / "journal.jsonl") if entry.do == "write"]

    def levels(self) -> dict[str, tuple[int, float]]:
        """What each output does, and since when, by the vessel's journal; read on from where it was left."""
        with (self.vessel / "journal.jsonl").open("rb") as journal:
            journal.seek(self._read)
            for line in journal:
                if not line.endswith(b"\n"):
                    break
                self._read += len(line)
                if b'"do":"drive"' in line:
                    entry = msgspec.json.decode(line, type=Entry)
                    assert entry.level is not None
                    self._levels[entry.circuit] = entry.ns, entry.level
        return self._levels

    def are_on(self, *names: str) -> bool:
        """Whether all of these do something."""
        levels = self.levels()
        return all(levels[name][1] > 0 for name in names)

    def seconds_to_safe(self, since_ns: int, *names: str) -> dict[str, float]:
        """Wait until these outputs are off; gives the seconds that each took."""
        wait_for(lambda: not any(self.levels()[name][1] for name in names), f"safe: {', '.join(names)}")
        return {name: (self.levels()[name][0] - since_ns) / 1e9 for name in names}

    def close(self) -> None:
        """End everything, the vessel last."""
        for process in reversed(self._running):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            process.wait(WITHIN)
        self._log.close()


def running(tank: Guarded, than: psutil.Process | None = None) -> psutil.Process:
    """Wait until another reactor runs and everything that it switches is on."""
    wait_for(lambda: tank.reactor() not in {None, than} and tank.are_on(*SWITCHED), "a reactor with its outputs on")
    found = tank.reactor()
    assert found
    return found
