"""What a device's output shall do at any moment, from its settings, its holds and the time. Pure.

Ramps, cycles of on and off time, timed acts and the interlocks of one device are here; a driver only knows levels. The
device's actor asks `step` what to write and when to ask again, writes it, and says `wrote`. Times are monotonic
nanoseconds; a second of a setting lasts `second_ns` of them, less on a vessel that runs faster than life.

A hold keeps the output at its safe values: an interlock, the guard, safe mode. When the last one is gone the output
returns to its settings by itself, but for those that do not survive (open-ended pumping): they wait to be asked again.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from actors.dosing import Dosing
from actors.interlocks import Rules, describe
from actors.ticker import SECOND
from hardware.device import DeviceDescriptor, Setting, Value, number

RAMP, ON_TIME, OFF_TIME = "ramp", "on_time", "off_time"  # settings that are ours, not the driver's
LEASE = "lease"  # what holds an output that had no contact for too long
RUNNING = "running"  # reported by circuits that carry out acts by themselves
RAMP_STEP = 0.1  # seconds
LONGEST = 7 * 86_400.0  # seconds of a ramp, an on time or an off time


@dataclass(frozen=True, slots=True)
class Shape:
    """What a device is: the driver's settings, which of them may move slowly or follow a cycle, and its interlocks.

    `runs`: it runs by acts that its circuit carries out, and reports whether it does. `lease`: the seconds without
    contact after which it is held.
    """

    settings: tuple[Setting, ...]
    ramped: Setting | None = None
    cycled: str | None = None
    runs: bool = False
    rules: Rules = field(default_factory=Rules)
    second_ns: int = SECOND
    lease: float | None = None

    def all(self) -> tuple[Setting, ...]:
        """Give the driver's settings, and ours for what the driver leaves to us."""
        ours = []
        if self.ramped is not None:
            ours.append(_time(RAMP))
        if self.cycled is not None:
            ours += [_time(ON_TIME), _time(OFF_TIME)]
        return (*self.settings, *ours)

    def rules_told(self) -> list[str]:
        """Say in a line each, for people, what may keep it from its settings."""
        lease = [] if self.lease is None else [f"{LEASE}: safe after {self.lease:g} s without contact"]
        return [*self.rules.texts(), *lease]

    def is_on(self, values: Mapping[str, Value]) -> bool:
        """Whether these values switch something on: the cycled switch, or else anything that is not safe."""
        if self.cycled is not None:
            return bool(values[self.cycled])
        return not self.runs and any(values[setting.name] != setting.safe for setting in self.settings)

    def against(self, values: Mapping[str, Value]) -> str | None:
        """Name the rule that these settings break, if they do."""
        if self.cycled is None:
            return None
        on_time, off_time = _seconds(values, ON_TIME), _seconds(values, OFF_TIME)
        if on_time and off_time:
            return self.rules.against_cycle(on_time, off_time)
        return f"{ON_TIME} and {OFF_TIME} are both 0 s (no cycle) or both above" if on_time or off_time else None


def shape_of(
    descriptor: DeviceDescriptor,
    settings: Iterable[Setting],
    rules: Rules | None = None,
    second_ns: int = SECOND,
    lease: float | None = None,
) -> Shape:
    """Take a driver's settings as it is configured; what it leaves out is neither ramped nor cycled."""
    known = {setting.name: setting for setting in settings}
    return Shape(
        settings=tuple(known.values()),
        ramped=known.get(descriptor.ramped or ""),
        cycled=descriptor.cycled if descriptor.cycled in known else None,
        runs=any(quantity.name == RUNNING for quantity in descriptor.reported),
        rules=rules or Rules(),
        second_ns=second_ns,
        lease=lease,
    )


def _time(name: str) -> Setting:
    return number(name, "s", low=0.0, high=LONGEST, step=1.0, default=0.0, safe=0.0)


@dataclass(frozen=True, slots=True)
class Output:
    """What to write: `values` of the driver's settings, or none for the safe ones. `due_ns`: when to ask again."""

    values: Mapping[str, Value] | None
    on: bool
    due_ns: int | None = None
    moving: bool = False  # a ramp is on its way
    held_by: str = ""


