"""Temperature: Atlas Scientific EZO RTD, default I2C address 102."""

from collections.abc import Mapping

from hardware.acts import Argument
from hardware.errors import BadAnswer
from hardware.ezo.calibration import point
from hardware.ezo.circuit import Delays
from hardware.ezo.options import Output
from hardware.ezo.sensor import EzoSensor, describe
from hardware.values import Quantity

_NO_PROBE = -1023.0  # °C, what the circuit reads without one


class EzoRtd(EzoSensor):
    """Temperature by a platinum probe, always in °C."""

    kind = "RTD"
    outputs = (Output("", Quantity("temperature", "°C", -126.0, 1254.0, 3)),)
    delays = Delays(read=0.6, calibrate=0.6)
    settings = (("S", "c"),)
    points = (point(Argument("temperature", "°C", -126.0, 1254.0, 3)),)
    descriptor = describe("ezo-rtd", "Atlas Scientific EZO RTD", outputs, points=points)

    def read(self) -> Mapping[str, float]:
        """Take one reading; `BadAnswer` when no probe is plugged in."""
        values = super().read()
        if values["temperature"] == _NO_PROBE:
            raise BadAnswer(f"{self.circuit.where} has no probe")
        return values
