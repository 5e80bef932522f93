from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest

from actors.config import DoseLimits, SensorConfig
from actors.following import Hearers
from actors.inventory import Inventory, sensor_info
from actors.journal import Journal
from actors.live import Around
from actors.progress import Part
from actors.schedule import Schedule
from actors.sensor import Asking, Sensor, Tick
from actors.sensor_settings import Addresses, Remaker, Wired
from actors.targets import Do, Follow, KeptFile
from actors.ticker import SECOND
from hardware.acts import Act, Argument, Value
from hardware.buses import Buses
from hardware.buses.address import parse
from hardware.driver import Descriptor, SensorDriver, Wiring
from hardware.errors import BadConfiguration, NoAnswer, Refused
from hardware.values import Quality, Quantity, Reading
from storage.rows import SettingRow
from tests.actors.conftest import FakeClock, Kept
from transport import messages
from transport.messages import Applied, Document, Done, Message, Rejected

PH = Quantity("ph", "pH", 0.0, 14.0, 3)
MV = Quantity("mv", "mV", -500.0, 500.0, 1)


class FakeProbe(SensorDriver):
    """Reads what `answer` gives; `log` tells what was asked of it."""

    descriptor: ClassVar[Descriptor] = Descriptor(
        "fake",
        "Fake",
        (PH, MV),
        ("none",),
        1.0,
        ("temperature",),
        (Act("mid", "Mid", (Argument("ph", "pH", 0, 14, 2),)),),
    )

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

    def act(self, name: str, arguments: Mapping[str, float]) -> Mapping[str, Value]:
        self.log.append((name, dict(arguments)))
        self.answer()
        return {"points": 1.0}

    def close(self) -> None:
        self.log.append("close")


@pytest.fixture
def probe(clock: FakeClock) -> FakeProbe:
    return FakeProbe(clock)


CONFIG = SensorConfig(
    name="ph",
    label="pH",
    driver="fake",
    address="/dev/i2c-1:99",
    live_interval=5.0,
    sample_interval=10.0,
    options={},
    compensation={"temperature": ("rtd", "temperature")},
)


class Bench:
    """Sensors of one reactor folder, one after the other, and what they say."""

    def __init__(self, probe: FakeProbe, around: Around, kept: Kept, folder: Path) -> None:
        self.around = around
        self.kept = kept
        self.folder = folder
        self.said: list[tuple[Message, int]] = []
        self.made: list[tuple[SensorConfig, FakeProbe]] = []
        self.addresses = Addresses()
        self.addresses.move("rtd", parse("/dev/i2c-1:102"))
        clock = around.clock
        assert isinstance(clock, FakeClock)
        self.clock = clock
        self.wired = Wired(CONFIG, probe, Schedule(clock.now_ns, CONFIG.live_interval, CONFIG.sample_interval))
        self.inventory = Inventory([sensor_info(CONFIG, probe, ())], [])

    def make(self, config: SensorConfig) -> FakeProbe:
        if config.address.endswith(":1"):
            raise BadConfiguration("address 1 is no good")
        self.made.append((config, FakeProbe(self.clock)))
        return self.made[-1][1]

    def sensor(self) -> Sensor:
        """The sensor's actor, or its successor."""
        remaker = Remaker(
            config=CONFIG,
            pace=1.0,
            make=self.make,
            compensations=("temperature",),
            quantities={"ph": ("ph", "mv"), "rtd": ("temperature",)},
            addresses=self.addresses,
        )
        journal = Journal(
            self.folder / "ph.jsonl", DoseLimits(), clock=self.clock, boot="boot", wall=self.clock.wall_us
        )
        hearers = Hearers(say=lambda message, reply_to: self.said.append((message, reply_to)), keep=self.kept)
        asking = Asking(remaker, KeptFile(self.folder / "ph.json"), journal, hearers, self.inventory)
        return Sensor(lambda _: None, self.wired, self.around, asking)

    def follow(self, sensor: Sensor, revision: int, **values: Value) -> Message:
        sensor.handle(Follow(Document(target="ph", revision=revision, author="ada", values=values), 3))
        return self.said[-1][0]

    def do(self, sensor: Sensor, act: str = "act-0001", **arguments: float) -> Done:
        asked = messages.Act(
            reactor="tank", act=act, target="ph", kind="mid", arguments=arguments, valid_for=5.0, author="ada"
        )
        sensor.handle(Do(asked, self.clock.now_ns, 5))
        done = self.said[-1][0]
        assert isinstance(done, Done)
        return done


