"""Whether a system that was broken on purpose kept its promises, in the manner of Jepsen. Pure: texts, none when well.

Samples are the business of tests/system/checker.py; here are people's changes, doses, outputs, what was shown, pace
and needs.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import quantiles

from hardware.vessel.journal import Entry
from tests.faults.people import Dose, Wish
from tests.faults.witness import Needs, Shown
from tests.system.checker import READING
from transport.messages import Value

SECOND = 1_000_000_000
Span = tuple[int, int]  # CLOCK_BOOTTIME


@dataclass(frozen=True, slots=True)
class Stored:
    """A document in the table `desired`."""

    reactor: str
    target: str
    revision: int
    author: str
    values: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Final:
    """How a device ended: what is desired, what it follows, and what its output does, in percent of its full."""

    reactor: str
    target: str
    desired: int  # revision
    followed: int
    values: Mapping[str, Value]  # followed
    read_back: Mapping[str, Value]
    percent: float


def of_wishes(wishes: Sequence[Wish], stored: Sequence[Stored], applied: Iterable[tuple[str, str, int]]) -> list[str]:
    """Compare answers with the history: `applied` are reactor, target and revision of what reactors say they applied.

    What was accepted is somewhere, unless something newer is; refused is nowhere; nothing else is there.
    """
    known = {(one.reactor, one.target, one.revision) for one in stored} | set(applied)
    newest: dict[tuple[str, str], int] = {}
    for reactor, target, revision in known:
        newest[reactor, target] = max(revision, newest.get((reactor, target), 0))
    authors = {wish.author: wish for wish in wishes}
    found = [complaint for one in stored if (complaint := _of_stored(one, authors.get(one.author)))]
    for wish in wishes:
        if wish.answer != "accepted":
            continue
        if wish.revision > newest.get((wish.reactor, wish.target), 0):
            found.append(f"{wish.author}: accepted ({wish.text}) as {wish.revision}, and neither kept nor applied")
        if wish.stale:
            found.append(f"{wish.author}: accepted, made from a document that never was")
    found += [
        f"{other.author}: got revision {other.revision} after {one.revision} ({one.author})"
        for one, other in _successive(wishes)
        if other.revision <= one.revision
    ]
    return found


def _of_stored(one: Stored, wish: Wish | None) -> str:
    if wish is None:
        return f"{one.reactor} {one.target}: nobody asked for revision {one.revision}"
    if any(one.values.get(name) != value for name, value in wish.values.items()):
        return f"{wish.author}: asked for {wish.values}, kept as {one.values}"
    if wish.answer in {"conflict", "rejected", "not taken"}:
        return f"{wish.author}: it was {wish.answer} ({wish.text}), and is kept"
    return ""


def _successive(wishes: Sequence[Wish]) -> Iterator[tuple[Wish, Wish]]:
    """Accepted wishes for the same target, one asked for after the other was answered."""
    accepted = [wish for wish in wishes if wish.answer == "accepted"]
    for target in {(wish.reactor, wish.target) for wish in accepted}:
        yield from pairwise(wish for wish in accepted if (wish.reactor, wish.target) == target)


def of_orders(applied: Iterable[tuple[str, str, int]]) -> list[str]:
    """See that each target applied revisions in rising order; `applied` in the order in which it happened."""
    found, last = [], dict[tuple[str, str], int]()
    for reactor, target, revision in applied:
        if revision < last.get((reactor, target), 0):
            found.append(f"{reactor} {target}: applied {revision} after {last[reactor, target]}")
        last[reactor, target] = revision
    return found


def of_ends(finals: Iterable[Final], wishes: Sequence[Wish], stored: Sequence[Stored]) -> list[str]:
    """See that what was accepted last is what the hardware does; what nobody knows the answer of may have won."""
    found = []
    for one in finals:
        who = f"{one.reactor} {one.target}"
        ours = [wish for wish in wishes if (wish.reactor, wish.target) == (one.reactor, one.target)]
        last = max((wish.revision for wish in ours if wish.answer == "accepted"), default=0)
        newest = max(
            (each.revision for each in stored if (each.reactor, each.target) == (one.reactor, one.target)), default=0
        )
        if not last <= one.desired == one.followed == newest:
            found.append(f"{who}: accepted {last}, kept {newest}, desired {one.desired}, followed {one.followed}")
        wanted = float(one.values.get("duty", 100.0)) if one.values["on"] else 0.0
        told = float(one.read_back.get("duty", 100.0)) if one.read_back["on"] else 0.0
        if abs(wanted - told) > 1.0 or abs(wanted - one.percent) > 1.0:
            found.append(f"{who}: {wanted} % are followed, {told} % read back, {one.percent:.1f} % done")
    return found


def of_doses(doses: Iterable[Dose], given: Mapping[str, Sequence[float]]) -> list[str]:
    """Compare with what each reactor's pump was told: volumes in ml."""
    found = []
    for dose in doses:
        times = sum(abs(volume - dose.volume) < 1e-6 for volume in given[dose.reactor])
        last = dose.states[-1]
        if times > 1 or (last == "done" and times == 0) or (last in {"refused", "expired"} and times):
            found.append(f"{dose.act}: given {times} times, answered {', '.join(dose.states)}")
    return found


