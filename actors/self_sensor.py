"""The built-in sensor `self`: the reactor process's own numbers, read, kept and shown like any other sensor's."""

from collections.abc import Mapping

from actors.live import Around
from actors.meter import Meter
from actors.safe_mode import ACT
from hardware.acts import Act, Value
from hardware.driver import Descriptor, SensorDriver, Wiring
from hardware.errors import HardwareError, Refused
from hardware.values import Quantity
from storage.spool import Spool, SpoolError

NAME = "self"
MOST = 2.0**53


class SelfSensor(SensorDriver):
    """Reads the process itself, and leaves the backlog that it counted in `vitals` for the status."""

    descriptor = Descriptor(
        driver=NAME,
        title="the reactor process itself",
        quantities=(
            Quantity("waiting", "rows", 0, MOST, 0),
            Quantity("oldest", "s", 0, MOST, 0),
            Quantity("refused", "rows", 0, MOST, 0),
            Quantity("dropped", "rows", 0, MOST, 0),
            Quantity("attached", "1", 0, 1, 0),
            Quantity("clock_offset", "s", -MOST, MOST, 3),
            Quantity("load", "%", 0, 100.0 * 1024, 2),  # of one core
            Quantity("memory", "MiB", 0, MOST, 1),
        ),
        buses=("none",),
        longest_operation=1.0,
        acts=(Act(ACT, "Leave safe mode"),),
        optional=frozenset({"clock_offset"}),  # while the time is not known
    )

    def __init__(self, wiring: Wiring, around: Around, spool: Spool) -> None:
        super().__init__(wiring)
        self._around = around
        self._spool = spool
        self._meter = Meter(wiring.clock)

    def open(self) -> None:
        """There is nothing to open."""

    def read(self) -> Mapping[str, float]:
        """Count."""
        try:
            backlog = self._spool.backlog()
        except SpoolError as error:
            raise HardwareError(str(error)) from error
        self._around.vitals.backlog = backlog
        self._see_safe_mode()
        numbers = {
            "waiting": float(backlog.waiting),
            "oldest": backlog.oldest,
            "refused": float(backlog.refused),
            "dropped": float(backlog.dropped),
            "attached": float(self._around.vitals.lost_ns is None),
            "load": self._meter.load(),
            "memory": self._meter.memory(),
        }
        clock = self.wiring.clock
        offset = self._around.timebase.offset(clock.monotonic_ns(), clock.wall_us())
        if offset is not None:
            numbers["clock_offset"] = offset
        return numbers

    def act(self, name: str, arguments: Mapping[str, float]) -> Mapping[str, Value]:
        """Leave safe mode."""
        if name != ACT:
            return super().act(name, arguments)
        if not self._around.safe_mode.reason:
            raise Refused("it is not in safe mode")
        try:
            self._around.safe_mode.leave()
        except OSError as error:
            raise Refused(f"safe mode cannot be left: {error}") from error
        self._see_safe_mode()
        return {}

    def _see_safe_mode(self) -> None:
        """Somebody at the board may have ended it."""
        self._around.safe_mode.look()
        if reason := self._around.safe_mode.reason:
            self._around.faults.begin("reactor", "safe mode", f"safe mode: {reason}")
        else:
            self._around.faults.end("reactor", "safe mode")
