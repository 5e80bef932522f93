"""The table of documents in memory: a database that is there or away, shared by whoever connects."""

from collections.abc import Sequence

from storage.desired import Desired, DesiredTable
from storage.questdb import Unreachable


class Archive(DesiredTable):
    """What is kept; `away` lets every call fail. Every target but `ghost` is wired."""

    def __init__(self) -> None:
        self.rows: list[Desired] = []
        self.away = False
        self.addresses: list[str] = []
        self.closed = 0

    def connect(self, address: str) -> DesiredTable:
        self.addresses.append(address)
        return self

    def keep(self, rows: Sequence[Desired]) -> None:
        self._reach()
        self.rows += [row for row in rows if row not in self.rows]

    def latest(self, reactors: Sequence[str]) -> list[Desired]:
        self._reach()
        newest: dict[tuple[str, str], Desired] = {}
        for row in sorted(self.rows, key=lambda row: row.document.revision):
            newest[row.reactor, row.document.target] = row
        return [row for row in newest.values() if row.reactor in reactors]

    def since(self, revision: int) -> list[Desired]:
        self._reach()
        return [row for row in self.rows if row.document.revision > revision]

    def is_wired(self, reactor: str, target: str) -> bool:
        self._reach()
        return target != "ghost" and bool(reactor)

    def close(self) -> None:
        self.closed += 1

    def revision(self, reactor: str, target: str) -> int:
        """Tell the revision of the newest document of a target."""
        kept = (row.document for row in self.rows if (row.reactor, row.document.target) == (reactor, target))
        return max((document.revision for document in kept), default=0)

    def _reach(self) -> None:
        if self.away:
            raise Unreachable("http://h:9000 does not answer")
