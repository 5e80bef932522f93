"""The rows that a reactor keeps: what the spool holds and the database stores."""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Sample:
    """A reading that is kept. `taken_ns` is monotonic of this boot; the spool adds spool, seq and the date."""

    TABLE: ClassVar[str] = "samples"
    reactor: str
    sensor: str
    quantity: str
    value: float | None
    unit: str
    quality: str
    taken_ns: int


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened: `kind` is started, attached, lost, fault, act, held or migration."""

    TABLE: ClassVar[str] = "events"
    reactor: str
    source: str
    kind: str
    text: str
    taken_ns: int


Row = Sample | Event