def volumes(journal: Iterable[Entry], circuit: str) -> list[float]:
    """Find the doses that a pump was told, those left out that it did not hear."""
    return [
        float(entry.command[2:])
        for entry in journal
        if entry.circuit == circuit and entry.do == "write" and not entry.error
        if entry.command.startswith("D,") and entry.command[2:].replace(".", "").isdigit()
    ]


def seconds_to_safe(journal: Iterable[Entry], ended_ns: int) -> dict[str, float | None]:
    """Tell for each output that was on when its reactor ended how long it took until it was off; none: never."""
    level: dict[str, float] = {}
    seconds: dict[str, float | None] = {}
    for entry in journal:
        if entry.do != "drive":
            continue
        assert entry.level is not None
        if entry.ns <= ended_ns:
            level[entry.circuit] = entry.level
        elif not entry.level and level.get(entry.circuit) and seconds.get(entry.circuit) is None:
            seconds[entry.circuit] = (entry.ns - ended_ns) / SECOND
    return {name: seconds.get(name) for name, was in level.items() if was}


def of_shown(shown: Sequence[Shown], silent: Iterable[tuple[str, Span]], within: float) -> list[str]:
    """See that a reactor that could say nothing for a span was not shown alive `within` seconds after its begin."""
    found = []
    for reactor, (began_ns, ended_ns) in silent:
        limit_ns = began_ns + round(within * SECOND)
        if limit_ns > ended_ns:
            continue
        before = [one.life for one in shown if one.reactor == reactor and one.ns <= began_ns]
        lives = before[-1:] + [one.life for one in shown if one.reactor == reactor and began_ns < one.ns <= limit_ns]
        if all(life == "ok" for life in lives):
            found.append(f"{reactor} was shown alive for {within:.0f} s in which it could say nothing")
    return found


def of_bystanders(shown: Sequence[Shown], alone: Iterable[tuple[str, Span]]) -> list[str]:
    """See that a reactor to which nothing was done was shown alive all the time."""
    found = []
    for reactor, (began_ns, ended_ns) in alone:
        lives = [
            one.life for one in shown if one.reactor == reactor and began_ns <= one.ns <= ended_ns and one.life != "ok"
        ]
        found += [f"{reactor} was shown {life}, and nothing was done to it" for life in lives]
    return found


def late(journal: Iterable[Entry], circuits: Iterable[str], spans: Sequence[Span], interval: float) -> list[float]:
    """Tell by how much of an interval each reading within these spans came sooner or later than one after the last."""
    asked: dict[str, list[int]] = {circuit: [] for circuit in circuits}
    for entry in journal:
        if entry.do == "write" and entry.circuit in asked and READING.fullmatch(entry.command):
            asked[entry.circuit].append(entry.ns)
    return [
        abs((after - before) / SECOND - interval) / interval
        for times in asked.values()
        for before, after in pairwise(times)
        if any(began <= before and after <= ended for began, ended in spans)
    ]


def p99(values: Sequence[float]) -> float:
    """The 99th percentile; 0 of nothing."""
    return quantiles(values, n=100)[98] if len(values) > 1 else max(values, default=0.0)


def of_pace(away: Sequence[float], calm: Sequence[float], limit: float) -> list[str]:
    """See that sampling kept its pace while others were away: 99 of 100 within the limit, or as good as in calm."""
    if p99(away) > max(limit, 1.5 * p99(calm)):
        return [f"sampling is {100 * p99(away):.0f} % of its interval off, {100 * p99(calm):.0f} % in calm"]
    return []


def without(spans: Iterable[Span], holes: Sequence[Span], around_ns: int) -> Iterator[Span]:
    """Cut holes, and so much around them, out of spans."""
    for began_ns, ended_ns in spans:
        for from_ns, to_ns in sorted(holes):
            if to_ns + around_ns <= began_ns or from_ns - around_ns >= ended_ns:
                continue
            if began_ns < from_ns - around_ns:
                yield began_ns, from_ns - around_ns
            began_ns = to_ns + around_ns  # noqa: PLW2901 - what is left of it
        if began_ns < ended_ns:
            yield began_ns, ended_ns


def of_needs(measured: Iterable[Needs], growth: Mapping[str, int]) -> list[str]:
    """See that nothing leaks: who lived long needs no more files or threads, and not more memory than so much."""
    found = []
    lives: dict[tuple[int, float], list[Needs]] = {}
    for one in measured:
        if one.title == "reactorium questdb":  # its heap has a limit, its files are its tables'
            continue
        lives.setdefault((one.pid, one.began), []).append(one)
    for life in lives.values():
        first, last = life[0], life[-1]
        for name, more in growth.items():
            grown = getattr(last, name) - getattr(first, name)
            if grown > more:
                minutes = (last.ns - first.ns) / SECOND / 60
                found.append(f"{last.title}: {name} {getattr(first, name)} grew by {grown} in {minutes:.0f} min")
    return found
