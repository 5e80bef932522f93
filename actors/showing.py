"""What those who watch reactors at a manager are shown: a pure core beside the desk. Times are monotonic seconds."""

from collections.abc import Sequence
from random import Random

from actors.twins import Twins
from actors.watches import Watches
from transport.messages import Applied, Document, Done, Rejected, Snapshot, Status, Update, Watch
from transport.wire import Outgoing


class Showing:
    """Shows twins to operators. Not thread safe: one actor owns it."""

    def __init__(self, twins: Twins, interval: float, random: Random) -> None:
        self._twins = twins
        self._watches = Watches(interval, random)

    def is_watched(self, reactor: str) -> bool:
        """Whether anybody watches a reactor."""
        return reactor in self._watches.reactors

    def is_watched_closely(self, reactor: str) -> bool:
        """Whether anybody wants its readings as soon as they are there."""
        return self._watches.is_close(reactor)

    def watch(self, route: bytes, watch: Watch, now: float) -> list[Outgoing]:
        """Let a route watch what it names, and show it that of which it does not know the newest."""
        needed = self._watches.watch(route, watch.reactors, now)
        return [Outgoing(route, self._snapshot(reactor, now)) for reactor in needed]

    def tick(self, now: float) -> list[Outgoing]:
        """Let time pass, and show who fell silent."""
        self._watches.tick(now)
        changed = [
            reactor
            for reactor in self._watches.reactors
            if self._twins.life(reactor, now) != self._watches.life(reactor)
        ]
        return [out for reactor in changed for out in self.show(reactor, now)]

    def introduce(self, reactor: str, now: float) -> list[Outgoing]:
        """Show that a reactor attached."""
        routes = self._watches.next(reactor)
        if not routes:
            return []
        snapshot = self._snapshot(reactor, now)
        return [Outgoing(route, snapshot) for route in routes]

    def show(  # noqa: PLR0913 - the news that there are
        self,
        reactor: str,
        now: float,
        *,
        status: Status | None = None,
        desired: Sequence[Document] = (),
        applied: Sequence[Applied] = (),
        rejected: Sequence[Rejected] = (),
        done: Sequence[Done] = (),
    ) -> list[Outgoing]:
        """Show what is new of a reactor."""
        routes = self._watches.next(reactor)
        if not routes:
            return []
        life = self._twins.life(reactor, now)
        update = Update(
            reactor=reactor,
            number=self._watches.note(reactor, life),
            life=life,
            status=status,
            desired=list(desired),
            applied=list(applied),
            rejected=list(rejected),
            done=list(done),
        )
        return [Outgoing(route, update) for route in routes]

    def _snapshot(self, reactor: str, now: float) -> Snapshot:
        """Say all there is to know of a reactor that is watched, under the number of what was said last."""
        twin = self._twins.of(reactor)
        life = self._twins.life(reactor, now)
        number = self._watches.note(reactor, life)
        if twin is None:
            return Snapshot(reactor=reactor, number=number, life=life, attach=None, status=None, desired=None)
        wants = twin.wants
        return Snapshot(
            reactor=reactor,
            number=number,
            life=life,
            attach=twin.attach,
            status=twin.status,
            desired=wants.desired(),
            applied=list(wants.answers.values()),
            rejected=list(wants.rejected.values()),
        )
