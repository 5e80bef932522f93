"""EZO-pH."""

from hardware.vessel.chemistry import FARADAY, GAS_CONSTANT, ZERO_CELSIUS
from hardware.vessel.circuits.base import Circuit
from hardware.vessel.circuits.calibration import Line, shifted, through
from hardware.vessel.circuits.parts import Data, Handler, Refusal, Reply, Request, parse
from hardware.vessel.tank import Surroundings

NEUTRAL = 7.0  # where a glass electrode's voltage is zero
MILLIVOLTS = 2302.585 * GAS_CONSTANT * (25.0 + ZERO_CELSIUS) / FARADAY  # a pH at 25 °C


class PH(Circuit):
    """Acidity; the electrode's voltage grows with temperature, which `T` makes up for."""

    data = Data(
        device="pH",
        address=99,
        firmware="2.16",
        read_delay=0.9,
        calibration_delay=0.9,
        noise=0.003,
        reference_temperature=25.0,
        numbers={"PHEXT": 0.0},
        exports=True,
    )

    def commands(self) -> dict[str, Handler]:
        """Add the slope and the extended range."""
        return super().commands() | {"SLOPE": self._slope, "PHEXT": lambda request: self.switch(request, "pHext")}

    def sense(self, world: Surroundings) -> float:
        """Turn the electrode's voltage into pH as at the temperature that the circuit was told."""
        actual, told = world.temperature + ZERO_CELSIUS, self.temperature + ZERO_CELSIUS
        return NEUTRAL + (world.ph - NEUTRAL) * actual / told

    def show(self, main: float, world: Surroundings) -> str:  # noqa: ARG002
        """Three decimals, cut at the ends of the range."""
        low, high = (-1.6, 15.6) if self.kept.numbers["PHEXT"] else (0.001, 14.0)
        return f"{min(max(main, low), high):.3f}"

    def calibrated(self, raw: float) -> float:
        """Acid and base sides have slopes of their own, which meet in the middle point."""
        middle = self.kept.points.get("MID")
        if middle is None:
            return raw
        acid, base = self._sides()
        return acid(raw) if raw < middle[0] else base(raw)

    def _sides(self) -> tuple[Line, Line]:
        middle = self.kept.points["MID"]
        low, high = self.kept.points.get("LOW"), self.kept.points.get("HIGH")
        acid = through(low, middle) if low else None
        base = through(middle, high) if high else None
        return acid or base or shifted(middle), base or acid or shifted(middle)

    def calibrate(self, request: Request) -> Reply:
        """`Cal,mid` comes first and deletes the others; low and high before it are refused (no source says)."""
        match request.words:
            case ("MID", value):
                number = parse(value, 0.0, 14.0)
                self.kept.points.clear()
                return self.set_point("MID", self.raw(request.now), number)
            case ("LOW" | "HIGH" as name, value) if "MID" in self.kept.points:
                return self.set_point(name, self.raw(request.now), parse(value, 0.0, 14.0))
        raise Refusal

    def _slope(self, request: Request) -> Reply:
        if request.words != ("?",):
            raise Refusal
        middle = self.kept.points.get("MID")
        if middle is None:
            return self.say("Slope", "100.0", "100.0", "0.00")
        acid, base = (100.0 / side.gain for side in self._sides())
        zero = (middle[1] - middle[0]) * MILLIVOLTS
        return self.say("Slope", f"{acid:.1f}", f"{base:.1f}", f"{zero:.2f}")