@pytest.fixture
def bench(probe: FakeProbe, around: Around, kept: Kept, tmp_path: Path) -> Bench:
    return Bench(probe, around, kept, tmp_path)


@pytest.fixture
def sensor(bench: Bench) -> Sensor:
    return bench.sensor()


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


def test_what_is_optional_may_be_absent_and_is_no_fault(
    sensor: Sensor, clock: FakeClock, kept: Kept, probe: FakeProbe, around: Around
) -> None:
    probe.descriptor = replace(FakeProbe.descriptor, optional=frozenset({"mv"}))  # type: ignore[misc]
    probe.answer = lambda: {"ph": 7.0}
    tick(sensor, clock)
    assert [(one.quantity, one.quality) for one in kept.samples] == [("ph", "ok")]
    assert around.live.get("ph", "mv") is None
    assert around.faults.current() == []
    probe.answer = dict
    tick(sensor, clock, 10.0)
    assert [(one.quantity, one.quality) for one in kept.samples[1:]] == [("ph", "fault")]


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
    sensor: Sensor, bench: Bench, clock: FakeClock, probe: FakeProbe, kept: Kept
) -> None:
    tick(sensor, clock)
    probe.answer = fail(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        tick(sensor, clock, 9.1)
    probe.answer = lambda: {"ph": 7.0, "mv": 0.5}
    tick(bench.sensor(), clock, 20)
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


# what can be changed from outside


def test_label_and_intervals_are_changed_and_the_manager_is_told_anew(
    sensor: Sensor, bench: Bench, clock: FakeClock, probe: FakeProbe, kept: Kept
) -> None:
    tick(sensor, clock)
    values = {"label": "pH, left", "address": "/dev/i2c-1:99", "temperature_from": "rtd.temperature"}
    applied = bench.follow(sensor, 7, live_interval=1.0, sample_interval=2.0, **values)
    assert applied == Applied(target="ph", revision=7, read_back={})
    (info,) = bench.inventory.sensors()
    assert (info.label, info.live_interval, info.sample_interval) == ("pH, left", 1.0, 2.0)
    assert bench.inventory.version == 1
    assert bench.wired.driver is probe
    before = len(kept.samples)
    tick(sensor, clock)
    tick(sensor, clock, 1.2)
    assert len(kept.samples) == before + 4
    clock.advance(4.1)
    reading = bench.around.live.get("ph", "ph")
    assert reading is not None
    assert reading.quality is Quality.STALE
    (state,) = bench.around.standings.snapshot()
    assert (state.target, state.revision, state.values["sample_interval"]) == ("ph", 7, 2.0)
    rows = [row for row in kept.rows if isinstance(row, SettingRow)]
    assert ("sample_interval", "2", 7, "applied") in [(row.setting, row.value, row.revision, row.state) for row in rows]


def test_another_address_is_another_driver(sensor: Sensor, bench: Bench, clock: FakeClock, probe: FakeProbe) -> None:
    tick(sensor, clock)
    assert isinstance(bench.follow(sensor, 7, address="/dev/i2c-1:100"), Applied)
    assert probe.log[-1] == "close"
    tick(sensor, clock, 10)
    config, driver = bench.made[-1]
    assert config.address == "/dev/i2c-1:100"
    assert driver.log == ["open", "read"]
    assert bench.addresses.move("rtd", parse("/dev/i2c-1:99")) is None


def test_compensation_is_taken_away(sensor: Sensor, bench: Bench, clock: FakeClock, around: Around) -> None:
    around.live.put("rtd", [Reading("temperature", 24.5, "°C", Quality.OK, clock.now_ns)])
    assert isinstance(bench.follow(sensor, 7, temperature_from=""), Applied)
    tick(sensor, clock)
    assert bench.made[-1][1].log == ["open", "read"]


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("address", "/dev/i2c-1:102", "address /dev/i2c-1:102 is that of rtd"),
        ("address", "/dev/i2c-1:1", "address 1 is no good"),
        ("address", "nonsense", "address 'nonsense' is not a bus"),
        ("live_interval", 0.01, "live_interval 0.01: must be a number from 0.05 to 3.16224e+07 s"),
        ("label", "two\nlines", "label 'two\\nlines': must be a line of at most 200 characters"),
        ("temperature_from", "rtd.heat", "temperature_from: there is no other sensor with rtd.heat"),
        ("temperature_from", "ph.ph", "temperature_from: there is no other sensor with ph.ph"),
        ("temperature_from", "rtd", "temperature_from: there is no other sensor with rtd."),
        ("salinity_from", "rtd.temperature", "salinity_from 'rtd.temperature': unknown, there is label"),
    ],
)
def test_what_cannot_be_is_rejected_and_nothing_changes(
    sensor: Sensor, bench: Bench, name: str, value: Value, told: str
) -> None:
    before = replace(bench.wired)
    rejected = bench.follow(sensor, 7, **{name: value})
    assert isinstance(rejected, Rejected)
    assert rejected.reason.startswith(told)
    assert bench.wired == before
    assert bench.inventory.version == 0


