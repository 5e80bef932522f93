"""Acidity: Atlas Scientific EZO pH, default I2C address 99."""

from collections.abc import Mapping

from hardware.acts import Argument, Value
from hardware.ezo import commands
from hardware.ezo.calibration import point
from hardware.ezo.circuit import Delays
from hardware.ezo.options import Output
from hardware.ezo.sensor import TEMPERATURE, EzoSensor, describe
from hardware.values import Quantity

_BUFFER = Argument("ph", "pH", 0.0, 14.0, 3)


class EzoPh(EzoSensor):
    """pH of the water, compensated for its temperature (25 °C until told)."""

    kind = "PH"
    outputs = (Output("", Quantity("ph", "pH", 0.001, 14.0, 3)),)
    delays = Delays(read=0.9, calibrate=0.9)
    compensations = (TEMPERATURE,)
    points = (point(_BUFFER, "mid"), point(_BUFFER, "low"), point(_BUFFER, "high"))
    descriptor = describe("ezo-ph", "Atlas Scientific EZO pH", outputs, *compensations, points=points)

    def calibrated(self) -> Mapping[str, Value]:
        """Ask for the points, and how far the probe is from an ideal one (acid and base in %, zero in mV)."""
        points, slope = super().calibrated(), commands.slope(self.circuit)
        offset = {} if slope.offset is None else {"zero_offset": slope.offset}
        return {**points, "acid_slope": slope.acid, "base_slope": slope.base, **offset}
