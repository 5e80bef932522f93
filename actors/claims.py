"""Two machines with one identity, such as a board and the copy of its card, told apart: a pure core.

Every start of a reactor's process draws an instance at random and says it in each hello. A new one takes over at once,
for that is what a restarted process looks like. One that comes back after a newer one took over shows that both live:
then the one that was there first is served, and the newer one only while the first is attached nowhere.
"""

from collections import deque
from dataclasses import dataclass, field
from enum import Enum, auto

REMEMBERED = 8  # instances of each sort and reactor


class Verdict(Enum):
    """What becomes of a hello."""

    SERVED = auto()
    BACK = auto()  # served, and the one that took over meanwhile is another machine
    REFUSED = auto()  # another machine is being served


@dataclass(slots=True)
class _Claim:
    """Who said hello as one reactor: the one that counts, those it replaced, and those that were found to be copies."""

    current: str
    replaced: deque[str] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    copies: deque[str] = field(default_factory=lambda: deque(maxlen=REMEMBERED))


class Claims:
    """Which instance of each reactor counts. Not thread safe: one actor owns it."""

    def __init__(self) -> None:
        self._claims: dict[str, _Claim] = {}

    def judge(self, reactor: str, instance: str, *, held: bool) -> Verdict:
        """Judge a hello; `held` tells whether the reactor is placed already. An older program says no instance."""
        claim = self._claims.setdefault(reactor, _Claim(instance))
        if instance == claim.current or not instance:
            return Verdict.SERVED
        if instance in claim.copies:
            if held:
                return Verdict.REFUSED
            claim.copies.remove(instance)
        back = instance in claim.replaced
        if back:
            claim.replaced.remove(instance)
        (claim.copies if back else claim.replaced).append(claim.current)
        claim.current = instance
        return Verdict.BACK if back else Verdict.SERVED
