"""The circuits that a vessel can hold, by kind."""

from collections.abc import Mapping

from hardware.vessel.circuits.base import Circuit
from hardware.vessel.circuits.co2 import CO2
from hardware.vessel.circuits.do import DO
from hardware.vessel.circuits.ec import EC
from hardware.vessel.circuits.flo import FLO
from hardware.vessel.circuits.hum import HUM
from hardware.vessel.circuits.o2 import O2
from hardware.vessel.circuits.orp import ORP
from hardware.vessel.circuits.ph import PH
from hardware.vessel.circuits.pmp import PMP
from hardware.vessel.circuits.prs import PRS
from hardware.vessel.circuits.rtd import RTD

KINDS: Mapping[str, type[Circuit]] = {
    "ph": PH,
    "orp": ORP,
    "do": DO,
    "ec": EC,
    "rtd": RTD,
    "hum": HUM,
    "co2": CO2,
    "o2": O2,
    "prs": PRS,
    "flo": FLO,
    "pmp": PMP,
}
