"""Air humidity: Atlas Scientific EZO HUM, default I2C address 111."""

from hardware.acts import Argument
from hardware.ezo.calibration import point
from hardware.ezo.circuit import Delays
from hardware.ezo.options import Output
from hardware.ezo.sensor import EzoSensor, describe
from hardware.values import Quantity


class EzoHum(EzoSensor):
    """Humidity, temperature and dew point of the air. The word `Dew` stands before the dew point in a reading."""

    kind = "HUM"
    outputs = (
        Output("HUM", Quantity("humidity", "%", 0.0, 100.0, 2)),
        Output("T", Quantity("temperature", "°C", -40.0, 125.0, 2)),
        Output("Dew", Quantity("dew_point", "°C", -100.0, 125.0, 2)),
    )
    delays = Delays(read=0.3, calibrate=0.3)
    words = frozenset({"dew"})
    points = (point(Argument("temperature", "°C", -40.0, 125.0, 2)),)
    calibrates_with = "Tcal"  # its humidity cannot be calibrated
    descriptor = describe("ezo-hum", "Atlas Scientific EZO HUM", outputs, points=points)
