"""People who change settings and ask for doses while everything breaks: one for each reactor, never in a hurry.

Each remembers what was asked and what was answered; the judge compares that with what is there in the end.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from random import Random
from typing import Literal

from tests.faults.boards import DOSING, Board
from tests.system.whole import CLOCK
from transport.messages import Accepted, Act, Conflict, Done, Rejected, Set, Value
from ui.errors import NoAnswer, OperatorError
from ui.operator import Operator

PAUSE = 0.3, 2.0  # seconds between two wishes
DOSES = 0.15  # of all wishes
ON = 0.8  # of all that is set
STALE = 0.1  # of all settings: made from an older document
OLDEST = 1  # a revision that no document has
UNSURE = "does not answer"  # of a database that may have heard all the same: docs/reliability.md, not covered
VALID = 10.0  # seconds in which a dose may begin
AGAIN = 3  # times that a dose without an answer is asked for again
LEAST_DOSE, STEP = 50, 1  # hundredths of a millilitre: each dose of a reactor is one step more
LONGEST = 40.0  # seconds that an answer may take
Answer = Literal["accepted", "conflict", "rejected", "unknown", "not taken"]


@dataclass(frozen=True, slots=True)
class Wish:
    """Settings that were asked for; `author` is unique. `base` and `revision` as in the protocol."""

    reactor: str
    target: str
    author: str
    base: int
    values: dict[str, Value]
    asked_ns: int
    answered_ns: int
    answer: Answer
    revision: int = 0
    text: str = ""
    stale: bool = False  # made from a revision that never was


@dataclass(frozen=True, slots=True)
class Dose:
    """A dose that was asked for once or more often; its volume (ml) is unique. `states` are the answers, in order."""

    reactor: str
    act: str
    volume: float
    states: tuple[str, ...]


class Person(threading.Thread):
    """Wishes for one board, until told to `stop`."""

    def __init__(self, operator: Operator, board: Board, seed: int) -> None:
        super().__init__(name=f"person of {board.name}", daemon=True)
        self.wishes: list[Wish] = []
        self.doses: list[Dose] = []
        self._operator = operator
        self._board = board
        self._random = Random(f"{seed} {board.name}")
        self._end = threading.Event()

    def stop(self) -> None:
        """Ask for nothing more; returns when the last answer is there."""
        self._end.set()
        self.join()

    def run(self) -> None:
        """Wish."""
        while not self._end.wait(self._random.uniform(*PAUSE)):
            if self._random.random() < DOSES:
                self._dose()
            else:
                self._set()

    def _set(self) -> None:
        board, random = self._board, self._random
        target = random.choice(board.outputs)
        values: dict[str, Value] = {"on": random.random() < ON}
        if target in board.modulated:
            values["duty"] = float(random.randint(1, 100))
        twin = self._operator.twin(board.name)
        document = twin.desired.get(target) if twin else None
        base = document.revision if document else 0
        stale = base > 0 and random.random() < STALE
        base = OLDEST if stale else base
        author = f"{board.name} {len(self.wishes)}"
        wish = Set(reactor=board.name, target=target, base=base, author=author, values=values)
        asked_ns = CLOCK.monotonic_ns()
        answer, revision, text = _settled(lambda: self._operator.set(wish))
        now_ns = CLOCK.monotonic_ns()
        self.wishes.append(
            Wish(board.name, target, author, base, values, asked_ns, now_ns, answer, revision, text, stale)
        )

    def _dose(self) -> None:
        name = self._board.name
        volume = (LEAST_DOSE + STEP * len(self.doses)) / 100
        act = f"dose-{name}-{len(self.doses):06}"
        asked = Act(
            reactor=name,
            act=act,
            target=DOSING,
            kind="dose",
            arguments={"volume": volume},
            valid_for=VALID,
            author=f"person of {name}",
        )
        states: list[str] = []
        while not states or (states[-1] == "no answer" and len(states) <= AGAIN):
            states.append(_done(lambda: self._operator.act(asked)))
        self.doses.append(Dose(name, act, volume, tuple(states)))


def _settled(ask: Callable[[], Future[Accepted | Conflict | Rejected]]) -> tuple[Answer, int, str]:
    try:
        match ask().result(LONGEST):
            case Accepted(revision=revision, delivered=delivered):
                return "accepted", revision, "delivered" if delivered else "kept"
            case Conflict(document=document):
                return "conflict", document.revision, ""
            case Rejected(revision=revision, reason=reason):
                return "unknown" if UNSURE in reason else "rejected", revision, reason
    except NoAnswer as error:
        return "unknown", 0, str(error)
    except OperatorError as error:
        return "not taken", 0, str(error)


def _done(ask: Callable[[], Future[Done]]) -> str:
    try:
        return ask().result(LONGEST).state
    except NoAnswer:
        return "no answer"
    except OperatorError:
        return "not taken"
