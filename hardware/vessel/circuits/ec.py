"""EZO-EC."""

from hardware.vessel.chemistry import salinity_of
from hardware.vessel.circuits.base import Circuit
from hardware.vessel.circuits.calibration import scaled, through
from hardware.vessel.circuits.parts import Data, Handler, Refusal, Reply, Request, parse
from hardware.vessel.tank import Surroundings

WATER_COEFFICIENT = 0.02  # 1/K: what conductivity gains with temperature; the circuit takes the same, in no source
REFERENCE = 25.0  # °C
GRAVITY_PER_CONDUCTIVITY = (
    6.6e-7  # of specific gravity, per µS/cm: sea water is 1.0257 at about 53,000 less fresh water
)
MOST_SALINITY = 42.0


class EC(Circuit):
    """Conductivity, and what is made of it: dissolved solids, salinity, specific gravity."""

    data = Data(
        device="EC",
        address=100,
        firmware="2.16",
        read_delay=0.6,
        calibration_delay=0.6,
        noise=1.0,
        reference_temperature=REFERENCE,
        outputs=("EC", "TDS", "S", "SG"),
        outputs_on=("EC",),
        numbers={"K": 1.0, "TDS": 0.54},
        exports=True,
        unplugged=0.0,
    )

    def commands(self) -> dict[str, Handler]:
        """Add cell constant and factor of dissolved solids."""
        return super().commands() | {
            "K": lambda request: self._number(request, "K", (0.1, 10.0), 1),
            "TDS": lambda request: self._number(request, "TDS", (0.01, 1.0), 2),
        }

    def sense(self, world: Surroundings) -> float:
        """Give µS/cm as at the temperature that it was told, through the cell constant that it was told."""
        actual = world.conductivity * (1.0 + WATER_COEFFICIENT * (world.temperature - REFERENCE))
        told = 1.0 + WATER_COEFFICIENT * (self.temperature - REFERENCE)
        return actual / told * self.kept.numbers["K"] / self.config.probe_k

    def show(self, main: float, world: Surroundings) -> str:  # noqa: ARG002
        """Four digits of EC and TDS, two decimals of salinity, three of specific gravity."""
        value = max(main, 0.0)
        salinity = min(salinity_of(value), MOST_SALINITY)
        values = {
            "EC": four_digits(value),
            "TDS": four_digits(value * self.kept.numbers["TDS"]),
            "S": f"{salinity:.2f}",
            "SG": f"{1.0 + GRAVITY_PER_CONDUCTIVITY * value:.3f}",
        }
        return self.chosen(values)

    def calibrated(self, raw: float) -> float:
        """Dry is 0; one point stretches, low counts once high is there."""
        points = self.kept.points
        if "HIGH" in points and "LOW" in points:
            return through(points["LOW"], points["HIGH"])(raw)
        if "ONE" in points:
            line = through(points["DRY"], points["ONE"]) if "DRY" in points else scaled(points["ONE"])
            return line(raw)
        return raw

    def calibrate(self, request: Request) -> Reply:
        """`Cal,dry` with the probe in air, `Cal,n`, or `Cal,low,n` and `Cal,high,n`; never 0."""
        match request.words:
            case ("DRY",):
                return self.set_point("DRY", self.config.offset, 0.0)
            case ("LOW" | "HIGH" as name, value):
                self.kept.points.pop("ONE", None)
                return self.set_point(name, self.raw(request.now), parse(value, 0.01, 500000.0))
            case (value,):
                for name in ("LOW", "HIGH"):
                    self.kept.points.pop(name, None)
                return self.set_point("ONE", self.raw(request.now), parse(value, 0.01, 500000.0))
        raise Refusal

    def points_counted(self) -> int:
        """Dry and one point are 1; dry, low and high 2."""
        points = self.kept.points
        if "LOW" in points and "HIGH" in points:
            return 2
        return int("ONE" in points)

    def _number(self, request: Request, key: str, limits: tuple[float, float], decimals: int) -> Reply:
        match request.words:
            case ("?",):
                return self.say(key, f"{self.kept.numbers[key]:.{decimals}f}")
            case (value,):
                return self.keep(key, parse(value, *limits))
        raise Refusal


def four_digits(value: float) -> str:
    """Spell with the steps of the circuit: 0.01 below 100, 0.1 below 1000, then 1, 10, 100 (in no source)."""
    for limit, decimals in ((99.995, 2), (999.95, 1), (9999.5, 0)):
        if value < limit:
            return f"{value:.{decimals}f}"
    step = 10 if value < 99995.0 else 100  # noqa: PLR2004 - as above
    return f"{round(value / step) * step}"
