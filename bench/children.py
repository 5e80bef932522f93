"""Processes that a benchmark talks to in lines, and their processor time."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).parents[1]


class Child:
    """A module of ours as a process; it ends with its standard input."""

    def __init__(self, module: str, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    def say(self, command: Mapping[str, object]) -> None:
        """Send one command."""
        assert self._process.stdin
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()

    def line(self) -> str:
        """Wait for one line."""
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"a process ended that was to measure: {self._process.args!r}")
        return line.rstrip("\n")

    def ask(self, **command: object) -> Any:  # noqa: ANN401 - JSON
        """Send one command and wait for its answer."""
        self.say(command)
        return self.answer()

    def answer(self) -> Any:  # noqa: ANN401 - JSON
        """Wait for the answer to what was said."""
        return json.loads(self.line())

    def close(self) -> None:
        """End it."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.kill()
        self._process.wait()
        self._process.stdin.close()
        self._process.stdout.close()


@contextmanager
def child(module: str, *arguments: str) -> Iterator[Child]:
    """Run one for as long as needed."""
    made = Child(module, *arguments)
    try:
        yield made
    finally:
        made.close()


def used(pid: int) -> float:
    """Tell how many seconds of processor time a process has used."""
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system
