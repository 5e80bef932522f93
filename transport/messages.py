"""Every message that crosses a process boundary, as a typed struct. `docs/protocol.md` is the normative text.

A body is a msgpack map of these fields by name. Unknown keys are ignored, so a field may be added with a default in a
minor version; in `hello` and `error` no field ever changes its meaning. Small records that come in numbers
(`Reading`, `SettingInfo`, `Placed`) are arrays, to which elements may be appended.
"""

import sys
from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import Meta, Struct

MAX_TEXT = 200
MAX_COUNT = 2**53  # what every language's numbers hold
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
Count = Annotated[int, Meta(ge=0, le=MAX_COUNT)]
Microseconds = Annotated[int, Meta(ge=0, le=2**62, extra={"unit": "µs"})]
Seconds = Annotated[float, Meta(ge=0, le=86_400 * 366, extra={"unit": "s"})]
Number = Annotated[float, Meta(ge=-sys.float_info.max, le=sys.float_info.max)]  # neither infinite nor NaN
Offset = Annotated[Number, Meta(extra={"unit": "s"})]
# A setting's value: of kind number, of kind switch, of kinds choice and text.
Value = Number | bool | Text
Values = Annotated[dict[KnownName, Value], Meta(max_length=64)]
Role = Literal["coordinator", "manager", "reactor", "operator"]
Grade = Literal["ok", "stale", "fault", "out_of_range", "calibrating"]
Kind = Literal["number", "switch", "choice", "text"]
Life = Literal["ok", "stale", "lost"]
Outcome = Literal["begun", "done", "failed", "refused", "expired", "unknown"]
ErrorCode = Literal[
    "malformed", "version", "type", "role", "name", "session", "epoch", "full", "later", "too_large", "internal"
]


class Record(Struct, frozen=True, gc=False):
    """What messages are made of. Never part of a cycle: the garbage collector need not go through a fleet's."""


class Message(Record, frozen=True, kw_only=True):
    """A body. `TYPE` is its name in the header; a `LONG` or `WIDE` one may be larger, see `transport.envelope`."""

    TYPE: ClassVar[str]
    LONG: ClassVar[bool] = False
    WIDE: ClassVar[bool] = False


class Database(Record, frozen=True, kw_only=True):
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


class QuantityInfo(Record, frozen=True, kw_only=True):
    """A quantity as its driver declares it."""

    name: Name
    unit: Annotated[Line, Meta(max_length=32)]
    low: Number
    high: Number
    decimals: Annotated[int, Meta(ge=0, le=9)]


class SettingInfo(Record, frozen=True, array_like=True):
    """A setting as its driver declares it, see `hardware.device.Setting`."""

    name: Name
    unit: Annotated[Line, Meta(max_length=32)]
    kind: Kind
    low: Number
    high: Number
    step: Number
    default: Value
    safe: Value
    survives: bool
    choices: Annotated[list[Text], Meta(max_length=64)] = []


class ArgumentInfo(Record, frozen=True, array_like=True):
    """A number that an act needs."""

    name: Name
    unit: Annotated[Line, Meta(max_length=32)]
    low: Number
    high: Number
    decimals: Annotated[int, Meta(ge=0, le=9)]


class ActInfo(Record, frozen=True, kw_only=True):
    """Something that a device or sensor does once; `volume` names the arguments whose product is ml."""

    name: Name
    title: Text
    arguments: Annotated[list[ArgumentInfo], Meta(max_length=16)] = []
    volume: Annotated[list[KnownName], Meta(max_length=16)] = []
    timed: bool = False


class LimitsInfo(Record, frozen=True, kw_only=True):
    """The most that a device doses, in ml: at once, within any hour, within any day; none where there is no limit."""

    dose: Number | None = None
    hour: Number | None = None
    day: Number | None = None


class DeviceInfo(Record, frozen=True, kw_only=True):
    """A device as it is wired: what it can be told (ramp and cycle included), what it reports, its interlocks.

    `limits` are of one that doses; what it dosed within the last hour and day it reports as `dosed_hour`, `dosed_day`.
    """

    name: Name
    label: Text
    looks: KnownName
    driver: Text
    address: Text
    settings: Annotated[list[SettingInfo], Meta(max_length=64)]
    acts: Annotated[list[ActInfo], Meta(max_length=32)] = []
    reported: Annotated[list[QuantityInfo], Meta(max_length=32)] = []
    rules: Annotated[list[Text], Meta(max_length=32)] = []
    ramped: KnownName = ""
    cycled: KnownName = ""
    limits: LimitsInfo | None = None


