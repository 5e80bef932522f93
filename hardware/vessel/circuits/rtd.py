"""EZO-RTD."""

from hardware.vessel.chemistry import ZERO_CELSIUS
from hardware.vessel.circuits.base import Circuit
from hardware.vessel.circuits.calibration import shifted
from hardware.vessel.circuits.parts import (
    Bench,
    CircuitConfig,
    Data,
    Handler,
    Refusal,
    Reply,
    Request,
    exactly,
    parse,
    whole,
)
from hardware.vessel.tank import Surroundings

NO_PROBE = -1023.0
MEMORY = 50  # readings
LOG_UNIT = 10.0  # s; unit and limit of D are in no source
LONGEST_LOG = 32000


class RTD(Circuit):
    """Temperature of the water; a logger of its own."""

    data = Data(
        device="RTD",
        address=102,
        firmware="2.10",
        read_delay=0.6,
        calibration_delay=0.6,
        noise=0.005,
        numbers={"D": 0.0},
        words={"S": "C"},
        exports=True,
        unplugged=NO_PROBE,
    )

    def __init__(self, config: CircuitConfig, bench: Bench) -> None:
        super().__init__(config, bench)
        self._memory: list[str] = []
        self._recalled = 0
        self._logged_at = 0.0

    def commands(self) -> dict[str, Handler]:
        """Add scale and logger."""
        return super().commands() | {"S": self._scale, "D": self._interval, "M": self._recall}

    def sense(self, world: Surroundings) -> float:
        """°C."""
        return world.temperature

    def show(self, main: float, world: Surroundings) -> str:  # noqa: ARG002
        """Three decimals in the chosen scale; without a probe the number that stands for it in each."""
        if main == NO_PROBE:
            return f"{NO_PROBE:.3f}"
        match self.kept.words["S"]:
            case "K":
                main += ZERO_CELSIUS
            case "F":
                main = main * 1.8 + 32.0
        return f"{main:.3f}"

    def calibrated(self, raw: float) -> float:
        """One point moves every reading."""
        return shifted(self.kept.points["ONE"])(raw) if self.kept.points else raw

    def calibrate(self, request: Request) -> Reply:
        """`Cal,t`, °C."""
        (word,) = exactly(request.words, 1)
        return self.set_point("ONE", self.raw(request.now), parse(word, -126.0, 1254.0))

    def tick(self, now: float) -> None:
        """Log when it is time; a full memory overwrites nothing."""
        interval = self.kept.numbers["D"] * LOG_UNIT
        if interval and now - self._logged_at >= interval and len(self._memory) < MEMORY:
            self._logged_at = now
            self._memory.append(self.take_reading(now))

    def _scale(self, request: Request) -> Reply:
        match request.words:
            case ("?",):
                return self.say("S", self.kept.words["S"].lower())
            case ("C" | "K" | "F" as scale,):
                self.kept.words["S"] = scale
                self.changed = True
                return Reply()
        raise Refusal

    def _interval(self, request: Request) -> Reply:
        match request.words:
            case ("?",):
                return self.say("D", int(self.kept.numbers["D"]))
            case (word,):
                self._logged_at = request.now
                return self.keep("D", whole(word, range(LONGEST_LOG + 1)))
        raise Refusal

    def _recall(self, request: Request) -> Reply:
        match request.words:
            case ("?",):
                return self.say("M", len(self._memory))
            case ("CLEAR",):
                self._memory.clear()
                self._recalled = 0
                return Reply()
            case ("ALL",) if self._memory:
                return Reply(",".join(self._memory))
            case () if self._memory:
                self._recalled = self._recalled % len(self._memory) + 1
                return Reply(f"{self._recalled},{self._memory[self._recalled - 1]}")
        raise Refusal
