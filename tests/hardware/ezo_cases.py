"""Circuits that are as they should be: what they answer, one reading of each, and what it means."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from hardware.drivers.ezo_co2 import EzoCo2
from hardware.drivers.ezo_do import EzoDo
from hardware.drivers.ezo_ec import EzoEc
from hardware.drivers.ezo_flo import EzoFlo
from hardware.drivers.ezo_hum import EzoHum
from hardware.drivers.ezo_o2 import EzoO2
from hardware.drivers.ezo_orp import EzoOrp
from hardware.drivers.ezo_ph import EzoPh
from hardware.drivers.ezo_prs import EzoPrs
from hardware.drivers.ezo_rtd import EzoRtd
from hardware.ezo.sensor import EzoSensor


@dataclass(frozen=True)
class Case:
    """A driver, a circuit that is as it should be, one reading and what it means."""

    driver: type[EzoSensor]
    script: Mapping[str, str]
    text: str
    values: Mapping[str, float]
    asked: list[str] = field(default_factory=list)  # by open(), after `i`


CASES = [
    Case(EzoPh, {"I": "?i,pH,1.98"}, "9.560", {"ph": 9.56}),
    Case(EzoOrp, {"I": "?I,ORP,2.10"}, "-209.6", {"orp": -209.6}),
    Case(
        EzoDo,
        {"I": "?i,D.O.,1.98", "O,?": "?,O,%,mg"},
        "7.82,98.4",
        {"dissolved_oxygen": 7.82, "oxygen_saturation": 98.4},
        ["O,?"],
    ),
    Case(
        EzoEc,
        {"I": "?i,EC,2.16", "O,?": "?,O,EC,TDS,S,SG"},
        "50000,27000,32.71,1.024",
        {"conductivity": 50000, "dissolved_solids": 27000, "salinity": 32.71, "specific_gravity": 1.024},
        ["O,?"],
    ),
    Case(EzoRtd, {"I": "?i,RTD,2.01", "S,?": "?S,c"}, "25.104", {"temperature": 25.104}, ["S,?"]),
    Case(
        EzoHum,
        {"I": "?i,HUM,1.0", "O,?": "?,O,HUM,T,Dew"},
        "48.15,25.0,Dew,13.8",
        {"humidity": 48.15, "temperature": 25.0, "dew_point": 13.8},
        ["O,?"],
    ),
    Case(EzoCo2, {"I": "?i,CO2,1.0", "O,?": "?,O,ppm,t"}, "512,27.31", {"co2": 512, "temperature": 27.31}, ["O,?"]),
    Case(EzoO2, {"I": "?i,O2,1.0", "O,?": "?,O,%,PPT"}, "20.95,209.5", {"oxygen": 20.95, "oxygen_ppt": 209.5}, ["O,?"]),
    Case(EzoPrs, {"I": "?i,PRS,1.0", "U,?": "?U,kPa"}, "12.345", {"gauge_pressure": 12.345}, ["U,?"]),
    Case(
        EzoFlo,
        {"I": "?i,FLO,1.0", "FRP,?": "?Frp,m", "O,?": "?,O,TV,FR"},
        "1205.42,3.51",
        {"volume": 1205.42, "flow": 3.51},
        ["Frp,?", "O,?"],
    ),
]
