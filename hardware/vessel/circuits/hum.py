"""EZO-HUM."""

from hardware.vessel.chemistry import dew_point
from hardware.vessel.circuits.base import Circuit
from hardware.vessel.circuits.parts import Data, Handler, Refusal, Reply, Request, exactly, parse, whole
from hardware.vessel.tank import Surroundings

WHOLE = 100.0  # %


class HUM(Circuit):
    """Humidity and temperature of the air above the water. It has no `Cal`: `Tcal` corrects its temperature."""

    data = Data(
        device="HUM",
        address=111,
        firmware="1.0",
        noise=0.1,
        outputs=("HUM", "T", "Dew"),
        outputs_on=("HUM",),
        numbers={"AUTO": 0.0, "AUTO TOL": 0.0, "AUTO EN": 0.0},
        calibrates=False,
    )

    def commands(self) -> dict[str, Handler]:
        """Add the temperature's calibration and the output pin."""
        return super().commands() | {"TCAL": self._calibrate_temperature, "AUTO": self._auto}

    def sense(self, world: Surroundings) -> float:
        """Give % relative humidity."""
        return world.humidity

    def show(self, main: float, world: Surroundings) -> str:
        """Spell it as the vendor's code has seen it, `48.15,25.0,Dew,13.8`: the word Dew is part of a reading."""
        humidity = min(max(main, 0.0), WHOLE)
        celsius = world.gas_temperature + self.kept.points.get("T", (0.0, 0.0))[1]
        dew = dew_point(celsius, humidity)
        return self.chosen({"HUM": f"{humidity:.2f}", "T": f"{celsius:.1f}", "Dew": f"Dew,{dew:.1f}"})

    def _calibrate_temperature(self, request: Request) -> Reply:
        match request.words:
            case ("?",):
                return self.say("Tcal", len(self.kept.points))
            case ("CLEAR",):
                self.kept.points.clear()
                self.changed = True
                return Reply()
        (word,) = exactly(request.words, 1)
        return self.set_point("T", 0.0, parse(word, -40.0, 125.0) - self.surroundings().gas_temperature)

    def _auto(self, request: Request) -> Reply:
        numbers = self.kept.numbers
        match request.words:
            case ("?",):
                level, tolerance = numbers["AUTO"], numbers["AUTO TOL"]
                return self.say("Auto", f"{level:g}", f"{tolerance:g}", int(numbers["AUTO EN"]))
            case ("EN", mode):
                return self.keep("AUTO EN", whole(mode, range(3)))
            case ("TOL", value):
                return self.keep("AUTO TOL", parse(value, 0.0, WHOLE))
            case (value,):
                return self.keep("AUTO", parse(value, -40.0, WHOLE))
        raise Refusal
