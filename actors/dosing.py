"""How a plain pump doses: a plan of on times that a device's core follows. Pure.

The pump runs at its calibrated flow or not at all, so a dose over time is a row of pulses. On times are measured, and
what a late alarm pumped too much or too little is made good by the pulses that follow.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from hardware.acts import Act

FLOW = "flow"  # the setting with the pump's ml/s
DURATION = "duration"  # the argument, in min, over which to spread
SHORTEST = 0.5  # seconds of a pulse, and of the pause behind it
PERIOD = 10.0  # seconds from pulse to pulse, at least
MINUTE = 60.0


@dataclass(frozen=True, slots=True)
class Plan:
    """`pulses` on times of `pulse` seconds each, one every `period` seconds; `flow` in ml/s."""

    ml: float
    flow: float
    pulses: int
    pulse: float
    period: float


def plan(act: Act, arguments: Mapping[str, float], flow: float, pause: float = 0.0) -> Plan:
    """Plan a timed act that doses, with pauses of at least so many seconds.

    `ValueError`, with numbers and units, when the pump is too slow for it.
    """
    ml = act.millilitres(arguments)
    run = ml / flow
    if DURATION not in arguments:
        return Plan(ml, flow, 1, run, run)
    window = arguments[DURATION] * MINUTE
    if run > window:
        raise ValueError(f"{ml:g} ml in {window:g} s is more than the flow of {flow:g} ml/s")
    pulses = max(1, int(min(run / SHORTEST, (window - run) / max(SHORTEST, pause), window / PERIOD)))
    return Plan(ml, flow, pulses, run / pulses, window / pulses)


class Dosing:
    """A plan on its way. Times are monotonic nanoseconds, a second of the plan lasts `second_ns` of them."""

    def __init__(self, plan: Plan, now_ns: int, second_ns: int) -> None:
        self.plan = plan
        self._start_ns = now_ns
        self._period_ns = round(plan.period * second_ns)
        self._pulse_ns = round(plan.pulse * second_ns)
        self._all_ns = self._left_ns = self._pulse_ns * plan.pulses
        self._begun = 0  # pulses
        self._on_ns: int | None = None  # since when the pump runs

    @property
    def over(self) -> bool:
        """Whether all of it was pumped, and the pump stands."""
        return self._on_ns is None and self._left_ns <= 0

    @property
    def pumped(self) -> float:
        """How many ml the pulses that have ended moved."""
        return self.plan.ml * (1 - self._left_ns / self._all_ns)

    def at(self, now_ns: int) -> tuple[bool, int]:
        """Say whether the pump shall run, and when to ask again.

        That is at once when a pulse begins: its end depends on when the pump really ran.
        """
        next_ns = self._start_ns + self._begun * self._period_ns
        if self._on_ns is not None:
            ends_ns = self._on_ns + self._span_ns()
            return (True, ends_ns) if now_ns < ends_ns else (False, next_ns)
        return self._left_ns > 0 and now_ns >= next_ns, next_ns

    def switched(self, now_ns: int, *, on: bool) -> None:
        """The pump was switched at `now_ns`."""
        if on and self._on_ns is None:
            self._on_ns = now_ns
            self._begun += 1
        elif not on and self._on_ns is not None:
            self._left_ns -= now_ns - self._on_ns
            self._on_ns = None

    def _span_ns(self) -> int:
        """How long the pulse that runs takes: its share of what is left, all of it if it is the last."""
        return self._left_ns // max(1, self.plan.pulses - self._begun + 1)
