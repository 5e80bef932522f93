"""The soak: a system that is broken for as long as one likes, and a report. Behind `make soak`.

    python -m tests.faults.soak --seconds 3600 --seed 1 --reactors 3 --kills 1000 --frames 10000000

Ctrl-C ends it early, with the report of what was until then. The exit status is 1 with complaints.
"""

import argparse
import os
import platform
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from statistics import median

from loguru import logger

from tests.faults import plan
from tests.faults.harness import Harness
from tests.faults.judge import p99
from tests.faults.plan import Round
from tests.faults.verdict import Figures, Verdict

SAFE = 1.0  # seconds from a reactor's end to safe outputs
PACE = 0.1  # of the interval
REPLAYED = "plan.jsonl"


def main() -> int:
    """Soak, kill, fuzz; returns the exit status."""
    given = _arguments()
    logger.remove()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    folder = Path(tempfile.mkdtemp(prefix="soak-"))
    say(f"seed {given.seed}, {given.reactors} reactors, {given.seconds} s; everything is kept in {folder}")
    complaints = soak(folder, given, stop)
    if given.kills and not stop.is_set():
        complaints += _other(
            "1 s to safe outputs", ["pytest", "-q", "-s", "-p", "no:xdist", KILLING], GUARD_KILLS=given.kills
        )
    if given.frames and not stop.is_set():
        fuzz = ["tests.faults.fuzz", "--frames", str(given.frames), "--seconds", str(given.fuzz)]
        complaints += _other("frames and answers", fuzz)
    for complaint in complaints:
        say(f"COMPLAINT {complaint}")
    say(f"{len(complaints)} complaints" if complaints else "nothing to complain of")
    return 1 if complaints else 0


KILLING = "tests/system/test_guard.py::test_outputs_are_safe_within_a_second_of_every_kill"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=3600, help="of faults in the whole system")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--reactors", type=int, default=3)
    parser.add_argument("--kills", type=int, default=1000, help="of a guarded reactor with its outputs on")
    parser.add_argument("--frames", type=int, default=10_000_000, help="mutated frames and answers of circuits")
    parser.add_argument("--fuzz", type=int, default=3600, help="seconds that these may take")
    parser.add_argument("--replay", type=Path, help="a plan of an earlier soak instead of the seed's")
    return parser.parse_args()


def soak(folder: Path, given: argparse.Namespace, stop: threading.Event) -> list[str]:
    """Play rounds until the time is over; print the report; returns the complaints."""
    harness = Harness(folder, given.seed, given.reactors, say)
    threading.Thread(target=_hurry_when, args=[stop, harness], daemon=True).start()
    began = time.monotonic()
    with closing(harness):
        harness.start()
        say(f"all is well after {time.monotonic() - began:.0f} s")
        began = time.monotonic()
        with (folder / REPLAYED).open("w") as kept:
            for faults in _rounds(given, harness.names):
                if stop.is_set() or time.monotonic() - began > given.seconds:
                    break
                kept.write(plan.dump([faults]))
                kept.flush()
                harness.play(faults)
        harness.rest()
        figures = Verdict(harness, safe_within=SAFE, pace_within=PACE).judge()
        seconds = time.monotonic() - began
        harness.end()
    for line in report(harness, figures, given, seconds):
        say(line)
    if harness.complaints:
        say(f"to do the same again: --replay {folder / REPLAYED}, or --seed {given.seed} --reactors {given.reactors}")
    return harness.complaints


def _hurry_when(stop: threading.Event, harness: Harness) -> None:
    stop.wait()
    harness.hurry()


def _rounds(given: argparse.Namespace, reactors: Sequence[str]) -> Iterator[Round]:
    if given.replay is None:
        return plan.rounds(given.seed, reactors)
    return iter(plan.load(given.replay.read_text()))


def report(harness: Harness, figures: Figures, given: argparse.Namespace, seconds: float) -> Iterator[str]:
    """Tell what was done, and what became of it."""
    done = [one for played in harness.played for one in played.done if not one.why_not]
    kinds = Counter(f"{one.fault.kind} {one.fault.who.partition(' ')[0]}" for one in done)
    recovery = [(played.well_ns - played.ended_ns) / 1e9 for played in harness.played]
    memory: dict[str, int] = {}
    for one in harness.needs:
        kind = " ".join(one.title.split()[:2])
        memory[kind] = max(memory.get(kind, 0), one.resident)
    yield f"--- soak: seed {given.seed}, {given.reactors} reactors, {seconds:.0f} s, {len(harness.played)} rounds"
    yield f"machine           {os.cpu_count()} processors, {platform.platform()}, load {os.getloadavg()[2]:.1f}"
    yield f"faults            {len(done)}: " + ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
    yield f"well again        {_spread(recovery)} s after a round"
    yield f"changes           {figures.wishes} asked for, {figures.accepted} accepted; {figures.doses} doses"
    stored = f"{figures.stored} stored, {figures.doubled} doubled"
    yield f"samples           {figures.taken} taken, {stored}; the rest were on their way to the spool at their"
    yield "                  reactor's end, or their vessel was disturbed"
    yield f"settled           {figures.settled:.1f} s after the last wish"
    yield f"outputs safe      {_spread(figures.safe)} s after {len(figures.safe)} ends of what was on"
    yield f"sampling's pace   {_share(figures.away)} while others were away, {_share(figures.calm)} in calm"
    yield f"                  left out: {figures.starved:.1f} s in which the machine had no time, and 1 s around"
    yield "most memory       " + ", ".join(f"{kind} {size >> 20} MiB" for kind, size in sorted(memory.items()))


def _spread(seconds: Sequence[float]) -> str:
    if not seconds:
        return "no"
    return f"median {median(seconds):.2f}, most {max(seconds):.2f}"


def _share(late: Sequence[float]) -> str:
    if not late:
        return "nothing"
    return (
        f"{100 * median(late):.1f} % off (99th {100 * p99(late):.1f} %, most {100 * max(late):.1f} %, of {len(late)})"
    )


def _other(what: str, words: Sequence[str], **variables: object) -> list[str]:
    """Run another test to its end, in the open; complains when it does."""
    say(f"--- {what}: {' '.join(words)}")
    environment = os.environ | {name: str(value) for name, value in variables.items()}
    status = subprocess.run([sys.executable, "-m", *words], env=environment, check=False).returncode
    return [f"{what}: `{' '.join(words)}` ended with {status}"] if status else []


def say(text: str) -> None:
    """Print a line with the time."""
    sys.stdout.write(f"{time.strftime('%H:%M:%S')} {text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
