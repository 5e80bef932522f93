"""Carbon dioxide in the gas: Atlas Scientific EZO CO2, default I2C address 105."""

from hardware.acts import Argument
from hardware.ezo.calibration import Point, point
from hardware.ezo.circuit import Delays
from hardware.ezo.options import Output
from hardware.ezo.sensor import EzoSensor, describe
from hardware.values import Quantity


class EzoCo2(EzoSensor):
    """Carbon dioxide, and the temperature of the sensor itself. Not ready for the first 10 s: `NoAnswer`."""

    kind = "CO2"
    outputs = (
        Output("ppm", Quantity("co2", "ppm", 0.0, 10_000.0, 0)),
        Output("t", Quantity("temperature", "°C", -40.0, 125.0, 2)),
    )
    delays = Delays(read=0.9, calibrate=0.9)
    points = (
        point(Argument("co2", "ppm", 3000.0, 5000.0, 0)),
        Point("calibrate_zero", "Calibrate without CO2", (0.0,)),
    )
    descriptor = describe("ezo-co2", "Atlas Scientific EZO CO2", outputs, points=points)
