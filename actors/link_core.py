"""The reactor's link to its manager, decided: events and the time go in, actions come out. Pure.

`TABLE` is the whole state machine: what may happen in which state, where it leads, and which method acts on it. What
is not in it is ignored (a late answer, a duplicate). `diagram` draws it; docs/link.md shows that drawing.

Fencing. A connection has a number, so what an old one still says is not heard. A placement has an epoch: one below
the highest ever seen is a late answer. A session's answers carry its name and a rising sequence.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Any, ClassVar

from actors.link_events import (
    Action,
    Ask,
    Close,
    Down,
    Event,
    Fresh,
    Heard,
    LogTo,
    Note,
    Open,
    Refused,
    Remember,
    Rewired,
    Say,
    SendAnswer,
    SendAttach,
    SendHello,
    SendStatus,
    Server,
    ServerTime,
    Tick,
    Up,
)
from actors.ticker import SECOND
from transport.liveness import BACK_OFF_MOST, STATUS_INTERVAL, back_off, jittered, lost_after
from transport.messages import Ack, Act, Attached, Change, Error, Header, Message, Welcome
from transport.session import Session

__all__ = [
    "GREETING",
    "Action",
    "Ask",
    "Close",
    "Down",
    "Event",
    "Fresh",
    "Heard",
    "Kind",
    "LinkCore",
    "LogTo",
    "Move",
    "Note",
    "Open",
    "Refused",
    "Remember",
    "Rewired",
    "Say",
    "SendAnswer",
    "SendAttach",
    "SendHello",
    "SendStatus",
    "Server",
    "ServerTime",
    "State",
    "Tick",
    "Up",
    "diagram",
]  # the words of link_events.py too: this is where people look for them

CONNECT = 9.0  # seconds for connecting and its handshake; the wire gives up earlier
GREETING = 15.0  # seconds for a welcome: the coordinator may be starting a manager first
ATTACHING = 5.0
TRIES = 2  # with the same manager, before the coordinator is asked for another
APART = 0.1  # seconds at least from one status to the next, when somebody looks: one for what comes together
SHORTEST_INTERVAL = 0.1
LONGEST_INTERVAL = 60.0
LONGEST_RETRY = 300.0
PASSING = frozenset({"epoch", "full", "later"})  # errors that another placement heals
AWAY = PASSING | {"name", "role"}  # errors of a manager that will not have us


class State(StrEnum):
    """Where the link stands."""

    RESTING = "resting"  # waits, then calls the coordinator
    CALLING = "calling"  # connects to the coordinator
    GREETING = "greeting"  # said hello
    PAUSING = "pausing"  # waits, then joins the same manager again
    JOINING = "joining"  # connects to the manager
    ATTACHING = "attaching"  # said what is wired
    ATTACHED = "attached"  # reports


JOINING = frozenset({State.JOINING, State.ATTACHING})  # where tries with a manager are counted


class Kind(StrEnum):
    """What an event means to the present state."""

    DUE = "time is due"
    UP = "connected"
    LOST = "lost or silent"
    GIVEN_UP = "lost too often"
    WELCOME = "welcome"
    ATTACHED = "attached"
    ACK = "ack"
    ASKED = "asked"
    SAY = "something to say"
    REWIRED = "wired otherwise"
    NEWS = "a new reading, and somebody looks"
    FORGOTTEN = "session unknown"
    REFUSED = "refused"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Move:
    """Where a transition leads, and the method that acts on it: with what caused it, and the time."""

    to: State
    act: Callable[["LinkCore", Any, int], Iterable[Action]]


class LinkCore:
    """Takes events one at a time. `due_ns` is when it wants its next `Tick`; `state` is for everyone to see."""

    def __init__(self, *, coordinator: Server, epoch: int, random: Random, now_ns: int) -> None:
        """`epoch` is the highest ever seen; the first call is due at once."""
        self.state = State.RESTING
        self.due_ns = now_ns
        self.epoch = epoch
        self._coordinator = coordinator
        self._manager = coordinator  # until a welcome names one
        self._random = random
        self._connection = 0
        self._lost = ""  # endpoint of the manager that was given up, for the next hello
        self._failures = 0  # in a row, for the back-off
        self._tries = 0  # with the present manager
        self._session: Session | None = None  # while attached
        self._interval = STATUS_INTERVAL
        self._status_ns = 0  # when the next status is due
        self._told_ns = 0  # when the last hello or status left
        self._silent_ns = 0  # when the manager counts as lost
        self._closely = False  # whether somebody looks, as the last ack said
        self._brief = 0  # sessions in a row that are or were shorter than it takes to count as lost
        self._steady_ns = 0  # when those are forgotten

    def handle(self, event: Event, now_ns: int) -> list[Action]:
        """Take an event and say what to do. An event that means nothing now does nothing."""
        kind, cause = self._meaning(event, now_ns)
        move = self.TABLE.get((self.state, kind))
        if move is None:
            return []
        self.state = move.to
        return list(move.act(self, cause, now_ns))

    # what an event means, and what its method has to know

    def _meaning(self, event: Event, now_ns: int) -> tuple[Kind, object]:
        match event:
            case Tick():
                return self._meaning_of_time(now_ns), "no answer"
            case Say() | Rewired() | Fresh():
                return self._meaning_of_ours(event), event
            case Up(connection) | Down(connection) | Heard(connection) if connection != self._connection:
                return Kind.NOTHING, None
            case Up():
                return Kind.UP, None
            case Down(_, reason):
                return self._meaning_of_loss(), reason
            case Heard(_, header, body):
                return self._meaning_of_message(header, body)

    def _meaning_of_ours(self, event: Say | Rewired | Fresh) -> Kind:
        match event:
            case Say():
                return Kind.SAY
            case Rewired():
                return Kind.REWIRED
            case Fresh():
                return Kind.NEWS if self._closely else Kind.NOTHING

    def _meaning_of_time(self, now_ns: int) -> Kind:
        if now_ns < self.due_ns:
            return Kind.NOTHING
        if self.state in {State.RESTING, State.PAUSING}:
            return Kind.DUE
        if self.state is State.ATTACHED and now_ns < self._silent_ns:
            return Kind.DUE
        return self._meaning_of_loss()

    def _meaning_of_loss(self) -> Kind:
        return Kind.GIVEN_UP if self.state in JOINING and self._tries >= TRIES else Kind.LOST

    def _meaning_of_message(self, header: Header, body: Message) -> tuple[Kind, object]:
        match body:
            case Welcome(epoch=epoch) if epoch >= self.epoch:
                return Kind.WELCOME, body
            case Attached():
                return Kind.ATTACHED, body
            case Ack() | Change() | Act() if self._session is not None and self._session.hear(header) == "ok":
                return (Kind.ACK, body) if isinstance(body, Ack) else (Kind.ASKED, Ask(body, header.id))
            case Error(code="session") if self.state is State.ATTACHED:
                return Kind.FORGOTTEN, "it does not know our session"
            case Error(code=code) if code in AWAY or self.state is not State.ATTACHED:
                return Kind.REFUSED, body
            case _:
                return Kind.NOTHING, None

    # what is done about it

    def _call(self, _cause: object, now_ns: int) -> Iterable[Action]:
        yield self._open(self._coordinator, now_ns)

    def _greet(self, _cause: object, now_ns: int) -> Iterable[Action]:
        self._wait(GREETING, now_ns)
        self._told_ns = now_ns
        yield SendHello(self._connection, self.epoch, self._lost)

    def _move_in(self, welcome: Welcome, now_ns: int) -> Iterable[Action]:
        self._manager = Server(welcome.manager, welcome.endpoint, welcome.key)
        self._lost, self._tries = "", 0
        self.epoch = welcome.epoch
        yield Close(self._connection)
        yield Remember(welcome.epoch)
        yield ServerTime(self._told_ns, now_ns, welcome.time_us)
        if welcome.database is not None:
            yield LogTo(welcome.database)
        yield from self._join(None, now_ns)

    def _join(self, _cause: object, now_ns: int) -> Iterable[Action]:
        self._tries += 1
        yield self._open(self._manager, now_ns)

    def _attach(self, _cause: object, now_ns: int) -> Iterable[Action]:
        self._wait(ATTACHING, now_ns)
        yield SendAttach(self._connection, self.epoch)

    def _settle(self, attached: Attached, now_ns: int) -> Iterable[Action]:
        self._session = Session(attached.session)
        self._tries = 0
        self._failures = self._brief  # what failed before we were attached is over; a link that flaps slows down
        self._brief += 1
        self._closely = False
        self._hear(attached.status_interval, now_ns)
        self._steady_ns = self._silent_ns
        yield Note("attached", f"{self._manager.name} at {self._manager.endpoint}, epoch {self.epoch}")
        yield Refused(None)
        yield from (Ask(Change(document=document), 0) for document in attached.desired or ())
        yield from self._report(None, now_ns)

    def _attach_again(self, _cause: object, now_ns: int) -> Iterable[Action]:
        self._session = None  # the manager opens another
        yield from self._attach(None, now_ns)

    def _answer(self, say: Say, _now_ns: int) -> Iterable[Action]:
        assert self._session is not None
        yield SendAnswer(self._connection, self._session.id, self._session.stamp(), say.message, say.reply_to)

    def _pass_on(self, ask: Ask, _now_ns: int) -> Iterable[Action]:
        yield ask

    def _report(self, _cause: object, now_ns: int) -> Iterable[Action]:
        assert self._session is not None
        self._told_ns = now_ns
        self._status_ns = now_ns + round(jittered(self._interval, self._random) * SECOND)
        self.due_ns = min(self._status_ns, self._silent_ns)
        yield SendStatus(self._connection, self._session.id, self._session.stamp())

    def _hurry(self, _cause: object, _now_ns: int) -> Iterable[Action]:
        """Bring the next status forward; it tells all that came until then."""
        self._status_ns = min(self._status_ns, self._told_ns + round(APART * SECOND))
        self.due_ns = min(self._status_ns, self._silent_ns)
        return ()

    def _take(self, ack: Ack, now_ns: int) -> Iterable[Action]:
        self._closely = ack.closely
        self._hear(ack.next_interval, now_ns)
        self.due_ns = min(self._status_ns, self._silent_ns)
        if now_ns >= self._steady_ns:
            self._failures = self._brief = 0
        if ack.time_us:
            yield ServerTime(self._told_ns, now_ns, ack.time_us)
        if ack.database is not None:
            yield LogTo(ack.database)

    def _lose(self, reason: str, now_ns: int) -> Iterable[Action]:
        yield Close(self._connection)
        yield from self._leave(reason)
        self._back_off(0.0, now_ns)

    def _give_up(self, reason: str, now_ns: int) -> Iterable[Action]:
        self._lost = self._manager.endpoint
        yield from self._lose(reason, now_ns)

    def _obey(self, error: Error, now_ns: int) -> Iterable[Action]:
        yield Close(self._connection)
        yield from self._leave(f"{error.code}: {error.text}")
        if error.code in PASSING:
            patience = error.retry
        else:
            patience = error.retry or BACK_OFF_MOST
            yield Refused(f"{error.code}: {error.text}")
        self._back_off(min(patience, LONGEST_RETRY), now_ns)

    # parts of these

    def _open(self, server: Server, now_ns: int) -> Action:
        self._connection += 1
        self._wait(CONNECT, now_ns)
        return Open(self._connection, server.endpoint, server.key)

    def _hear(self, interval: float, now_ns: int) -> None:
        """The manager lives and sets the pace. The bounds keep it from asking for a flood, or for silence."""
        self._interval = min(LONGEST_INTERVAL, max(SHORTEST_INTERVAL, interval))
        self._silent_ns = now_ns + round(lost_after(self._interval) * SECOND)

    def _leave(self, reason: str) -> Iterable[Action]:
        if self._session is not None:
            yield Note("lost", f"{self._manager.name} at {self._manager.endpoint}: {reason}")
        self._session = None

    def _back_off(self, at_least: float, now_ns: int) -> None:
        self._failures += 1
        self._wait(at_least + back_off(self._failures, self._random), now_ns)

    def _wait(self, seconds: float, now_ns: int) -> None:
        self.due_ns = now_ns + round(seconds * SECOND)

    TABLE: ClassVar[Mapping[tuple[State, Kind], Move]] = {
        (State.RESTING, Kind.DUE): Move(State.CALLING, _call),
        (State.CALLING, Kind.UP): Move(State.GREETING, _greet),
        (State.CALLING, Kind.LOST): Move(State.RESTING, _lose),
        (State.GREETING, Kind.WELCOME): Move(State.JOINING, _move_in),
        (State.GREETING, Kind.REFUSED): Move(State.RESTING, _obey),
        (State.GREETING, Kind.LOST): Move(State.RESTING, _lose),
        (State.JOINING, Kind.UP): Move(State.ATTACHING, _attach),
        (State.JOINING, Kind.LOST): Move(State.PAUSING, _lose),
        (State.JOINING, Kind.GIVEN_UP): Move(State.RESTING, _give_up),
        (State.PAUSING, Kind.DUE): Move(State.JOINING, _join),
        (State.ATTACHING, Kind.ATTACHED): Move(State.ATTACHED, _settle),
        (State.ATTACHING, Kind.REFUSED): Move(State.RESTING, _obey),
        (State.ATTACHING, Kind.LOST): Move(State.PAUSING, _lose),
        (State.ATTACHING, Kind.GIVEN_UP): Move(State.RESTING, _give_up),
        (State.ATTACHED, Kind.DUE): Move(State.ATTACHED, _report),
        (State.ATTACHED, Kind.ACK): Move(State.ATTACHED, _take),
        (State.ATTACHED, Kind.ASKED): Move(State.ATTACHED, _pass_on),
        (State.ATTACHED, Kind.SAY): Move(State.ATTACHED, _answer),
        (State.ATTACHED, Kind.NEWS): Move(State.ATTACHED, _hurry),
        (State.ATTACHED, Kind.REWIRED): Move(State.ATTACHING, _attach_again),
        (State.ATTACHED, Kind.FORGOTTEN): Move(State.PAUSING, _lose),
        (State.ATTACHED, Kind.REFUSED): Move(State.RESTING, _obey),
        (State.ATTACHED, Kind.LOST): Move(State.PAUSING, _lose),
    }


def diagram() -> str:
    """Draw `TABLE` as a Mermaid state diagram."""
    moves = [f"    {was} --> {move.to}: {kind}" for (was, kind), move in LinkCore.TABLE.items()]
    return "\n".join(["stateDiagram-v2", f"    [*] --> {State.RESTING}", *moves])
