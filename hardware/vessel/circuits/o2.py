"""EZO-O2."""

from hardware.vessel.circuits.alarm import FACTORY, alarm
from hardware.vessel.circuits.base import Circuit
from hardware.vessel.circuits.calibration import zero_and_high
from hardware.vessel.circuits.parts import Data, Handler, Refusal, Reply, Request, parse
from hardware.vessel.tank import Surroundings

MOST = 42.0  # %


class O2(Circuit):
    """Oxygen in the gas above the water. Default outputs, temperature and decimals are in no source."""

    data = Data(
        device="O2",
        address=108,
        firmware="1.00",
        read_delay=0.9,
        calibration_delay=1.3,
        noise=0.01,
        reference_temperature=20.0,
        outputs=("%", "PPT"),
        outputs_on=("%",),
        numbers=FACTORY,
    )

    def commands(self) -> dict[str, Handler]:
        """Add the alarm."""
        return super().commands() | {"ALARM": lambda request: alarm(self, request, MOST, MOST)}

    def sense(self, world: Surroundings) -> float:
        """Give % by volume; the sensor makes up for the gas's temperature by itself unless it is told another."""
        return world.gas_oxygen

    def show(self, main: float, world: Surroundings) -> str:  # noqa: ARG002
        """Two decimals of %, one of parts in a thousand."""
        value = min(max(main, 0.0), MOST)
        return self.chosen({"%": f"{value:.2f}", "PPT": f"{value * 10.0:.1f}"})

    def calibrated(self, raw: float) -> float:
        """Zero moves every reading, a high point stretches it."""
        return zero_and_high(self.kept.points)(raw)

    def calibrate(self, request: Request) -> Reply:
        """`Cal,n` in %, `Cal,0`."""
        match request.words:
            case ("0",):
                return self.set_point("ZERO", self.raw(request.now), 0.0)
            case (value,):
                return self.set_point("HIGH", self.raw(request.now), parse(value, 0.1, MOST))
        raise Refusal
