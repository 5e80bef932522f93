"""EZO-CO2."""

from hardware.vessel.circuits.alarm import FACTORY, alarm
from hardware.vessel.circuits.base import Circuit
from hardware.vessel.circuits.calibration import zero_and_high
from hardware.vessel.circuits.parts import Data, Handler, Refusal, Reply, Request, parse
from hardware.vessel.tank import Surroundings

MOST = 10000.0  # ppm
WARM_UP = 10.0  # s
SELF_HEATING = 6.0  # K, of the sensor above the gas


class CO2(Circuit):
    """Carbon dioxide in the gas above the water."""

    data = Data(
        device="CO2",
        address=105,
        firmware="1.00",
        read_delay=0.9,
        calibration_delay=0.9,
        noise=3.0,
        outputs=("ppm", "t"),
        outputs_on=("ppm",),
        numbers=FACTORY,
        exports=True,
    )

    def commands(self) -> dict[str, Handler]:
        """Add the alarm."""
        return super().commands() | {"ALARM": lambda request: alarm(self, request, MOST, 499.0)}

    def sense(self, world: Surroundings) -> float:
        """Give ppm."""
        return world.carbon_dioxide

    def take_reading(self, now: float) -> str:
        """Say `*WARM` while it warms up (in no source, a recollection)."""
        return "*WARM" if now - self.started_at < WARM_UP else super().take_reading(now)

    def show(self, main: float, world: Surroundings) -> str:
        """Whole ppm; the sensor's temperature with three decimals (in no source)."""
        celsius = world.gas_temperature + SELF_HEATING
        return self.chosen({"ppm": f"{min(max(main, 0.0), MOST):.0f}", "t": f"{celsius:.3f}"})

    def calibrated(self, raw: float) -> float:
        """Zero moves every reading, a high point stretches it."""
        return zero_and_high(self.kept.points)(raw)

    def calibrate(self, request: Request) -> Reply:
        """`Cal,n` from 3000 to 5000 ppm, `Cal,0`."""
        match request.words:
            case ("0",):
                return self.set_point("ZERO", self.raw(request.now), 0.0)
            case (value,):
                return self.set_point("HIGH", self.raw(request.now), parse(value, 3000.0, 5000.0))
        raise Refusal

    def points_counted(self) -> int:
        """Count as PRS does: 1 zero, 2 high, 3 both (in no source)."""
        return ("ZERO" in self.kept.points) + 2 * ("HIGH" in self.kept.points)
