"""What people want of one reactor's devices and sensors, and how far it follows: a pure core, a part of its twin.

Of each target it knows the newest *settled* document, which the reactor follows or the database keeps, and those that
were *asked* for and are neither yet. The newest of all is what the reactor is told, again and again until it shows that
revision or has rejected it. Times are monotonic seconds of the manager.
"""

import threading
from collections.abc import Iterable

from transport.messages import Applied, AppliedState, Document, Rejected, Set

RESEND = 1.0  # seconds that an answer may take; a status that shows less after them has the change sent again
LATEST = 2**52  # microseconds, in 2112: a reactor that follows a later revision of nobody's is mistaken
DAY_US = 86_400_000_000
NODES = 1000  # managers that may number at once


class Numbering:
    """Numbers the documents of one manager, the `node`-th. Thread safe: its desk and its store share one.

    A revision is the next millisecond by the clock, or above all that is known of its target, and behind it who
    numbers: so that no two are the same, and of two documents that were numbered apart the later one wins.
    """

    def __init__(self, node: int) -> None:
        self._node = node % NODES
        self._lock = threading.Lock()
        self._last: dict[tuple[str, str], int] = {}  # by reactor and target; those too that came to nothing

    def next(self, wish: Set, known: int, wall_us: int) -> int | None:
        """Number the document that a set becomes; none when what it was made from is not the newest, `known`.

        A base of the future is nobody's.
        """
        if not known <= wish.base <= max(known, wall_us + DAY_US):
            return None
        key = wish.reactor, wish.target
        with self._lock:
            last = max(wall_us, wish.base, self._last.get(key, 0))
            self._last[key] = (last // NODES + 1) * NODES + self._node
            return self._last[key]


class Wants:
    """Documents of one reactor. `is_read`: those that the database keeps are known."""

    def __init__(self) -> None:
        self.is_read = False
        self.rejected: dict[
            str, Rejected
        ] = {}  # since it attached: the last of each target, if nothing newer is wanted
        self.answers: dict[str, Applied] = {}  # newer than the newest status
        self._targets: frozenset[str] = frozenset()
        self._settled: dict[str, Document] = {}
        self._asked: dict[str, list[Document]] = {}
        self._following: dict[str, int] = {}  # revisions, as far as the reactor said or showed
        self._shown: dict[str, int] = {}  # revisions of its last status
        self._behind: set[str] = set()  # targets that are to be told
        self._sent: dict[str, tuple[int, float]] = {}  # which revision was told last, and when

    def __contains__(self, target: str) -> bool:
        return target in self._targets

    def newest(self, target: str) -> Document | None:
        """Give what is wanted of a target now, asked for or settled."""
        known = [*self._asked.get(target, ()), *([self._settled[target]] if target in self._settled else ())]
        return max(known, key=lambda document: document.revision, default=None)

    def revision(self, target: str) -> int:
        """Give the revision of the newest, 0 without any."""
        newest = self.newest(target)
        return newest.revision if newest else 0

    @property
    def is_behind(self) -> bool:
        """Whether the reactor is to be told something."""
        return bool(self._behind)

    def desired(self) -> list[Document]:
        """Give what is wanted of every target that there is."""
        return [document for target in sorted(self._targets) if (document := self.newest(target)) is not None]

    def settled(self) -> list[Document]:
        """Give the newest document of every target that the reactor follows or the database keeps."""
        return [self._settled[target] for target in sorted(self._targets & self._settled.keys())]

    def due(self, now: float) -> list[Document]:
        """Take what is to be told to the reactor now; it counts as told."""
        told = []
        for target in self._behind:
            document = self.newest(target)
            assert document is not None  # it is behind
            revision, at = self._sent.get(target, (0, now))
            if revision != document.revision or now - at >= RESEND:
                self._sent[target] = document.revision, now
                told.append(document)
        return told

    # the reactor

    def attach(
        self, targets: Iterable[str], states: list[AppliedState], asked: Iterable[Document] = ()
    ) -> list[Document]:
        """A session begins: what is wired, what it follows, and what is asked for, perhaps since before it was lost.

        Returns documents that were not known here.
        """
        self._targets = frozenset(targets)
        self._asked = {}
        for document in asked:
            self._asked.setdefault(document.target, []).append(document)
        self.rejected.clear()
        self.answers.clear()
        self._sent.clear()
        self._following = {}
        self._shown = {}
        unknown = self.show(states)
        for target in self._targets:
            self._look(target)
        return unknown

    def show(self, states: list[AppliedState]) -> list[Document]:
        """Take in a status. Returns documents that were not known here: somebody else delivered them."""
        self.answers.clear()
        return [
            document
            for state in states
            if state.revision != self._shown.get(state.target, 0) and (document := self._follow(state)) is not None
        ]

    def apply(self, applied: Applied) -> None:
        """Take in that the reactor follows a revision."""
        if self.may_follow(applied.target, applied.revision):
            self.answers[applied.target] = applied
            self._reach(applied.target, applied.revision)

    def reject(self, rejected: Rejected) -> None:
        """Take in that the reactor will not follow a document: it is not told again in this session."""
        if rejected.target in self._targets:
            self.rejected[rejected.target] = rejected
            self._look(rejected.target)

    def may_follow(self, target: str, revision: int) -> bool:
        """Whether there is such a target, and such a number: above the highest nobody could ask for anything."""
        return target in self._targets and (revision <= LATEST or revision <= self.revision(target))

    def _follow(self, state: AppliedState) -> Document | None:
        if not self.may_follow(state.target, state.revision):
            return None
        self._shown[state.target] = state.revision
        self._reach(state.target, state.revision)
        if state.revision <= self.revision(state.target):
            return None
        document = Document(target=state.target, revision=state.revision, author=state.author, values=state.values)
        self._settled[state.target] = document
        return document

    def _reach(self, target: str, revision: int) -> None:
        self._following[target] = max(revision, self._following.get(target, 0))
        self._look(target)

    # people

    def ask(self, wish: Set, wall_us: int, numbering: Numbering) -> Document | None:
        """Make a document of what somebody wants; none, when there is a newer one than what it was made from."""
        target = wish.target
        known = max(self.revision(target), self._following.get(target, 0))
        revision = numbering.next(wish, known, wall_us)
        if revision is None:
            return None
        document = Document(target=target, revision=revision, author=wish.author, values=wish.values)
        self._asked.setdefault(target, []).append(document)
        self._look(target)
        return document

    def settle(self, document: Document) -> None:
        """What was asked for is there to stay, and so nothing older is asked for any more."""
        asked = self._asked.pop(document.target, [])
        newer = [other for other in asked if other.revision > document.revision]
        if newer:
            self._asked[document.target] = newer
        self.learn([document])

    def withdraw(self, document: Document) -> None:
        """What was asked for is not to be."""
        left = [other for other in self._asked.pop(document.target, []) if other is not document]
        if left:
            self._asked[document.target] = left
        self._look(document.target)

    # the database

    def learn(self, documents: Iterable[Document]) -> list[Document]:
        """Take in what the database keeps; returns what of it is news, so nothing older than what is asked for."""
        news = []
        for document in documents:
            settled = self._settled.get(document.target)
            if settled is None or document.revision > settled.revision:
                self._settled[document.target] = document
                self._look(document.target)
                if self.newest(document.target) is document:
                    news.append(document)
        return news

    def _look(self, target: str) -> None:
        newest = self.newest(target)
        rejected = self.rejected.get(target)
        if newest is not None and rejected is not None and rejected.revision < newest.revision:
            rejected = None
            del self.rejected[target]  # nobody asks for that any more
        if (
            newest is not None
            and target in self._targets
            and newest.revision > self._following.get(target, 0)
            and (rejected is None or rejected.revision != newest.revision)
        ):
            self._behind.add(target)
        else:
            self._behind.discard(target)
