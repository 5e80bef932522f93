"""A sensor: reads its driver at its ticks, judges what came, and hands it on."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from actors.acts import Acts, Admitted
from actors.config import SensorConfig
from actors.following import Following, Hearers, Target
from actors.inventory import Inventory, sensor_info
from actors.journal import Journal
from actors.keeper import Kept, Report, tell
from actors.live import Around
from actors.progress import Part
from actors.schedule import Schedule
from actors.sensor_settings import Remaker, Wired, stale_after
from actors.targets import Do, Follow, KeptFile
from hardware.errors import HardwareError, Refused
from hardware.values import Quality, Reading, failed, judge
from storage.rows import Sample


@dataclass(frozen=True, slots=True)
class Tick:
    """The schedule has something due."""


@dataclass(frozen=True, slots=True)
class Asking:
    """How a sensor can be changed and asked: the makings of another one, its settings' file, its journal of acts."""

    remaker: Remaker
    kept: KeptFile
    journal: Journal
    hearers: Hearers
    inventory: Inventory


class Sensor(Kept):
    """Owns its driver: no other thread calls it. A read blocks this actor alone."""

    def __init__(self, report: Report, wired: Wired, around: Around, asking: Asking) -> None:
        super().__init__(report)
        self._name = wired.config.name
        self._wired = wired
        self._around = around
        self._keep = asking.hearers.keep
        self._remaker = asking.remaker
        self._inventory = asking.inventory
        self._opened = False
        target = Target(self._name, asking.remaker.settings(), asking.remaker.file(), asking.kept)
        self._following = Following(target, around, asking.hearers)
        self._acts = Acts(self._name, wired.driver.descriptor.acts, asking.journal, around, asking.hearers.say)
        self._alarm = around.ticker.alarm(partial(tell, self.actor_ref, Tick()))

    def begin(self) -> None:
        """Wait for the first tick, or take up those that fell due while there was nobody."""
        self._settle()
        self._acts.open()
        self._wait()

    def handle(self, message: object) -> None:
        """Read when it is due; change, or do something, when somebody asks."""
        match message:
            case Tick():
                self._tick()
            case Follow() as follow:
                self._follow(follow)
            case Do() as do:
                self._do(do)

    def release(self) -> None:
        """Close the driver."""
        self._alarm.cancel()
        self._around.progress.forget(Part.SAMPLING, self._name)
        self._wired.driver.close()

    def _follow(self, follow: Follow) -> None:
        values = self._following.hear(follow, self._remaker.against)
        if values is None:
            self._following.answer({}, "")
        else:
            self._rewire(self._remaker.configure(values))
            self._settle()

    def _rewire(self, config: SensorConfig) -> None:
        """Go on with another address, other intervals, another compensation."""
        wired, before = self._wired, self._wired.config
        if (config.address, config.compensation) != (before.address, before.compensation):
            wired.driver.close()
            wired.driver, self._opened = self._remaker.make(config), False
        if (config.live_interval, config.sample_interval) != (before.live_interval, before.sample_interval):
            now_ns = self._around.clock.monotonic_ns()
            wired.schedule = Schedule(now_ns, config.live_interval, config.sample_interval)
        wired.config = config
        self._around.live.expect(self._name, stale_after(config))
        self._inventory.change(sensor_info(config, wired.driver, self._remaker.settings()))
        self._wait()

    def _settle(self) -> None:
        """Tell what it follows, unless that is the file."""
        documents = self._following.documents
        if not documents.revision:
            return
        if self._remaker.configure(documents.values) == self._wired.config:
            self._following.settled({}, "")
            self._following.show({}, "")
        else:
            self._following.show({}, "", "what was set cannot be done any more: the file is followed")

    def _do(self, do: Do) -> None:
        """Do what the driver can do beside reading, such as taking a calibration point."""
        admitted = self._acts.admit(do)
        if admitted is None or not self._acts.begin(admitted):
            return
        self._act(do, admitted)
        self._came_round()  # many acts keep the tick waiting, and it does not hang

    def _act(self, do: Do, admitted: Admitted) -> None:
        try:
            self._open()
            result = self._wired.driver.act(do.act.kind, do.act.arguments)
        except Refused as error:
            self._acts.end(admitted, "refused", str(error), {}, 0.0)
        except HardwareError as error:
            self._opened = False
            self._acts.end(admitted, "unknown", str(error), {}, 0.0)
        else:
            self._acts.end(admitted, "done", "", result, 0.0)

    def _open(self) -> None:
        if not self._opened:
            self._wired.driver.open()
            self._opened = True

    def _tick(self) -> None:
        now_ns = self._around.clock.monotonic_ns()
        due = self._wired.schedule.due(now_ns)
        if due.missed:
            self._around.faults.event(self._name, "fault", f"{due.missed} samples missed: nothing read at their time")
        if due.read:
            readings = self._read()
            if due.sample:
                self._keep([self._sample(reading) for reading in readings])
            self._around.live.put(self._name, readings)
            self._tell_faults(readings)
        self._wired.schedule.handled(now_ns)
        self._wait()

    def _wait(self) -> None:
        """Come round at the next tick."""
        self._came_round()
        self._alarm.set(self._wired.schedule.next_ns)

    def _came_round(self) -> None:
        due_ns = max(self._wired.schedule.next_ns, self._around.clock.monotonic_ns())
        self._around.progress.expect(Part.SAMPLING, self._name, due_ns)

    def _read(self) -> list[Reading]:
        """Take one reading of every quantity that is not optional, whatever the hardware does."""
        try:
            self._open()
            self._compensate()
            taken_ns = self._around.clock.monotonic_ns()
            values = self._wired.driver.read()
        except HardwareError as error:
            self._opened = False
            now_ns = self._around.clock.monotonic_ns()
            return [failed(quantity, str(error), now_ns) for quantity in self._wired.driver.quantities]
        return [
            judge(quantity, values[quantity.name], taken_ns)
            if quantity.name in values
            else failed(quantity, f"{quantity.name} was not delivered", taken_ns)
            for quantity in self._wired.driver.quantities
            if quantity.name in values or quantity.name not in self._wired.driver.descriptor.optional
        ]

    def _compensate(self) -> None:
        """Tell the driver what the others read; what is not known well leaves it with what it was told last."""
        for what, (sensor, quantity) in self._wired.config.compensation.items():
            reading = self._around.live.get(sensor, quantity)
            if reading is not None and reading.quality is Quality.OK and reading.value is not None:
                self._wired.driver.compensate(what, reading.value)

    def _sample(self, reading: Reading) -> Sample:
        return Sample(
            self._around.reactor,
            self._name,
            reading.quantity,
            reading.value,
            reading.unit,
            reading.quality.value,
            reading.taken_ns,
        )

    def _tell_faults(self, readings: Sequence[Reading]) -> None:
        wrong = [reading.reason for reading in readings if reading.quality is not Quality.OK]
        if wrong:
            self._around.faults.begin(self._name, "reading", wrong[0])
        else:
            self._around.faults.end(self._name, "reading")
