from collections.abc import Callable, Mapping
from typing import ClassVar

import pytest

from actors.live import Around
from actors.schedule import Schedule
from actors.sensor import Sensor, Tick, Wired
from actors.ticker import SECOND
from hardware.buses import Buses
from hardware.driver import Descriptor, SensorDriver, Wiring
from hardware.errors import NoAnswer
from hardware.values import Quality, Quantity, Reading
from tests.actors.conftest import FakeClock, Kept

PH = Quantity("ph", "pH", 0.0, 14.0, 3)
MV = Quantity("mv", "mV", -500.0, 500.0, 1)


class FakeProbe(SensorDriver):
    """Reads what `answer` gives; `log` tells what was asked of it."""

    descriptor: ClassVar[Descriptor] = Descriptor("fake", "Fake", (PH, MV), ("none",), 1.0, ("temperature",))

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(Wiring("none", Buses(), clock))
        self.answer: Callable[[], Mapping[str, float]] = lambda: {"ph": 7.0, "mv": 0.5}
        self.open_error: Exception | None = None
        self.log: list[object] = []

    def open(self) -> None:
        self.log.append("open")
        if self.open_error is not None:
            raise self.open_error

    def read(self) -> Mapping[str, float]:
        self.log.append("read")
        self.wiring.clock.sleep(0.9)
        return self.answer()

    def compensate(self, quantity: str, value: float) -> None:
        self.log.append((quantity, value))

    def close(self) -> None:
        self.log.append("close")


@pytest.fixture
def probe(clock: FakeClock) -> FakeProbe:
    return FakeProbe(clock)


@pytest.fixture
def sensor(probe: FakeProbe, around: Around, clock: FakeClock, kept: Kept) -> Sensor:
    schedule = Schedule(clock.now_ns, live_interval=5, sample_interval=10)
    wired = Wired("ph", probe, schedule, {"temperature": ("rtd", "temperature")})
    return Sensor(lambda _: None, wired, around, kept)


def fail(error: Exception) -> Callable[[], Mapping[str, float]]:
    def answer() -> Mapping[str, float]:
        raise error

    return answer


def tick(sensor: Sensor, clock: FakeClock, seconds: float = 0.0) -> None:
    clock.advance(seconds)
    sensor.handle(Tick())


def test_a_sample_tick_is_kept_and_a_live_tick_is_not(sensor: Sensor, clock: FakeClock, kept: Kept) -> None:
    start = clock.now_ns
    tick(sensor, clock)
    assert [(s.sensor, s.quantity, s.value, s.unit, s.quality, s.taken_ns) for s in kept.samples] == [
        ("ph", "ph", 7.0, "pH", "ok", start),
        ("ph", "mv", 0.5, "mV", "ok", start),
    ]
    tick(sensor, clock, 4.1)
    assert len(kept.samples) == 2
    tick(sensor, clock, 4.1)
    assert len(kept.samples) == 4
    assert kept.events == []


def test_every_read_is_shown_live(sensor: Sensor, clock: FakeClock, around: Around) -> None:
    tick(sensor, clock)
    tick(sensor, clock, 4.1)
    reading = around.live.get("ph", "ph")
    assert reading is not None
    assert reading.taken_ns == clock.now_ns - round(0.9 * SECOND)


def test_the_alarm_rings_at_the_next_tick(sensor: Sensor, clock: FakeClock, probe: FakeProbe) -> None:
    sensor.begin()
    sensor._around.ticker.ring()
    assert sensor.actor_inbox.get().message == Tick()
    tick(sensor, clock)
    sensor._around.ticker.ring()
    assert sensor.actor_inbox.empty()
    clock.advance(4.1)
    sensor._around.ticker.ring()
    assert sensor.actor_inbox.get().message == Tick()
    assert probe.log == ["open", "read"]


def test_a_failed_read_has_no_value_is_kept_and_opens_the_circuit_again(
    sensor: Sensor, clock: FakeClock, probe: FakeProbe, kept: Kept, around: Around
) -> None:
    good = probe.answer
    probe.answer = fail(NoAnswer("0x63: no answer"))
    tick(sensor, clock)
    assert [(s.value, s.quality) for s in kept.samples] == [(None, "fault"), (None, "fault")]
    assert around.faults.current() == ["ph: 0x63: no answer"]
    probe.answer = good
    tick(sensor, clock, 10)
    assert [s.value for s in kept.samples[2:]] == [7.0, 0.5]
    assert around.faults.current() == []
    tick(sensor, clock, 10)
    assert probe.log == ["open", "read", "open", "read", "read"]


def test_a_circuit_that_cannot_be_opened_is_a_failed_read(sensor: Sensor, clock: FakeClock, probe: FakeProbe) -> None:
    probe.open_error = NoAnswer("absent")
    tick(sensor, clock)
    tick(sensor, clock, 5)
    assert probe.log == ["open", "open"]
    live = sensor._around.live.get("ph", "ph")
    assert live is not None
    assert (live.value, live.quality, live.reason) == (None, Quality.FAULT, "absent")


def test_what_physics_excludes_and_what_was_not_delivered_have_no_value(
    sensor: Sensor, clock: FakeClock, probe: FakeProbe, kept: Kept
) -> None:
    probe.answer = lambda: {"ph": 15.0}
    tick(sensor, clock)
    assert [(s.quantity, s.value, s.quality) for s in kept.samples] == [
        ("ph", None, "out_of_range"),
        ("mv", None, "fault"),
    ]


def test_missed_samples_are_owned_up_to(sensor: Sensor, clock: FakeClock, kept: Kept) -> None:
    tick(sensor, clock)
    tick(sensor, clock, 35)
    assert [(e.source, e.kind, e.text) for e in kept.events] == [
        ("ph", "fault", "2 samples missed: nothing read at their time")
    ]
    assert len(kept.samples) == 4


def test_a_tick_at_which_the_actor_dies_is_due_for_its_successor(
    sensor: Sensor, clock: FakeClock, probe: FakeProbe, kept: Kept, around: Around
) -> None:
    tick(sensor, clock)
    probe.answer = fail(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        tick(sensor, clock, 9.1)
    probe.answer = lambda: {"ph": 7.0, "mv": 0.5}
    wired = Wired("ph", probe, sensor._schedule, {})
    successor = Sensor(lambda _: None, wired, around, kept)
    tick(successor, clock, 20)
    assert [e.text for e in kept.events] == ["2 samples missed: nothing read at their time"]
    assert len(kept.samples) == 4


def test_compensation_follows_a_good_reading_and_no_other(
    sensor: Sensor, clock: FakeClock, probe: FakeProbe, around: Around
) -> None:
    def warm(value: float | None, quality: Quality) -> Reading:
        return Reading("temperature", value, "°C", quality, clock.now_ns)

    around.live.put("rtd", [warm(24.5, Quality.OK)])
    tick(sensor, clock)
    assert probe.log == ["open", ("temperature", 24.5), "read"]
    around.live.put("rtd", [warm(None, Quality.FAULT)])
    tick(sensor, clock, 5)
    assert probe.log[3:] == ["read"]
    around.live.put("rtd", [warm(25.0, Quality.OK)])
    clock.advance(13)
    tick(sensor, clock)
    assert probe.log[4:] == ["read"]


def test_letting_go_closes_the_driver_and_rings_no_more(sensor: Sensor, clock: FakeClock, probe: FakeProbe) -> None:
    sensor.begin()
    sensor.release()
    clock.advance(60)
    sensor._around.ticker.ring()
    assert sensor.actor_inbox.empty()
    assert probe.log == ["close"]
