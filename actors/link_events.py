"""What happens to a reactor's link, and what it does: the words between `link_core` and the shell around it."""

from dataclasses import dataclass

from transport.messages import Act, Change, Database, Header, Message


@dataclass(frozen=True, slots=True)
class Tick:
    """The alarm rang, or was late."""


@dataclass(frozen=True, slots=True)
class Up:
    """The connection is encrypted and usable."""

    connection: int


@dataclass(frozen=True, slots=True)
class Down:
    """The connection failed or broke."""

    connection: int
    reason: str


@dataclass(frozen=True, slots=True)
class Heard:
    """A message came."""

    connection: int
    header: Header
    body: Message


@dataclass(frozen=True, slots=True)
class Say:
    """One of ours wants to tell the manager something, in answer to one of its messages; lost when not attached."""

    message: Message
    reply_to: int


@dataclass(frozen=True, slots=True)
class Rewired:
    """What is wired is no longer what the manager was told."""


@dataclass(frozen=True, slots=True)
class Fresh:
    """There are new readings."""


Event = Tick | Up | Down | Heard | Say | Rewired | Fresh


# Actions


@dataclass(frozen=True, slots=True)
class Open:
    """Connect, and number the connection so."""

    connection: int
    endpoint: str
    key: str


@dataclass(frozen=True, slots=True)
class Close:
    """Close the connection."""

    connection: int


@dataclass(frozen=True, slots=True)
class SendHello:
    """Send this; the software's name is the shell's to fill in."""

    connection: int
    epoch: int
    lost: str


@dataclass(frozen=True, slots=True)
class SendAttach:
    """Send what is wired, with this epoch."""

    connection: int
    epoch: int


@dataclass(frozen=True, slots=True)
class SendStatus:
    """Send how things are, with this session and sequence in the header."""

    connection: int
    session: str
    sequence: int


@dataclass(frozen=True, slots=True)
class SendAnswer:
    """Send this, with this session and sequence in the header."""

    connection: int
    session: str
    sequence: int
    message: Message
    reply_to: int


@dataclass(frozen=True, slots=True)
class Ask:
    """The manager wants a target to follow a document, or to do something; the answer names its message."""

    body: Change | Act
    reply_to: int


@dataclass(frozen=True, slots=True)
class Remember:
    """Keep the highest epoch, so that a restarted process knows it."""

    epoch: int


@dataclass(frozen=True, slots=True)
class LogTo:
    """This is the database now."""

    database: Database


@dataclass(frozen=True, slots=True)
class ServerTime:
    """The server's wall clock at a moment between two of ours: when it was asked, and when the answer was here."""

    asked_ns: int
    at_ns: int
    time_us: int


@dataclass(frozen=True, slots=True)
class Note:
    """Something for the events: kind is `attached` or `lost`."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Refused:
    """A server will not have us, and it takes people to change that; none: it does."""

    why: str | None


Action = (
    Open
    | Close
    | SendHello
    | SendAttach
    | SendStatus
    | SendAnswer
    | Ask
    | Remember
    | LogTo
    | ServerTime
    | Note
    | Refused
)


@dataclass(frozen=True, slots=True)
class Server:
    """Somebody to connect to: name for people, endpoint, public key."""

    name: str
    endpoint: str
    key: str
