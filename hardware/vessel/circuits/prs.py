"""EZO-PRS."""

from hardware.vessel.circuits.alarm import FACTORY, alarm
from hardware.vessel.circuits.base import Circuit
from hardware.vessel.circuits.calibration import zero_and_high
from hardware.vessel.circuits.parts import Data, Handler, Refusal, Reply, Request, parse, whole
from hardware.vessel.tank import Surroundings

PASCALS = {"psi": 6894.757, "atm": 101325.0, "bar": 1e5, "kPa": 1000.0, "inh2o": 249.0889, "cmh2o": 98.0665}
MOST = 75.0 * PASCALS["psi"]  # Pa
MOST_DECIMALS = 3


class PRS(Circuit):
    """Gauge pressure at the tank's bottom, in the unit chosen; calibration points are in Pa within."""

    data = Data(
        device="PRS",
        address=106,
        firmware="1.0",
        read_delay=0.9,
        calibration_delay=0.9,
        noise=0.0005,
        numbers=FACTORY | {"UNIT SHOWN": 0.0, "DEC": 3.0},
        words={"U": "psi"},
    )

    def commands(self) -> dict[str, Handler]:
        """Add unit, decimals and alarm."""
        return super().commands() | {
            "U": self._unit,
            "DEC": self._decimals,
            "ALARM": lambda request: alarm(self, request, MOST, MOST),
        }

    def sense(self, world: Surroundings) -> float:
        """Give the pressure in the unit chosen."""
        return world.gauge_pressure / PASCALS[self.kept.words["U"]]

    def show(self, main: float, world: Surroundings) -> str:  # noqa: ARG002
        """Spell it with the decimals chosen, and behind a comma with the unit where that was asked for."""
        text = f"{main:.{self.kept.numbers['DEC']:.0f}f}"
        return f"{text},{self.kept.words['U']}" if self.kept.numbers["UNIT SHOWN"] else text

    def calibrated(self, raw: float) -> float:
        """Zero moves every reading, a high point stretches it."""
        unit = PASCALS[self.kept.words["U"]]
        return zero_and_high(self.kept.points)(raw * unit) / unit

    def calibrate(self, request: Request) -> Reply:
        """`Cal,0`, `Cal,n` in the unit chosen."""
        unit = PASCALS[self.kept.words["U"]]
        raw = self.raw(request.now) * unit
        match request.words:
            case ("0",):
                return self.set_point("ZERO", raw, 0.0)
            case (value,):
                return self.set_point("HIGH", raw, parse(value, 0.001, MOST / unit) * unit)
        raise Refusal

    def points_counted(self) -> int:
        """0 none, 1 zero, 2 high, 3 both."""
        return ("ZERO" in self.kept.points) + 2 * ("HIGH" in self.kept.points)

    def _unit(self, request: Request) -> Reply:
        units = {unit.upper(): unit for unit in PASCALS}
        match request.words:
            case ("?",):
                return self.say("U", self.kept.words["U"])
            case ("0" | "1" as shown,):
                return self.keep("UNIT SHOWN", float(shown))
            case (unit,) if unit in units:
                self.kept.words["U"] = units[unit]
                self.changed = True
                return Reply()
        raise Refusal

    def _decimals(self, request: Request) -> Reply:
        match request.words:
            case ("?",):
                return self.say("Dec", int(self.kept.numbers["DEC"]))
            case (value,):
                return self.keep("DEC", whole(value, range(MOST_DECIMALS + 1)))
        raise Refusal
