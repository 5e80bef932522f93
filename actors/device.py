"""A device: owns its driver, follows its settings, does its acts, keeps its interlocks.

device_core.py says what the output shall do, this carries it out: the hardware first, then the file, then everybody.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from actors.acts import Acts, Admitted
from actors.device_core import RUNNING, DeviceCore, Output, Shape
from actors.dosing import DURATION, FLOW, MINUTE, Dosing, plan
from actors.following import Following, Hearers, Target
from actors.interlocks import Claims, allows, describe
from actors.journal import Journal, State
from actors.keeper import Kept, Report, tell
from actors.live import Around
from actors.progress import Part
from actors.safe_mode import HELD
from actors.targets import Do, Follow
from actors.ticker import SECOND
from hardware.device import DeviceDriver, Value
from hardware.errors import HardwareError, Refused

LOOK = 5.0  # seconds between two looks at what the hardware does
LOOK_CLOSELY = 1.0  # the same under a lease, while an interlock watches a sensor, while a circuit runs by itself
RETRY = 2.0  # seconds after hardware that failed
STOP = "stop"  # the act that may always be done
DISPENSED = "dispensed"  # what a dose is reported as, in ml


@dataclass(frozen=True, slots=True)
class Tick:
    """The core wanted to be asked again, or the hardware to be tried again."""


@dataclass(frozen=True, slots=True)
class Look:
    """See what the hardware and the sensors say."""


@dataclass(frozen=True, slots=True)
class Rest:
    """Be safe from now on: the process ends."""


@dataclass(frozen=True, slots=True)
class WiredDevice:
    """A device as it is wired, which outlives its actor."""

    target: Target
    driver: DeviceDriver
    shape: Shape
    journal: Journal


class Device(Kept):
    """One device on its own thread, which alone calls the driver."""

    def __init__(self, report: Report, wired: WiredDevice, around: Around, claims: Claims, hearers: Hearers) -> None:
        super().__init__(report)
        self._name = wired.target.name
        self._driver = wired.driver
        self._shape = wired.shape
        self._around = around
        self._claims = claims
        self._acts = Acts(self._name, wired.driver.descriptor.acts, wired.journal, around, hearers.say)
        self._following = Following(wired.target, around, hearers)
        documents = self._following.documents
        self._core = DeviceCore(wired.shape, documents.values, documents.resting, around.clock.monotonic_ns())
        for cause in self._following.latched:
            self._core.hold(cause, latched=True)
        self._opened = False
        self._written: Output | None = None  # what the hardware has, as far as we know
        self._may_be_on = False  # it was switched on, in part at least, and not off again since
        self._read_back: Mapping[str, Value] = {}
        self._fault = ""
        self._claimed = False  # a place among those that may not be on together
        self._waits_for = ""  # the rule because of which it got none
        self._doing: Admitted | None = None  # an act that takes a while
        self._pause_ns = round(LOOK * wired.shape.second_ns)  # between two looks
        self._held_by = ""
        self._tick, self._look = (
            around.ticker.alarm(partial(tell, self.actor_ref, message)) for message in (Tick(), Look())
        )

    def begin(self) -> None:
        """Follow the settings of last time, before anybody is heard."""
        self._claims.join(self._name, partial(tell, self.actor_ref, Tick()))
        self._claims.want(self._name, on=self._core.wants_on)
        self._drive()
        self._acts.open()
        self._look_later()

    def handle(self, message: object) -> None:
        """Do what was asked for, or is due."""
        match message:
            case Follow() as follow:
                self._follow(follow)
            case Do() as do:
                self._do(do)
            case Tick():
                self._drive()
            case Look():
                self._see()
                self._drive()
                self._look_later()
            case Rest():
                self._core.hold("the reactor ends")
                self._drive()

    def release(self) -> None:
        """Leave the output safe; while that cannot be done it stays expected, and in the end the guard has it."""
        self._tick.cancel()
        self._look.cancel()
        try:
            if self._opened:
                self._driver.make_safe()
                self._may_be_on = False
        except HardwareError as error:
            self._around.faults.begin(self._name, "output", f"cannot be made safe: {error}")
        finally:
            if not self._may_be_on:
                self._around.progress.forget(Part.OUTPUTS, self._name)
            self._driver.close()
            self._claims.want(self._name, on=False)
            self._claims.give(self._name)

    # settings

    def _follow(self, follow: Follow) -> None:
        values = self._following.hear(follow, self._against)
        if values is None:
            self._following.answer(self._read_back, self._held_by)
            return
        self._core.obey(values, self._around.clock.monotonic_ns())
        self._drive()

    def _against(self, values: Mapping[str, Value]) -> str | None:
        return self._shape.against(values) or self._claims.want(self._name, on=self._shape.is_on(values))

    # the output

    def _drive(self) -> None:
        """Bring the output to what it shall be now, and whatever follows from that."""
        self._heed()
        output = self._step()
        try:
            if not self._opened:
                self._driver.open()
                self._opened, self._written = True, None
            changed = not _same(output, self._written)
            if changed:
                self._write(output)
            now_ns = self._around.clock.monotonic_ns()
            self._core.wrote(output, now_ns)
            if changed and not output.moving:
                self._read_back = self._driver.read_back()
        except HardwareError as error:
            self._fail(error)
        else:
            self._end_dose(output)
            if not output.on and self._core.dosing is None:
                self._give()
            self._settle(output)
            if output.due_ns is not None:
                self._tick.set(output.due_ns)
        self._came_round()

    def _step(self) -> Output:
        """Ask the core, and those that may not be on together with this one."""
        now_ns = self._around.clock.monotonic_ns()
        self._core.release(self._waits_for, now_ns)
        output = self._core.step(now_ns)
        self._waits_for = self._take() if output.on else ""
        if self._waits_for:
            self._core.hold(self._waits_for)
            output = self._core.step(now_ns)
        return output

    def _heed(self) -> None:
        """Learn what came or went meanwhile: readings, contact, safe mode."""
        around = self._around
        for rule in self._shape.rules.watching:
            self._hold(describe(rule), on=not allows(rule, around.live.get(rule.sensor, rule.quantity)))
        self._hold(HELD, on=bool(around.safe_mode.reason))
        self._core.lost_ns = around.vitals.lost_ns

    def _hold(self, cause: str, *, on: bool) -> None:
        if on:
            self._core.hold(cause)
        else:
            self._core.release(cause, self._around.clock.monotonic_ns())

    def _take(self) -> str:
        """Take a place among those that may not be on together; names the rule when there is none."""
        rule = None if self._claimed else self._claims.take(self._name)
        self._claimed = rule is None
        return rule or ""

    def _give(self) -> None:
        if self._claimed:
            self._claimed = False
            self._claims.give(self._name)

    def _write(self, output: Output) -> None:
        self._may_be_on |= output.on
        if output.values is None:
            self._driver.make_safe()
            self._core.running = False
        else:
            self._driver.apply(output.values)
        self._written, self._may_be_on = output, output.on

    def _settle(self, output: Output) -> None:
        """The hardware has it: keep it, tell it."""
        self._fault = ""
        self._around.faults.end(self._name, "output")
        if output.held_by != self._held_by:
            text = f"held by {output.held_by}" if output.held_by else f"no longer held by {self._held_by}"
            self._held_by = output.held_by
            self._around.faults.event(self._name, "held", text)
        self._following.settled(self._read_back, self._held_by, self._core.latched)
        self._show(moving=output.moving)

    def _fail(self, error: HardwareError) -> None:
        """The hardware did not do it: begin anew with it, soon."""
        self._opened = False
        self._fault = str(error)
        self._around.faults.begin(self._name, "output", self._fault)
        now_ns = self._around.clock.monotonic_ns()
        self._core.failed(now_ns)
        dosing = self._core.stop("a fault")
        if self._doing is not None:
            self._end_act("failed" if dosing else "unknown", self._fault, dosing)
        self._tick.set(now_ns + round(RETRY * SECOND))
        self._show(moving=False)

    def _see(self) -> None:
        """See what the hardware does, and whether it does so by itself."""
        if not self._opened:
            return
        try:
            said = self._driver.read_back()
        except HardwareError as error:
            self._fail(error)
            return
        before, self._read_back = self._read_back, said
        own = [setting.name for setting in self._shape.settings]
        if self._written is not None and not self._written.moving:
            changes = [
                f"{name} {before.get(name)} -> {said.get(name)}" for name in own if before.get(name) != said.get(name)
            ]
            if changes:
                self._around.faults.event(self._name, "fault", f"changed by itself: {', '.join(changes)}")
                self._written = None  # so that it is written again
                if self._core.on and said.get(self._shape.cycled or "") is False:
                    self._core.failed(self._around.clock.monotonic_ns())
        if self._shape.runs:
            self._see_running(running=bool(said.get(RUNNING)))

    def _see_running(self, *, running: bool) -> None:
        """A circuit carries out acts by itself: see when it has ended one, or when somebody else began one."""
        self._core.running = self._may_be_on = running
        if self._doing is not None and not running:
            self._end_act("done", "", None)

    def _look_later(self) -> None:
        closely = self._shape.rules.watching or self._shape.lease or self._core.running
        pause = LOOK_CLOSELY if closely else LOOK
        self._pause_ns = round(pause * self._shape.second_ns)
        self._came_round()
        self._look.set(self._around.clock.monotonic_ns() + self._pause_ns)

    def _came_round(self) -> None:
        """The output was looked after, and will be at the latest when the next look is due."""
        due_ns = self._around.clock.monotonic_ns() + self._pause_ns
        self._around.progress.expect(Part.OUTPUTS, self._name, due_ns)

    def _show(self, *, moving: bool) -> None:
        doing = self._doing.told if self._doing else "ramp" if moving else ""
        self._following.show(self._told(), self._held_by, self._fault, doing)

    def _told(self) -> dict[str, Value]:
        """What the hardware said, and what was dosed."""
        told = dict(self._read_back)
        if any(act.volume for act in self._driver.descriptor.acts):
            dosed = self._acts.dosed()
            told |= {"dosed_hour": dosed.hour, "dosed_day": dosed.day, "dosed_total": dosed.total}
        return told

    # acts

    def _do(self, do: Do) -> None:
        admitted = self._acts.admit(do)
        if admitted is None:
            return
        if admitted.act.name == STOP:
            self._halt(admitted)
        elif admitted.act.timed:
            self._dose(admitted)
        else:
            self._order(admitted)

    def _halt(self, admitted: Admitted) -> None:
        """End whatever runs; it is written down afterwards, for nothing may keep it from being done."""
        by = f"{STOP}, asked by {admitted.do.act.author}"
        dosing = self._core.stop(by)
        result: Mapping[str, Value] = {}
        self._drive()
        try:
            if not admitted.act.timed:
                result = self._driver.act(STOP, {})
                self._core.running = False
        except HardwareError as error:
            self._fail(error)
        if self._doing is not None:
            self._end_act("failed", by, dosing)
        self._acts.record(admitted, "failed" if self._fault else "done", self._fault, result)
        self._drive()

    def _dose(self, admitted: Admitted) -> None:
        """Switch the output for as long as it takes."""
        rules, now_ns = self._shape.rules, self._around.clock.monotonic_ns()
        try:
            planned = plan(
                admitted.act,
                admitted.do.act.arguments,
                float(self._core.values[FLOW]),
                pause=rules.min_off.seconds if rules.min_off else 0.0,
            )
        except ValueError as error:
            self._acts.refuse(admitted.do, str(error))
            return
        if self._enter(admitted, planned.pulse):
            self._core.dosing = Dosing(planned, now_ns, self._shape.second_ns)
            self._doing = admitted
            self._drive()
            if self._doing is admitted:
                self._acts.begun(admitted)

    def _order(self, admitted: Admitted) -> None:
        """Let the driver do it."""
        asked = admitted.do.act
        if not self._enter(admitted, asked.arguments.get(DURATION, 0.0) * MINUTE):
            return
        try:
            result = self._driver.act(asked.kind, asked.arguments)
        except Refused as error:
            self._acts.end(admitted, "refused", str(error), {}, 0.0)
        except HardwareError as error:
            self._acts.end(admitted, "unknown", str(error), {}, admitted.ml)
            self._fail(error)
        else:
            if admitted.ml and self._shape.runs:
                self._core.running = self._may_be_on = True
                self._doing = admitted
                self._acts.begun(admitted)
                self._look_later()
            else:
                self._acts.end(admitted, "done", "", result, admitted.ml)
        self._drive()

    def _enter(self, admitted: Admitted, run: float) -> bool:
        """See that nothing is against an act that runs for so many seconds at a time, and write down that it begins."""
        reason = self._fault
        if admitted.ml and not reason:
            reason = self._core.against_dose(run, self._around.clock.monotonic_ns()) or self._take()
        if reason:
            self._acts.refuse(admitted.do, reason)
            return False
        if self._acts.begin(admitted):
            return True
        self._give()
        return False

    def _end_dose(self, output: Output) -> None:
        """See whether the act that takes a while has ended."""
        dosing = self._core.dosing
        if self._doing is None:
            return
        if output.values is None:
            self._core.stop(f"held by {output.held_by}")
            self._end_act("failed", f"held by {output.held_by}", dosing)
        elif dosing is not None and dosing.over:
            self._core.dosing = None
            self._end_act("done", "", dosing)

    def _end_act(self, state: State, text: str, dosing: Dosing | None) -> None:
        """Tell how the act that takes a while has ended. What a circuit has dosed until then is not known."""
        admitted, self._doing = self._doing, None
        assert admitted is not None
        ml, result = admitted.ml, {name: value for name, value in self._read_back.items() if name == DISPENSED}
        if dosing is not None:
            dosing.switched(self._around.clock.monotonic_ns(), on=False)
            ml = dosing.pumped
            result = {DISPENSED: round(ml, 3)}
        self._acts.end(admitted, state, text, result, ml)


def _same(output: Output, written: Output | None) -> bool:
    return written is not None and written.values == output.values
