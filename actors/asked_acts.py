"""Acts on their way through a manager: who asked, so that the answer finds them. A pure core.

A manager keeps nothing: what becomes of an act stands in the reactor's journal, which it is asked for when the reactor
attaches anew, for an answer may have been lost with the session before. Times are monotonic seconds.
"""

from dataclasses import dataclass

from msgspec.structs import replace

from transport.messages import Act, Done, Outcome
from transport.wire import Outgoing

GRACE = 5.0  # seconds that an answer may take beyond the time in which the act may begin
LONGEST = 86_400.0  # and after it has begun
MOST = 30  # of one reactor on their way at once: one that never answers costs the others nothing


@dataclass(slots=True)
class _Asked:
    act: Act
    route: bytes
    id: int
    until: float


class AskedActs:
    """Acts that were passed on and have not ended. Not thread safe: one actor owns it."""

    def __init__(self) -> None:
        self._asked: dict[tuple[str, str], _Asked] = {}  # by reactor and id

    def ask(self, act: Act, route: bytes, number: int, now: float) -> bool:
        """Note who asked, in message `number`; false, when too many of this reactor are on their way."""
        key = (act.reactor, act.act)
        if key not in self._asked and sum(reactor == act.reactor for reactor, _ in self._asked) >= MOST:
            return False
        self._asked[key] = _Asked(act, route, number, now + act.valid_for + GRACE)
        return True

    def again(self, reactor: str) -> list[Act]:
        """Give what to ask a reactor that attached anew: what became of its acts. None of them begins by that."""
        return [replace(one.act, valid_for=0.0) for one in self._asked.values() if one.act.reactor == reactor]

    def answer(self, reactor: str, message: Done, now: float) -> list[Outgoing]:
        """Take in what a reactor says, and pass it on to who asked; nobody may have."""
        asked = self._asked.get((reactor, message.act))
        if asked is None:
            return []
        if message.state == "begun":
            asked.until = now + LONGEST
        else:
            del self._asked[reactor, message.act]
        return [Outgoing(asked.route, message, reply_to=asked.id)]

    def lose(self, reactor: str) -> list[Outgoing]:
        """A reactor is lost: nobody can tell what becomes of its acts."""
        return self._give_up([one for one in self._asked.values() if one.act.reactor == reactor], f"{reactor} is lost")

    def tick(self, now: float) -> list[Outgoing]:
        """Let time pass."""
        return self._give_up([one for one in self._asked.values() if now >= one.until], "no answer in time")

    def _give_up(self, asked: list[_Asked], why: str) -> list[Outgoing]:
        for one in asked:
            del self._asked[one.act.reactor, one.act.act]
        return [Outgoing(one.route, done(one.act, "unknown", why), reply_to=one.id) for one in asked]


def done(act: Act, state: Outcome, text: str) -> Done:
    """Make the manager's own answer to an act."""
    return Done(act=act.act, state=state, target=act.target, kind=act.kind, text=text)
