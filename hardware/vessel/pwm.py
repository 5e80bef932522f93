"""Linux's PWM in a folder of regular files with the kernel's names (Documentation/driver-api/pwm.rst, drivers/pwm).

The kernel refuses a write at once; here it has already happened, so that what would have been refused is put back a
moment later. What a channel shows is looked at whenever a file changes: writes that change nothing are not seen. A
channel that is disabled while it has a duty stays on, as with some chips (the kernel promises nothing): the worst case
for whoever switches it off. Wired channels are exported from the start, as a board's own udev rules do: of two programs
that write `export` at the same moment a regular file hears only one.
"""

import errno
import math
import os
import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from hardware.vessel.inotify import Watch
from hardware.vessel.journal import Journal
from hardware.vessel.outputs import PWM_CHANNELS, PinLevel

SETTLE = 0.05  # s: how long files may contradict each other, as they do while a client writes one after another
POLARITIES = ("normal", "inversed")
LONGEST_NUMBER = 18  # digits of nanoseconds
NAMES = ("enable", "duty_cycle", "period", "polarity")  # read in this order, against that in which clients write them
APPLIED = ("period", "duty_cycle", "polarity", "enable")


@dataclass(frozen=True, slots=True)
class _State:
    period: int = 0  # ns
    duty_cycle: int = 0
    enable: int = 0
    polarity: str = "normal"

    def text(self, name: str) -> str:
        return str(getattr(self, name))

    def changed(self, name: str, text: str) -> "_State | None":
        """Give the state after a write, none when the kernel refuses it (EINVAL)."""
        match name:
            case "polarity" if text in POLARITIES:
                after = replace(self, polarity=text)
            case "enable" if text in {"0", "1"}:
                after = replace(self, enable=int(text))
            case "period" if _is_number(text):
                after = replace(self, period=int(text))
            case "duty_cycle" if _is_number(text):
                after = replace(self, duty_cycle=int(text))
            case _:
                return None
        return after if after.period and after.duty_cycle <= after.period else None


class _Channel:
    """An exported channel."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = _State()
        self.high: float | None = None  # share of the time that its pin is high; none until it was enabled
        self.refuse_at = math.inf  # when files that contradict each other are put back

    def take(self, after: _State) -> None:
        """Go over to another state."""
        before, self.state = self.state, after
        if after.enable:
            active = after.duty_cycle / after.period
        elif before.enable:
            active = float(before.duty_cycle > 0)
        else:
            return
        self.high = 1.0 - active if after.polarity == "inversed" else active


class PwmChip:
    """One chip's folder. `changed` hears the share of the time that a pin is high once its channel was enabled."""

    def __init__(self, folder: Path, wired: Iterable[int], journal: Journal, changed: PinLevel) -> None:
        self._folder = folder
        self._journal = journal
        self._changed = changed
        self._watch = Watch()
        self._channels: dict[int, _Channel] = {}
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for name, text in (("npwm", f"{PWM_CHANNELS}\n"), ("export", ""), ("unexport", "")):
            (folder / name).write_text(text)
        self._watch.add(folder)
        for channel in wired:
            self._export(channel)

    def fileno(self) -> int:
        """Give what becomes readable when a client wrote something."""
        return self._watch.fileno()

    def due(self) -> float:
        """When `look` has something to do by itself."""
        return min((channel.refuse_at for channel in self._channels.values()), default=math.inf)

    def look(self, now: float, settle: float) -> None:
        """See what clients wrote; contradictions may last `settle` s of the vessel's time."""
        self._watch.drain()
        self._obey("unexport")
        self._obey("export")
        for number, channel in self._channels.items():
            self._compare(number, channel, now, settle)

    def close(self) -> None:
        """Remove the folder: the chip is gone."""
        self._watch.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _obey(self, name: str) -> None:
        """Carry out what stands in `export` or `unexport`, and empty it."""
        path = self._folder / name
        text = _read(path)
        if not text:
            return
        os.truncate(path, 0)
        channel = int(text) if _is_number(text) else -1
        error = self._error(name, channel)
        self._journal.write(self._folder.name, f"{name} {text}", error=error)
        if error:
            return
        if name == "export":
            self._export(channel)
        else:
            shutil.rmtree(self._channels.pop(channel).folder, ignore_errors=True)

    def _error(self, name: str, channel: int) -> int:
        if channel not in range(PWM_CHANNELS):
            return errno.EINVAL if channel < 0 else errno.ENODEV
        if name == "export" and channel in self._channels:
            return errno.EBUSY
        return errno.ENODEV if name == "unexport" and channel not in self._channels else 0

    def _export(self, number: int) -> None:
        """Make a channel's files; they appear all at once."""
        channel = _Channel(self._folder / f"pwm{number}")
        fresh = self._folder / f".pwm{number}"
        fresh.mkdir()
        for name in NAMES:
            (fresh / name).write_text(channel.state.text(name) + "\n")
        self._watch.add(fresh)
        fresh.rename(channel.folder)
        self._channels[number] = channel

    def _compare(self, number: int, channel: _Channel, now: float, settle: float) -> None:
        """Take over what its files say, one by one in whatever order the kernel allows."""
        texts = {name: text for name in NAMES if (text := _read(channel.folder / name))}
        different = {name: texts[name] for name in APPLIED if texts.get(name, "") not in {"", channel.state.text(name)}}
        before = channel.high
        while name := self._apply_one(channel, different):
            del different[name]
        if channel.high is not None and channel.high != before:
            self._changed(number, channel.high)
        if not different:
            channel.refuse_at = math.inf
        elif now < channel.refuse_at:
            channel.refuse_at = min(channel.refuse_at, now + settle)
        else:
            channel.refuse_at = math.inf
            self._refuse(channel, different)

    def _apply_one(self, channel: _Channel, different: Mapping[str, str]) -> str | None:
        """Take over one file that the kernel allows now, give its name."""
        for name, text in different.items():
            after = channel.state.changed(name, text)
            if after is not None:
                self._journal.write(channel.folder.name, f"{name} {text}")
                channel.take(after)
                return name
        return None

    def _refuse(self, channel: _Channel, different: Mapping[str, str]) -> None:
        """Put back what the kernel would not have taken; renamed into place, so that nobody reads half of it."""
        for name, text in different.items():
            self._journal.write(channel.folder.name, f"{name} {text}", error=errno.EINVAL)
            fresh = self._folder / f".{name}"
            fresh.write_text(channel.state.text(name) + "\n")
            fresh.rename(channel.folder / name)


def _is_number(text: str) -> bool:
    return text.isdecimal() and len(text) <= LONGEST_NUMBER


def _read(path: Path) -> str:
    """Read a file that a client may be writing; nothing when it is empty or away."""
    with suppress(OSError, UnicodeDecodeError):
        return path.read_text(encoding="ascii").strip()
    return ""
