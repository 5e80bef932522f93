"""The journal of acts: run at most once, written down before and after, dosing within limits.

It is one file a target, a JSON line an entry, synced at the beginning of an act and at its end. An act that
has a beginning and no end when the file is opened was cut off by a crash: it is `unknown`, and never run again.
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

import msgspec

from actors.config import DoseLimits
from actors.files import write_whole
from actors.ticker import SECOND
from hardware.acts import Value
from hardware.clock import Clock
from storage.spool_file import sync_directory

HOUR, DAY = 3600.0, 86_400.0
REMEMBERED = 2 * DAY  # how long an id is known; an act is valid for an hour at most
MOST_LINES = 20_000  # before what is older is forgotten

State = Literal["begun", "done", "failed", "refused", "expired", "unknown"]  # as `done` has it on the wire


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An act as the journal has it: the last entry of an id counts. `ml` is what it dosed, or at most may have."""

    act: str
    kind: str
    state: State
    boot: str
    at_ns: int
    wall_us: int | None = None
    ml: float = 0.0
    total: float = 0.0  # ml ever dosed, this act included
    text: str = ""
    result: dict[str, Value] = {}


class Dosed(msgspec.Struct, frozen=True):
    """Millilitres within the last hour, the last day, and ever."""

    hour: float
    day: float
    total: float


class Journal:
    """The acts of one target, of one thread. Methods that write raise OSError.

    `wall` gives the wall time in microseconds, or none while it is not known.
    """

    def __init__(
        self, path: Path, limits: DoseLimits, *, clock: Clock, boot: str, wall: Callable[[], int | None]
    ) -> None:
        self._path = path
        self._limits = limits
        self._clock = clock
        self._boot = boot
        self._wall = wall
        self._entries: dict[str, Entry] = {}
        self._total = 0.0
        self._lines = 0
        self._untidy = False  # the file may have a torn line, or does not say yet what is known

    def open(self) -> list[Entry]:
        """Read the file. Returns the acts that a crash cut off; they count as dosed whole. Raises OSError."""
        self._entries.clear()
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            content = b""
        whole = content.endswith(b"\n") or not content
        for line in content.splitlines():
            try:
                self._note(msgspec.json.decode(line, type=Entry))
            except (msgspec.MsgspecError, UnicodeDecodeError):  # torn by a power cut, before its act began
                whole = False
        cut = [
            msgspec.structs.replace(entry, state="unknown", text="cut off by a restart")
            for entry in self._entries.values()
            if entry.state == "begun"
        ]
        for entry in cut:
            self._note(entry)
        self._lines = len(content.splitlines())
        self._untidy = bool(cut) or not whole
        return cut

    def tidy(self) -> None:
        """Write down what `open` found out."""
        if self._untidy:
            self._write_all()

    def known(self, act: str) -> Entry | None:
        """Return what became of an act, if it was ever begun."""
        return self._entries.get(act)

    def begin(self, act: str, kind: str, ml: float = 0.0) -> None:
        """Write down that an act begins which doses at most `ml`. It must not begin if this raises."""
        total = self._total + ml
        self._append(
            Entry(
                act=act,
                kind=kind,
                state="begun",
                boot=self._boot,
                at_ns=self._clock.monotonic_ns(),
                wall_us=self._wall(),
                ml=ml,
                total=total,
            )
        )

    def end(self, act: str, state: State, text: str, result: Mapping[str, Value], ml: float) -> None:
        """Write down how an act that was begun ended, and the `ml` that it dosed. Known even if writing raises."""
        begun = self._entries[act]
        entry = msgspec.structs.replace(
            begun, state=state, text=text, result=dict(result), ml=ml, total=self._total - begun.ml + ml
        )
        self._note(entry)
        self._append(entry)

    def dosed(self) -> Dosed:
        """Sum up."""
        ages = [(self._age(entry), entry.ml) for entry in self._entries.values() if entry.ml]
        hour, day = (sum(ml for age, ml in ages if age < span) for span in (HOUR, DAY))
        return Dosed(hour, day, self._total)

    def against(self, ml: float) -> str | None:
        """Name the limit that a dose of `ml` would break now, with what is left of it."""
        limits, dosed = self._limits, self.dosed()
        if ml > limits.dose:
            return f"{ml:g} ml is more than the limit of {limits.dose:g} ml a dose"
        for span, most, so_far in (("hour", limits.hour, dosed.hour), ("day", limits.day, dosed.day)):
            if so_far + ml > most:
                left = max(0.0, most - so_far)
                return f"{ml:g} ml is more than the {left:g} ml left of {most:g} ml within any {span}"
        return None

    def _age(self, entry: Entry) -> float:
        """Seconds since an act began. Of another boot without known times: since this boot, for it was before."""
        now_ns, wall_us = self._clock.monotonic_ns(), self._wall()
        if entry.boot == self._boot:
            return (now_ns - entry.at_ns) / SECOND
        if entry.wall_us is None or wall_us is None:
            return now_ns / SECOND
        return (wall_us - entry.wall_us) / 1e6

    def _note(self, entry: Entry) -> None:
        self._entries.pop(entry.act, None)  # the newest stands last
        self._entries[entry.act] = entry
        self._total = entry.total

    def _append(self, entry: Entry) -> None:
        if self._untidy or self._lines >= MOST_LINES:
            self._write_all()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        new = not self._path.exists()
        self._untidy = True  # a full disk may take half of the line: nothing may be written behind that
        with self._path.open("ab") as file:
            file.write(msgspec.json.encode(entry) + b"\n")
            file.flush()
            os.fdatasync(file.fileno())
        if new:
            sync_directory(self._path)
        self._untidy = False
        self._note(entry)
        self._lines += 1

    def _write_all(self) -> None:
        """Forget what is old, and whatever else stands in the file."""
        last = next(reversed(self._entries), None)
        self._entries = {
            act: entry
            for act, entry in self._entries.items()
            if self._age(entry) < REMEMBERED or entry.state == "begun" or act == last
        }
        write_whole(self._path, b"".join(msgspec.json.encode(entry) + b"\n" for entry in self._entries.values()))
        self._lines = len(self._entries)
        self._untidy = False
