"""Which faults are injected when: made of a seed, plain data that can be printed, kept and replayed. Pure.

A plan is rounds. In each a few faults come within some seconds and may overlap; then everything is left alone until
it is well again. Kinds are drawn like cards: none comes again before all others were there, so a plan of twenty rounds
has every kind.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import count
from random import Random

SERVERS = ("manager", "coordinator", "questdb", "web")
BURST = 6.0  # seconds within which the faults of a round begin
MOST = 3  # faults a round
NETWORK = frozenset({"cut", "hold", "hold-out", "hold-in", "delay", "flap"})
PROBE_FAULTS = ("absent", "silent", "slow", "garbage", "noise", "cut", "disconnected")
BUS_FAULTS = ("hang", "nack", "unplugged")

# kind, of whom, the shortest and the longest seconds that it lasts
CARDS: Sequence[tuple[str, str, float, float]] = (
    ("kill", "reactor", 0.0, 0.0),
    ("kill", "reactor", 0.0, 0.0),
    ("kill", "guard", 0.0, 0.0),
    ("kill", "vessel", 0.5, 3.0),
    *(("kill", server, 0.0, 0.0) for server in SERVERS),
    ("stop", "reactor", 1.0, 8.0),
    ("stop", "reactor", 20.0, 25.0),
    ("stop", "guard", 1.0, 8.0),
    ("stop", "vessel", 0.5, 3.0),
    *(("stop", server, 2.0, 20.0) for server in SERVERS),
    ("away", "questdb", 5.0, 25.0),
    ("away", "managers", 5.0, 25.0),
    ("cut", "net", 3.0, 20.0),
    ("hold", "net", 5.0, 25.0),
    ("hold-out", "net", 5.0, 25.0),
    ("hold-in", "net", 5.0, 25.0),
    ("delay", "net", 5.0, 20.0),
    ("flap", "net", 8.0, 24.0),
    ("probe", "vessel", 2.0, 10.0),
    ("bus", "vessel", 2.0, 6.0),
)


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. `at` and `seconds`, how long it lasts, in seconds since its round began."""

    at: float
    kind: str
    who: str  # a process ("reactor tank-1", "manager"), or whose way to the servers it is
    seconds: float = 0.0
    what: str = ""  # the fault of a vessel; "servers", "database" or "all" of a network

    def __str__(self) -> str:
        lasting = f" for {self.seconds:.1f} s" if self.seconds else ""
        return f"{self.kind} {self.who}{f' {self.what}' if self.what else ''}{lasting}"


Round = tuple[Fault, ...]


def rounds(seed: int, reactors: Sequence[str]) -> Iterator[Round]:
    """Make rounds for ever; the same seed and reactors make the same."""
    random = Random(seed)
    cards = _cards(random)
    for _ in count():
        faults = [_fault(next(cards), random, reactors) for _ in range(random.randint(1, MOST))]
        once = {(fault.kind in NETWORK, fault.who): fault for fault in faults}  # else the end of one ends the other
        yield tuple(sorted(once.values(), key=lambda fault: fault.at))


def _cards(random: Random) -> Iterator[tuple[str, str, float, float]]:
    while True:
        yield from random.sample(CARDS, len(CARDS))


def _fault(card: tuple[str, str, float, float], random: Random, reactors: Sequence[str]) -> Fault:
    kind, of, shortest, longest = card
    reactor = random.choice(reactors)
    at, seconds = round(random.uniform(0, BURST), 2), round(random.uniform(shortest, longest), 2)
    match of:
        case "net":
            whose = random.choice((f"reactor {reactor}", f"reactor {reactor}", "manager"))
            return Fault(at, kind, whose, seconds, random.choice(("servers", "database", "all")))
        case "reactor" | "guard" | "vessel":
            what = random.choice({"probe": PROBE_FAULTS, "bus": BUS_FAULTS}.get(kind, ("",)))
            return Fault(at, kind, f"{of} {reactor}", seconds, what)
        case _:
            return Fault(at, kind, of, seconds)


def dump(plan: Iterable[Round]) -> str:
    """Spell a plan, a round a line."""
    return "".join(json.dumps([asdict(fault) for fault in one]) + "\n" for one in plan)


def load(text: str) -> list[Round]:
    """Read what `dump` spelled."""
    return [tuple(Fault(**fault) for fault in json.loads(line)) for line in text.splitlines()]
