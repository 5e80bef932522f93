"""A device's actor around its core: hardware first, then the file, then everybody; acts at most once."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import ClassVar

import pytest

from actors.config import Above, Apart, DoseLimits, Interlock, MaxOn, MinOff, Needs
from actors.device import LOOK, RETRY, Device, Rest, WiredDevice
from actors.device_core import shape_of
from actors.following import Hearers, Target
from actors.interlocks import Claims, rules_of
from actors.journal import Journal
from actors.live import Around
from actors.progress import Part
from actors.targets import Do, Follow, KeptFile
from hardware.acts import Act, Argument, Value
from hardware.buses import Buses
from hardware.device import DeviceDescriptor, DeviceDriver, number, switch
from hardware.driver import Wiring
from hardware.errors import NoAnswer, Refused
from hardware.safe import SafeWrite
from hardware.values import Quality, Quantity, Reading
from storage.rows import Event, SettingRow
from tests.actors.conftest import FakeClock, Kept
from transport import messages
from transport.messages import Applied, AppliedState, Document, Done, Message, Rejected

VOLUME = Argument("volume", "ml", 0.1, 100.0, 2)
DURATION = Argument("duration", "min", 0.1, 10.0, 2)


class FakeOutput(DeviceDriver):
    """An output and its register; `log` tells what was asked of the hardware, in order."""

    descriptor: ClassVar[DeviceDescriptor] = DeviceDescriptor(
        "fake",
        "Fake",
        (
            switch("on"),
            number("duty", "%", low=0, high=100, step=1, default=0, safe=0),
        ),
        (),
        ("none",),
        1.0,
        ramped="duty",
        cycled="on",
    )

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(Wiring("none", Buses(), clock))
        self.register: dict[str, Value] = {}
        self.log: list[object] = []
        self.error: Exception | None = None

    def open(self) -> None:
        self._do("open")

    def apply(self, settings: Mapping[str, Value]) -> None:
        self._do(dict(settings))
        self.register = dict(settings)

    def read_back(self) -> Mapping[str, Value]:
        if self.error is not None:
            raise self.error
        return dict(self.register)

    def make_safe(self) -> None:
        self._do("safe")
        self.register = {setting.name: setting.safe for setting in self.settings}

    def safe_writes(self) -> tuple[SafeWrite, ...]:
        return ()

    def act(self, name: str, arguments: Mapping[str, float]) -> Mapping[str, Value]:
        self._do((name, dict(arguments)))
        return {"answer": 1.0}

    def close(self) -> None:
        self.log.append("close")

    def _do(self, what: object) -> None:
        if self.error is not None:
            raise self.error
        self.log.append(what)


class FakePump(FakeOutput):
    """A plain pump: the actor doses."""

    descriptor = DeviceDescriptor(
        "pump",
        "Pump",
        (
            switch("on", survives=False),
            number("flow", "ml/s", low=0.1, high=10, step=0.1, default=1, safe=1),
        ),
        (
            Act("dose", "Dose", (VOLUME,), ("volume",), timed=True),
            Act("dose_slowly", "Dose over a minute", (VOLUME, DURATION), ("volume",), timed=True),
            Act("stop", "Stop", timed=True),
            Act("find", "Find"),
        ),
        ("none",),
        1.0,
        cycled="on",
    )


class FakeCircuit(FakeOutput):
    """A pump that doses by itself."""

    descriptor = DeviceDescriptor(
        "circuit",
        "Circuit",
        (switch("inverted"),),
        (Act("dose", "Dose", (VOLUME,), ("volume",)), Act("stop", "Stop")),
        ("none",),
        1.0,
        reported=(Quantity("running", "", 0, 1, 0), Quantity("dispensed", "ml", 0, 1e6, 2)),
    )

    def act(self, name: str, arguments: Mapping[str, float]) -> Mapping[str, Value]:
        super().act(name, arguments)
        self.register["running"] = name == "dose"
        return {}

    def make_safe(self) -> None:
        self._do("safe")
        self.register["running"] = False


class Scene:
    """A device that was not started, with everything around it; again and again, as a reactor that starts again."""

    def __init__(self, around: Around, clock: FakeClock, kept: Kept, folder: Path) -> None:
        self.around = around
        self.clock = clock
        self.kept = kept
        self.folder = folder
        self.name = "d"
        self.said: list[tuple[Message, int]] = []
        self.file: dict[str, Value] = {}
        self.interlocks: list[Interlock] = []
        self.limits = DoseLimits()
        self.lease: float | None = None
        self.claims = Claims([])
        self.driver: FakeOutput = FakeOutput(clock)
        self.watched: Callable[[], None] = lambda: None

    def start(self, driver: type[FakeOutput] = FakeOutput, *, restart: bool = False) -> "Scene":
        """Make device and driver; a restart after a crash finds files, and outputs that the guard made safe."""
        if not restart:
            self.claims = Claims(self.interlocks)
        self.driver = driver(self.clock)
        self.drive(self.driver)
        return self

    def drive(self, driver: DeviceDriver) -> None:
        """Make the device of a driver that was made."""
        shape = shape_of(driver.descriptor, driver.settings, rules_of(self.name, self.interlocks), lease=self.lease)
        target = Target(self.name, shape.all(), self.file, KeptFile(self.folder / "d.json"))
        journal = Journal(self.folder / "d.jsonl", self.limits, clock=self.clock, boot="boot", wall=self.clock.wall_us)
        hearers = Hearers(say=self._say, keep=self.kept)
        wired = WiredDevice(target, driver, shape, journal)
        self.device = Device(lambda _: None, wired, self.around, self.claims, hearers)
        self.device.begin()

    def _say(self, message: Message, reply_to: int) -> None:
        self.watched()
        self.said.append((message, reply_to))

    def settle(self, seconds: float = 0.0) -> None:
        """Let time pass, a tenth of a second at a time."""
        for _ in range(max(1, round(seconds * 10))):
            self.clock.advance(min(seconds, 0.1))
            for _ in range(20):
                self.around.ticker.ring()
                if self.device.actor_inbox.empty():
                    break
                while not self.device.actor_inbox.empty():
                    self.device.handle(self.device.actor_inbox.get().message)

    def follow(self, revision: int, reply_to: int = 1, **values: Value) -> Message | None:
        """Hand a document over; what was answered."""
        before = len(self.said)
        document = Document(target=self.name, revision=revision, author="ada", values=values)
        self.device.handle(Follow(document, reply_to))
        return self.said[-1][0] if len(self.said) > before else None

    def is_on(self) -> bool:
        return bool(self.driver.register["on"])

    def do(self, kind: str, act: str = "act-0001", volume: float | None = None, duration: float | None = None) -> None:
        given = {"volume": volume, "duration": duration}
        arguments = {name: value for name, value in given.items() if value is not None}
        asked = messages.Act(
            reactor="tank", act=act, target=self.name, kind=kind, arguments=arguments, valid_for=10.0, author="ada"
        )
        self.device.handle(Do(asked, self.clock.now_ns, 5))

    @property
    def state(self) -> AppliedState:
        (state,) = self.around.standings.snapshot()
        return state

    @property
    def rows(self) -> list[tuple[str, str, int, str]]:
        found = [row for row in self.kept.rows if isinstance(row, SettingRow)]
        return [(row.setting, row.value, row.revision, row.state) for row in found]

    def events(self, kind: str) -> list[str]:
        return [row.text for row in self.kept.rows if isinstance(row, Event) and row.kind == kind]

    @property
    def done(self) -> list[tuple[str, str, str]]:
        return [(one.act, one.state, one.text) for one, _ in self.said if isinstance(one, Done)]


@pytest.fixture
def scene(around: Around, clock: FakeClock, kept: Kept, tmp_path: Path) -> Scene:
    return Scene(around, clock, kept, tmp_path)


# settings


def test_it_begins_with_the_files_settings_and_tells_the_history(scene: Scene) -> None:
    scene.file = {"on": True, "duty": 40.0}
    scene.start()
    assert scene.driver.log == ["open", {"on": True, "duty": 40.0}]
    assert scene.state == AppliedState(
        "d",
        0,
        "",
        {"on": True, "duty": 40.0, "ramp": 0.0, "on_time": 0.0, "off_time": 0.0},
        {"on": True, "duty": 40.0},
    )
    assert ("duty", "40", 0, "applied") in scene.rows
    assert scene.said == []


def test_hardware_first_then_the_file_then_everybody(scene: Scene) -> None:
    scene.start()
    seen: list[tuple[object, bool]] = []
    kept = KeptFile(scene.folder / "d.json")

    def look() -> None:
        on_disk = kept.read()
        seen.append((scene.driver.log[-1], on_disk is not None and on_disk.revision == 7))

    scene.watched = look
    assert scene.follow(7, on=True, duty=50.0) == Applied(
        target="d", revision=7, read_back={"on": True, "duty": 50.0}, held_by=""
    )
    assert seen == [({"on": True, "duty": 50.0}, True)]
    assert (scene.state.revision, scene.state.author) == (7, "ada")
    assert scene.rows[-2:] == [("on", "true", 7, "applied"), ("duty", "50", 7, "applied")]


def test_a_document_that_comes_again_is_answered_and_not_written_again(scene: Scene) -> None:
    scene.start()
    first = scene.follow(7, on=True, duty=50.0)
    log, rows = list(scene.driver.log), list(scene.rows)
    assert scene.follow(7, reply_to=2, on=True, duty=50.0) == first
    assert scene.follow(6, reply_to=3, on=False) == first
    assert [reply_to for _, reply_to in scene.said] == [1, 2, 3]
    assert (scene.driver.log, scene.rows) == (log, rows)


def test_a_mistake_is_rejected_with_value_unit_and_limit_and_nothing_changes(scene: Scene) -> None:
    scene.start()
    log = list(scene.driver.log)
    rejected = scene.follow(7, on=True, duty=101.0, colour="red")
    assert isinstance(rejected, Rejected)
    assert rejected.revision == 7
    assert "duty 101.0: must be a number from 0 to 100 %" in rejected.reason
    assert {mistake.name for mistake in rejected.mistakes} == {"duty", "colour"}
    assert scene.driver.log == log
    assert scene.rows[-1] == ("duty", "101", 7, "rejected")
    rows = scene.rows
    assert scene.follow(7, on=True, duty=101.0, colour="red") == rejected
    assert scene.rows == rows
    assert isinstance(scene.follow(8, on=True), Applied)


def test_a_restart_applies_its_own_last_settings_before_anybody_answers(scene: Scene) -> None:
    scene.start().follow(7, on=True, duty=50.0)
    scene.said.clear()
    scene.start(restart=True)
    assert scene.driver.log == ["open", {"on": True, "duty": 50.0}]
    assert scene.state.revision == 7
    assert scene.said == []


def test_hardware_that_fails_is_tried_again_and_then_the_document_is_answered(scene: Scene) -> None:
    scene.start()
    scene.driver.error = NoAnswer("0x40: no answer")
    assert scene.follow(7, on=True, duty=50.0) is None
    assert (scene.state.revision, scene.state.fault) == (0, "0x40: no answer")
    assert scene.around.faults.current() == ["d: 0x40: no answer"]
    scene.settle(RETRY + 1)
    assert scene.follow(7, reply_to=2, on=True, duty=50.0) is None
    scene.driver.error = None
    scene.settle(RETRY + 1)
    assert scene.driver.log[-2:] == ["open", {"on": True, "duty": 50.0}]
    assert [(type(message), reply_to) for message, reply_to in scene.said] == [(Applied, 1), (Applied, 2)]
    assert (scene.state.revision, scene.state.fault) == (7, "")
    assert scene.around.faults.current() == []


def test_hardware_that_forgot_is_told_again(scene: Scene) -> None:
    scene.start().follow(7, on=True, duty=50.0)
    scene.driver.register = {"on": False, "duty": 0.0}
    scene.settle(LOOK + 1)
    assert scene.driver.register == {"on": True, "duty": 50.0}
    assert scene.events("fault") == ["changed by itself: on True -> False, duty 50.0 -> 0.0"]


def test_hardware_that_lost_its_power_rests_as_if_it_had_been_switched_off(scene: Scene) -> None:
    scene.interlocks = [MinOff("rest", "d", 60)]
    scene.start()
    scene.settle(61)
    scene.follow(7, on=True, duty=50.0)
    scene.driver.register = {"on": False, "duty": 0.0}
    scene.settle(LOOK + 1)
    assert scene.state.held_by == "interlock rest: off for at least 60 s"
    scene.settle(60)
    assert scene.driver.register == {"on": True, "duty": 50.0}


def test_a_full_disk_costs_the_file_and_not_the_setting(scene: Scene) -> None:
    scene.start()
    (scene.folder / "d.json.new").mkdir()
    assert isinstance(scene.follow(7, on=True, duty=50.0), Applied)
    assert scene.driver.register == {"on": True, "duty": 50.0}
    assert "settings cannot be kept" in scene.around.faults.current()[0]


def test_a_ramp_is_applied_when_it_begins_and_shown_while_it_lasts(scene: Scene) -> None:
    scene.start()
    assert isinstance(scene.follow(7, on=True, duty=50.0, ramp=10.0), Applied)
    assert scene.state.doing == "ramp"
    scene.settle(2)
    assert float(scene.driver.register["duty"]) == pytest.approx(20.0, abs=1.5)
    scene.settle(4)
    assert scene.driver.register == {"on": True, "duty": 50.0}
    assert (scene.state.doing, scene.state.read_back) == ("", {"on": True, "duty": 50.0})


def test_letting_go_leaves_it_safe(scene: Scene) -> None:
    scene.start().follow(7, on=True, duty=50.0)
    scene.device.release()
    assert scene.driver.log[-2:] == ["safe", "close"]
    scene.settle(60)
    assert scene.driver.log[-1] == "close"


def test_a_process_that_ends_makes_it_safe_and_keeps_the_setting(scene: Scene) -> None:
    scene.start().follow(7, on=True, duty=50.0)
    scene.device.handle(Rest())
    assert scene.driver.log[-1] == "safe"
    scene.start(restart=True)
    assert scene.driver.register == {"on": True, "duty": 50.0}


# interlocks


def test_off_while_its_sensor_is_not_ok(scene: Scene, around: Around) -> None:
    scene.interlocks = [Needs("wet", "d", "rtd", "temperature")]
    scene.file = {"on": True, "duty": 50.0}
    scene.start()
    rule = "interlock wet: off while rtd.temperature is not ok"
    assert (scene.driver.log, scene.state.held_by) == (["open", "safe"], rule)

    def measured(quality: Quality) -> None:
        value = 20.0 if quality is Quality.OK else None
        around.live.put("rtd", [Reading("temperature", value, "°C", quality, scene.clock.now_ns)])
        scene.settle(1.1)

    measured(Quality.OK)
    assert scene.driver.register == {"on": True, "duty": 50.0}
    measured(Quality.FAULT)
    assert scene.driver.log[-1] == "safe"
    measured(Quality.OK)
    assert scene.is_on()
    scene.settle(20)
    assert scene.state.held_by == rule
    assert scene.events("held")[:2] == [f"held by {rule}", f"no longer held by {rule}"]


def test_off_while_it_is_too_warm(scene: Scene, around: Around) -> None:
    scene.interlocks = [Above("hot", "d", "rtd", "temperature", 32.0)]
    scene.file = {"on": True, "duty": 50.0}
    scene.start()

    def measured(value: float) -> None:
        around.live.put("rtd", [Reading("temperature", value, "°C", Quality.OK, scene.clock.now_ns)])
        scene.settle(1.1)

    measured(31.9)
    assert scene.is_on()
    measured(32.1)
    assert scene.driver.log[-1] == "safe"
    assert scene.state.held_by == "interlock hot: off while rtd.temperature is above 32 or not ok"
    measured(32.0)
    assert scene.is_on()


def test_a_lease_holds_it_within_a_second_and_lets_it_go_when_there_is_contact(scene: Scene, around: Around) -> None:
    scene.lease, scene.file = 60.0, {"on": True, "duty": 50.0}
    around.vitals.lost_ns = None
    scene.start()
    around.vitals.lost_ns = scene.clock.now_ns
    scene.settle(59)
    assert scene.is_on()
    scene.settle(1.1)
    assert (scene.driver.log[-1], scene.state.held_by) == ("safe", "lease")
    around.vitals.lost_ns = None
    scene.settle(1.1)
    assert scene.is_on()
    assert scene.events("held") == ["held by lease", "no longer held by lease"]


def test_in_safe_mode_what_is_asked_is_taken_and_held_until_somebody_leaves_it(scene: Scene, around: Around) -> None:
    around.safe_mode.reason = "5 ends"
    scene.start()
    assert isinstance(scene.follow(7, on=True, duty=50.0), Applied)
    assert (scene.driver.register["on"], scene.state.held_by) == (False, "safe mode")
    around.safe_mode.reason = ""
    scene.settle(LOOK + 1)
    assert scene.is_on()


# proof of progress


def late(scene: Scene) -> float:
    return scene.around.progress.lateness(scene.clock.now_ns)[Part.OUTPUTS]


@pytest.mark.parametrize("error", [None, NoAnswer("silent")])
def test_a_device_that_looks_after_its_output_is_never_late_whatever_the_hardware_does(
    scene: Scene, error: NoAnswer | None
) -> None:
    scene.start()
    scene.driver.error = error
    for _ in range(100):
        scene.settle(0.5)
        assert late(scene) <= 0.1


def test_one_that_does_not_is(scene: Scene) -> None:
    scene.start()
    scene.clock.advance(LOOK + 7)  # nothing is handled
    assert late(scene) == pytest.approx(7.0)
    scene.settle()
    assert late(scene) == 0.0


def test_whoever_asks_for_many_acts_does_not_make_it_look_as_if_it_hung(scene: Scene) -> None:
    scene.start(FakeCircuit)
    for act in range(30):
        scene.clock.advance(1.0)  # that each takes
        scene.do("stop", f"act-{act:04}")
        assert late(scene) == 0.0


def test_one_that_has_ended_is_not_expected(scene: Scene) -> None:
    scene.start()
    scene.device.release()
    scene.clock.advance(1000)
    assert late(scene) == 0.0


def test_nor_is_one_that_was_off_whatever_its_driver_raises(scene: Scene) -> None:
    scene.start()
    scene.driver.make_safe = lambda: 1 / 0  # type: ignore[method-assign,assignment]
    with pytest.raises(ZeroDivisionError):
        scene.device.release()
    scene.clock.advance(1000)
    assert late(scene) == 0.0


def test_one_that_ended_without_leaving_its_output_safe_is(scene: Scene) -> None:
    scene.start().follow(7, on=True, duty=50.0)
    scene.driver.error = NoAnswer("silent")
    scene.device.release()
    scene.clock.advance(1000)
    assert late(scene) > 900


def test_and_so_is_one_that_died_while_it_was_switched_on(scene: Scene) -> None:
    scene.start()
    scene.driver.apply = lambda _settings: 1 / 0  # type: ignore[method-assign,assignment]
    scene.driver.make_safe = lambda: 1 / 0  # type: ignore[method-assign,assignment]
    with pytest.raises(ZeroDivisionError):
        scene.follow(7, on=True, duty=50.0)
    with pytest.raises(ZeroDivisionError):
        scene.device.release()
    scene.clock.advance(1000)
    assert late(scene) > 900


def test_and_so_is_one_whose_driver_raises_what_it_may_not(scene: Scene) -> None:
    scene.start().follow(7, on=True, duty=50.0)
    scene.driver.make_safe = lambda: 1 / 0  # type: ignore[method-assign,assignment]
    with pytest.raises(ZeroDivisionError):
        scene.device.release()
    scene.clock.advance(1000)
    assert late(scene) > 900


def test_a_setting_that_breaks_a_rule_is_refused_with_its_name(scene: Scene) -> None:
    scene.interlocks = [MaxOn("short", "d", 60)]
    scene.start()
    rejected = scene.follow(7, on=True, duty=50.0, on_time=100.0, off_time=10.0)
    assert isinstance(rejected, Rejected)
    assert rejected.reason == "interlock short: on for at most 60 s at a time, and not for 100 s"
    assert ("on_time", "100", 7, "rejected") in scene.rows


def test_on_for_too_long_stays_off_over_a_restart_until_something_is_set(scene: Scene) -> None:
    scene.interlocks = [MaxOn("short", "d", 60)]
    scene.start().follow(7, on=True, duty=50.0)
    scene.settle(61)
    rule = "interlock short: on for at most 60 s at a time"
    assert (scene.is_on(), scene.state.held_by) == (False, rule)
    scene.start(restart=True)
    assert (scene.driver.log[-1], scene.state.held_by) == ("safe", rule)
    assert isinstance(scene.follow(8, on=True, duty=50.0), Applied)
    assert scene.is_on()


def test_two_that_may_not_be_on_together(scene: Scene) -> None:
    scene.interlocks = [Apart("never", ("d", "other"))]
    scene.start()
    rule = "interlock never: d and other are never on together"
    scene.claims.want("other", on=True)
    rejected = scene.follow(7, on=True, duty=50.0)
    assert isinstance(rejected, Rejected)
    assert rejected.reason == rule
    scene.claims.want("other", on=False)
    assert scene.claims.take("other") is None
    applied = scene.follow(8, on=True, duty=50.0)
    assert isinstance(applied, Applied)
    assert applied.held_by == rule
    scene.settle(LOOK + 1)
    assert scene.driver.log[-1] == "safe"
    scene.claims.give("other")
    scene.settle()
    assert scene.driver.register == {"on": True, "duty": 50.0}
    assert scene.claims.take("other") == rule
    scene.follow(9, on=False)
    assert scene.claims.take("other") is None


# acts


def test_a_dose_runs_for_its_time_and_is_told_when_it_begins_and_ends(scene: Scene) -> None:
    scene.start(FakePump)
    scene.do("dose", volume=5.0)
    assert scene.done == [("act-0001", "begun", "")]
    assert scene.is_on()
    assert scene.state.doing == "dose (volume 5 ml)"
    scene.settle(4.9)
    assert scene.is_on()
    scene.settle(0.3)
    assert not scene.is_on()
    assert scene.done[1:] == [("act-0001", "done", "")]
    assert scene.events("act") == ["dose (volume 5 ml): done, asked by ada"]
    assert scene.state.read_back["dosed_hour"] == pytest.approx(5.0, abs=0.2)
    assert scene.state.doing == ""


def test_a_dose_in_pulses_keeps_its_place_in_the_pauses(scene: Scene) -> None:
    scene.interlocks = [Apart("never", ("d", "other"))]
    scene.start(FakePump)
    scene.do("dose_slowly", volume=2.0, duration=1.0)
    on = []
    while scene.done[-1][1] == "begun":
        on.append(scene.is_on())
        assert scene.claims.take("other") is not None
        scene.settle(1)
    assert (on.count(True), on.count(False)) == (4, 42)
    assert scene.done[-1][:2] == ("act-0001", "done")
    assert scene.claims.take("other") is None


def test_an_act_that_comes_again_is_answered_and_not_done_again(scene: Scene) -> None:
    scene.start(FakePump)
    scene.do("find")
    scene.do("find")
    assert scene.driver.log.count(("find", {})) == 1
    assert scene.done == [("act-0001", "done", "")] * 2
    scene.start(FakePump, restart=True)
    scene.do("find")
    assert ("find", {}) not in scene.driver.log
    assert scene.done[-1] == ("act-0001", "done", "")


def test_a_crash_in_the_middle_is_unknown_and_never_repeated(scene: Scene) -> None:
    scene.start(FakePump)
    scene.do("dose", volume=5.0)
    scene.settle(1)
    scene.said.clear()
    scene.start(FakePump, restart=True)
    assert scene.done == [("act-0001", "unknown", "cut off by a restart")]
    scene.do("dose", volume=5.0)
    assert scene.done[1:] == [("act-0001", "unknown", "cut off by a restart")]
    assert not scene.is_on()
    assert scene.events("act") == ["dose: unknown: cut off by a restart"]


@pytest.mark.parametrize("step", range(4))
def test_an_act_that_is_killed_at_any_step_never_runs_twice_and_is_never_forgotten(
    scene: Scene, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    class KilledError(BaseException):
        pass

    steps = iter(range(10))

    def killed(real: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object, **named: object) -> object:
            if next(steps) == step:
                raise KilledError
            result = real(*arguments, **named)
            if next(steps) == step:
                raise KilledError
            return result

        return call

    scene.start(FakePump)
    monkeypatch.setattr(Journal, "begin", killed(Journal.begin))
    monkeypatch.setattr(FakePump, "act", killed(FakePump.act))
    with pytest.raises(KilledError):
        scene.do("find")
    first = scene.driver
    monkeypatch.undo()
    scene.start(FakePump, restart=True)
    scene.do("find")
    ran = [*first.log, *scene.driver.log].count(("find", {}))
    if step == 0:  # nobody had heard of it
        assert (ran, scene.done[-1][1]) == (1, "done")
    else:
        assert (ran, scene.done[-1][1]) == (int(step == 3), "unknown")


def test_an_act_that_comes_too_late_has_expired(scene: Scene) -> None:
    scene.start(FakePump)
    asked = messages.Act(reactor="tank", act="act-0001", target="d", kind="find", valid_for=2.0, author="ada")
    came_ns = scene.clock.now_ns
    scene.clock.advance(3)
    scene.device.handle(Do(asked, came_ns, 5))
    assert scene.done == [("act-0001", "expired", "find was not begun within 2 s")]
    assert scene.driver.log == ["open", {"on": False, "flow": 1.0}]


@pytest.mark.parametrize(
    ("kind", "volume", "told"),
    [
        ("jump", None, "there is no act 'jump', but dose, dose_slowly, stop, find"),
        ("dose", None, "volume None: must be a number from 0.1 to 100 ml"),
        ("dose", 101.0, "volume 101.0: must be a number from 0.1 to 100 ml"),
        ("dose", 6.0, "6 ml is more than the limit of 5 ml a dose"),
    ],
)
def test_what_cannot_be_done_is_refused(scene: Scene, kind: str, volume: float | None, told: str) -> None:
    scene.limits = DoseLimits(dose=5.0)
    scene.start(FakePump)
    scene.do(kind, volume=volume)
    assert scene.done == [("act-0001", "refused", told)]
    assert not scene.is_on()


def test_doses_add_up_to_the_limit_of_an_hour(scene: Scene) -> None:
    scene.limits = DoseLimits(hour=8.0)
    scene.start(FakePump)
    scene.do("dose", volume=5.0)
    scene.settle(6)
    scene.do("dose", "act-0002", volume=5.0)
    assert scene.done[-1][1] == "refused"
    assert "left of 8 ml within any hour" in scene.done[-1][2]


def test_a_second_dose_waits_for_nobody_and_is_refused(scene: Scene) -> None:
    scene.start(FakePump)
    scene.do("dose", volume=5.0)
    scene.do("dose", "act-0002", volume=5.0)
    assert scene.done[-1] == ("act-0002", "refused", "it is dosing")


def test_stop_ends_a_dose_at_once_and_says_what_it_moved(scene: Scene) -> None:
    scene.start(FakePump)
    scene.do("dose", volume=50.0)
    scene.settle(10)
    scene.do("stop", "act-0002")
    assert not scene.is_on()
    assert scene.done[1:] == [("act-0001", "failed", "stop, asked by ada"), ("act-0002", "done", "")]
    (result,) = [one.result for one, _ in scene.said if isinstance(one, Done) and one.state == "failed"]
    assert result["dispensed"] == pytest.approx(10.0, abs=0.2)
    assert scene.state.read_back["dosed_total"] == pytest.approx(10.0, abs=0.2)


def test_stop_ends_open_ended_pumping_though_nothing_can_be_written_down(scene: Scene) -> None:
    scene.start(FakePump).follow(7, on=True)
    (scene.folder / "d.jsonl").mkdir()
    scene.do("stop")
    assert not scene.is_on()
    assert scene.state.held_by == "ended by stop, asked by ada"
    assert scene.done == [("act-0001", "done", "")]


def test_an_act_that_cannot_be_written_down_is_not_begun(scene: Scene) -> None:
    scene.start(FakePump)
    (scene.folder / "d.jsonl").mkdir()
    scene.do("dose", volume=5.0)
    assert scene.done[-1][1] == "refused"
    assert "the journal of acts cannot be" in scene.done[-1][2]
    assert not scene.is_on()


def test_a_hold_ends_a_dose(scene: Scene, around: Around) -> None:
    scene.interlocks = [Needs("wet", "d", "rtd", "temperature")]
    around.live.put("rtd", [Reading("temperature", 20.0, "°C", Quality.OK, scene.clock.now_ns)])
    scene.start(FakePump)
    scene.do("dose", volume=50.0)
    around.live.put("rtd", [Reading("temperature", None, "°C", Quality.FAULT, scene.clock.now_ns)])
    scene.settle(1.1)
    rule = "interlock wet: off while rtd.temperature is not ok"
    assert not scene.is_on()
    assert scene.done[-1] == ("act-0001", "failed", f"held by {rule}")
    scene.do("dose", "act-0002", volume=5.0)
    assert scene.done[-1] == ("act-0002", "refused", f"held by {rule}")


def test_hardware_that_fails_ends_a_dose(scene: Scene) -> None:
    scene.start(FakePump)
    scene.do("dose", volume=5.0)
    scene.driver.error = NoAnswer("gone")
    scene.settle(6)
    assert scene.done[-1] == ("act-0001", "failed", "gone")
    scene.driver.error = None
    scene.settle(RETRY + 1)
    assert not scene.is_on()


def test_what_a_driver_refuses_was_not_begun_and_after_another_error_nobody_knows(scene: Scene) -> None:
    scene.start(FakePump)
    scene.driver.error = Refused("too fast")
    scene.do("find")
    assert scene.done[-1] == ("act-0001", "refused", "too fast")
    scene.driver.error = NoAnswer("silent")
    scene.do("find", "act-0002")
    assert scene.done[-1] == ("act-0002", "unknown", "silent")


def test_open_ended_pumping_does_not_come_back_after_a_restart(scene: Scene) -> None:
    scene.start(FakePump).follow(7, on=True)
    assert scene.is_on()
    scene.start(FakePump, restart=True)
    assert not scene.is_on()
    assert (scene.state.revision, scene.state.held_by) == (7, "restart")


def test_a_circuit_doses_by_itself_until_it_says_that_it_has_ended(scene: Scene) -> None:
    scene.start(FakeCircuit)
    scene.do("dose", volume=5.0)
    assert scene.driver.log[-1] == ("dose", {"volume": 5.0})
    scene.settle(3)
    assert scene.done == [("act-0001", "begun", "")]
    assert scene.state.doing == "dose (volume 5 ml)"
    scene.do("dose", "act-0002", volume=5.0)
    assert scene.done[-1] == ("act-0002", "refused", "it is dosing")
    scene.driver.register |= {"running": False, "dispensed": 4.98}
    scene.settle(2)
    (done,) = [one for one, _ in scene.said if isinstance(one, Done) and one.state == "done"]
    assert (done.act, done.result) == ("act-0001", {"dispensed": 4.98})


def test_a_circuit_that_doses_is_stopped_by_an_interlock_and_by_stop(scene: Scene) -> None:
    scene.interlocks = [MaxOn("short", "d", 60)]
    scene.start(FakeCircuit)
    scene.do("dose", volume=5.0)
    scene.settle(61)
    assert scene.driver.log[-1] == "safe"
    assert scene.done[-1][:2] == ("act-0001", "failed")
    scene.follow(7, inverted=False)
    scene.do("dose", "act-0002", volume=5.0)
    scene.do("stop", "act-0003")
    assert ("stop", {}) in scene.driver.log
    assert [state for _, state, _ in scene.done[-3:]] == ["begun", "failed", "done"]


def test_settings_of_the_hardware_alone_are_written(scene: Scene) -> None:
    scene.start().follow(7, on=True, duty=1.0, on_time=3.0, off_time=2.0)
    written = [entry for entry in scene.driver.log if isinstance(entry, dict)]
    assert all(entry.keys() == {"on", "duty"} for entry in written)
    scene.settle(3.2)
    assert not scene.is_on()