class DeviceCore:
    """One device. `values` are its settings as they are followed, `dosing` the timed act that is under way.

    Begins with the output off since `now_ns`: whoever starts a reactor makes it safe before.
    """

    def __init__(self, shape: Shape, values: Mapping[str, Value], resting: Mapping[str, Value], now_ns: int) -> None:
        """`resting` has the values that settings fall back to after a hold, unless they survive it."""
        self.values = dict(values)
        self.dosing: Dosing | None = None
        self.on = False
        self.running = False  # what a circuit that runs by itself says
        self.lost_ns: int | None = None  # since when there has been no contact, none while there is some
        self._shape = shape
        self._rules = shape.rules
        self._resting = resting
        self._switched_ns = now_ns  # when `on` changed
        self._cycle_ns = now_ns  # when the cycle began
        self._level, self._level_ns = 0.0, now_ns  # of the ramp: what was written last
        self._holds: dict[str, None] = {}  # in the order of their coming
        self._latched: dict[str, None] = {}  # those that stay until something is set
        self._ended_by = ""  # what ended settings that do not survive
        if shape.ramped is not None:
            self._level = float(shape.ramped.safe)

    @property
    def latched(self) -> tuple[str, ...]:
        """Holds that stay until somebody sets something, over restarts too."""
        return tuple(self._latched)

    @property
    def wants_on(self) -> bool:
        """Whether the settings switch it on, at least in a part of a cycle."""
        return self._shape.is_on(self.values)

    def obey(self, values: Mapping[str, Value], now_ns: int) -> None:
        """Follow these settings from now on."""
        cycle = {name: values.get(name) for name in (self._shape.cycled, ON_TIME, OFF_TIME) if name}
        if any(self.values.get(name) != value for name, value in cycle.items()):
            self._cycle_ns = now_ns
        self.values = dict(values)
        self._level_ns = now_ns
        self._latched.clear()
        self._ended_by = ""

    def hold(self, cause: str, *, latched: bool = False) -> None:
        """Keep the output safe because of `cause`."""
        (self._latched if latched else self._holds)[cause] = None
        self._end_open(cause)

    def release(self, cause: str, now_ns: int) -> None:
        """`cause` has ended, if it was one."""
        if cause in self._holds:
            del self._holds[cause]
            self._cycle_ns = now_ns

    def stop(self, by: str) -> Dosing | None:
        """End what runs until somebody says otherwise, and the timed act, which is returned."""
        self._end_open(by)
        stopped, self.dosing = self.dosing, None
        return stopped

    def against_dose(self, pulse: float, now_ns: int) -> str | None:
        """Name what keeps a timed act with on times of `pulse` seconds from beginning now, if something does."""
        if cause := self.held_by(now_ns):
            return f"held by {cause}"
        if self.dosing is not None or self.running:
            return "it is dosing"
        if self.wants_on:
            return "its settings have it on"
        return self._rules.against_run(pulse)

    def held_by(self, now_ns: int) -> str:
        """Say what keeps the output from being on now, in a line; empty for nothing."""
        causes = [*self._holds, *self._latched]
        if not causes and self._rests_until(now_ns) is not None:
            assert self._rules.min_off is not None
            causes = [describe(self._rules.min_off)]
        return "; ".join(causes)

    def kept_by(self, now_ns: int) -> str:
        """Say what keeps the output from its settings as they were asked for."""
        held = self.held_by(now_ns) if self._holds or self._latched or self._wanted(now_ns)[0] else ""
        return "; ".join(filter(None, (held, self._ended_by and f"ended by {self._ended_by}")))

    def step(self, now_ns: int) -> Output:
        """Say what to write now. May be asked at any time, and as often as one likes."""
        limit_ns, lease_ns = self._trip(now_ns), self._lease(now_ns)
        if self._holds or self._latched:
            return Output(None, on=False, held_by=self.kept_by(now_ns))
        on, due_ns = self._wanted(now_ns)
        if on and not self.on and (rest_ns := self._rests_until(now_ns)) is not None:
            return Output(None, on=False, due_ns=rest_ns, held_by=self.kept_by(now_ns))
        values = {setting.name: self.values[setting.name] for setting in self._shape.settings}
        if self._shape.cycled is not None:
            values[self._shape.cycled] = on
        ramp_ns = self._ramp(values, now_ns, on=on)
        dues = [each for each in (due_ns, limit_ns if on else None, ramp_ns, lease_ns) if each is not None]
        if on and not self.on and self._rules.max_on is not None:
            dues.append(now_ns + self._ns(self._rules.max_on.seconds))
        return Output(values, on, min(dues, default=None), ramp_ns is not None, self.kept_by(now_ns))

    def wrote(self, output: Output, now_ns: int) -> None:
        """Take note that the hardware has it, since `now_ns`."""
        if self.dosing is not None:
            self.dosing.switched(now_ns, on=output.on)
        if output.on != self.on:
            self.on, self._switched_ns = output.on, now_ns
        if self._shape.ramped is not None:
            ramped = self._shape.ramped
            if output.values is None:
                self._level = float(ramped.safe)
            else:
                self._level = float(output.values[ramped.name]) if output.on else ramped.low
            self._level_ns = now_ns

    def failed(self, now_ns: int) -> None:
        """The hardware failed, or lost what it was told: it counts as off since `now_ns`."""
        self.on, self.running, self._switched_ns = False, False, now_ns
        if self._shape.ramped is not None:
            self._level = self._shape.ramped.low

    def _trip(self, now_ns: int) -> int | None:
        """Hold what was on for too long until somebody sets something; else say when it would be."""
        rule = self._rules.max_on
        if rule is None or not self.on:
            return None
        limit_ns = self._switched_ns + self._ns(rule.seconds)
        if now_ns < limit_ns:
            return limit_ns
        on, _ = self._wanted(now_ns)
        if on:
            self.hold(describe(rule), latched=True)
        return None

    def _lease(self, now_ns: int) -> int | None:
        """Hold once the lease has run out, until there is contact; before, say when it will have."""
        lost_ns, seconds = self.lost_ns, self._shape.lease
        end_ns = None if lost_ns is None or seconds is None else lost_ns + self._ns(seconds)
        if end_ns is None or now_ns < end_ns:
            self.release(LEASE, now_ns)
            return end_ns
        self.hold(LEASE)
        return None

    def _wanted(self, now_ns: int) -> tuple[bool, int | None]:
        """Whether act, cycle or settings want it on now, and when that may change."""
        if self.dosing is not None:
            return self.dosing.at(now_ns)
        on_ns, off_ns = self._ns(_seconds(self.values, ON_TIME)), self._ns(_seconds(self.values, OFF_TIME))
        if not (self.wants_on and on_ns and off_ns):
            return self.wants_on or self.running, None
        begun_ns = now_ns - (now_ns - self._cycle_ns) % (on_ns + off_ns)
        on = now_ns < begun_ns + on_ns
        return on, begun_ns + on_ns + (0 if on else off_ns)

    def _rests_until(self, now_ns: int) -> int | None:
        """When it may be switched on again, if not now."""
        if self._rules.min_off is None or self.on:
            return None
        until_ns = self._switched_ns + self._ns(self._rules.min_off.seconds)
        return until_ns if now_ns < until_ns else None

    def _ramp(self, values: dict[str, Value], now_ns: int, *, on: bool) -> int | None:
        """Move the ramped number towards its value; says when to move on."""
        ramped, seconds = self._shape.ramped, _seconds(self.values, RAMP)
        if ramped is None or not on or not seconds:
            return None
        target = float(values[ramped.name])
        passed = (now_ns - self._level_ns) / self._shape.second_ns if self.on else 0.0
        most = (ramped.high - ramped.low) * passed / seconds
        level = max(self._level - most, min(self._level + most, target))
        values[ramped.name] = level
        return None if level == target else now_ns + self._ns(RAMP_STEP)

    def _end_open(self, cause: str) -> None:
        for name, value in self._resting.items():
            if self.values[name] != value:
                self.values[name] = value
                self._ended_by = cause

    def _ns(self, seconds: float) -> int:
        return round(seconds * self._shape.second_ns)


def _seconds(values: Mapping[str, Value], name: str) -> float:
    return float(values.get(name, 0.0))
