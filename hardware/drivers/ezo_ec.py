"""Conductivity: Atlas Scientific EZO EC, default I2C address 100."""

from hardware.acts import Argument
from hardware.ezo.calibration import Point, point
from hardware.ezo.circuit import Delays
from hardware.ezo.options import Output, number
from hardware.ezo.sensor import TEMPERATURE, EzoSensor, describe
from hardware.values import Quantity

_SOLUTION = Argument("conductivity", "µS/cm", 1.0, 500_000.0, 0)


class EzoEc(EzoSensor):
    """What is dissolved in the water, compensated for its temperature (25 °C until told).

    Options: `k`, the probe's constant; `tds`, ppm of dissolved solids for each µS/cm.
    """

    kind = "EC"
    outputs = (
        Output("EC", Quantity("conductivity", "µS/cm", 0.0, 500_000.0, 2)),
        Output("TDS", Quantity("dissolved_solids", "ppm", 0.0, 500_000.0, 2)),
        Output("S", Quantity("salinity", "PSU", 0.0, 42.0, 2)),
        Output("SG", Quantity("specific_gravity", "", 1.0, 1.3, 3)),
    )
    delays = Delays(read=0.6, calibrate=1.2)  # s; calibration 0.6 by the data sheet, 1.2 in one driver
    compensations = (TEMPERATURE,)
    options = (number("k", "K", 0.1, 10.0), number("tds", "TDS", 0.01, 1.0))
    points = (
        Point("calibrate_dry", "Calibrate dry", ("dry",)),
        point(_SOLUTION),
        point(_SOLUTION, "low"),
        point(_SOLUTION, "high"),
    )
    descriptor = describe("ezo-ec", "Atlas Scientific EZO EC", outputs, *compensations, points=points)
