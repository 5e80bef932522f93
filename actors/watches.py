"""Who watches which reactor at a manager, and the numbers of what they are told: a pure core.

Everything that is said of a reactor to those who watch it has the next number, the same for all of them. A watch that
is not renewed ends. Times are monotonic seconds.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from random import Random

from transport.liveness import Life, lost_after
from transport.messages import Watching

FIRST_NUMBERS = 2**40  # numbers begin anywhere below, so that one of an earlier watch is never taken for a current one


@dataclass(slots=True)
class _Watched:
    """A reactor that somebody watches: the last number, the life that was told, who listens."""

    number: int
    life: Life = "lost"
    routes: dict[bytes, bool] = field(default_factory=dict)  # in the order of their coming; whether closely


class Watches:
    """The watches of all operators. Not thread safe: one actor owns it."""

    def __init__(self, interval: float, random: Random) -> None:
        self._lasts = lost_after(interval)
        self._random = random
        self._watched: dict[str, _Watched] = {}
        self._until: dict[bytes, float] = {}
        self._wanted: dict[bytes, Collection[str]] = {}  # which reactors each route watches

    def next(self, reactor: str) -> Sequence[bytes]:
        """Give who is to be told the next of a reactor, and raise its number; nobody, when nobody watches it."""
        watched = self._watched.get(reactor)
        if watched is None:
            return ()
        watched.number += 1
        return list(watched.routes)

    def note(self, reactor: str, life: Life) -> int:
        """Note the life that is told, and give the number under which."""
        watched = self._watched[reactor]
        watched.life = life
        return watched.number

    def life(self, reactor: str) -> Life:
        """Give the life that was told last."""
        return self._watched[reactor].life

    def is_close(self, reactor: str) -> bool:
        """Whether anybody watches a reactor closely."""
        watched = self._watched.get(reactor)
        return watched is not None and any(watched.routes.values())

    @property
    def reactors(self) -> Collection[str]:
        """Every reactor that is watched."""
        return self._watched.keys()

    def watch(self, route: bytes, watching: Sequence[Watching], now: float) -> list[str]:
        """Let a route watch these reactors and no others; returns those of which it needs a snapshot."""
        wanted = {one.reactor: one for one in watching}
        self._leave(route, wanted.keys())
        self._until[route] = now + self._lasts
        self._wanted[route] = wanted.keys()
        needed = []
        for reactor, one in wanted.items():
            watched = self._watched.setdefault(reactor, _Watched(1 + self._random.randrange(FIRST_NUMBERS)))
            if route not in watched.routes or one.number != watched.number:
                needed.append(reactor)
            watched.routes[route] = one.closely
        return needed

    def tick(self, now: float) -> None:
        """End the watches that were not renewed."""
        for route in [route for route, until in self._until.items() if now >= until]:
            del self._until[route]
            self._leave(route, ())
            del self._wanted[route]

    def _leave(self, route: bytes, wanted: Collection[str]) -> None:
        for reactor in self._wanted.get(route, ()):
            if reactor not in wanted:
                watched = self._watched[reactor]
                del watched.routes[route]
                if not watched.routes:
                    del self._watched[reactor]
