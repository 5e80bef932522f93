"""Pressure: Atlas Scientific EZO PRS, default I2C address 106."""

from hardware.acts import Argument
from hardware.ezo.calibration import Point, point
from hardware.ezo.circuit import Delays
from hardware.ezo.options import Output
from hardware.ezo.sensor import EzoSensor, describe
from hardware.values import Quantity


class EzoPrs(EzoSensor):
    """Pressure above the air's, always in kPa; newer ones reach 74 psi. A reading may carry its unit."""

    kind = "PRS"
    outputs = (Output("", Quantity("gauge_pressure", "kPa", -101.325, 510.3, 3)),)
    delays = Delays(read=0.9, calibrate=0.9)
    settings = (("U", "kPa"),)
    words = frozenset({"kpa"})
    points = (
        point(Argument("gauge_pressure", "kPa", 1.0, 510.3, 3)),
        Point("calibrate_zero", "Calibrate at no pressure", (0.0,)),
    )
    descriptor = describe("ezo-prs", "Atlas Scientific EZO PRS", outputs, points=points)
