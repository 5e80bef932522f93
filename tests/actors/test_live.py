import pytest

from actors.live import SAY_AGAIN, Around, Faults, Live
from hardware.values import Quality, Reading
from tests.actors.conftest import FakeClock, Kept


def reading(clock: FakeClock, quantity: str = "ph", value: float | None = 7.0) -> Reading:
    quality = Quality.FAULT if value is None else Quality.OK
    return Reading(quantity, value, "pH", quality, clock.now_ns)


@pytest.fixture
def faults(around: Around) -> Faults:
    return around.faults


def test_the_newest_reading_is_given_and_grows_stale(around: Around, clock: FakeClock) -> None:
    live = around.live
    assert live.get("ph", "ph") is None
    live.put("ph", [reading(clock, value=6.0)])
    live.put("ph", [reading(clock)])
    clock.advance(12)
    assert live.get("ph", "ph") == live.snapshot()[0][1]
    assert [(sensor, r.value, r.quality) for sensor, r in live.snapshot()] == [("ph", 7.0, Quality.OK)]
    clock.advance(0.001)
    assert [(r.value, r.quality) for _, r in live.snapshot()] == [(7.0, Quality.STALE)]


def test_new_readings_are_told(clock: FakeClock) -> None:
    told: list[Reading | None] = []
    live = Live(clock, {"ph": 12.0}, fresh=lambda: told.append(live.get("ph", "ph")))
    live.put("ph", [reading(clock)])
    assert told == [reading(clock)]


def test_a_reading_without_a_value_stays_what_it_is(around: Around, clock: FakeClock) -> None:
    around.live.put("ph", [reading(clock, value=None)])
    clock.advance(1000)
    assert [r.quality for _, r in around.live.snapshot()] == [Quality.FAULT]


def test_a_fault_is_an_event_when_it_begins_and_when_it_ends(faults: Faults, clock: FakeClock, kept: Kept) -> None:
    faults.begin("ph", "reading", "no answer")
    faults.begin("ph", "reading", "garbage")
    assert faults.current() == ["ph: garbage"]
    clock.advance(12)
    faults.end("ph", "reading")
    faults.end("ph", "reading")
    assert faults.current() == []
    assert [(e.source, e.kind, e.text) for e in kept.events] == [
        ("ph", "fault", "no answer"),
        ("ph", "fault", "over after 12 s: garbage"),
    ]


def test_a_fault_that_comes_and_goes_is_told_once_a_minute_with_what_was_left_out(
    faults: Faults, clock: FakeClock, kept: Kept
) -> None:
    for _ in range(5):
        faults.begin("ph", "reading", "no answer")
        clock.advance(1)
        faults.end("ph", "reading")
    assert len(kept.events) == 2
    clock.advance(SAY_AGAIN)
    faults.begin("ph", "reading", "no answer")
    assert kept.events[-1].text == "no answer (4 more times since the last event)"


def test_faults_of_one_source_are_kept_apart_by_topic(faults: Faults) -> None:
    faults.begin("ph", "reading", "no answer")
    faults.begin("ph", "actor", "it died")
    faults.end("ph", "actor")
    assert faults.current() == ["ph: no answer"]


def test_no_two_events_share_a_microsecond(faults: Faults, kept: Kept) -> None:
    faults.event("ph", "fault", "3 samples missed")
    faults.begin("ph", "reading", "no answer")
    first, second = (event.taken_ns for event in kept.events)
    assert second - first >= 1000
