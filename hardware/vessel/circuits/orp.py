"""EZO-ORP."""

from hardware.vessel.circuits.base import Circuit
from hardware.vessel.circuits.calibration import shifted
from hardware.vessel.circuits.parts import Data, Handler, Reply, Request, exactly, parse
from hardware.vessel.tank import Surroundings

ORDINARY, EXTENDED = 1019.9, 2000.0  # mV either way; the extended limit is in no source


class ORP(Circuit):
    """Redox potential."""

    data = Data(
        device="ORP",
        address=98,
        firmware="2.13",
        read_delay=0.9,
        calibration_delay=0.9,
        noise=0.3,
        numbers={"ORPEXT": 0.0},
        exports=True,
    )

    def commands(self) -> dict[str, Handler]:
        """Add the extended range."""
        return super().commands() | {"ORPEXT": lambda request: self.switch(request, "ORPext")}

    def sense(self, world: Surroundings) -> float:
        """Give mV."""
        return world.redox

    def show(self, main: float, world: Surroundings) -> str:  # noqa: ARG002
        """One decimal, cut at the ends of the range."""
        limit = EXTENDED if self.kept.numbers["ORPEXT"] else ORDINARY
        return f"{min(max(main, -limit), limit):.1f}"

    def calibrated(self, raw: float) -> float:
        """One point moves every reading."""
        return shifted(self.kept.points["ONE"])(raw) if self.kept.points else raw

    def calibrate(self, request: Request) -> Reply:
        """`Cal,n`, mV."""
        (word,) = exactly(request.words, 1)
        return self.set_point("ONE", self.raw(request.now), parse(word, -EXTENDED, EXTENDED))
