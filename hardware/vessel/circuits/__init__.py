"""The circuits that a vessel can hold, by kind."""

from collections.abc import Mapping

from hardware.vessel.circuits.base import Circuit
from hardware.vessel.circuits.ph import PH
from hardware.vessel.circuits.rtd import RTD

KINDS: Mapping[str, type[Circuit]] = {"ph": PH, "rtd": RTD}
