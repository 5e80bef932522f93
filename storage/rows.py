"""The rows that a reactor keeps: what the spool holds and the database stores.

Structs and not dataclasses because shipping makes them by the thousand (docs/benchmarks.md). They refer to nothing that
could refer back, so the garbage collector need not look at them.
"""

from typing import ClassVar

from msgspec import Struct


class Sample(Struct, frozen=True, array_like=True, gc=False):
    """A reading that is kept. `taken_ns` is monotonic of this boot; the spool adds spool, seq and the date."""

    TABLE: ClassVar[str] = "samples"
    reactor: str
    sensor: str
    quantity: str
    value: float | None
    unit: str
    quality: str
    taken_ns: int

    @property
    def series(self) -> str:
        """What `seq` counts."""
        return f"samples/{self.sensor}/{self.quantity}"


class Event(Struct, frozen=True, array_like=True, gc=False):
    """Something that happened: `kind` is started, attached, lost, fault, act, held, guard or migration."""

    TABLE: ClassVar[str] = "events"
    reactor: str
    source: str
    kind: str
    text: str
    taken_ns: int

    @property
    def series(self) -> str:
        """What `seq` counts."""
        return f"events/{self.source}/{self.kind}"


class SettingRow(Struct, frozen=True, array_like=True, gc=False):
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

    @property
    def series(self) -> str:
        """What `seq` counts."""
        return f"settings/{self.device}/{self.setting}/{self.state}"


Row = Sample | Event | SettingRow