class SensorInfo(Record, frozen=True, kw_only=True):
    """A sensor as it is wired; intervals in seconds. `settings` is what of it may be changed from outside."""

    name: Name
    label: Text
    driver: Text
    address: Text
    quantities: Annotated[list[QuantityInfo], Meta(max_length=32)]
    live_interval: Seconds
    sample_interval: Seconds
    settings: Annotated[list[SettingInfo], Meta(max_length=64)] = []
    acts: Annotated[list[ActInfo], Meta(max_length=32)] = []


class Document(Record, frozen=True, kw_only=True):
    """Everything that somebody wants of a target, a device or a sensor; what it leaves out has its default.

    A later document has a higher revision, whoever numbered it.
    """

    target: Name
    revision: Count
    author: Text
    values: Values


class AppliedState(Record, frozen=True, array_like=True):
    """What a target does: the document that it follows (revision 0: none yet), and what the hardware says."""

    target: KnownName
    revision: Count
    author: Text
    values: Values
    read_back: Values
    held_by: Text = ""
    fault: Text = ""
    doing: Text = ""


class Mistake(Record, frozen=True, array_like=True):
    """What is wrong with one value from outside."""

    name: Text
    value: Text
    unit: Text
    limit: Text


class Reading(Record, frozen=True, array_like=True):
    """The newest reading of a quantity that `Attach` declared; `taken_us` on the same clock as `Status.now_us`."""

    sensor: KnownName
    quantity: KnownName
    value: Number | None
    quality: Grade
    taken_us: Microseconds


class Watching(Record, frozen=True, array_like=True):
    """A reactor that an operator watches, and the number of what it heard of it last; 0 for nothing.

    `closely` asks for each reading when it is there, not with the next status.
    """

    reactor: Name
    number: Count
    closely: bool = False


class Placed(Record, frozen=True, array_like=True):
    """A reactor that is attached to a manager, and the epoch of its placement."""

    reactor: Name
    epoch: Count


class Allowed(Record, frozen=True, array_like=True):
    """One line of the allow-list."""

    key: PublicKey
    name: Name
    role: Role


class AllowList(Record, frozen=True, kw_only=True):
    """Every key that may speak. `version` is a digest of its content."""

    version: Annotated[str, Meta(max_length=64)]
    peers: Annotated[list[Allowed], Meta(max_length=20_000)]


class ManagerInfo(Record, frozen=True, kw_only=True):
    """A manager as an operator sees it."""

    name: Name
    endpoint: Endpoint
    key: PublicKey
    capacity: Count
    reactors: Annotated[list[Placed], Meta(max_length=20_000)]


class Hello(Message, frozen=True, kw_only=True):
    """reactor, operator -> coordinator: what I run, the highest epoch I have seen, the manager that I lost."""

    TYPE = "hello"
    software: Text
    epoch: Count = 0
    lost: Text = ""
    instance: Annotated[str, Meta(max_length=64)] = ""


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
    absent: KnownName = ""


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
    LONG = True
    epoch: Count
    label: Text
    software: Text
    sensors: Annotated[list[SensorInfo], Meta(max_length=256)]
    devices: Annotated[list[DeviceInfo], Meta(max_length=128)] = []
    applied: Annotated[list[AppliedState], Meta(max_length=384)] = []


class Attached(Message, frozen=True, kw_only=True):
    """manager -> reactor: your session; everything that is desired of you, none while the database does not answer."""

    TYPE = "attached"
    WIDE = True
    session: Annotated[str, Meta(min_length=16, max_length=64)]
    status_interval: Seconds
    desired: Annotated[list[Document], Meta(max_length=384)] | None = None


class Backlog(Record, frozen=True, kw_only=True):
    """The spool: rows that wait, age of the oldest in seconds, rows refused by the database, rows dropped."""

    waiting: Count
    oldest: Seconds
    refused: Count
    dropped: Count


class Status(Message, frozen=True, kw_only=True):
    """reactor -> manager, every 5 s: newest readings, the spool, the clock, what is wrong, what the devices do."""

    TYPE = "status"
    LONG = True
    now_us: Microseconds
    readings: Annotated[list[Reading], Meta(max_length=512)]
    backlog: Backlog
    clock_known: bool
    clock_offset: Offset | None
    database: Annotated[str, Meta(max_length=400)]
    faults: Annotated[list[Text], Meta(max_length=64)] = []
    devices: Annotated[list[AppliedState], Meta(max_length=384)] = []


class Ack(Message, frozen=True, kw_only=True):
    """manager -> reactor: I have it, report again in so many seconds; my time; the database when yours is another.

    `closely` tells that somebody looks: report whenever there is a new reading, too.
    """

    TYPE = "ack"
    next_interval: Seconds
    database: Database | None = None
    time_us: Microseconds = 0
    closely: bool = False


