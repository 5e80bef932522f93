"""The alarm pin of CO2, O2 and PRS."""

from hardware.vessel.circuits.base import Circuit
from hardware.vessel.circuits.parts import Refusal, Reply, Request, parse

FACTORY = {"ALARM": 0.0, "ALARM TOL": 0.0, "ALARM EN": 0.0}


def alarm(circuit: Circuit, request: Request, highest: float, widest: float) -> Reply:
    """Handle `Alarm,…` with a level up to `highest`, a tolerance up to `widest`; `?`: level, tolerance, enabled."""
    numbers = circuit.kept.numbers
    match request.words:
        case ("?",):
            level, tolerance = numbers["ALARM"], numbers["ALARM TOL"]
            return circuit.say("Alarm", f"{level:g}", f"{tolerance:g}", int(numbers["ALARM EN"]))
        case ("EN", "0" | "1" as value):
            return circuit.keep("ALARM EN", float(value))
        case ("TOL", value):
            return circuit.keep("ALARM TOL", parse(value, 0.0, widest))
        case (value,):
            return circuit.keep("ALARM", parse(value, 0.0, highest))
    raise Refusal
