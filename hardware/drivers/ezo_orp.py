"""Redox potential: Atlas Scientific EZO ORP, default I2C address 98."""

from hardware.acts import Argument
from hardware.ezo.calibration import point
from hardware.ezo.circuit import Delays
from hardware.ezo.options import Output
from hardware.ezo.sensor import EzoSensor, describe
from hardware.values import Quantity


class EzoOrp(EzoSensor):
    """Oxidation-reduction potential; no compensation."""

    kind = "ORP"
    outputs = (Output("", Quantity("orp", "mV", -1019.9, 1019.9, 1)),)
    delays = Delays(read=0.9, calibrate=0.9)
    points = (point(Argument("orp", "mV", -1019.9, 1019.9, 1)),)
    descriptor = describe("ezo-orp", "Atlas Scientific EZO ORP", outputs, points=points)
