"""EZO-FLO."""

from hardware.vessel.circuits.base import Circuit
from hardware.vessel.circuits.parts import Data, Handler, Refusal, Reply, Request, exactly, parse, whole
from hardware.vessel.tank import Surroundings

LITRES = 1000.0  # in a m³
SECONDS = {"S": 1.0, "M": 60.0, "H": 3600.0}
METERS = ("3/8", "1/4", "1/2", "3/4")
PULLS = {"0", "1", "-1", "10", "-10", "100", "-100"}
MOST_POINTS = 16


class FLO(Circuit):
    """Flow meter in the circulation loop. Its main number is the rate in L/s; the total counts from `Clear`.

    Default outputs and the spelling of most replies are in no source: only the total is on, so that a driver must ask.
    """

    data = Data(
        device="FLO",
        address=104,
        firmware="2.06",
        outputs=("TV", "FR"),
        outputs_on=("TV",),
        numbers={"P": 0.0},
        words={"SET": "3/8", "FRP": "M", "VP": "M"},
        calibrates=False,
    )

    def commands(self) -> dict[str, Handler]:
        """Add the meter's make, time bases, pull resistor and reset."""
        return super().commands() | {
            "SET": self._meter,
            "FRP": lambda request: self._base(request, "Frp"),
            "VP": lambda request: self._base(request, "Vp"),
            "K": self._pulses,
            "P": self._pull,
            "CLEAR": self._clear,
        }

    def sense(self, world: Surroundings) -> float:
        """Give L/s."""
        return world.flow * LITRES

    def show(self, main: float, world: Surroundings) -> str:
        """Total in L, then the rate in the chosen time base, two decimals each."""
        total = (world.circulated - self._cleared_at) * LITRES
        rate = main * SECONDS[self.kept.words["FRP"]]
        return self.chosen({"TV": f"{total:.2f}", "FR": f"{rate:.2f}"})

    def forget(self) -> None:
        """Start the total again."""
        super().forget()
        self._cleared_at = self.surroundings().circulated

    def _meter(self, request: Request) -> Reply:
        match request.words:
            case ("?",):
                return self.say("Set", self.kept.words["SET"])
            case (size,) if size in METERS:
                self.kept.words["SET"] = size
                self.changed = True
                return Reply()
        raise Refusal

    def _base(self, request: Request, keyword: str) -> Reply:
        match request.words:
            case ("?",):
                return self.say(keyword, self.kept.words[keyword.upper()].lower())
            case ("S" | "M" | "H" as base,):
                self.kept.words[keyword.upper()] = base
                self.changed = True
                return Reply()
        raise Refusal

    def _pulses(self, request: Request) -> Reply:
        points = self.kept.points
        match request.words:
            case ("?",):
                return self.say("K", len(points))
            case ("ALL",):
                return Reply(",".join(f"{volume:g},{pulses:g}" for volume, pulses in points.values()))
            case ("CLEAR",):
                points.clear()
                self.changed = True
                return Reply()
            case (volume, pulses) if len(points) < MOST_POINTS:
                return self.set_point(f"K{len(points)}", parse(volume, 0.001, 1e6), whole(pulses, range(1, 10**9)))
        raise Refusal

    def _pull(self, request: Request) -> Reply:
        match request.words:
            case ("?",):
                return self.say("P", int(self.kept.numbers["P"]))
            case (kilo_ohms,) if kilo_ohms in PULLS:
                return self.keep("P", float(kilo_ohms))
        raise Refusal

    def _clear(self, request: Request) -> Reply:
        exactly(request.words, 0)
        self._cleared_at = self.surroundings().circulated
        return Reply()
