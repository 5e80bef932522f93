"""EZO-PMP."""

import math
from dataclasses import dataclass

from hardware.vessel.circuits.base import Circuit
from hardware.vessel.circuits.parts import Data, Handler, Refusal, Reply, Request, exactly, parse
from hardware.vessel.faults import Fault
from hardware.vessel.tank import Surroundings

FASTEST = 105.0  # ml/min without calibration, when only a volume is asked for
FASTEST_METERED = 58.5  # ml/min without calibration, when a rate or a time is
LEAST_VOLUME = 0.5  # ml
MOST = 1e6  # ml or min
MINUTE = 60.0  # s
MILLILITRE = 1e-6  # m³
MOTOR_VOLTS = 13.86
VOLUME, TIME = "VOLUME", "TIME"  # what a calibration was made with

TOO_FAST = Reply("*TOOFAST", refused=True)
TOO_LITTLE = Reply("*MINVOL", refused=True)
NO_POWER = Reply("*UV,PUMPPWR,0.00", refused=True)


@dataclass(frozen=True, slots=True)
class _Dose:
    """What was asked for: `rate` in ml/s with its sign, `volume` in ml, infinite when it is to run until X."""

    mode: str
    rate: float
    volume: float

    def said(self) -> str:
        """Spell the volume as `D,?` does."""
        sign = "-" if self.rate < 0.0 else ""
        return f"{sign}{self.volume:.2f}" if math.isfinite(self.volume) else f"{sign}*"


