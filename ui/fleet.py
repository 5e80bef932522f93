"""What an operator knows of every reactor, and whom it watches where: a pure core.

The coordinator's overview says under which manager each reactor is. Each manager is watched over as many connections as
it takes at 50 reactors each: a `Group`. Snapshots and updates become `Twin`s, which are never changed but replaced: any
thread may read them. Everything else belongs to one thread. Times are monotonic seconds.

A coordinator that is away or has just started names nobody: what it does not name stays where it was for as long as its
manager speaks.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from random import Random

from transport.liveness import Life, back_off, life_of
from transport.messages import (
    Accepted,
    Applied,
    AppliedState,
    Attach,
    Database,
    Document,
    Done,
    ManagerInfo,
    Overview,
    Rejected,
    Snapshot,
    Status,
    Update,
    Watch,
    Watching,
)

MOST_WATCHED = 50  # reactors a connection, the protocol's limit
CLOCK_STEP_US = 1_000_000  # a reactor's clock is followed only when it is off by more: a reading keeps its time
DONE_KEPT = 20  # acts a reactor that are remembered here; the database has them all
_WORSE: Mapping[Life, int] = {"ok": 0, "stale": 1, "lost": 2}


@dataclass(frozen=True, slots=True)
class Twin:
    """What is known of one reactor. `manager` is empty while it is attached nowhere; `version` rises with every change.

    `heard_us` is the wall time of the newest status, 0 before the first; `boot_us` that of the reactor's boot.
    `applied` are newer than `status`.
    """

    name: str
    version: int = 0
    manager: str = ""
    life: Life = "lost"
    heard_us: int = 0
    boot_us: int = 0
    attach: Attach | None = None
    status: Status | None = None
    desired: Mapping[str, Document] = field(default_factory=dict)
    desired_known: bool = False
    applied: Mapping[str, Applied] = field(default_factory=dict)
    rejected: Mapping[str, Rejected] = field(default_factory=dict)
    done: tuple[Done, ...] = ()

    def state(self, target: str) -> AppliedState | None:
        """Tell what a target does, by the newest word of it; none when nobody said."""
        states = self.status.devices if self.status else self.attach.applied if self.attach else ()
        state = next((state for state in states if state.target == target), None)
        newer = self.applied.get(target)
        if newer is None or (state is not None and newer.revision < state.revision):
            return state
        document = self.desired.get(target)
        known = document if document is not None and document.revision == newer.revision else None
        return AppliedState(
            target,
            newer.revision,
            known.author if known else state.author if state else "",
            known.values if known else state.values if state else {},
            newer.read_back,
            newer.held_by,
            state.fault if state else "",
            state.doing if state else "",
        )


@dataclass(slots=True)
class Group:
    """One connection's worth of a manager's reactors. `id` is of the connection: another one has another."""

    manager: str
    endpoint: str
    key: str
    id: int = 0
    names: dict[str, int] = field(default_factory=dict)  # with the number that was heard last
    heard: dict[str, float] = field(default_factory=dict)
    connected: bool = False  # or on its way
    up: bool = False
    failures: int = 0
    due: float = 0.0  # of the next watch, or of the next connection


@dataclass(frozen=True, slots=True)
class Connect:
    """Connect to a manager."""

    group: int
    endpoint: str
    key: str


@dataclass(frozen=True, slots=True)
class HangUp:
    """Close a connection."""

    group: int


@dataclass(frozen=True, slots=True)
class Say:
    """Send a watch."""

    group: int
    message: Watch


Action = Connect | HangUp | Say


class Fleet:
    """Twins by name in `twins`, managers in `managers`, who changed since it was asked last in `take_changed`."""

    def __init__(self, interval: float, random: Random) -> None:
        """Watch again every `interval` seconds; `random` spreads retries."""
        self.twins: dict[str, Twin] = {}
        self.managers: Mapping[str, ManagerInfo] = {}
        self.database: Database | None = None
        self._interval = interval
        self._random = random
        self._absent = ""
        self._groups: list[Group] = []
        self._where: dict[str, Group] = {}
        self._ids = count(1)
        self._versions = count(1)
        self._changed: set[str] = set()
        self._close: frozenset[str] = frozenset()

    def take_changed(self) -> frozenset[str]:
        """Name the reactors whose twins are others since the last call."""
        changed = frozenset(self._changed)
        self._changed.clear()
        return changed

    def connection_for(self, reactor: str, *, attached: bool) -> int | None:
        """Find the connection to ask for a reactor; unless it must be `attached`, for a lost one whoever is named."""
        twin = self.twins.get(reactor)
        manager = twin.manager if twin is not None else ""
        if not attached and (twin is None or twin.life == "lost"):
            manager = self._absent or manager
        group = next((group for group in self._groups if group.manager == manager and group.up), None)
        return None if group is None else group.id

    # what happens

    def overview(self, said: Overview, now: float) -> list[Action]:
        """Take in where everybody is."""
        self.managers = {info.name: info for info in said.managers}
        self._absent, self.database = said.absent, said.database
        actions = self._move_managers(now)
        touched: list[Group] = []
        for info in said.managers:
            for place in info.reactors:
                touched += self._place(place.reactor, info)
            if not any(group.manager == info.name for group in self._groups):
                touched.append(self._open(info))  # to be asked for absent reactors
        for group in {id(group): group for group in touched}.values():
            if not group.connected:
                actions.append(self._connect(group))
            elif group.up:
                actions.append(self._watch(group, now))
        return actions

    def up(self, group_id: int, now: float) -> list[Action]:
        """Watch, over a connection that is up."""
        group = self._group(group_id)
        if group is None:
            return []
        group.up, group.failures = True, 0
        return [self._watch(group, now)]

    def down(self, group_id: int, now: float) -> None:
        """Connect again later, or forget a manager that the coordinator does not name any more."""
        group = self._group(group_id)
        if group is None:
            return
        group.connected = group.up = False
        if group.manager in self.managers:
            group.failures += 1
            group.due = now + back_off(group.failures, self._random)
            return
        self._groups.remove(group)
        for name in group.names:
            self._where.pop(name, None)
            self._replace(name, manager="", life="lost")

    def hear(self, group_id: int, said: Snapshot | Update, now: float, wall_us: int) -> list[Action]:
        """Take in what a manager says of a reactor; what nobody watches there any more is ignored."""
        group = self._group(group_id)
        if group is None or said.reactor not in group.names:
            return []
        group.heard[said.reactor] = now
        known = group.names[said.reactor]
        if isinstance(said, Snapshot):
            group.names[said.reactor] = said.number
            self._snapshot(said, wall_us)
        elif known and said.number == known + 1:
            group.names[said.reactor] = said.number
            self._update(said, wall_us)
        elif known:  # one was lost
            group.names[said.reactor] = 0
            return [self._watch(group, now)]
        return []

    def accepted(self, answer: Accepted, document: Document) -> None:
        """Take in a document that nobody but the database knows: no manager tells of a reactor that is lost."""
        twin = self.twins.get(answer.reactor)
        if twin is not None and twin.life == "lost":
            self._replace(answer.reactor, desired={**twin.desired, document.target: document})

    def remember(self, name: str, attach: Attach, documents: Iterable[Document]) -> None:
        """Take in what the database knows of a reactor; one that was heard of knows better itself."""
        twin = self.twins.get(name)
        if twin is not None and (twin.manager or twin.heard_us):
            return
        desired = {document.target: document for document in documents}
        if twin is None or (twin.attach, twin.desired) != (attach, desired):
            self._replace(name, attach=attach, desired=desired, desired_known=True)

    def tick(self, now: float) -> list[Action]:
        """Let time pass: renew watches, connect again, notice who is silent."""
        actions: list[Action] = []
        for group in self._groups:
            if now >= group.due:
                if group.up:
                    actions.append(self._watch(group, now))
                elif not group.connected:
                    actions.append(self._connect(group))
            for name, heard in group.heard.items():
                life = life_of(now - heard, self._interval)
                if _WORSE[life] > _WORSE[self.twins[name].life]:
                    self._replace(name, life=life)
        return actions

    def look(self, names: frozenset[str], now: float) -> list[Action]:
        """Watch these closely, and no others."""
        changed, self._close = self._close ^ names, names
        return [self._watch(group, now) for group in self._groups if group.up and not changed.isdisjoint(group.names)]

    # groups

    def _group(self, group_id: int) -> Group | None:
        return next((group for group in self._groups if group.id == group_id and group.connected), None)

    def _open(self, info: ManagerInfo) -> Group:
        group = Group(info.name, info.endpoint, info.key)
        self._groups.append(group)
        return group

    def _move_managers(self, now: float) -> list[Action]:
        """Follow managers that listen elsewhere than before."""
        actions: list[Action] = []
        for group in self._groups:
            info = self.managers.get(group.manager)
            if info is None or (info.endpoint, info.key) == (group.endpoint, group.key):
                continue
            if group.connected:
                actions.append(HangUp(group.id))
            group.endpoint, group.key = info.endpoint, info.key
            group.connected = group.up = False
            group.failures, group.due = 0, now
            group.names = dict.fromkeys(group.names, 0)
            actions.append(self._connect(group))
        return actions

    def _place(self, name: str, info: ManagerInfo) -> list[Group]:
        """Watch a reactor at its manager; returns the groups that are others for it."""
        old = self._where.get(name)
        if old is not None and old.manager == info.name:
            return []
        touched = []
        if old is not None:
            del old.names[name]
            old.heard.pop(name, None)
            touched.append(old)
        roomy = (one for one in self._groups if one.manager == info.name and len(one.names) < MOST_WATCHED)
        group = next(roomy, None) or self._open(info)
        group.names[name] = 0
        self._where[name] = group
        self._replace(name, manager=info.name)
        return [*touched, group]

    def _connect(self, group: Group) -> Connect:
        group.id, group.connected = next(self._ids), True
        return Connect(group.id, group.endpoint, group.key)

    def _watch(self, group: Group, now: float) -> Say:
        group.due = now + self._interval
        watching = [Watching(name, number, name in self._close) for name, number in group.names.items()]
        return Say(group.id, Watch(reactors=watching))

    # twins

    def _snapshot(self, said: Snapshot, wall_us: int) -> None:
        name = said.reactor
        known = self.twins[name]
        if said.attach is None:  # what is known of it stays worth showing
            if known.life != "lost":
                self._replace(name, life="lost")
            return
        self._replace(
            name,
            life=said.life,
            attach=known.attach
            if known.attach == said.attach
            else said.attach,  # the same is no news to those who look
            status=said.status,
            **_times(known, said.status, wall_us),
            desired=_by_target(said.desired or ()),
            desired_known=said.desired is not None,
            applied={one.target: one for one in said.applied},
            rejected={one.target: one for one in said.rejected},
        )

    def _update(self, said: Update, wall_us: int) -> None:
        twin = self.twins[said.reactor]
        applied = dict(twin.applied)
        if said.status is not None:  # it knows all that was applied before it
            applied = {}
        applied.update((one.target, one) for one in said.applied)
        rejected = {**twin.rejected, **{one.target: one for one in said.rejected}}
        desired = {**twin.desired, **_by_target(said.desired)}
        self._replace(
            said.reactor,
            life=said.life,
            status=said.status or twin.status,
            **_times(twin, said.status, wall_us),
            desired=desired,
            applied=applied,
            rejected={
                target: one
                for target, one in rejected.items()
                if target not in desired or one.revision >= desired[target].revision
            },
            done=_folded(twin.done, said.done),
        )

    def _replace(self, name: str, **changes: object) -> None:
        twin = self.twins.get(name) or Twin(name)
        self.twins[name] = replace(twin, version=next(self._versions), **changes)  # type: ignore[arg-type]
        self._changed.add(name)


def _times(twin: Twin, status: Status | None, wall_us: int) -> dict[str, int]:
    """Tell what is new of a twin's times with a status that came at `wall_us`."""
    if status is None:
        return {}
    boot_us = wall_us - status.now_us
    steady = abs(boot_us - twin.boot_us) <= CLOCK_STEP_US
    return {"heard_us": wall_us, "boot_us": twin.boot_us if steady else boot_us}


def _by_target(documents: Iterable[Document]) -> dict[str, Document]:
    return {document.target: document for document in documents}


def _folded(known: tuple[Done, ...], new: Sequence[Done]) -> tuple[Done, ...]:
    """Keep the newest word of each act, the newest act last."""
    ids = {one.act for one in new}
    return (*(one for one in known if one.act not in ids), *new)[-DONE_KEPT:]