class Change(Message, frozen=True, kw_only=True):
    """manager -> reactor: what is desired of a target now. Sent again until the reactor shows its revision."""

    TYPE = "change"
    document: Document


class Applied(Message, frozen=True, kw_only=True):
    """reactor -> manager: the document that the target follows, this one or a newer; it is kept, and on the hardware.

    `held_by` names what keeps the output from it.
    """

    TYPE = "applied"
    target: Name
    revision: Count
    read_back: Values
    held_by: Text = ""


class Rejected(Message, frozen=True, kw_only=True):
    """reactor -> manager -> operator, or the manager's own: nothing was changed, and why. Answers a change or a set."""

    TYPE = "rejected"
    reactor: KnownName = ""
    target: KnownName
    revision: Count
    reason: Text
    mistakes: Annotated[list[Mistake], Meta(max_length=64)] = []


class Act(Message, frozen=True, kw_only=True):
    """operator -> manager -> reactor: do it once, if it can begin within so many seconds. `act` is a random id."""

    TYPE = "act"
    reactor: Name
    act: Annotated[str, Meta(pattern=r"^[0-9a-zA-Z_-]{8,64}\Z")]
    target: Name
    kind: Name
    arguments: Annotated[dict[KnownName, Number], Meta(max_length=16)] = {}
    valid_for: Annotated[float, Meta(ge=0, le=3600, extra={"unit": "s"})]
    author: Text


class Done(Message, frozen=True, kw_only=True):
    """reactor -> manager -> operator, or the manager's own: what became of an act; `begun` when it takes a while.

    `unknown` when nobody can tell how far it went.
    """

    TYPE = "done"
    act: Annotated[str, Meta(max_length=64)]
    state: Outcome
    target: KnownName = ""
    kind: KnownName = ""
    text: Text = ""
    result: Values = {}


class Set(Message, frozen=True, kw_only=True):
    """operator -> manager: all settings of a target, made from the document with the revision `base`."""

    TYPE = "set"
    reactor: Name
    target: Name
    base: Count
    author: Text
    values: Values


class Accepted(Message, frozen=True, kw_only=True):
    """manager -> operator: it has a revision, and the reactor has it (`delivered`) or the database keeps it."""

    TYPE = "accepted"
    reactor: Name
    target: Name
    revision: Count
    delivered: bool
    held_by: Text = ""


class Conflict(Message, frozen=True, kw_only=True):
    """manager -> operator: nothing was changed: somebody else was faster, with this document."""

    TYPE = "conflict"
    reactor: Name
    document: Document


class Watch(Message, frozen=True, kw_only=True):
    """operator -> manager: tell me of these reactors and no others; said again at every status interval."""

    TYPE = "watch"
    reactors: Annotated[list[Watching], Meta(max_length=50)]


class Snapshot(Message, frozen=True, kw_only=True):
    """manager -> operator: all that I know of a reactor; without `attach` it is not attached to me."""

    TYPE = "snapshot"
    WIDE = True
    reactor: Name
    number: Count
    life: Life
    attach: Attach | None
    status: Status | None
    desired: Annotated[list[Document], Meta(max_length=384)] | None
    applied: Annotated[list[Applied], Meta(max_length=384)] = []
    rejected: Annotated[list[Rejected], Meta(max_length=384)] = []


class Update(Message, frozen=True, kw_only=True):
    """manager -> operator: what is new of a reactor since the number before."""

    TYPE = "update"
    WIDE = True
    reactor: Name
    number: Count
    life: Life
    status: Status | None = None
    desired: Annotated[list[Document], Meta(max_length=384)] = []
    applied: Annotated[list[Applied], Meta(max_length=384)] = []
    rejected: Annotated[list[Rejected], Meta(max_length=384)] = []
    done: Annotated[list[Done], Meta(max_length=64)] = []


class Error(Message, frozen=True, kw_only=True):
    """any -> any: what was wrong with the message that the header replies to; `retry` in seconds, 0 for never."""

    TYPE = "error"
    code: ErrorCode
    text: Text
    retry: Seconds = 0.0


MESSAGES: dict[str, type[Message]] = {
    message.TYPE: message
    for message in (
        Hello, Welcome, Overview, Register, Registered, Heartbeat, Alive, Attach, Attached, Status, Ack, Change,
        Applied, Rejected, Act, Done, Set, Accepted, Conflict, Watch, Snapshot, Update, Error,
    )
}  # fmt: skip


class Header(Record, frozen=True, kw_only=True):
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
