"""Flow: Atlas Scientific EZO FLO, default I2C address 104."""

from collections.abc import Mapping

from hardware.acts import Act, Value
from hardware.ezo.circuit import Delays
from hardware.ezo.options import Output, choice
from hardware.ezo.sensor import EzoSensor, describe
from hardware.values import Quantity

_CLEAR = Act("clear_total", "Count from 0")


class EzoFlo(EzoSensor):
    """What went through a flow meter since the circuit started, and how fast it goes, always by the minute.

    Option: `meter`, the size of an Atlas flow meter in inches.
    """

    kind = "FLO"
    outputs = (
        Output("TV", Quantity("volume", "L", 0.0, 1e9, 2)),
        Output("FR", Quantity("flow", "L/min", 0.0, 1e5, 2)),
    )
    delays = Delays(read=0.3, calibrate=0.3)
    options = (choice("meter", "Set", ("1/4", "3/8", "1/2", "3/4")),)
    settings = (("Frp", "m"),)
    descriptor = describe("ezo-flo", "Atlas Scientific EZO FLO", outputs, acts=(_CLEAR,))

    def act(self, name: str, arguments: Mapping[str, float]) -> Mapping[str, Value]:
        """Begin to count from 0, or what every circuit can do."""
        if name != _CLEAR.name:
            return super().act(name, arguments)
        self.circuit.order("Clear")
        return {}
