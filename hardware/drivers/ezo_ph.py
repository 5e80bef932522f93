"""Acidity: Atlas Scientific EZO pH, default I2C address 99."""

from hardware.ezo.circuit import Delays
from hardware.ezo.options import Output
from hardware.ezo.sensor import TEMPERATURE, EzoSensor, describe
from hardware.values import Quantity


class EzoPh(EzoSensor):
    """pH of the water, compensated for its temperature (25 °C until told)."""

    kind = "PH"
    outputs = (Output("", Quantity("ph", "pH", 0.001, 14.0, 3)),)
    delays = Delays(read=0.9, calibrate=0.9)
    compensations = (TEMPERATURE,)
    descriptor = describe("ezo-ph", "Atlas Scientific EZO pH", outputs, *compensations)
