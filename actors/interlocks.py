"""Interlocks: what the reactor's file forbids, whoever asks for it. `Rules` is pure, `Claims` is shared by devices."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from actors.config import Above, Apart, Interlock, MaxOn, MinOff, Needs
from hardware.values import Quality, Reading

Changed = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Rules:
    """The interlocks of one device; of limits of one kind the strictest."""

    max_on: MaxOn | None = None
    min_off: MinOff | None = None
    apart: tuple[Apart, ...] = ()
    watching: tuple[Needs | Above, ...] = ()  # what a sensor reads

    def texts(self) -> list[str]:
        """Say each in a line for people."""
        own = (self.max_on, self.min_off, *self.apart, *self.watching)
        return [describe(rule) for rule in own if rule is not None]

    def against_cycle(self, on_time: float, off_time: float) -> str | None:
        """Name what forbids a cycle of these times in seconds, if something does."""
        if self.max_on is not None and on_time > self.max_on.seconds:
            return f"{describe(self.max_on)}, and not for {on_time:g} s"
        if self.min_off is not None and off_time < self.min_off.seconds:
            return f"{describe(self.min_off)}, and not for {off_time:g} s"
        return None

    def against_run(self, seconds: float) -> str | None:
        """Name what forbids to be on for so long at a time, if something does."""
        if self.max_on is not None and seconds > self.max_on.seconds:
            return f"{describe(self.max_on)}, and not for {seconds:g} s"
        return None


def rules_of(device: str, interlocks: Sequence[Interlock]) -> Rules:
    """Pick the rules of one device."""
    longest = [rule for rule in interlocks if isinstance(rule, MaxOn) and rule.device == device]
    shortest = [rule for rule in interlocks if isinstance(rule, MinOff) and rule.device == device]
    return Rules(
        max_on=min(longest, key=lambda rule: rule.seconds, default=None),
        min_off=max(shortest, key=lambda rule: rule.seconds, default=None),
        apart=tuple(rule for rule in interlocks if isinstance(rule, Apart) and device in rule.devices),
        watching=tuple(rule for rule in interlocks if isinstance(rule, Needs | Above) and rule.device == device),
    )


def describe(rule: Interlock) -> str:
    """Say a rule in a line: its name, and what it wants."""
    match rule:
        case MaxOn(name, _, seconds):
            return f"interlock {name}: on for at most {seconds:g} s at a time"
        case MinOff(name, _, seconds):
            return f"interlock {name}: off for at least {seconds:g} s"
        case Apart(name, devices):
            return f"interlock {name}: {' and '.join(devices)} are never on together"
        case Needs(name, _, sensor, quantity):
            return f"interlock {name}: off while {sensor}.{quantity} is not ok"
        case Above(name, _, sensor, quantity, limit):
            return f"interlock {name}: off while {sensor}.{quantity} is above {limit:g} or not ok"


def allows(rule: Needs | Above, reading: Reading | None) -> bool:
    """Whether a reading lets the device be on; none, or one that is not good, never does."""
    if reading is None or reading.quality is not Quality.OK or reading.value is None:
        return False
    return not isinstance(rule, Above) or reading.value <= rule.limit


class Claims:
    """Keeps devices apart that may never be on together. Thread safe; no call blocks.

    A device says what its settings want (`want`), takes its place before it is switched on and gives it back after it
    was switched off. Whoever is kept waiting is told when a place was given back.
    """

    def __init__(self, interlocks: Sequence[Interlock]) -> None:
        self._rules = [rule for rule in interlocks if isinstance(rule, Apart)]
        self._lock = threading.Lock()
        self._wanting: set[str] = set()
        self._on: set[str] = set()
        self._changed: dict[str, Changed] = {}

    def join(self, device: str, changed: Changed) -> None:
        """Hear of places given back, on the thread that gives."""
        with self._lock:
            self._changed[device] = changed

    def want(self, device: str, *, on: bool) -> str | None:
        """Say whether a device's settings want it on. Names the rule that forbids it, and then nothing changed."""
        with self._lock:
            if on and (rule := self._against(device, self._wanting)) is not None:
                return rule
            (self._wanting.add if on else self._wanting.discard)(device)
        return None

    def take(self, device: str) -> str | None:
        """Take a place before switching on; names the rule that forbids it now."""
        with self._lock:
            if (rule := self._against(device, self._on)) is not None:
                return rule
            self._on.add(device)
        return None

    def give(self, device: str) -> None:
        """Give it back after switching off."""
        with self._lock:
            if device not in self._on:
                return
            self._on.discard(device)
            tell = [self._changed[other] for other in self._others(device) if other in self._changed]
        for changed in tell:
            changed()

    def _against(self, device: str, among: set[str]) -> str | None:
        for rule in self._rules:
            if device in rule.devices and any(other in among for other in rule.devices if other != device):
                return describe(rule)
        return None

    def _others(self, device: str) -> set[str]:
        return {other for rule in self._rules if device in rule.devices for other in rule.devices} - {device}
