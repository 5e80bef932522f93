"""What every EZO circuit does: commands in, replies out, whatever the wire; what it keeps and what it forgets.

Facts are the data sheets' as public drivers and real circuits tell them. Times are seconds of the vessel's time, passed
in; nothing here waits. Where no source says, the comment says so and the stricter behaviour was chosen.
"""

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

from hardware.vessel.circuits import export
from hardware.vessel.circuits.parts import (
    REFUSED,
    After,
    Bench,
    CircuitConfig,
    Data,
    Handler,
    Kept,
    Refusal,
    Reply,
    Request,
    capitals,
    exactly,
    parse,
    whole,
)
from hardware.vessel.faults import Fault, Faults
from hardware.vessel.tank import Surroundings

STARTUP = 0.8  # s from power to ready: 737 to 850 ms were measured
DAY = 86400.0  # s
NAME = re.compile(r"[\x21-\x7e]{1,16}")
LONGEST_INTERVAL = 99  # s, of continuous readings
BAUD_RATES = (300, 1200, 2400, 9600, 19200, 38400, 57600, 115200)
I2C_ADDRESSES = range(1, 128)


class Circuit(ABC):
    """One circuit on either wire. One thread."""

    data: ClassVar[Data]

    def __init__(self, config: CircuitConfig, bench: Bench) -> None:
        self.config = config
        self.faults = Faults(bench.chance)
        self.kept = self._factory_state()
        if bench.kept is not None and bench.kept.kind == config.kind:
            self._remember(bench.kept)
        self.changed = False  # whether `kept` must be written down
        self.asleep = False
        self.ready_at = 0.0
        self.started_at = 0.0
        self.feed = bench.feed
        self.chance = bench.chance
        self.surroundings = bench.surroundings
        self.drive = bench.drive
        self.unasked: list[tuple[float, str]] = []  # what it says by itself on a serial line, with its time
        self.restart_reason = "P"
        self._last: float | None = None
        self._exporting: list[str] = []
        self._importing = ""
        self._handlers = self.commands()
        self.forget()

    # What a kind fills in

    @abstractmethod
    def sense(self, world: Surroundings) -> float:
        """Give what the circuit makes of its probe's signal, in its own unit, before any calibration."""

    @abstractmethod
    def show(self, main: float, world: Surroundings) -> str:
        """Spell a reading, with the outputs that are on, rounded as the circuit does."""

    def calibrated(self, raw: float) -> float:
        """Make of a raw number what the calibration points say."""
        return raw

    def calibrate(self, request: Request) -> Reply:  # noqa: ARG002 - most kinds need it
        """Take `Cal,…`, its query and `clear` excepted."""
        raise Refusal

    def points_counted(self) -> int:
        """Give the answer to `Cal,?`."""
        return len(self.kept.points)

    def forget(self) -> None:
        """Lose what is lost with the power."""
        self.temperature = self.data.reference_temperature or 0.0

    def due(self) -> float:
        """When `tick` has something to do at that very moment; infinite when it has not."""
        return math.inf

    def tick(self, now: float) -> None:  # noqa: B027 - most do nothing
        """Do what the circuit does by itself as time passes."""

    def streams(self) -> bool:
        """Whether readings come by themselves on a serial line."""
        return bool(self.kept.numbers["C"])

    def commands(self) -> dict[str, Handler]:
        """Give the handlers by name; a kind adds its own."""
        table: dict[str, Handler] = {
            "R": self._read,
            "I": self._information,
            "STATUS": self._status,
            "L": lambda request: self.switch(request, "L"),
            "PLOCK": lambda request: self.switch(request, "Plock"),
            "FIND": self._find,
            "NAME": self._name,
            "C": self._continuous,
            "*OK": self._response_codes,
            "SLEEP": self._sleep,
            "FACTORY": self._factory,
            "BAUD": self._baud,
            "I2C": self._address,
        }
        if self.data.calibrates:
            table["CAL"] = self._calibration
        if self.data.reference_temperature is not None:
            table |= {"T": self._temperature, "RT": self._read_compensated}
        if self.data.outputs:
            table["O"] = self._outputs
        if self.data.exports:
            table |= {"EXPORT": self._export, "IMPORT": self._import}
        return table

    # What the wires call

    def execute(self, command: str, now: float) -> Reply:
        """Carry a command out at once; what it says is due after the reply's delay."""
        name, *words = command.split(",")
        handler = self._handlers.get(name.upper())
        if handler is None:
            return REFUSED
        try:
            return handler(Request(tuple(word.upper() for word in words), tuple(words), now))
        except Refusal:
            return REFUSED

    def restart(self, now: float, reason: str) -> None:
        """Start again: deaf for a moment, and what is not kept is gone."""
        self.asleep = False
        self.started_at = now
        self.ready_at = now + STARTUP
        self.restart_reason = reason
        self.unasked.clear()
        self._importing = ""
        self._exporting = []
        self.forget()

    def delivered(self) -> None:
        """Learn that a reading went out over the wire."""
        if self.feed is not None:
            self.feed.delivered()

    def take_reading(self, now: float) -> str:
        """Take one reading and spell it."""
        world = self.surroundings()
        if Fault.DISCONNECTED in self.faults and self.data.unplugged is not None:
            return self.show(self.data.unplugged, world)
        self._last = self._main(world, now)
        return self.show(self._last, world)

    def _main(self, world: Surroundings, now: float) -> float:
        if Fault.VALUE in self.faults:
            return self.faults.amounts[Fault.VALUE]
        if Fault.STUCK in self.faults and self._last is not None:
            return self._last
        if Fault.DISCONNECTED in self.faults:
            return self.sense(world) * self.chance.uniform(0.0, 2.0)
        if self.feed is not None:
            return self.feed.value(now)
        return self.calibrated(self.raw(now))

    def raw(self, now: float) -> float:
        """Give what calibration starts from: the probe's signal with its error, drift and noise."""
        config = self.config
        noise = config.noise if config.noise >= 0.0 else self.data.noise
        error = config.offset + config.drift * now / DAY + self.chance.gauss(0.0, noise)
        return self.sense(self.surroundings()) * config.gain + error

    # Tools for handlers

    def say(self, keyword: str, *values: object, comma: bool = False, verbatim: bool = False) -> Reply:
        """Reply to a query, `?Keyword,values`, or `?,K,values` where data sheets write it so; capitals if it does."""
        body = ",".join(str(value) for value in values)
        if not self.config.capitals:
            return Reply(f"?,{keyword},{body}" if comma else f"?{keyword},{body}")
        return Reply(f"?{capitals(keyword)},{body if verbatim else capitals(body)}")

    def keep(self, key: str, value: float) -> Reply:
        """Keep a number."""
        self.kept.numbers[key] = value
        self.changed = True
        return Reply()

    def switch(self, request: Request, keyword: str) -> Reply:
        """Handle a setting that is 0 or 1."""
        key = keyword.upper()
        match request.words:
            case ("?",):
                return self.say(keyword, int(self.kept.numbers[key]))
            case ("0" | "1" as value,):
                return self.keep(key, float(value))
        raise Refusal

    def set_point(self, name: str, raw: float, value: float) -> Reply:
        """Keep a calibration point."""
        self.kept.points[name] = (raw, value)
        self.changed = True
        return Reply(delay=self.data.calibration_delay)

    def chosen(self, values: Mapping[str, str]) -> str:
        """Join those of the possible outputs that are on."""
        return ",".join(values[name] for name in self.data.outputs if name in self.kept.outputs) or "no output"

    def _remember(self, kept: Kept) -> None:
        """Take what was kept, the address excepted: where a circuit is wired when the vessel starts, its file says."""
        new = self.kept
        address = new.numbers["ADDRESS"]
        numbers = {**new.numbers, **kept.numbers, "ADDRESS": address}
        self.kept = Kept(kept.kind, kept.name, kept.outputs, kept.points, numbers, {**new.words, **kept.words})

    def _factory_state(self) -> Kept:
        common = {"L": 1.0, "PLOCK": 0.0, "C": 1.0, "*OK": 1.0, "BAUD": 9600.0, "ADDRESS": float(self.config.address)}
        return Kept(
            kind=self.config.kind,
            outputs=list(self.data.outputs_on),
            numbers=common | dict(self.data.numbers),
            words=dict(self.data.words),
        )

    # Handlers

    def _read(self, request: Request) -> Reply:
        if request.words:
            raise Refusal
        return Reply(self.take_reading(request.now), self.data.read_delay, reading=True)

    def _read_compensated(self, request: Request) -> Reply:
        (word,) = exactly(request.words, 1)
        self.temperature = parse(word, -126.0, 1254.0)
        return Reply(self.take_reading(request.now), self.data.compensated_delay, reading=True)

    def _temperature(self, request: Request) -> Reply:
        match request.words:
            case ("?",):
                return self.say("T", f"{self.temperature:g}")
            case (value,):
                self.temperature = parse(value, -126.0, 1254.0)
                return Reply()
        raise Refusal

    def _information(self, request: Request) -> Reply:
        exactly(request.words, 0)
        return self.say("i", self.data.device, self.data.firmware)

    def _status(self, request: Request) -> Reply:
        exactly(request.words, 0)
        return self.say("Status", self.restart_reason, "5.038")

    def _find(self, request: Request) -> Reply:
        exactly(request.words, 0)
        return self.keep("C", 0.0)

    def _name(self, request: Request) -> Reply:
        match request.spelled:
            case ("?",):
                return self.say("Name", self.kept.name, verbatim=True)
            case (name,) if not name or NAME.fullmatch(name):
                self.kept.name = name
                self.changed = True
                return Reply()
        raise Refusal

    def _continuous(self, request: Request) -> Reply:
        if self.config.wire != "uart":
            raise Refusal
        match request.words:
            case ("?",):
                return self.say("C", int(self.kept.numbers["C"]))
            case (value,):
                return self.keep("C", whole(value, range(LONGEST_INTERVAL + 1)))
        raise Refusal

    def _response_codes(self, request: Request) -> Reply:
        if self.config.wire != "uart":
            raise Refusal
        match request.words:
            case ("?",):
                return Reply(f"?*OK,{self.kept.numbers['*OK']:.0f}", code=False)
        return self.switch(request, "*OK")

    def _sleep(self, request: Request) -> Reply:
        exactly(request.words, 0)
        return Reply(after=After.SLEEP)

    def _factory(self, request: Request) -> Reply:
        exactly(request.words, 0)
        address, baud = self.kept.numbers["ADDRESS"], self.kept.numbers["BAUD"]
        self.kept = self._factory_state()
        self.kept.numbers |= {"ADDRESS": address, "BAUD": baud}
        self.changed = True
        return Reply(after=After.RESTART)

    def _baud(self, request: Request) -> Reply:
        match request.words:
            case ("?",) if self.config.wire == "uart":
                return self.say("Baud", int(self.kept.numbers["BAUD"]))
            case (value,) if self.config.wire == "uart":
                self.keep("BAUD", whole(value, BAUD_RATES))
                return Reply(after=After.RESTART)
            case (value,):
                whole(value, BAUD_RATES)
                return self._leave()
        raise Refusal

    def _address(self, request: Request) -> Reply:
        (word,) = exactly(request.words, 1)
        value = whole(word, I2C_ADDRESSES)
        if self.config.wire == "uart":
            return self._leave()
        self.keep("ADDRESS", value)
        return Reply(after=After.RESTART)

    def _leave(self) -> Reply:
        if self.kept.numbers["PLOCK"]:
            raise Refusal
        return Reply(after=After.LEAVE)

    def _calibration(self, request: Request) -> Reply:
        match request.words:
            case ("?",):
                return self.say("CAL" if self.config.capitals else "Cal", self.points_counted())
            case ("CLEAR",):
                self.kept.points.clear()
                self.changed = True
                return Reply()
        return self.calibrate(request)

    def _outputs(self, request: Request) -> Reply:
        names = {name.upper(): name for name in self.data.outputs}
        match request.words:
            case ("?",):
                return self.say("O", *(name for name in self.data.outputs if name in self.kept.outputs), comma=True)
            case (name, "0" | "1" as on) if name in names:
                others = [output for output in self.kept.outputs if output != names[name]]
                self.kept.outputs = [*others, names[name]] if on == "1" else others
                self.changed = True
                return Reply()
        raise Refusal

    def _export(self, request: Request) -> Reply:
        match request.words:
            case ("?",):
                strings = export.strings(self.kept.points)
                return self.say("Export", len(strings), sum(len(string) for string in strings))
            case ():
                if not self._exporting:
                    self._exporting = [*export.strings(self.kept.points), "*DONE"]
                string = self._exporting.pop(0)
                return Reply(string, code=string != "*DONE")
        raise Refusal

    def _import(self, request: Request) -> Reply:
        (word,) = exactly(request.spelled, 1)
        self._importing += word
        points = export.points(self._importing)
        if points is None:
            return Reply()
        self.kept.points = points
        self.changed = True
        return Reply("*Pending" if self.config.wire == "i2c" else None, after=After.RESTART)
