"""Which manager serves which reactor, and how many managers run: the coordinator's pure core.

Each event is a method that takes `now` (monotonic seconds) and returns the actions that it calls for, in order; the
coordinator carries them out. All of it is rebuilt from what managers and reactors report, so forgetting it is harmless.

A reactor's place counts from its welcome on: as a placement that no heartbeat confirmed yet, then as attached, until
its manager reports it gone. So no manager is ever given more than its capacity, however late the reports are.

The processes of the managers belong to a launcher, which runs numbers 1 to `numbers`:

    idle -> ordered       Start, because more hellos wait than there is room for
    ordered -> running    the launcher started it
    ordered -> idle       the launcher could not; next one after a back-off
    idle -> running       the launcher reports a process that nobody here started: an earlier coordinator did
    running -> idle       the process ended
    running -> stopping   Stop, because it stayed empty, or did not register in time
    stopping -> idle      the process ended

Managers with other numbers, of other machines, may register too; they are neither started nor stopped from here.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from math import inf

from actors.claims import Claims, Verdict
from hardware.values import is_name
from transport.liveness import JITTER, Life, life_of, lost_after
from transport.messages import MAX_COUNT, Error, Heartbeat, Hello, ManagerInfo, Placed, Register

OWN = "host"  # the peer that the launcher's managers are; those of other machines have other numbers
LISTEN = 2 * (1 + JITTER)  # heartbeat intervals after a start, for every manager that is there to be heard twice
CONFIRM = 4.0  # heartbeat intervals; a placement that a heartbeat still does not show after them is forgotten
PATIENCE = 14.0  # a hello waits so long for a manager before it is told to ask again: longer than the listening
ASK_AGAIN = 5.0  # and this is when
COPY_AGAIN = 30.0  # and when a machine asks whose identity another one has
COPY = "both hold its key, as after copying a card"
REGISTER = 45.0  # a process has so long to register: longer than the longest back-off of a manager's link
LONGEST_BACK_OFF = 60.0  # between starts that fail


@dataclass(frozen=True, slots=True)
class Asker:
    """Where an answer goes: a connection, and the id of the message that it answers."""

    route: bytes
    id: int


@dataclass(frozen=True, slots=True)
class Give:
    """Welcome a reactor to its manager: the manager's name, endpoint and public key."""

    asker: Asker
    reactor: str
    manager: str
    endpoint: str
    key: str
    epoch: int


@dataclass(frozen=True, slots=True)
class Refuse:
    """Answer with an error."""

    asker: Asker
    error: Error


@dataclass(frozen=True, slots=True)
class Admit:
    """Tell a manager that it is registered, and under which name."""

    asker: Asker
    name: str


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer a heartbeat. Not known: register again; drain: take nobody new, you are about to be stopped."""

    asker: Asker
    known: bool
    drain: bool


@dataclass(frozen=True, slots=True)
class Start:
    """Have the launcher start this number."""

    number: int


@dataclass(frozen=True, slots=True)
class Stop:
    """Have the launcher stop this number."""

    number: int


@dataclass(frozen=True, slots=True)
class Note:
    """Tell people; a warning when something went wrong."""

    text: str
    warning: bool = True


Action = Give | Refuse | Admit | Answer | Start | Stop | Note


@dataclass(frozen=True, slots=True)
class _Pending:
    """A placement that its manager has not reported yet."""

    epoch: int
    until: float


@dataclass(slots=True)
class _Manager:
    """A registered manager. `reactors` and `pending` have no name in common."""

    number: int
    name: str
    route: bytes
    endpoint: str
    key: str
    capacity: int
    registered: float
    heard: float
    reactors: dict[str, int] = field(default_factory=dict)  # attached, as it reports: reactor -> epoch
    pending: dict[str, _Pending] = field(default_factory=dict)
    empty_since: float | None = None
    draining: bool = False

    @property
    def load(self) -> int:
        return len(self.reactors) + len(self.pending)

    @property
    def info(self) -> ManagerInfo:
        placed = [Placed(reactor, epoch) for reactor, epoch in sorted(self.reactors.items())]
        return ManagerInfo(
            name=self.name, endpoint=self.endpoint, key=self.key, capacity=self.capacity, reactors=placed
        )

    def holds(self, reactor: str) -> bool:
        """Whether a place here is counted for `reactor`."""
        return reactor in self.reactors or reactor in self.pending

    def report(self, placed: Iterable[Placed], now: float) -> bool:
        """Take in what the manager says it has attached; whether that changed anything."""
        reported = {place.reactor: place.epoch for place in placed}
        for reactor, pending in list(self.pending.items()):
            if reported.get(reactor, -1) >= pending.epoch or now >= pending.until:
                del self.pending[reactor]
            else:
                reported.pop(reactor, None)
        changed = reported != self.reactors
        self.reactors = reported
        self.heard = now
        if self.load:
            self.empty_since, self.draining = None, False
        elif self.empty_since is None:
            self.empty_since = now
        return changed


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A hello without an answer yet."""

    asker: Asker
    lost: str
    until: float


