"""Oxygen in the gas: Atlas Scientific EZO O2, default I2C address 108."""

from hardware.acts import Argument
from hardware.ezo.calibration import Point, point
from hardware.ezo.circuit import Delays
from hardware.ezo.options import Output
from hardware.ezo.sensor import TEMPERATURE, EzoSensor, describe
from hardware.values import Quantity


class EzoO2(EzoSensor):
    """Oxygen in the gas, in percent and in parts per thousand, compensated for the gas's temperature."""

    kind = "O2"
    outputs = (
        Output("%", Quantity("oxygen", "%", 0.0, 42.0, 2)),
        Output("PPT", Quantity("oxygen_ppt", "ppt", 0.0, 420.0, 1)),
    )
    delays = Delays(read=0.9, calibrate=1.3)
    compensations = (TEMPERATURE,)
    points = (point(Argument("oxygen", "%", 1.0, 42.0, 2)), Point("calibrate_zero", "Calibrate without oxygen", (0.0,)))
    descriptor = describe("ezo-o2", "Atlas Scientific EZO O2", outputs, *compensations, points=points)
