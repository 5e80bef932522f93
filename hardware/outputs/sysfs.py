"""Linux's own PWM through /sys/class/pwm (kernel, Documentation/driver-api/pwm.rst): times in nanoseconds as text.

The kernel refuses (EINVAL) a duty longer than the period, and anything else while the period is 0. Of a channel that is
disabled it promises nothing, some keep the level that they have: off is first no duty, then disabled.
"""

import os
from pathlib import Path
from typing import Final

from hardware.buses.address import PwmAddress, parse_pwm
from hardware.driver import Wiring
from hardware.errors import BadAnswer, BusError
from hardware.outputs.output import Level, Output
from hardware.safe import FileWrite, SafeWrite

_SECOND: Final = 10**9  # ns
_EXPORT_TIME: Final = 1.0  # s until udev has let us in
_EXPORT_PAUSE: Final = 0.02  # s between looks
_SOME_PERIOD: Final = 10**6  # ns; until somebody asks for another
_NORMAL, _INVERSED = "normal", "inversed"


class SysfsPwm(Output):
    """One channel of a PWM chip's folder. `active_low`: the hardware inverts its pulses."""

    address: PwmAddress

    def __init__(self, driver: str, wiring: Wiring, *, active_low: bool) -> None:
        self.address = parse_pwm(driver, wiring.address)
        self._clock = wiring.clock
        self._chip = Path(self.address.path)
        self._channel = self._chip / f"pwm{self.address.channel}"
        self._polarity = _INVERSED if active_low else _NORMAL

    def find(self) -> None:
        """See that the chip is there."""
        if not (self._chip / "export").exists():
            raise BusError(f"{self.address}: there is no PWM chip")

    def open(self) -> None:
        """Export the channel if nobody has; one that runs goes on, unless its polarity is wrong."""
        self.find()
        if not self._channel.exists():
            _write(self._chip / "export", str(self.address.channel))
            self._wait()
        if self._is_turned():
            self._turn_round()

    def write(self, level: Level | None) -> None:
        """Write what differs. While the frequency changes there are no pulses, rather than wrong ones."""
        if self._is_turned():  # somebody exported it anew
            self._turn_round()
        period = self._number("period")
        if level is None:
            self._switch_off(period)
            return
        wanted, active = _times(level)
        if wanted != period:
            if period:
                _write(self._channel / "duty_cycle", "0")
            _write(self._channel / "period", str(wanted))
        _write(self._channel / "duty_cycle", str(active))
        if not self._number("enable"):
            _write(self._channel / "enable", "1")

    def read(self) -> Level | None:
        """Ask what the channel does."""
        if not self._number("enable"):
            return None
        period = self._number("period")
        if not period:
            raise BadAnswer(f"{self.address} is enabled with a period of 0")
        duty = 100.0 * self._number("duty_cycle") / period
        return Level(100.0 - duty if self._is_turned() else duty, _SECOND / period)

    def safe_writes(self, level: Level | None) -> tuple[SafeWrite, ...]:
        """Write the same files; of a channel that was never used the kernel refuses the first, and nothing is lost."""
        if level is None:
            return self._file("duty_cycle", 0), self._file("enable", 0)
        period, active = _times(level)
        names = (("duty_cycle", 0), ("period", period), ("duty_cycle", active), ("enable", 1))
        return tuple(self._file(name, value) for name, value in names)

    def _turn_round(self) -> None:
        """Change the polarity, which takes a channel that has a period and is disabled."""
        if not self._number("period"):
            _write(self._channel / "period", str(_SOME_PERIOD))
        self._switch_off(self._number("period"))
        _write(self._channel / "polarity", self._polarity)

    def _switch_off(self, period: int) -> None:
        if period:  # without, it has never run
            _write(self._channel / "duty_cycle", "0")
            _write(self._channel / "enable", "0")

    def _is_turned(self) -> bool:
        """Whether its polarity is not ours (any more)."""
        return _read(self._channel / "polarity") != self._polarity

    def _file(self, name: str, value: int) -> FileWrite:
        return FileWrite(str(self._channel / name), str(value))

    def _number(self, name: str) -> int:
        text = _read(self._channel / name)
        if not text.isdecimal():
            raise BadAnswer(f"{self.address}: {name} is {text[:20]!r}, not a number")
        return int(text)

    def _wait(self) -> None:
        """Wait until the channel's files are there and may be written."""
        deadline = self._clock.monotonic_ns() + int(_EXPORT_TIME * _SECOND)
        while not all(os.access(self._channel / name, os.W_OK) for name in ("period", "duty_cycle", "enable")):
            if self._clock.monotonic_ns() >= deadline:
                raise BusError(f"{self.address} was exported, but {self._channel} cannot be written")
            self._clock.sleep(_EXPORT_PAUSE)


def _times(level: Level) -> tuple[int, int]:
    """Period and active time in nanoseconds."""
    period = round(_SECOND / level.frequency)
    return period, round(period * level.duty / 100)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError as error:
        raise BusError(f"{path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise BadAnswer(f"{path}: not ASCII") from error


def _write(path: Path, text: str) -> None:
    try:
        _put(path, text)
    except OSError as error:
        raise BusError(f"{path}: cannot write {text}: {error.strerror or error}") from error


def _put(path: Path, text: str) -> None:
    """Write an existing file in one go, as the kernel wants it."""
    descriptor = os.open(path, os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC)
    try:
        os.write(descriptor, text.encode("ascii"))
    finally:
        os.close(descriptor)
