"""What an output does at any moment: ramps, cycles, holds, interlocks, timed acts. Seconds on a fake clock."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.config import MaxOn, MinOff
from actors.device_core import DeviceCore, Output, Shape, shape_of
from actors.dosing import Dosing, Plan
from actors.interlocks import Rules
from actors.ticker import SECOND
from hardware.device import DeviceDescriptor, Value, number, switch
from hardware.values import Quantity

DUTY = number("duty", "%", low=0.0, high=100.0, step=1.0, default=0.0, safe=0.0)
ON = switch("on")
OPEN = switch("on", survives=False)
LIGHT = Shape((ON, DUTY), ramped=DUTY, cycled="on")
RELAY = Shape((ON,), cycled="on")
TRIP = "interlock trip: on for at most 60 s at a time"
REST = "interlock rest: off for at least 10 s"


class Bench:
    """A core, and an actor that writes at once whatever it says."""

    def __init__(self, shape: Shape, resting: dict[str, Value] | None = None, **values: Value) -> None:
        self.shape = shape
        self.now = 0.0
        self.values: dict[str, Value] = {setting.name: setting.default for setting in shape.all()} | values
        self.core = DeviceCore(shape, self.values, resting or {}, 0)
        self.log: list[tuple[float, bool]] = []

    @property
    def now_ns(self) -> int:
        return round(self.now * SECOND)

    def step(self) -> Output:
        output = self.core.step(self.now_ns)
        self.core.wrote(output, self.now_ns)
        if not self.log or self.log[-1][1] != output.on:
            self.log.append((self.now, output.on))
        return output

    def set(self, **values: Value) -> Output:
        self.values |= values
        self.core.obey(self.values, self.now_ns)
        return self.step()

    def run(self, until: float) -> Output:
        """Ring every alarm up to then."""
        output = self.step()
        while output.due_ns is not None and output.due_ns <= until * SECOND:
            assert output.due_ns >= self.now_ns
            self.now = output.due_ns / SECOND
            output = self.step()
        self.now = until
        return self.step()


def test_settings_of_ours_stand_beside_the_drivers() -> None:
    assert [setting.name for setting in LIGHT.all()] == ["on", "duty", "ramp", "on_time", "off_time"]
    assert [setting.name for setting in Shape((DUTY,)).all()] == ["duty"]


def test_a_shape_follows_what_the_driver_has_as_it_is_configured() -> None:
    descriptor = DeviceDescriptor("d", "D", (ON, DUTY), (), (), 1.0, ramped="duty", cycled="on")
    assert shape_of(descriptor, (ON, DUTY)) == LIGHT
    assert shape_of(descriptor, (ON,)) == RELAY
    pump = DeviceDescriptor("p", "P", (ON,), (), (), 1.0, reported=(Quantity("running", "", 0, 1, 0),))
    assert shape_of(pump, (ON,)).runs


def test_a_setting_is_written_as_it_is() -> None:
    bench = Bench(LIGHT)
    assert bench.step() == Output({"on": False, "duty": 0.0}, on=False)
    assert bench.set(on=True, duty=40.0) == Output({"on": True, "duty": 40.0}, on=True)


def test_a_ramp_takes_its_time_for_the_whole_range() -> None:
    bench = Bench(LIGHT)
    bench.step()
    assert bench.set(on=True, duty=50.0, ramp=10.0) == Output(
        {"on": True, "duty": 0.0}, on=True, due_ns=SECOND // 10, moving=True
    )
    output = bench.run(2.0)
    assert output.values == {"on": True, "duty": pytest.approx(20.0)}
    output = bench.run(5.0)
    assert (output.values, output.moving, output.due_ns) == ({"on": True, "duty": 50.0}, False, None)
    bench.now = 100.0
    assert bench.set(duty=40.0).values == {"on": True, "duty": 50.0}
    assert bench.run(101.5).values == {"on": True, "duty": 40.0}


def test_off_is_at_once_and_on_begins_from_the_bottom() -> None:
    bench = Bench(LIGHT, on=True, duty=50.0, ramp=10.0)
    bench.run(20.0)
    assert bench.set(on=False).on is False
    bench.now = 21.0
    assert bench.set(on=True).values == {"on": True, "duty": 0.0}


def test_a_late_alarm_does_not_make_a_ramp_slower() -> None:
    bench = Bench(LIGHT, on=True, duty=50.0, ramp=10.0)
    bench.step()
    bench.now = 3.0
    assert bench.step().values == {"on": True, "duty": pytest.approx(30.0)}


def test_a_cycle_begins_when_it_is_set_and_keeps_its_times_however_late_the_alarms_are() -> None:
    bench = Bench(RELAY)
    bench.now = 5.0
    bench.set(on=True, on_time=3.0, off_time=7.0)
    bench.run(20.0)
    assert bench.log == [(5.0, True), (8.0, False), (15.0, True), (18.0, False)]
    bench.now = 26.5
    assert bench.step() == Output({"on": True}, on=True, due_ns=28 * SECOND)


def test_another_value_does_not_begin_a_cycle_anew() -> None:
    bench = Bench(LIGHT, on=True, duty=10.0, on_time=3.0, off_time=7.0)
    bench.step()
    bench.now = 2.0
    assert bench.set(duty=20.0).due_ns == 3 * SECOND


def test_half_a_cycle_is_a_mistake() -> None:
    assert RELAY.against({"on": True, "on_time": 3.0, "off_time": 0.0}) == (
        "on_time and off_time are both 0 s (no cycle) or both above"
    )
    assert RELAY.against({"on": True, "on_time": 0.0, "off_time": 0.0}) is None


def test_a_hold_makes_safe_at_once_and_the_setting_returns_by_itself() -> None:
    bench = Bench(LIGHT, on=True, duty=50.0)
    bench.step()
    bench.core.hold("guard")
    bench.core.hold("safe mode")
    assert bench.step() == Output(None, on=False, held_by="guard; safe mode")
    bench.core.release("guard", bench.now_ns)
    bench.core.release("never held", bench.now_ns)
    assert bench.step().held_by == "safe mode"
    bench.core.release("safe mode", bench.now_ns)
    assert bench.step() == Output({"on": True, "duty": 50.0}, on=True)


def test_after_a_hold_what_is_open_ended_waits_to_be_asked_again() -> None:
    bench = Bench(Shape((OPEN,), cycled="on"), resting={"on": False}, on=True)
    assert bench.step().on
    bench.core.hold("guard")
    bench.step()
    bench.core.release("guard", bench.now_ns)
    assert bench.step() == Output({"on": False}, on=False, held_by="ended by guard")
    assert bench.set(on=True) == Output({"on": True}, on=True)


def test_on_for_too_long_is_off_until_somebody_sets_something() -> None:
    bench = Bench(Shape((ON,), cycled="on", rules=Rules(max_on=MaxOn("trip", "h", 60))), on=True)
    assert bench.step().due_ns == 60 * SECOND
    bench.run(59.9)
    assert bench.log == [(0.0, True)]
    assert bench.run(1000.0) == Output(None, on=False, held_by=TRIP)
    assert bench.log == [(0.0, True), (60.0, False)]
    assert bench.core.latched == (TRIP,)
    assert bench.set(on=True).on


def test_a_cycle_within_the_limit_never_trips() -> None:
    rules = Rules(max_on=MaxOn("trip", "h", 60), min_off=MinOff("rest", "h", 10))
    bench = Bench(Shape((ON,), cycled="on", rules=rules), on=True, on_time=60.0, off_time=10.0)
    bench.now = 10.0
    bench.core.obey(bench.values, bench.now_ns)
    bench.run(1000.0)
    assert bench.core.latched == ()
    assert len(bench.log) > 20


def test_once_off_it_rests_and_comes_back_by_itself() -> None:
    bench = Bench(Shape((ON,), cycled="on", rules=Rules(min_off=MinOff("rest", "h", 10))))
    bench.step()
    bench.now = 3.0
    assert bench.set(on=True) == Output(None, on=False, due_ns=10 * SECOND, held_by=REST)
    assert bench.run(10.0) == Output({"on": True}, on=True)
    bench.now = 11.0
    bench.set(on=False)
    bench.now = 12.0
    bench.set(on=True)
    bench.run(30.0)
    assert bench.log == [(0.0, False), (10.0, True), (11.0, False), (21.0, True)]


def test_hardware_that_failed_counts_as_off_from_then() -> None:
    bench = Bench(Shape((ON,), cycled="on", rules=Rules(min_off=MinOff("rest", "h", 10))), on=True)
    bench.run(50.0)
    bench.core.failed(bench.now_ns)
    assert bench.step().due_ns == 60 * SECOND


def dose(bench: Bench, *, pulses: int = 1, pulse: float = 5.0, period: float = 5.0) -> Dosing:
    planned = Plan(pulses * pulse, 1.0, pulses, pulse, period)
    bench.core.dosing = Dosing(planned, bench.now_ns, bench.shape.second_ns)
    return bench.core.dosing


def test_a_dose_switches_the_output_for_its_time() -> None:
    bench = Bench(RELAY)
    bench.step()
    dosing = dose(bench, pulses=2, pulse=2.0, period=10.0)
    bench.now = 0.0
    bench.run(12.0)
    assert bench.log == [(0.0, False), (0.0, True), (2.0, False), (10.0, True), (12.0, False)]
    assert dosing.over
    assert dosing.pumped == pytest.approx(4.0)


def test_what_is_against_a_dose_is_named() -> None:
    bench = Bench(Shape((ON,), cycled="on", rules=Rules(MaxOn("trip", "h", 60), MinOff("rest", "h", 10))))
    assert bench.core.against_dose(5.0, 0) == f"held by {REST}"
    now_ns = 10 * SECOND
    assert bench.core.against_dose(61.0, now_ns) == f"{TRIP}, and not for 61 s"
    assert bench.core.against_dose(5.0, now_ns) is None
    bench.core.hold("guard")
    assert bench.core.against_dose(5.0, now_ns) == "held by guard"
    bench.core.release("guard", now_ns)
    dose(bench)
    assert bench.core.against_dose(5.0, now_ns) == "it is dosing"
    bench.core.stop("ada")
    bench.values["on"] = True
    bench.core.obey(bench.values, now_ns)
    assert bench.core.against_dose(5.0, now_ns) == "its settings have it on"


def test_stop_ends_the_dose_and_what_is_open_ended() -> None:
    bench = Bench(Shape((OPEN,), cycled="on"), resting={"on": False}, on=True)
    dosing = dose(bench)
    assert bench.core.stop("stop, asked by ada") is dosing
    assert bench.step() == Output({"on": False}, on=False, held_by="ended by stop, asked by ada")


def test_a_circuit_that_runs_by_itself_is_on_while_it_says_so_and_its_settings_never_are() -> None:
    shape = Shape((switch("inverted"),), runs=True, rules=Rules(max_on=MaxOn("trip", "p", 60)))
    bench = Bench(shape, inverted=True)
    assert not bench.step().on
    bench.core.running = True
    assert bench.step() == Output({"inverted": True}, on=True, due_ns=60 * SECOND)
    bench.now = 60.0
    assert bench.step() == Output(None, on=False, held_by=TRIP)


def test_a_faster_vessel_has_shorter_seconds() -> None:
    bench = Bench(Shape((ON,), cycled="on", second_ns=SECOND // 20), on=True, on_time=20.0, off_time=40.0)
    assert bench.step().due_ns == SECOND


STEPS = st.lists(
    st.one_of(
        st.sampled_from(["hold", "release", "on", "off", "cycle", "fail"]),
        st.floats(0.01, 30.0),
    ),
    max_size=40,
)


@given(STEPS)
def test_whatever_happens_an_output_is_never_on_for_too_long_nor_off_for_too_short(steps: list[str | float]) -> None:
    rules = Rules(max_on=MaxOn("trip", "h", 60), min_off=MinOff("rest", "h", 10))
    bench = Bench(Shape((ON,), cycled="on", rules=rules))
    held = False
    for step in steps:
        match step:
            case float():
                bench.run(bench.now + step)
            case "hold":
                bench.core.hold("guard")
                held = True
            case "release":
                bench.core.release("guard", bench.now_ns)
                held = False
            case "fail":
                bench.core.failed(bench.now_ns)
            case "cycle":
                bench.set(on=True, on_time=60.0, off_time=10.0)
            case _:
                bench.set(on=step == "on", on_time=0.0, off_time=0.0)
        output = bench.step()
        assert not (held and output.values is not None)
    changes = [*bench.log, (bench.now, not bench.log[-1][1])] if bench.log else []
    for (since, on), (until, _) in pairwise(changes):
        assert not on or until - since <= 60.0 + 1e-6
        assert on or since == 0.0 or until == bench.now or until - since >= 10.0 - 1e-6


# Leases

LEASED = Shape((ON,), cycled="on", lease=60.0)


def test_without_contact_for_as_long_as_its_lease_it_is_held_and_returns_with_it() -> None:
    bench = Bench(LEASED, on=True)
    assert bench.step().on
    bench.now = 5.0
    bench.core.lost_ns = bench.now_ns
    assert bench.step().due_ns == 65 * SECOND
    assert bench.run(64.9).held_by == ""
    held = bench.run(65.0)
    assert (held.values, held.held_by) == (None, "lease")
    assert bench.run(1000.0).held_by == "lease"
    bench.core.lost_ns = None
    assert bench.step().on
    assert bench.log == [(0.0, True), (65.0, False), (1000.0, True)]


def test_contact_that_comes_back_in_time_changes_nothing() -> None:
    bench = Bench(LEASED, on=True)
    for second in range(0, 600, 59):
        bench.now = float(second)
        bench.core.lost_ns = None
        assert bench.step().on
        bench.core.lost_ns = bench.now_ns
    assert bench.log == [(0.0, True)]


def test_open_ended_pumping_does_not_come_back_with_contact() -> None:
    bench = Bench(Shape((OPEN,), cycled="on", lease=60.0), {"on": False}, on=True)
    bench.core.lost_ns = 0
    assert bench.run(60.0).held_by == "lease; ended by lease"
    bench.core.lost_ns = None
    assert not bench.step().on
    assert bench.set(on=True).on


def test_people_are_told_what_may_hold_it() -> None:
    assert LEASED.rules_told() == ["lease: safe after 60 s without contact"]
    assert Shape((ON,), rules=Rules(MaxOn("trip", "d", 60))).rules_told() == [TRIP]


def test_without_a_lease_nothing_needs_contact() -> None:
    bench = Bench(RELAY, on=True)
    bench.core.lost_ns = 0
    assert bench.run(1e6).on


@given(
    st.lists(st.tuples(st.floats(0.0, 100.0), st.sampled_from(["lose", "find", "on", "off", "wait"])), max_size=30),
)
def test_it_is_on_exactly_while_it_shall_be_and_its_lease_has_not_run_out(steps: list[tuple[float, str]]) -> None:
    bench = Bench(LEASED)
    lost: float | None = None
    for seconds, happens in steps:
        bench.run(bench.now + seconds)
        match happens:
            case "lose" if lost is None:
                lost = bench.now
            case "find":
                lost = None
            case "on" | "off":
                bench.set(on=happens == "on")
        bench.core.lost_ns = None if lost is None else round(lost * SECOND)
        output = bench.step()
        out = lost is not None and bench.now_ns >= round(lost * SECOND) + 60 * SECOND
        assert output.on == (bench.values["on"] and not out)
        assert output.held_by == ("lease" if out else "")
    for (since, on), (until, _) in pairwise(bench.log):
        assert until >= since or not on
