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


@dataclass(frozen=True, slots=True)
class SettingRow:
    """A setting that was applied or rejected (`state`). `number` is its value as a number: 0 or 1 of a switch.

    `value` is the same as text; of a text or a choice there is no number.
    """

    TABLE: ClassVar[str] = "settings"
    reactor: str
    device: str
    setting: str
    value: str
    number: float | None
    revision: int
    state: str
    author: str
    taken_ns: int


Row = Sample | Event | SettingRow
