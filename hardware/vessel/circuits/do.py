"""EZO-DO."""

from hardware.vessel.chemistry import oxygen_saturation, salinity_of
from hardware.vessel.circuits.base import Circuit
from hardware.vessel.circuits.calibration import zero_and_high
from hardware.vessel.circuits.parts import Data, Handler, Refusal, Reply, Request, parse
from hardware.vessel.tank import Surroundings

PRESSURE = 101.3  # kPa, when it was told nothing
SALINITY_MATTERS = 2500.0  # µS/cm
KILO = 1000.0


class DO(Circuit):
    """Dissolved oxygen: the probe sees the share of saturation, compensation makes mg/L of it."""

    data = Data(
        device="DO",
        address=97,
        firmware="2.16",
        read_delay=0.6,
        calibration_delay=1.3,
        noise=0.01,
        reference_temperature=20.0,
        outputs=("mg", "%"),
        outputs_on=("mg",),
        exports=True,
        unplugged=0.0,
    )

    def forget(self) -> None:
        """Lose salinity and pressure too: firmware 5.8 does, an older data sheet says they are kept."""
        super().forget()
        self._salinity = 0.0  # µS/cm or ppt
        self._salinity_unit = "µS"
        self._pressure = PRESSURE

    def commands(self) -> dict[str, Handler]:
        """Add salinity and pressure."""
        return super().commands() | {"S": self._set_salinity, "P": self._set_pressure}

    def sense(self, world: Surroundings) -> float:
        """Give mg/L of the share of saturation that the probe sees, as at what the circuit was told."""
        return world.oxygen_share * self._saturation()

    def show(self, main: float, world: Surroundings) -> str:  # noqa: ARG002
        """Two decimals of mg/L, one of %."""
        share = 100.0 * main / self._saturation()
        return self.chosen({"mg": f"{max(main, 0.0):.2f}", "%": f"{max(share, 0.0):.1f}"})

    def calibrated(self, raw: float) -> float:
        """Zero moves every reading, air stretches it."""
        return zero_and_high(self.kept.points)(raw)

    def calibrate(self, request: Request) -> Reply:
        """`Cal` in air, which is saturated with oxygen; `Cal,0` without any."""
        match request.words:
            case ():
                return self.set_point("HIGH", self.raw(request.now), self._saturation())
            case ("0",):
                return self.set_point("ZERO", self.raw(request.now), 0.0)
        raise Refusal

    def _saturation(self) -> float:
        """Oxygen in water in equilibrium with air, mg/L, at what the circuit was told."""
        salinity = self._salinity
        if self._salinity_unit == "µS":
            salinity = salinity_of(salinity) if salinity >= SALINITY_MATTERS else 0.0
        return oxygen_saturation(self.temperature, salinity, self._pressure * KILO)

    def _set_salinity(self, request: Request) -> Reply:
        match request.words:
            case ("?",):
                return self.say("S", f"{self._salinity:g}", self._salinity_unit)
            case (value,):
                self._salinity, self._salinity_unit = parse(value, 0.0, 500000.0), "µS"
                return Reply()
            case (value, "PPT"):
                self._salinity, self._salinity_unit = parse(value, 0.0, 42.0), "ppt"
                return Reply()
        raise Refusal

    def _set_pressure(self, request: Request) -> Reply:
        match request.words:
            case ("?",):
                return self.say("P", f"{self._pressure:g}", comma=True)
            case (value,):
                self._pressure = parse(value, 1.0, 1000.0)
                return Reply()
        raise Refusal
