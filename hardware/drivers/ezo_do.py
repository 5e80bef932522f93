"""Dissolved oxygen: Atlas Scientific EZO DO, default I2C address 97."""

from collections.abc import Mapping

from hardware.ezo import commands
from hardware.ezo.calibration import Point
from hardware.ezo.circuit import Delays
from hardware.ezo.options import Output
from hardware.ezo.sensor import PRESSURE, SALINITY, TEMPERATURE, EzoSensor, describe
from hardware.values import Quantity

# How far the circuit's own salinity (ppt) or pressure (kPa) may be off before it is told again: 0.1 % of a reading.
_CLOSE_ENOUGH = 0.1


class EzoDo(EzoSensor):
    """Oxygen in the water, compensated for its temperature (20 °C until told), salinity and the air's pressure."""

    kind = "DO"
    outputs = (
        Output("mg", Quantity("dissolved_oxygen", "mg/L", 0.0, 100.0, 2)),
        Output("%", Quantity("oxygen_saturation", "%", 0.0, 400.0, 1)),
    )
    delays = Delays(read=0.6, calibrate=1.3)
    compensations = (TEMPERATURE, SALINITY, PRESSURE)
    points = (Point("calibrate_air", "Calibrate in air"), Point("calibrate_zero", "Calibrate without oxygen", (0.0,)))
    descriptor = describe("ezo-do", "Atlas Scientific EZO DO", outputs, *compensations, points=points)

    def renew(self, told: Mapping[str, float]) -> None:
        """Ask before telling: newer firmware forgets both when it restarts, older wears its memory with each order."""
        ppt, kilopascal = told.get(SALINITY.name), told.get(PRESSURE.name)
        if ppt is not None:
            now = commands.salinity(self.circuit)
            if now.unit != "ppt" or abs(now.value - ppt) > _CLOSE_ENOUGH:
                commands.set_salinity(self.circuit, ppt)
        if kilopascal is not None and abs(commands.pressure(self.circuit) - kilopascal) > _CLOSE_ENOUGH:
            commands.set_pressure(self.circuit, kilopascal)
