"""A sensor: reads its driver at its ticks, judges what came, and hands it on."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from actors.keeper import Kept, Report, tell
from actors.live import Around
from actors.schedule import Schedule
from hardware.driver import SensorDriver
from hardware.errors import HardwareError
from hardware.values import Quality, Reading, failed, judge
from storage.rows import Sample


@dataclass(frozen=True, slots=True)
class Tick:
    """The schedule has something due."""


@dataclass(frozen=True, slots=True)
class Wired:
    """A sensor as it is wired, which outlives its actor.

    `compensation` maps what the driver compensates for to the sensor and quantity that measures it.
    """

    name: str
    driver: SensorDriver
    schedule: Schedule
    compensation: Mapping[str, tuple[str, str]]


class Sensor(Kept):
    """Owns its driver: no other thread calls it. A read blocks this actor alone."""

    def __init__(self, report: Report, wired: Wired, around: Around, keep: Callable[[Sequence[Sample]], None]) -> None:
        """`keep` takes rows on their way to the spool and never blocks."""
        super().__init__(report)
        self._name = wired.name
        self._driver = wired.driver
        self._schedule = wired.schedule
        self._compensation = wired.compensation
        self._around = around
        self._keep = keep
        self._opened = False
        self._alarm = around.ticker.alarm(partial(tell, self.actor_ref, Tick()))

    def begin(self) -> None:
        """Wait for the first tick, or take up those that fell due while there was nobody."""
        self._alarm.set(self._schedule.next_ns)

    def handle(self, message: object) -> None:
        """Read when it is due."""
        match message:
            case Tick():
                self._tick()

    def release(self) -> None:
        """Close the driver."""
        self._alarm.cancel()
        self._driver.close()

    def _tick(self) -> None:
        now_ns = self._around.clock.monotonic_ns()
        due = self._schedule.due(now_ns)
        if due.missed:
            self._around.faults.event(self._name, "fault", f"{due.missed} samples missed: nothing read at their time")
        if due.read:
            readings = self._read()
            if due.sample:
                self._keep([self._sample(reading) for reading in readings])
            self._around.live.put(self._name, readings)
            self._tell_faults(readings)
        self._schedule.handled(now_ns)
        self._alarm.set(self._schedule.next_ns)

    def _read(self) -> list[Reading]:
        """Take one reading of every quantity; whatever the hardware does, there is one."""
        try:
            if not self._opened:
                self._driver.open()
                self._opened = True
            self._compensate()
            taken_ns = self._around.clock.monotonic_ns()
            values = self._driver.read()
        except HardwareError as error:
            self._opened = False
            now_ns = self._around.clock.monotonic_ns()
            return [failed(quantity, str(error), now_ns) for quantity in self._driver.quantities]
        return [
            judge(quantity, values[quantity.name], taken_ns)
            if quantity.name in values
            else failed(quantity, f"{quantity.name} was not delivered", taken_ns)
            for quantity in self._driver.quantities
        ]

    def _compensate(self) -> None:
        """Tell the driver what the others read; what is not known well leaves it with what it was told last."""
        for what, (sensor, quantity) in self._compensation.items():
            reading = self._around.live.get(sensor, quantity)
            if reading is not None and reading.quality is Quality.OK and reading.value is not None:
                self._driver.compensate(what, reading.value)

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
