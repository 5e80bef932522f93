import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.dosing import Dosing, Plan, plan
from actors.ticker import SECOND
from hardware.acts import Act, Argument

VOLUME = Argument("volume", "ml", 0.01, 10_000.0, 2)
DURATION = Argument("duration", "min", 0.01, 10_080.0, 2)
RATE = Argument("rate", "ml/min", 0.01, 60_000.0, 2)
DOSE = Act("dose", "Dose", (VOLUME,), ("volume",), timed=True)
OVER_TIME = Act("dose_over_time", "Over time", (VOLUME, DURATION), ("volume",), timed=True)
AT_RATE = Act("dose_rate", "Rate", (RATE, DURATION), ("rate", "duration"), timed=True)


def test_a_dose_is_one_run_at_the_flow() -> None:
    assert plan(DOSE, {"volume": 5.0}, flow=2.0) == Plan(5.0, 2.0, 1, 2.5, 2.5)


def test_a_dose_over_time_is_spread_in_pulses_that_are_neither_short_nor_many() -> None:
    assert plan(OVER_TIME, {"volume": 2.0, "duration": 60.0}, flow=1.0) == Plan(2.0, 1.0, 4, 0.5, 900.0)
    assert plan(OVER_TIME, {"volume": 1800.0, "duration": 60.0}, flow=1.0) == Plan(1800.0, 1.0, 360, 5.0, 10.0)
    assert plan(OVER_TIME, {"volume": 59.8, "duration": 1.0}, flow=1.0).pulses == 1


def test_pauses_are_as_long_as_an_interlock_wants() -> None:
    assert plan(OVER_TIME, {"volume": 30.0, "duration": 1.0}, flow=1.0, pause=20.0).pulses == 1


def test_a_rate_and_a_duration_make_a_volume() -> None:
    assert plan(AT_RATE, {"rate": 6.0, "duration": 10.0}, flow=1.0).ml == 60.0


def test_more_than_the_pump_moves_is_refused_with_numbers_and_units() -> None:
    with pytest.raises(ValueError, match=r"90 ml in 60 s is more than the flow of 1 ml/s"):
        plan(OVER_TIME, {"volume": 90.0, "duration": 1.0}, flow=1.0)


def run(dosing: Dosing, late: list[int]) -> tuple[int, int]:
    """Ring each alarm so many nanoseconds late: how long the pump ran, and when it ended."""
    now_ns, on_ns, ran_ns = 0, 0, 0
    on = False
    for lateness in [*late, *[0] * 1000]:
        wanted, due_ns = dosing.at(now_ns)
        if wanted != on:
            on = wanted
            dosing.switched(now_ns, on=on)
            ran_ns += 0 if on else now_ns - on_ns
            on_ns = now_ns
        if dosing.over:
            return ran_ns, now_ns
        due_ns = max(dosing.at(now_ns)[1], now_ns)
        now_ns = due_ns + lateness
    raise AssertionError("it never ends")


@given(
    st.floats(0.5, 300.0),
    st.floats(0.1, 30.0),
    st.lists(st.integers(0, SECOND // 10), max_size=60),
)
def test_what_late_alarms_pumped_too_much_is_made_good(ml: float, minutes: float, late: list[int]) -> None:
    flow = 20 * ml / (minutes * 60.0)
    planned = plan(OVER_TIME, {"volume": ml, "duration": minutes}, flow)
    dosing = Dosing(planned, 0, SECOND)
    ran_ns, ended_ns = run(dosing, late)
    wanted_ns = planned.pulses * planned.pulse * SECOND
    assert abs(ran_ns - wanted_ns) <= SECOND / 10 + 1000 * planned.pulses  # the last alarm may be late, and rounding
    assert dosing.pumped == pytest.approx(ran_ns / SECOND * flow, rel=1e-3)
    assert ended_ns <= minutes * 60 * SECOND + sum(late) + SECOND


def test_a_dose_that_was_ended_early_knows_what_it_pumped() -> None:
    dosing = Dosing(plan(DOSE, {"volume": 10.0}, 1.0), 0, SECOND)
    dosing.switched(SECOND, on=True)
    assert dosing.at(2 * SECOND) == (True, 11 * SECOND)
    dosing.switched(4 * SECOND, on=False)
    assert dosing.pumped == pytest.approx(3.0)
    assert not dosing.over


def test_seconds_are_shorter_on_a_faster_vessel() -> None:
    dosing = Dosing(plan(DOSE, {"volume": 10.0}, 1.0), 0, SECOND // 20)
    dosing.switched(0, on=True)
    assert dosing.at(0) == (True, SECOND // 2)