class PMP(Circuit):
    """A peristaltic pump that counts what it moves; `gain` is the ml that really flow for an uncalibrated ml.

    Where no source says: a dose replaces the one before it, pausing needs a dose, a paused dose counts as running, `X`
    on a pump that stands repeats the last volume, `Dstart` takes a volume or `off`, `Cal` needs a finished dose, and a
    motor without supply (the fault `disconnected`) is noticed only when a dose begins.
    """

    data = Data(
        device="PMP",
        address=103,
        firmware="1.06",
        outputs=("V", "TV", "ATV"),
        outputs_on=("V",),
        numbers={"INVERT": 0.0, "DSTART": 0.0, "C RUNNING": 0.0},
    )

    def commands(self) -> dict[str, Handler]:
        """Add the doses, pause, stop, totals, direction, supply."""
        return super().commands() | {
            "D": self._dispense,
            "DC": self._dispense_at_rate,
            "DSTART": self._at_start,
            "P": self._pause,
            "X": self._stop,
            "TV": lambda request: self._total(request, "TV"),
            "ATV": lambda request: self._total(request, "ATV"),
            "CLEAR": self._clear,
            "INVERT": self._invert,
            "PV": self._supply,
            "C": self._stream,
        }

    def sense(self, world: Surroundings) -> float:  # noqa: ARG002 - it measures nothing
        """Give the ml of this or the last dose."""
        return self._done

    def show(self, main: float, world: Surroundings) -> str:  # noqa: ARG002
        """Spell volumes with two decimals."""
        values = {"V": main, "TV": self._net, "ATV": self._absolute}
        return self.chosen({name: f"{value:.2f}" for name, value in values.items()})

    def take_reading(self, now: float) -> str:
        """Count up to now."""
        self._count(now)
        return self.show(self._done, self.surroundings())

    def forget(self) -> None:
        """Stand still, totals at 0."""
        super().forget()
        self._dose: _Dose | None = None
        self._running = self._moving = False
        self._left = 0.0  # ml
        self._done = self._net = self._absolute = 0.0  # ml, as the pump sees it
        self._since = 0.0
        self._ends = math.inf
        self.drive(0.0)

    def restart(self, now: float, reason: str) -> None:
        """Stop; with power comes the dose of `Dstart`."""
        super().restart(now, reason)
        volume = self.kept.numbers["DSTART"]
        if volume and reason == "P":
            self._begin(VOLUME, math.copysign(self._fastest(VOLUME), volume), abs(volume), now)

    def due(self) -> float:
        """When the dose ends."""
        return self._ends

    def tick(self, now: float) -> None:
        """End a dose; on a serial line it says so unasked."""
        if now >= self._ends:
            self._finish(self._ends)
            if self.config.wire == "uart":
                self.unasked.append((now, self._said_done()))

    def streams(self) -> bool:
        """Whether readings come by themselves: with `C,*` only while it runs."""
        return super().streams() and (self._running or not self.kept.numbers["C RUNNING"])

    def points_counted(self) -> int:
        """Count 1 for volume, 2 for time, 3 for both."""
        return (VOLUME in self.kept.points) + 2 * (TIME in self.kept.points)

    def calibrate(self, request: Request) -> Reply:
        """Take what the last dose really was."""
        (word,) = exactly(request.words, 1)
        really = parse(word, 0.01, MOST)
        if self._dose is None or self._running or not self._done:
            raise Refusal
        raw = abs(self._done) / self._factor(self._dose.mode)
        return self.set_point(self._dose.mode, raw, really)

    # How it moves

    def _begin(self, mode: str, rate: float, volume: float, now: float) -> Reply:
        """Begin a dose at `rate` ml/min."""
        if Fault.DISCONNECTED in self.faults:
            return NO_POWER
        self._count(now)
        self._dose = _Dose(mode, rate / MINUTE, volume)
        self._running = True
        self._left = volume
        self._done = 0.0
        self._move(now)
        return Reply()

    def _move(self, now: float) -> None:
        assert self._dose is not None
        self._moving = True
        self._since = now
        self._ends = now + self._left / abs(self._dose.rate)
        self._flow()

    def _flow(self) -> None:
        """Let flow what really flows."""
        assert self._dose is not None
        direction = -1.0 if self.kept.numbers["INVERT"] else 1.0
        raw = self._dose.rate / self._factor(self._dose.mode)
        self.drive(direction * raw * self.config.gain * MILLILITRE)

    def _rest(self, now: float) -> None:
        self._count(now)
        self._moving = False
        self._ends = math.inf
        self.drive(0.0)

    def _finish(self, now: float) -> None:
        self._rest(now)
        self._running = False

    def _count(self, now: float) -> None:
        if self._moving and self._dose is not None:
            moved = min(abs(self._dose.rate) * (now - self._since), self._left)
            self._since = now
            self._left -= moved
            self._absolute += moved
            signed = math.copysign(moved, self._dose.rate)
            self._done += signed
            self._net += signed

    def _factor(self, mode: str) -> float:
        """Give the ml that the calibration makes of an uncalibrated one; without one of its own, a timed dose's."""
        raw, value = self.kept.points.get(mode) or self.kept.points.get(VOLUME, (1.0, 1.0))
        return value / raw

    def _fastest(self, mode: str) -> float:
        return (FASTEST if mode == VOLUME else FASTEST_METERED) * self._factor(mode)

    def _said_done(self) -> str:
        return f"*DONE,{self._done:.2f}"

    # Handlers

    def _dispense(self, request: Request) -> Reply:
        match request.words:
            case ("?",):
                said = self._dose.said() if self._dose else "0.00"
                return self.say("D", said, int(self._running))
            case ("*" | "-*" as word,):
                rate = self._fastest(VOLUME) * (-1.0 if word == "-*" else 1.0)
                return self._begin(VOLUME, rate, math.inf, request.now)
            case (word,):
                volume = parse(word, -MOST, MOST)
                rate = math.copysign(self._fastest(VOLUME), volume)
                return self._begin_metered(VOLUME, rate, abs(volume), request.now)
            case (word, minutes):
                volume, duration = parse(word, -MOST, MOST), parse(minutes, 1e-3, MOST)
                return self._begin_metered(TIME, volume / duration, abs(volume), request.now)
        raise Refusal

    def _dispense_at_rate(self, request: Request) -> Reply:
        match request.words:
            case ("?",):
                return self.say("maxrate", f"{self._fastest(TIME):.1f}")
            case (word, minutes):
                rate = parse(word, -MOST, MOST)
                if not rate:
                    raise Refusal
                volume = math.inf if minutes == "*" else abs(rate) * parse(minutes, 1e-3, MOST)
                return self._begin_metered(TIME, rate, volume, request.now)
        raise Refusal

    def _begin_metered(self, mode: str, rate: float, volume: float, now: float) -> Reply:
        if volume < LEAST_VOLUME:
            return TOO_LITTLE
        if abs(rate) > self._fastest(mode):
            return TOO_FAST
        return self._begin(mode, rate, volume, now)

    def _at_start(self, request: Request) -> Reply:
        match request.words:
            case ("?",):
                return self.say("Dstart", f"{self.kept.numbers['DSTART']:.2f}")
            case ("OFF",):
                return self.keep("DSTART", 0.0)
        (word,) = exactly(request.words, 1)
        volume = parse(word, -MOST, MOST)
        return self.keep("DSTART", volume) if abs(volume) >= LEAST_VOLUME else TOO_LITTLE

    def _pause(self, request: Request) -> Reply:
        match request.words:
            case ("?",):
                return self.say("P", int(self._running and not self._moving))
            case () if self._running:
                if self._moving:
                    self._rest(request.now)
                else:
                    self._move(request.now)
                return Reply()
        raise Refusal

    def _stop(self, request: Request) -> Reply:
        exactly(request.words, 0)
        self._finish(request.now)
        return Reply(self._said_done(), code=False)

    def _total(self, request: Request, keyword: str) -> Reply:
        if request.words != ("?",):
            raise Refusal
        self._count(request.now)
        return self.say(keyword, f"{self._net if keyword == 'TV' else self._absolute:.2f}")

    def _clear(self, request: Request) -> Reply:
        exactly(request.words, 0)
        self._count(request.now)
        self._net = self._absolute = 0.0
        return Reply()

    def _invert(self, request: Request) -> Reply:
        match request.words:
            case ("?",):
                return self.say("Invert", int(self.kept.numbers["INVERT"]))
            case ():
                self.keep("INVERT", 1.0 - self.kept.numbers["INVERT"])
                if self._moving:
                    self._flow()
                return Reply()
        raise Refusal

    def _supply(self, request: Request) -> Reply:
        if request.words != ("?",):
            raise Refusal
        return self.say("PV", f"{0.0 if Fault.DISCONNECTED in self.faults else MOTOR_VOLTS:.2f}")

    def _stream(self, request: Request) -> Reply:
        """Add `C,*` to what every circuit has."""
        if self.config.wire == "uart" and request.words == ("*",):
            self.keep("C RUNNING", 1.0)
            return self.keep("C", 1.0)
        if request.words == ("?",) and self.kept.numbers["C RUNNING"]:
            return self.say("C", "*")
        reply = self._continuous(request)
        if request.words != ("?",):
            self.keep("C RUNNING", 0.0)
        return reply
