"""Every message that crosses a process boundary, as a typed struct. `docs/protocol.md` is the normative text.

A body is a msgpack map of these fields by name. Unknown keys are ignored, so a field may be added with a default in a
minor version; in `hello` and `error` no field ever changes its meaning. Small records that come in numbers
(`Reading`, `Placed`, `Allowed`) are arrays, to which elements may be appended.
"""

import sys
from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import Meta, Struct

MAX_TEXT = 200
# Patterns end in `\Z`: `$` would let a newline pass behind the value.
Name = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_-]{0,31}\Z")]
# A name that another message declared: whoever does not know it ignores it. Matching 24 patterns a status would cost
# more than all the rest of its decoding.
KnownName = Annotated[str, Meta(max_length=32)]
# One line: what a peer says may stand in a log or on a page.
Line = Annotated[str, Meta(pattern=r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]*\Z")]
Text = Annotated[Line, Meta(max_length=MAX_TEXT)]
Endpoint = Annotated[str, Meta(pattern=r"^tcp://[!-~]{1,120}\Z")]
PublicKey = Annotated[str, Meta(pattern=r"^[0-9a-zA-Z.:+=^!/*?&<>()\[\]{}@%$#-]{40}\Z")]  # Z85
Count = Annotated[int, Meta(ge=0, le=2**53)]
Microseconds = Annotated[int, Meta(ge=0, le=2**62, extra={"unit": "µs"})]
Seconds = Annotated[float, Meta(ge=0, le=86_400 * 366, extra={"unit": "s"})]
Number = Annotated[float, Meta(ge=-sys.float_info.max, le=sys.float_info.max)]  # neither infinite nor NaN
Offset = Annotated[Number, Meta(extra={"unit": "s"})]
Role = Literal["coordinator", "manager", "reactor", "operator"]
Grade = Literal["ok", "stale", "fault", "out_of_range", "calibrating"]
ErrorCode = Literal[
    "malformed", "version", "type", "role", "name", "session", "epoch", "full", "later", "too_large", "internal"
]


class Message(Struct, frozen=True, kw_only=True):
    """A body. `TYPE` is its name in the header; a `WIDE` one may be large, see `transport.envelope`."""

    TYPE: ClassVar[str]
    WIDE: ClassVar[bool] = False


class Database(Struct, frozen=True, kw_only=True):
    """Where to log: address, which database it is, how often it was restored, and its schema."""

    address: Annotated[str, Meta(pattern=r"^https?://[!-?A-~]{1,200}\Z")]
    identity: Annotated[Line, Meta(max_length=64)]
    incarnation: Count
    schema_major: Count
    schema_minor: Count

    @property
    def stamp(self) -> str:
        """One short text that differs whenever anything that a reactor must act on differs."""
        return f"{self.identity}/{self.incarnation}/{self.schema_major}.{self.schema_minor}@{self.address}"


class QuantityInfo(Struct, frozen=True, kw_only=True):
    """A quantity as its driver declares it."""

    name: Name
    unit: Annotated[Line, Meta(max_length=32)]
    low: Number
    high: Number
    decimals: Annotated[int, Meta(ge=0, le=9)]


class SensorInfo(Struct, frozen=True, kw_only=True):
    """A sensor as it is wired; intervals in seconds."""

    name: Name
    label: Text
    driver: Text
    address: Text
    quantities: Annotated[list[QuantityInfo], Meta(max_length=32)]
    live_interval: Seconds
    sample_interval: Seconds


class Reading(Struct, frozen=True, array_like=True):
    """The newest reading of a quantity that `Attach` declared; `taken_us` on the same clock as `Status.now_us`."""

    sensor: KnownName
    quantity: KnownName
    value: Number | None
    quality: Grade
    taken_us: Microseconds


class Placed(Struct, frozen=True, array_like=True):
    """A reactor that is attached to a manager, and the epoch of its placement."""

    reactor: Name
    epoch: Count


class Allowed(Struct, frozen=True, array_like=True):
    """One line of the allow-list."""

    key: PublicKey
    name: Name
    role: Role


class AllowList(Struct, frozen=True, kw_only=True):
    """Every key that may speak. `version` is a digest of its content."""

    version: Annotated[str, Meta(max_length=64)]
    peers: Annotated[list[Allowed], Meta(max_length=20_000)]


class ManagerInfo(Struct, frozen=True, kw_only=True):
    """A manager as an operator sees it."""

    name: Name
    endpoint: Endpoint
    key: PublicKey
    capacity: Count
    reactors: Annotated[list[Placed], Meta(max_length=20_000)]


class Hello(Message, frozen=True, kw_only=True):
    """reactor, operator -> coordinator: who I am, the highest epoch I have seen, the manager that I lost."""

    TYPE = "hello"
    software: Text
    epoch: Count = 0
    lost: Text = ""


class Welcome(Message, frozen=True, kw_only=True):
    """coordinator -> reactor: your manager, your epoch, the database, the pace, the server's time."""

    TYPE = "welcome"
    manager: Name
    endpoint: Endpoint
    key: PublicKey
    epoch: Count
    database: Database | None
    status_interval: Seconds
    time_us: Microseconds


class Overview(Message, frozen=True, kw_only=True):
    """coordinator -> operator, the answer to its hello and again on every change: all managers with their reactors."""

    TYPE = "overview"
    WIDE = True
    managers: Annotated[list[ManagerInfo], Meta(max_length=1000)]
    database: Database | None
    time_us: Microseconds


class Register(Message, frozen=True, kw_only=True):
    """manager -> coordinator: I am bound and ready, or the error that kept me from it; sent again when not known."""

    TYPE = "register"
    WIDE = True
    number: Count
    endpoint: Endpoint | None = None
    capacity: Count = 0
    reactors: Annotated[list[Placed], Meta(max_length=20_000)] = []
    error: Text = ""


class Registered(Message, frozen=True, kw_only=True):
    """coordinator -> manager: your name, who may speak, where to log."""

    TYPE = "registered"
    WIDE = True
    manager: Name
    allow: AllowList
    database: Database | None


class Heartbeat(Message, frozen=True, kw_only=True):
    """manager -> coordinator: the reactors attached, the allow-list that I hold."""

    TYPE = "heartbeat"
    WIDE = True
    reactors: Annotated[list[Placed], Meta(max_length=20_000)]
    allow_version: Annotated[str, Meta(max_length=64)]


class Alive(Message, frozen=True, kw_only=True):
    """coordinator -> manager: whether I know you; the allow-list when yours is old; drain: take nobody new."""

    TYPE = "alive"
    WIDE = True
    known: bool
    allow: AllowList | None = None
    database: Database | None = None
    drain: bool = False


class Attach(Message, frozen=True, kw_only=True):
    """reactor -> manager: what is wired to me, and the epoch of the placement that sent me here."""

    TYPE = "attach"
    epoch: Count
    label: Text
    software: Text
    sensors: Annotated[list[SensorInfo], Meta(max_length=256)]


class Attached(Message, frozen=True, kw_only=True):
    """manager -> reactor: your session; every further message carries it in the header."""

    TYPE = "attached"
    session: Annotated[str, Meta(min_length=16, max_length=64)]
    status_interval: Seconds


class Backlog(Struct, frozen=True, kw_only=True):
    """The spool: rows that wait, age of the oldest in seconds, rows refused by the database, rows dropped."""

    waiting: Count
    oldest: Seconds
    refused: Count
    dropped: Count


class Status(Message, frozen=True, kw_only=True):
    """reactor -> manager, every 5 s: newest readings, the spool, the clock, what is wrong."""

    TYPE = "status"
    now_us: Microseconds
    readings: Annotated[list[Reading], Meta(max_length=512)]
    backlog: Backlog
    clock_known: bool
    clock_offset: Offset | None
    database: Annotated[str, Meta(max_length=400)]
    faults: Annotated[list[Text], Meta(max_length=64)] = []


class Ack(Message, frozen=True, kw_only=True):
    """manager -> reactor: I have it, report again in so many seconds; the database when yours is another."""

    TYPE = "ack"
    next_interval: Seconds
    database: Database | None = None


class Error(Message, frozen=True, kw_only=True):
    """any -> any: what was wrong with the message that the header replies to; `retry` in seconds, 0 for never."""

    TYPE = "error"
    code: ErrorCode
    text: Text
    retry: Seconds = 0.0


MESSAGES: dict[str, type[Message]] = {
    message.TYPE: message
    for message in (
        Hello, Welcome, Overview, Register, Registered, Heartbeat, Alive, Attach, Attached, Status, Ack, Error,
    )
}  # fmt: skip


class Header(Struct, frozen=True, kw_only=True):
    """The second frame. `sent_us` is the sender's wall clock, to be shown and never trusted."""

    type: Annotated[str, Meta(max_length=32)]
    id: Count
    session: Annotated[str, Meta(max_length=64)] = ""
    sequence: Count = 0
    sent_us: Microseconds = 0
    reply_to: Count = 0


def line(text: str) -> str:
    """Make any text one that `Text` accepts: one line, at most `MAX_TEXT` characters, each of them encodable."""
    printable = text.encode("utf-8", "replace").decode()
    return " ".join("".join(c if c.isprintable() else " " for c in printable).split())[:MAX_TEXT]


def body_of(message: Message) -> dict[str, object]:
    """Turn a message into the map that is packed."""
    return msgspec.to_builtins(message)  # type: ignore[no-any-return]
