"""A person's changes and views, with 50 attached reactors: from a PUT to the hardware, from a probe to the page.

The vessel of the example bioreactor notes in its journal when its hardware was written, and when each probe's answer
left it, on the clock that is read here too. The other reactors are the other examples and a crowd of light ones.
"""

import statistics
import tempfile
import time
from bisect import bisect_left
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from bench.children import used
from bench.crowds import EXAMPLES, attached_crowd, running_system
from bench.figures import Figure
from bench.web import Person
from hardware.vessel.journal import Entry, entries
from tests.system.whole import CLOCK, Whole, wait_for

REACTORS = 50
REACTOR, DEVICE = "bioreactor", "stirrer"
SETTINGS = f"/reactors/{REACTOR}/settings/{DEVICE}"
CHANGES, PAUSE = 300, 0.1  # seconds between two
MEDIAN, P99 = 50.0, 200.0  # ms from a PUT to the hardware
WATCHED = 60.0  # seconds
SHOWN = 300.0  # ms from a probe's answer to the page
SETTLE = 10.0
ANEW_US = 1_000_000  # between two readings of a sensor; the times of one, told twice, differ by less
NEARLY_US = 100_000  # that a reading's time, which is when its probe was asked, may be off


def run() -> list[Figure]:
    """Measure both."""
    with (
        tempfile.TemporaryDirectory() as name,
        running_system(Path(name), REACTORS) as whole,
        attached_crowd(whole, "light", REACTORS - len(EXAMPLES)) as crowd,
        Person(whole) as person,
    ):
        crowd.say({"do": "pace", "interval": 5.0, "seconds": 600.0})
        wait_for(lambda: _attached(person) == REACTORS, "all attached")
        return [*_views(whole, person), *_changes(whole, person)]


def _attached(person: Person) -> int:
    return sum(one["live"]["life"] == "ok" for one in person.get("/reactors"))


# from a PUT to the hardware


def _changes(whole: Whole, person: Person) -> list[Figure]:
    print(f"{CHANGES} changes", flush=True)
    state = person.get(SETTINGS)["state"]
    values, revision = state["values"], state["revision"]
    asked_ns, answered = [], []
    for number in range(CHANGES):
        began_ns = CLOCK.monotonic_ns()
        wish = {"base": revision, "values": {**values, "duty": 20 + number % 300 / 5}}
        revision = person.put(SETTINGS, wish)["revision"]
        asked_ns.append(began_ns)
        answered.append((CLOCK.monotonic_ns() - began_ns) / 1e6)
        time.sleep(PAUSE)
    written_ns = [one.ns for one in entries(_journal(whole)) if one.circuit == DEVICE and one.do == "drive"]
    delays = [_first_after(written_ns, began_ns) for began_ns in asked_ns]
    return [
        Figure(
            f"From a PUT to the hardware, {REACTORS} reactors: median", statistics.median(delays), "ms", at_most=MEDIAN
        ),
        Figure("- 99th percentile", _p99(delays), "ms", at_most=P99, remark=f"of {len(delays)} changes"),
        Figure("- longest", max(delays), "ms"),
        Figure("- to the answer, which says that the reactor follows it: median", statistics.median(answered), "ms"),
    ]


def _first_after(times_ns: list[int], since_ns: int) -> float:
    """Tell how many ms after `since_ns` the next of these moments was."""
    return (times_ns[bisect_left(times_ns, since_ns)] - since_ns) / 1e6


# from a probe to the page


def _views(whole: Whole, person: Person) -> list[Figure]:
    print(f"{WATCHED:.0f} s of one reactor's page", flush=True)
    web = whole.process("reactorium web")
    assert web
    heard: list[tuple[int, Any]] = []
    with person.listening(REACTOR, lambda at_ns, live: heard.append((at_ns, live))):
        time.sleep(SETTLE)  # the reactor learns with its next status that somebody looks
        before, since_ns = used(web.pid), CLOCK.monotonic_ns()
        time.sleep(WATCHED)
        share = 100 * (used(web.pid) - before) / WATCHED
    until_ns = CLOCK.monotonic_ns()
    news = [(at_ns, live) for at_ns, live in heard if at_ns > since_ns]
    sensors = {reading["sensor"] for reading in news[-1][1]["readings"]}
    read = (one for one in entries(_journal(whole)) if one.reading and one.circuit in sensors)
    told = [one for one in read if since_ns < one.ns < until_ns]
    delays = arrivals(news, told)
    return [
        Figure("From a probe's answer to the page: median", statistics.median(delays), "ms"),
        Figure("- 99th percentile", _p99(delays), "ms", at_most=SHOWN, remark=f"{len(delays)} readings of {len(told)}"),
        Figure("- longest", max(delays), "ms"),
        Figure("- reports of this reactor meanwhile", len(news) / WATCHED, "1/s"),
        Figure("- the web process meanwhile", share, "% of a core"),
    ]


def arrivals(heard: Sequence[tuple[int, Any]], told: Sequence[Entry]) -> list[float]:
    """Tell how many ms after its probe's answer each reading was heard; what was heard before is no news."""
    answers: dict[str, list[Entry]] = {}
    for one in told:
        answers.setdefault(one.circuit, []).append(one)
    delays, newest = [], dict.fromkeys(answers, 0)
    for at_ns, live in heard:
        for reading in live["readings"]:
            sensor = reading["sensor"]
            taken_us = round(datetime.fromisoformat(reading["taken"]).timestamp() * 1e6)
            if sensor not in answers or taken_us < newest[sensor] + ANEW_US:
                continue
            newest[sensor] = taken_us
            index = bisect_left(answers[sensor], taken_us - NEARLY_US, key=lambda one: one.us)
            if index < len(answers[sensor]) and answers[sensor][index].ns < at_ns:  # else it is an older one
                delays.append((at_ns - answers[sensor][index].ns) / 1e6)
    return delays


def _journal(whole: Whole) -> Path:
    return whole.state / "vessels" / REACTOR / "journal.jsonl"


def _p99(delays: list[float]) -> float:
    return statistics.quantiles(delays, n=100)[98]
