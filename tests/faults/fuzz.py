"""Spoiled frames into the real doors, spoiled replies into the real drivers, for as long as one likes.

    python -m tests.faults.fuzz --frames 10000000 --seconds 3600 --seed 7 --processes 2 --folder found

What is let in goes on into the cores behind the doors (cores.py), which no message may harm.

Ends with the frames or the seconds, whichever comes first. What a round of frames tries depends on the seed and its
number alone, not on how many processes share the work. Exit status 1 when anything escaped, with a file of its bytes in
`folder` for each (`tests/faults/corpus/` is such a folder, which `make test` tries again), when a process grew, or when
a round ended its process or took too long.
"""

import argparse
import json
import os
import random
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path

import psutil
from loguru import logger

from tests.faults.cores import Cores
from tests.faults.doors import Doors
from tests.faults.replies import Liars

ROUND = 20_000  # frames
REPLIES = 20  # frames for each call of a driver
MOST_FOUND = 5  # of one round
LONGEST_ROUND = 300  # s, of what takes one
MOST_GROWTH = 16 * 2**20  # bytes that a process may grow by, once it has done the first rounds
WARM = 2  # rounds after which a process has its size


@dataclass(frozen=True, slots=True)
class Escape:
    """Input that did what no input may do: for whom it was, its bytes, what it did."""

    target: str
    data: list[bytes]
    error: str

    def write(self, folder: Path, name: str) -> Path:
        """Keep it."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{name}.json"
        content = {"target": self.target, "data": [one.hex() for one in self.data], "error": self.error}
        path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        return path


@dataclass(slots=True)
class Round:
    """What one round did: frames and how many were let in, calls of drivers and how many were believed."""

    number: int
    frames: int = 0
    let_in: int = 0
    calls: int = 0
    believed: int = 0
    slowest: float = 0.0  # s of processor time for one frame
    process: int = 0
    size: int = 0  # bytes of memory afterwards
    escapes: list[Escape] = field(default_factory=list)


def run_round(seed: int, number: int, frames: int, doors: Doors, liars: Liars) -> Round:
    """Do one round in this process."""
    done = Round(number)
    source = random.Random(f"{seed}/{number}")  # a text: the same for every Python
    doors.slowest = 0.0
    cores = Cores(source)
    doors.call(lambda: _knock(done, source, frames, doors, cores))
    _ask(done, source, frames // REPLIES, liars)
    done.slowest = doors.slowest
    done.process, done.size = os.getpid(), psutil.Process().memory_info().rss
    return done


def _knock(done: Round, source: random.Random, frames: int, doors: Doors, cores: Cores) -> None:
    """Knock at doors; what is let in goes on to who is behind, where the good peers are served in the end."""
    for number in range(frames):
        door, spoilt = doors.draw(source)
        done.frames += 1
        try:
            received = doors.admit(door, spoilt)
            if received is not None:
                done.let_in += 1
                cores.hear(door.name, received)
            if number == frames - 1:
                cores.end()
        except Exception:  # noqa: BLE001 - that is what is looked for
            done.escapes.append(Escape(door.name, spoilt, traceback.format_exc()))
            if len(done.escapes) >= MOST_FOUND:
                return


def _ask(done: Round, source: random.Random, calls: int, liars: Liars) -> None:
    for _ in range(calls):
        done.calls += 1
        try:
            done.believed += liars.ask(source)
        except Exception:  # noqa: BLE001 - that is what is looked for
            done.escapes.append(Escape(liars.asked, liars.said, traceback.format_exc()))
            if len(done.escapes) >= MOST_FOUND:
                return


# --- several processes

_mine: list[tuple[Doors, Liars]] = []  # of this process


def _begin() -> None:
    logger.remove()  # it says what every tenth frame of a minute did wrong
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _mine.append((Doors(), Liars()))


def _do(seed: int, number: int, frames: int) -> Round:
    signal.alarm(LONGEST_ROUND)  # ends the process, and so the run
    try:
        return run_round(seed, number, frames, *_mine[0])
    finally:
        signal.alarm(0)


@dataclass
class Run:
    """What all rounds did together, and how large each process was when it was warm and at the end."""

    seed: int
    frames: int = 0
    let_in: int = 0
    calls: int = 0
    believed: int = 0
    slowest: float = 0.0
    escapes: list[tuple[int, Escape]] = field(default_factory=list)
    lost: str = ""
    _rounds: dict[int, int] = field(default_factory=dict)
    _warm: dict[int, int] = field(default_factory=dict)
    _now: dict[int, int] = field(default_factory=dict)

    def add(self, done: Round) -> None:
        """Count a round."""
        self.frames += done.frames
        self.let_in += done.let_in
        self.calls += done.calls
        self.believed += done.believed
        self.slowest = max(self.slowest, done.slowest)
        self.escapes += [(done.number, escape) for escape in done.escapes]
        self._rounds[done.process] = self._rounds.get(done.process, 0) + 1
        if self._rounds[done.process] <= WARM:
            self._warm[done.process] = done.size
        self._now[done.process] = done.size

    @property
    def growth(self) -> int:
        """Tell by how many bytes the process that grew most did."""
        return max((size - self._warm[process] for process, size in self._now.items()), default=0)

    @property
    def is_good(self) -> bool:
        """Tell whether nothing escaped, nothing was lost and nothing grew."""
        return not self.escapes and not self.lost and self.growth <= MOST_GROWTH


def run(seed: int, frames: int, seconds: float, processes: int, tell: Callable[[Run], None]) -> Run:
    """Do rounds until `frames` were tried or `seconds` are over; `tell` hears how far it is after each."""
    made = Run(seed)
    end = time.monotonic() + seconds
    rounds = iter([(number, min(ROUND, frames - at)) for number, at in enumerate(range(0, frames, ROUND))])
    with ProcessPoolExecutor(processes, get_context("spawn"), _begin) as pool:
        pending: set[Future[Round]] = set()
        try:
            while True:
                while len(pending) < 2 * processes and time.monotonic() < end and not made.escapes:
                    following = next(rounds, None)
                    if following is None:
                        break
                    pending.add(pool.submit(_do, seed, *following))
                if not pending:
                    return made
                finished, pending = wait(pending, return_when=FIRST_COMPLETED)
                for one in finished:
                    made.add(one.result())
                tell(made)
        except BrokenProcessPool:
            made.lost = f"a process ended, or a round took longer than {LONGEST_ROUND} s, after {made.frames} frames"
            return made


def main(words: Sequence[str] | None = None) -> int:
    """Run from the command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.fuzz", description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=10_000_000)
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--seed", type=int, default=None, help="any number; a new one without")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--folder", type=Path, default=Path("fuzz-found"), help="where what escaped is kept")
    given = parser.parse_args(words)
    seed = random.SystemRandom().randrange(2**32) if given.seed is None else given.seed
    began = time.monotonic()
    told = [began]

    def tell(made: Run) -> None:
        if time.monotonic() - told[0] >= 10:
            told[0] = time.monotonic()
            _say(f"{made.frames} frames, {made.calls} calls, {made.frames / (told[0] - began):.0f} frames/s")

    made = run(seed, given.frames, given.seconds, given.processes, tell)
    took = time.monotonic() - began
    _say(
        f"seed {seed}: {made.frames} frames ({made.let_in} let in), {made.calls} calls of drivers ({made.believed}"
        f" believed) in {took:.0f} s, {made.frames / took:.0f} frames/s; slowest frame {made.slowest * 1000:.1f} ms,"
        f" growth {made.growth / 2**20:.1f} MiB"
    )
    for index, (number, escape) in enumerate(made.escapes):
        path = escape.write(given.folder, f"{seed}-{number}-{index}")
        _say(f"ESCAPED at {escape.target}, seed {seed}, round {number}: {path}\n{escape.error}")
    if made.lost:
        _say(f"LOST, seed {seed}: {made.lost}")
    return 0 if made.is_good else 1


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
