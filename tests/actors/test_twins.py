"""A manager's twins: sessions, fences, capacity, and which readings are new."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from actors.twins import Twins
from transport.keys import Peer
from transport.messages import (
    Ack,
    Attach,
    Attached,
    Backlog,
    Database,
    DeviceInfo,
    Error,
    Header,
    Message,
    Placed,
    QuantityInfo,
    Reading,
    SensorInfo,
    SettingInfo,
    Status,
)
from transport.wire import Received

SECOND = 1_000_000
SECOND_NS = 1_000_000_000
WALL = 1_800_000_000 * SECOND
ACK = Ack(next_interval=5.0, time_us=WALL)
PH = QuantityInfo(name="ph", unit="pH", low=0, high=14, decimals=3)
HEATER = DeviceInfo(
    name="heater",
    label="Heater",
    looks="heater",
    driver="pwm",
    address="/sys/class/pwm/pwmchip0:1",
    settings=[SettingInfo("duty", "%", "number", 0, 100, 1, 0.0, 0.0, survives=True)],
)
DATABASE = Database(address="http://h:9000", identity="d", incarnation=1, schema_major=1, schema_minor=0)
OTHER = Database(address="http://h:9000", identity="e", incarnation=1, schema_major=1, schema_minor=0)


def sensor(name: str = "water") -> SensorInfo:
    return SensorInfo(
        name=name,
        label="Water",
        driver="ezo-ph",
        address="/dev/i2c-1:99",
        quantities=[PH],
        live_interval=5,
        sample_interval=600,
    )


def attach(epoch: int = 1, *sensors: SensorInfo) -> Attach:
    return Attach(epoch=epoch, label="", software="1", sensors=list(sensors) or [sensor()])


def status(now_us: int, *readings: Reading, database: str = "") -> Status:
    return Status(
        now_us=now_us,
        readings=list(readings),
        backlog=Backlog(waiting=0, oldest=0, refused=0, dropped=0),
        clock_known=True,
        clock_offset=None,
        database=database,
    )


def ph(value: float | None, taken_us: int, name: str = "water") -> Reading:
    return Reading(name, "ph", value, "ok" if value is not None else "fault", taken_us)


class Reactor:
    """A reactor of the twins under test."""

    def __init__(self, twins: Twins, name: str = "r1") -> None:
        self.twins, self.name = twins, name
        self.session = ""
        self.sequence = 0
        self.heard = 0

    def attach(self, message: Attach | None = None, now: float = 0.0) -> Attached | Error:
        answer = self.say(Header(type="attach", id=7), message or attach(), now, WALL)
        assert isinstance(answer, Attached | Error)
        if isinstance(answer, Attached):
            self.session, self.sequence, self.heard = answer.session, 0, 0
        return answer

    def report(self, message: Status | None = None, now: float = 0.0, wall_us: int = WALL) -> Ack | Error | None:
        self.sequence += 1
        return self.send(self.sequence, message, now, wall_us)

    def send(
        self, sequence: int, message: Status | None = None, now: float = 0.0, wall_us: int = WALL
    ) -> Ack | Error | None:
        header = Header(type="status", id=7, session=self.session, sequence=sequence)
        answer = self.say(header, message or status(0), now, wall_us)
        assert answer is None or isinstance(answer, Ack | Error)
        return answer

    def say(self, header: Header, body: Message, now: float, wall_us: int) -> Message | None:
        peer = Peer(self.name, "reactor", "k" * 40)
        out = self.twins.hear(Received(peer, b"route", header, body, round(now * SECOND_NS)), wall_us)
        if out is None:
            return None
        assert (out.route, out.reply_to) == (b"route", 7)
        if isinstance(out.message, Ack):
            assert out.session == self.session
            assert out.sequence > self.heard
            self.heard = out.sequence
        return out.message


@pytest.fixture
def twins() -> Twins:
    return Twins(capacity=2, interval=5.0)


@pytest.fixture
def reactor(twins: Twins) -> Reactor:
    reactor = Reactor(twins)
    reactor.attach()
    return reactor


def code(answer: object) -> str:
    assert isinstance(answer, Error), answer
    return answer.code


def test_a_report_of_the_session_is_acknowledged_with_the_pace(reactor: Reactor) -> None:
    assert reactor.report() == ACK


def test_a_report_without_a_session_is_told_to_attach(twins: Twins) -> None:
    assert code(Reactor(twins).report()) == "session"


def test_a_new_attach_ends_the_session_before_it(reactor: Reactor, twins: Twins) -> None:
    again = Reactor(twins)
    again.attach()
    assert code(reactor.report()) == "session"
    assert again.report() == ACK
    assert len(twins) == 1


def test_repeated_and_overtaken_reports_are_dropped(reactor: Reactor, twins: Twins) -> None:
    reactor.send(5, status(0, ph(7.0, 1)))
    twins.fresh()
    assert reactor.send(5, status(0, ph(8.0, 2))) is None
    assert reactor.send(4, status(0, ph(9.0, 3))) is None
    assert twins.fresh() == []


def test_an_older_epoch_is_refused_and_a_newer_one_fences(twins: Twins) -> None:
    reactor = Reactor(twins)
    reactor.attach(attach(5))
    assert code(Reactor(twins).attach(attach(4))) == "epoch"
    assert reactor.report() == ACK
    Reactor(twins).attach(attach(6))
    assert code(reactor.report()) == "session"
    assert twins.placed() == [Placed("r1", 6)]


def test_never_above_capacity_but_always_back_to_its_own_place(twins: Twins) -> None:
    first, second, third = (Reactor(twins, name) for name in ("r1", "r2", "r3"))
    first.attach()
    second.attach()
    assert code(third.attach()) == "full"
    assert isinstance(first.attach(), Attached)
    assert len(twins) == 2


def test_a_draining_manager_keeps_whom_it_has_and_takes_nobody_new(twins: Twins, reactor: Reactor) -> None:
    twins.draining = True
    assert code(Reactor(twins, "r2").attach()) == "later"
    assert isinstance(reactor.attach(), Attached)


def test_a_silent_reactor_is_stale_then_lost_and_its_place_is_free(twins: Twins, reactor: Reactor) -> None:
    reactor.report(now=100.0)
    assert twins.tick(111.9) == []
    assert (twins.count("ok", 111.9), twins.count("stale", 111.9)) == (1, 0)
    assert (twins.count("ok", 112.0), twins.count("stale", 112.0)) == (0, 1)
    assert twins.tick(116.9) == []
    assert twins.tick(117.0) == ["r1"]
    assert twins.placed() == []
    assert code(reactor.report(now=118.0)) == "session"


def test_the_database_is_told_to_those_that_hold_another(twins: Twins, reactor: Reactor) -> None:
    twins.database = DATABASE
    assert reactor.report(status(0)) == replace(ACK, database=DATABASE)
    assert reactor.report(status(0, database=DATABASE.stamp)) == ACK
    twins.database = OTHER
    assert reactor.report(status(0, database=DATABASE.stamp)) == replace(ACK, database=OTHER)


def test_a_manager_that_knows_no_database_leaves_reactors_with_theirs(reactor: Reactor) -> None:
    assert reactor.report(status(0, database="mine")) == ACK


def test_readings_are_dated_on_the_managers_clock(twins: Twins, reactor: Reactor) -> None:
    reactor.report(status(50 * SECOND, ph(7.0, 47 * SECOND)))
    [row] = twins.fresh()
    assert (row.reactor, row.sensor, row.quantity, row.value, row.unit, row.quality) == (
        "r1",
        "water",
        "ph",
        7.0,
        "pH",
        "ok",
    )
    assert row.wall_us == WALL - 3 * SECOND


def test_a_reading_without_value_is_written_as_one(twins: Twins, reactor: Reactor) -> None:
    reactor.report(status(0, ph(None, 0)))
    [row] = twins.fresh()
    assert (row.value, row.quality) == (None, "fault")


def test_a_repeated_reading_is_written_once(twins: Twins, reactor: Reactor) -> None:
    reactor.report(status(50 * SECOND, ph(7.0, 47 * SECOND)))
    twins.fresh()
    reactor.report(status(55 * SECOND, ph(7.0, 47 * SECOND)), wall_us=WALL + 5 * SECOND + 300)
    assert twins.fresh() == []


def test_network_jitter_does_not_shift_times_and_a_step_of_the_clock_does(twins: Twins, reactor: Reactor) -> None:
    reactor.report(status(50 * SECOND, ph(7.0, 50 * SECOND)))
    twins.fresh()
    reactor.report(status(55 * SECOND, ph(7.1, 55 * SECOND)), wall_us=WALL + 5_900_000)
    [row] = twins.fresh()
    assert row.wall_us == WALL + 5 * SECOND
    reactor.report(status(60 * SECOND, ph(7.2, 60 * SECOND)), wall_us=WALL + 3600 * SECOND)
    [row] = twins.fresh()
    assert row.wall_us == WALL + 3600 * SECOND


def test_a_reading_keeps_its_time_through_a_new_session(twins: Twins, reactor: Reactor) -> None:
    reactor.report(status(50 * SECOND, ph(7.0, 47 * SECOND)))
    twins.fresh()
    reactor.attach()
    reactor.report(status(51 * SECOND, ph(7.0, 47 * SECOND)), wall_us=WALL + SECOND + 500_000)
    assert twins.fresh() == []


def test_a_reactor_that_rebooted_is_written_again(twins: Twins, reactor: Reactor) -> None:
    reactor.report(status(50 * SECOND, ph(7.0, 50 * SECOND)))
    twins.fresh()
    reactor.attach()
    reactor.report(status(2 * SECOND, ph(7.1, SECOND)), wall_us=WALL + 60 * SECOND)
    [row] = twins.fresh()
    assert row.wall_us == WALL + 59 * SECOND


def test_of_many_reports_the_newest_is_written_and_the_rest_counted(twins: Twins, reactor: Reactor) -> None:
    for number in range(5):
        reactor.report(status(number * SECOND, ph(float(number), number * SECOND)), wall_us=WALL + number * SECOND)
    assert [row.value for row in twins.fresh()] == [4.0]
    assert twins.superseded == 4


def test_what_was_not_declared_is_not_written(twins: Twins, reactor: Reactor) -> None:
    reactor.report(status(0, ph(7.0, 0, "other"), Reading("water", "colour", 1.0, "ok", 0)))
    assert twins.fresh() == []


@pytest.mark.parametrize(("now_us", "taken_us"), [(5 * SECOND, 2**62), (5 * SECOND, 7 * SECOND), (2**62, 5 * SECOND)])
def test_what_no_clock_can_date_is_not_written(twins: Twins, reactor: Reactor, now_us: int, taken_us: int) -> None:
    """The database refuses such a row, and what is written with it."""
    reactor.report(status(now_us, ph(7.0, taken_us)))
    assert twins.fresh() == []
    reactor.report(status(6 * SECOND, ph(7.1, 6 * SECOND)))
    assert [row.value for row in twins.fresh()] == [7.1]


def test_what_is_wired_is_told_once(twins: Twins, reactor: Reactor) -> None:
    [entry] = twins.wired(WALL)
    assert (entry.reactor, entry.kind, entry.name, entry.label) == ("r1", "sensor", "water", "Water")
    assert (entry.driver, entry.address, entry.wall_us) == ("ezo-ph", "/dev/i2c-1:99", WALL)
    assert json.loads(entry.descriptor) == {
        "quantities": [{"name": "ph", "unit": "pH", "low": 0.0, "high": 14.0, "decimals": 3}],
        "live_interval": 5.0,
        "sample_interval": 600.0,
        "settings": [],
        "acts": [],
    }
    reactor.attach()
    assert twins.wired(WALL) == []


def test_devices_are_told_with_every_value_under_its_name(twins: Twins) -> None:
    reactor = Reactor(twins)
    reactor.attach(replace(attach(), devices=[HEATER]))
    _, entry = twins.wired(WALL)
    assert (entry.kind, entry.name, entry.driver) == ("device", "heater", "pwm")
    assert json.loads(entry.descriptor)["settings"] == [
        {
            "name": "duty",
            "unit": "%",
            "kind": "number",
            "low": 0.0,
            "high": 100.0,
            "step": 1.0,
            "default": 0.0,
            "safe": 0.0,
            "survives": True,
            "choices": [],
        }
    ]
    reactor.attach(attach())
    assert [entry.name for entry in twins.wired(WALL)] == ["water"]


def test_an_ack_says_what_time_it_is(reactor: Reactor) -> None:
    assert reactor.report(wall_us=WALL + 7) == replace(ACK, time_us=WALL + 7)


def test_what_is_wired_is_told_again_when_it_changes_or_the_database_does(twins: Twins, reactor: Reactor) -> None:
    twins.wired(WALL)
    reactor.attach(attach(1, sensor(), sensor("air")))
    assert [entry.name for entry in twins.wired(WALL)] == ["water", "air"]
    twins.database = DATABASE
    assert [entry.name for entry in twins.wired(WALL)] == ["water", "air"]
    twins.database = DATABASE
    assert twins.wired(WALL) == []


@given(
    st.lists(
        st.tuples(st.sampled_from(["attach", "report", "replay", "wrong session", "wait"]), st.integers(0, 3)),
        max_size=40,
    )
)
def test_a_report_counts_when_its_session_is_current_and_its_sequence_rises(steps: list[tuple[str, int]]) -> None:
    twins = Twins(capacity=2, interval=5.0)
    reactors = [Reactor(twins, f"r{number}") for number in range(4)]
    heard: dict[str, float] = {}  # the model: who has a session, and when it was heard last
    highest: dict[str, int] = {}
    now = 0.0
    for step, number in steps:
        reactor = reactors[number]
        match step:
            case "attach":
                accepted = isinstance(reactor.attach(now=now), Attached)
                assert accepted == (reactor.name in heard or len(heard) < 2)
                if accepted:
                    heard[reactor.name], highest[reactor.name] = now, 0
            case "report" | "replay":
                reactor.sequence += step == "report"
                answer = reactor.send(reactor.sequence, now=now)
                if reactor.name not in heard:
                    assert code(answer) == "session"
                elif reactor.sequence > highest[reactor.name]:
                    assert isinstance(answer, Ack)
                    heard[reactor.name], highest[reactor.name] = now, reactor.sequence
                else:
                    assert answer is None
            case "wrong session":
                stranger = Reactor(twins, reactor.name)
                stranger.session = "0" * 32
                assert code(stranger.report(now=now)) == "session"
            case "wait":
                now += 6.0
                lost = {name for name, last in heard.items() if now - last >= 17.0}
                assert set(twins.tick(now)) == lost
                heard = {name: last for name, last in heard.items() if name not in lost}
        assert {place.reactor for place in twins.placed()} == set(heard)