def test_a_successor_goes_on_with_what_was_set(sensor: Sensor, bench: Bench, clock: FakeClock, around: Around) -> None:
    bench.follow(sensor, 7, address="/dev/i2c-1:100", sample_interval=20.0)
    made = len(bench.made)
    successor = bench.sensor()
    successor.begin()
    tick(successor, clock)
    assert len(bench.made) == made
    assert around.standings.snapshot()[0].revision == 7
    assert bench.follow(successor, 7) == Applied(target="ph", revision=7, read_back={})


def test_nothing_is_said_of_a_sensor_that_nobody_changed(sensor: Sensor, around: Around, kept: Kept) -> None:
    sensor.begin()
    assert around.standings.snapshot() == []
    assert kept.rows == []


# acts


def test_a_calibration_point_is_taken_once(sensor: Sensor, bench: Bench, probe: FakeProbe) -> None:
    done = bench.do(sensor, ph=7.0)
    assert (done.state, done.result) == ("done", {"points": 1.0})
    assert probe.log == ["open", ("mid", {"ph": 7.0})]
    assert bench.do(sensor, ph=7.0) == done
    assert bench.do(bench.sensor(), ph=7.0) == done
    assert probe.log == ["open", ("mid", {"ph": 7.0})]


def test_what_a_circuit_refuses_was_not_done_and_after_another_error_nobody_knows(
    sensor: Sensor, bench: Bench, clock: FakeClock, probe: FakeProbe
) -> None:
    probe.answer = fail(Refused("not near 7"))
    assert (bench.do(sensor, ph=7.0).state, bench.do(sensor, ph=7.0).text) == ("refused", "not near 7")
    probe.answer = fail(NoAnswer("silent"))
    assert bench.do(sensor, "act-0002", ph=7.0).state == "unknown"
    tick(sensor, clock)
    assert probe.log[-2:] == ["open", "read"]
    assert bench.do(sensor, "act-0003", ph=15.0).text == "ph 15.0: must be a number from 0 to 14 pH"


# proof of progress


def late(bench: Bench) -> float:
    return bench.around.progress.lateness(bench.clock.now_ns)[Part.SAMPLING]


def test_it_is_late_from_its_tick_until_it_has_dealt_with_it(sensor: Sensor, bench: Bench, clock: FakeClock) -> None:
    tick(sensor, clock, 5.0)
    assert late(bench) == 0.0
    clock.advance(7.1)  # and 0.9 s that it read
    assert late(bench) == pytest.approx(3.0)
    tick(sensor, clock)
    assert late(bench) == 0.0


def test_many_acts_do_not_make_it_look_as_if_it_hung(
    sensor: Sensor, bench: Bench, clock: FakeClock, probe: FakeProbe
) -> None:
    def slow() -> Mapping[str, float]:
        clock.advance(10.0)
        return {}

    probe.answer = slow
    for act in range(3):
        bench.do(sensor, f"act-{act:04}", value=7.0)
        assert late(bench) == 0.0


def test_one_that_has_ended_is_not_late(sensor: Sensor, bench: Bench, clock: FakeClock) -> None:
    sensor.release()
    clock.advance(1000.0)
    assert late(bench) == 0.0