class _State(Enum):
    IDLE = auto()
    ORDERED = auto()
    RUNNING = auto()
    STOPPING = auto()


@dataclass(slots=True)
class _Slot:
    """One of the launcher's numbers. `deadline`: by when its process must have registered, or ended."""

    state: _State = _State.IDLE
    pid: int | None = None
    deadline: float = inf
    failed: float = -inf


class Placement:
    """The coordinator's knowledge of managers and reactors. Not thread safe: one actor owns it.

    `numbers` managers of `capacity` reactors may run at once; one that is empty for `empty_manager` seconds is stopped.
    Managers send a heartbeat every `interval` seconds.
    """

    def __init__(self, *, numbers: int, capacity: int, empty_manager: float, interval: float, now: float) -> None:
        self._capacity = capacity
        self._interval = interval
        self._empty_manager = empty_manager
        self._slots = {number: _Slot() for number in range(1, numbers + 1)}
        self._managers: dict[int, _Manager] = {}
        self._epochs: dict[str, int] = {}  # the highest seen of each reactor
        self._claims = Claims()
        self._waiting: dict[str, _Waiting] = {}
        self._listen_until = now + LISTEN * interval
        self._looked: float | None = None  # when the launcher was last heard of
        self._failures = 0
        self._failure = ""
        self._next_start = now
        self._operated = False  # an operator came: one manager stays, for settings of reactors that are away
        self.version = 0  # raised whenever `managers` would answer something else

    @property
    def managers(self) -> list[ManagerInfo]:
        """Every registered manager with the reactors that it reports."""
        return [manager.info for _, manager in sorted(self._managers.items())]

    # operators

    def operate(self, now: float) -> list[Action]:
        """There is an operator: from now on one manager runs, whoever is attached."""
        self._operated = True
        return self._start(now)

    def absent(self, now: float) -> str:
        """Name the one manager that takes settings of reactors that are attached nowhere; empty while there is none.

        One, so that of two people who set the same thing the second sees the first.
        """
        able = [each for each in self._managers.values() if not each.draining and self._life(each, now) == "ok"]
        return min(able, key=lambda each: each.number).name if able else ""

    def _is_last(self, manager: _Manager) -> bool:
        return all(other is manager or other.draining for other in self._managers.values())

    # reactors

    def hello(self, asker: Asker, reactor: str, message: Hello, now: float) -> list[Action]:
        """Place a reactor, or keep its hello until there is room, or until it has waited long enough."""
        held = any(manager.holds(reactor) for manager in self._managers.values())
        verdict = self._claims.judge(reactor, message.instance, held=held)
        if verdict is Verdict.REFUSED:
            return [Refuse(asker, Error(code="name", text=f"another machine is {reactor}: {COPY}", retry=COPY_AGAIN))]
        self._raise_epoch(reactor, message.epoch)
        self._waiting[reactor] = _Waiting(asker, message.lost, now + PATIENCE)
        notes = [Note(f"{reactor} is two machines, the newer of which is refused: {COPY}")]
        return [*(notes if verdict is Verdict.BACK else ()), *self._place(reactor, now), *self._start(now)]

    def _raise_epoch(self, reactor: str, epoch: int) -> None:
        self._epochs[reactor] = max(epoch, self._epochs.get(reactor, 0))

    def _place(self, reactor: str, now: float) -> list[Action]:
        """Place one that waits: where it holds a place, else on the least loaded; where it was lost only if need be."""
        waiting = self._waiting[reactor]
        able = [
            manager
            for manager in self._managers.values()
            if not manager.draining
            and self._life(manager, now) == "ok"
            and manager.load - manager.holds(reactor) < manager.capacity
        ]
        if not able:
            return []
        manager = min(
            able, key=lambda each: (each.endpoint == waiting.lost, not each.holds(reactor), each.load, each.number)
        )
        del self._waiting[reactor]
        epoch = self._epochs[reactor] = min(self._epochs[reactor] + 1, MAX_COUNT)  # else it would refuse its welcome
        for other in self._managers.values():
            if reactor in other.pending:  # it may have attached there unseen: the next heartbeat tells
                other.pending[reactor] = _Pending(epoch, now)
        manager.reactors.pop(reactor, None)
        manager.pending[reactor] = _Pending(epoch, now + CONFIRM * self._interval)
        manager.empty_since = None
        return [Give(waiting.asker, reactor, manager.name, manager.endpoint, manager.key, epoch)]

    def _life(self, manager: _Manager, now: float) -> Life:
        return life_of(now - manager.heard, self._interval)

    def _place_waiting(self, now: float) -> list[Action]:
        return [action for reactor in list(self._waiting) for action in self._place(reactor, now)]

    # managers

    def register(self, asker: Asker, host: str, key: str, message: Register, now: float) -> list[Action]:
        """Take in a manager of `host`, whose `key` reactors will pin; or the error that kept it from serving."""
        number, name = message.number, f"{host}-{message.number}"
        slot = self._slots.get(number)
        old = self._managers.get(number)
        if not is_name(name):
            return [Refuse(asker, Error(code="name", text=f"{name} is too long for the name of a manager"))]
        if old is not None and old.key != key and self._life(old, now) != "lost":
            return [Refuse(asker, Error(code="name", text=f"number {number} is taken by {old.name}", retry=ASK_AGAIN))]
        if slot is not None and host != OWN:
            error = Error(code="name", text=f"number {number} is one of the server's own managers", retry=ASK_AGAIN)
            return [Refuse(asker, error), Note(f"{name} is refused: {error.text}")]
        if message.endpoint is None:
            return self._fail(number, message.error or "it has no endpoint", now) if slot else [Note(message.error)]
        if slot is not None and slot.state is _State.STOPPING:
            return [Refuse(asker, Error(code="later", text=f"{name} is being stopped", retry=ASK_AGAIN))]
        manager = _Manager(number, name, asker.route, message.endpoint, key, message.capacity, now, now)
        if old is not None and old.endpoint == message.endpoint:  # it did not hear the answer, or was forgotten
            manager.pending = old.pending
        self._managers[number] = manager
        self._hear(manager, message.reactors, now)
        self.version += 1
        if slot is not None:
            slot.state, slot.deadline = _State.RUNNING, inf
            self._failures, self._next_start = 0, now
        return [Admit(asker, name), *self._place_waiting(now)]

    def heartbeat(self, asker: Asker, message: Heartbeat, now: float) -> list[Action]:
        """Take in what a manager has attached."""
        manager = self._by_route(asker.route)
        if manager is None:
            return [Answer(asker, known=False, drain=False)]
        was_draining = manager.draining
        self._hear(manager, message.reactors, now)
        if was_draining and manager.draining:  # it has known for a heartbeat, and is empty still
            del self._managers[manager.number]
            self.version += 1
            return [
                Note(f"{manager.name} is stopped: it stayed empty", warning=False),
                *self._stop(manager.number, now),
            ]
        manager.draining = (
            manager.empty_since is not None
            and now - manager.empty_since >= self._empty_manager
            and manager.number in self._slots
            and not (self._operated and self._is_last(manager))
        )
        return [Answer(asker, known=True, drain=manager.draining), *self._place_waiting(now)]

    def _by_route(self, route: bytes) -> _Manager | None:
        return next((manager for manager in self._managers.values() if manager.route == route), None)

    def _hear(self, manager: _Manager, placed: list[Placed], now: float) -> None:
        if manager.report(placed, now):
            self.version += 1
            for reactor, epoch in manager.reactors.items():
                self._raise_epoch(reactor, epoch)

    def _drop(self, manager: _Manager, why: str) -> list[Action]:
        del self._managers[manager.number]
        self.version += 1
        return [Note(f"{manager.name} is gone with {len(manager.reactors)} reactors: {why}")]

    # the launcher's processes

    def processes(self, running: Mapping[int, int], now: float) -> list[Action]:
        """Take in which numbers the launcher has running, and the process id of each (0 while it is between two)."""
        actions: list[Action] = []
        for number, slot in self._slots.items():
            before, slot.pid = slot.pid, running.get(number)
            if slot.state is _State.ORDERED:
                continue  # what was seen may be older than the order
            if before is not None and before != slot.pid:
                manager = self._managers.get(number)
                if manager is not None and self._looked is not None and manager.registered < self._looked:
                    actions += self._drop(manager, "its process ended")
            if slot.pid is None:
                actions += self._ended(number, slot, now)
            elif slot.state is _State.IDLE or (number not in self._managers and slot.deadline == inf):
                slot.state, slot.deadline = _State.RUNNING, now + REGISTER
        self._looked = now
        return [*actions, *self._start(now)]

    def started(self, number: int) -> None:
        """The launcher started it: from now on, a look that does not show it means that it ended."""
        slot = self._slots[number]
        if slot.state is _State.ORDERED:
            slot.state = _State.RUNNING

    def start_failed(self, number: int, why: str, now: float) -> list[Action]:
        """The launcher could not start it."""
        actions = self._failed(number, why, now)
        self._slots[number].state, self._slots[number].deadline = _State.IDLE, inf
        return actions

    def _ended(self, number: int, slot: _Slot, now: float) -> list[Action]:
        unregistered = slot.state is _State.RUNNING and slot.deadline < inf
        slot.state, slot.deadline = _State.IDLE, inf
        return self._failed(number, "its process ended before it registered", now) if unregistered else []

    def _fail(self, number: int, why: str, now: float) -> list[Action]:
        return [*self._failed(number, why, now), *self._stop(number, now)]

    def _failed(self, number: int, why: str, now: float) -> list[Action]:
        self._failure = why
        self._next_start = now + min(2.0**self._failures, LONGEST_BACK_OFF)
        self._failures += 1
        self._slots[number].failed = now
        return [Note(f"manager {number} did not start: {why}")]

    def _stop(self, number: int, now: float) -> list[Action]:
        self._slots[number].state, self._slots[number].deadline = _State.STOPPING, now + REGISTER
        return [Stop(number)]

    def _start(self, now: float) -> list[Action]:
        """Start as many managers as waiting hellos, or operators, need, beyond those that are already on their way."""
        if now < self._listen_until or now < self._next_start or self._looked is None:
            return []
        coming = sum(slot.deadline < inf and slot.state is not _State.STOPPING for slot in self._slots.values())
        needed = -(-len(self._waiting) // self._capacity)
        if self._operated and not self._managers:
            needed = max(needed, 1)
        missing = needed - coming
        free = [number for number, slot in self._slots.items() if slot.state is _State.IDLE]
        free.sort(key=lambda number: self._slots[number].failed)  # the one that failed last comes last
        chosen = free[: max(missing, 0)]
        for number in chosen:
            self._slots[number].state, self._slots[number].deadline = _State.ORDERED, now + REGISTER
        return [Start(number) for number in chosen]

    # time

    def tick(self, now: float) -> list[Action]:
        """Let time pass: called about once a second."""
        actions: list[Action] = []
        for manager in list(self._managers.values()):
            if self._life(manager, now) == "lost":
                actions += self._drop(manager, f"not heard for {lost_after(self._interval):g} s")
                if manager.number in self._slots:
                    self._slots[manager.number].deadline = now + REGISTER
        for number, slot in self._slots.items():
            if now >= slot.deadline:
                stopping = slot.state is _State.STOPPING
                actions += self._stop(number, now) if stopping else self._fail(number, "it did not register", now)
        actions += self._place_waiting(now)
        actions += self._give_up(now)
        return [*actions, *self._start(now)]

    def _give_up(self, now: float) -> list[Action]:
        """Answer the hellos that have waited long enough: the reactor asks again."""
        tired = [reactor for reactor, waiting in self._waiting.items() if now >= waiting.until]
        if not tired:
            return []
        busy = all(slot.state is _State.RUNNING and slot.deadline == inf for slot in self._slots.values())
        if busy and self._managers:
            error = Error(code="full", text=f"all {len(self._managers)} managers are full", retry=ASK_AGAIN)
        else:
            text = f"no manager yet: {self._failure}" if self._failure else "no manager yet"
            error = Error(code="later", text=text[:200], retry=ASK_AGAIN)
        return [Refuse(self._waiting.pop(reactor).asker, error) for reactor in tired]
