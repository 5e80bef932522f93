"""A pump that doses by itself: Atlas Scientific EZO-PMP, default I2C address 103."""

from collections.abc import Mapping

from hardware.buses.address import I2cAddress
from hardware.device import Act, Argument, DeviceDescriptor, DeviceDriver, Value, switch
from hardware.driver import Wiring
from hardware.errors import BadAnswer
from hardware.ezo import commands, replies
from hardware.ezo.circuit import Delays
from hardware.ezo.commands import spell
from hardware.ezo.wires import WIRES, connect, find
from hardware.safe import I2cWrite, SafeWrite, UartWrite
from hardware.values import Quantity

_VOLUME = Argument("volume", "ml", 0.5, 10_000.0, 2)  # the least that it meters
_DURATION = Argument("duration", "min", 0.01, 28_000.0, 2)  # it restarts after 20 days
_RATE = Argument("rate", "ml/min", 0.5, 105.0, 2)

# A reading's numbers in their order: of this or the last dose, forwards less backwards, whichever way
_OUTPUTS = {"V": "dispensed", "TV": "net_total", "ATV": "total"}


class EzoPmp(DeviceDriver):
    """Doses begin with an act and go on in the circuit; `read_back` says whether it runs, and its totals.

    Totals start at 0 when the circuit gets power. It refuses what is faster than its tube (`calibrate` changes that)
    and runs on when nobody listens: safe is the command that stops it.
    """

    descriptor = DeviceDescriptor(
        driver="ezo-pmp",
        title="Atlas Scientific EZO-PMP",
        settings=(switch("inverted"),),
        acts=(
            Act("dose", "Dose", (_VOLUME,), volume=("volume",)),
            Act("dose_over_time", "Dose over time", (_VOLUME, _DURATION), volume=("volume",)),
            Act("dose_rate", "Dose at a rate", (_RATE, _DURATION), volume=("rate", "duration")),
            Act("stop", "Stop"),
            Act("calibrate", "The last dose really was", (Argument("volume", "ml", 0.01, 10_000.0, 2),)),
            Act("clear_calibration", "Forget the calibration"),
            Act("clear_totals", "Set the totals to 0"),
            Act("find", "Blink"),
        ),
        buses=WIRES,
        longest_operation=5.0,  # s; open() asks and sets eight things at 0.3 s each
        reported=(
            Quantity("running", "", 0, 1, 0),
            Quantity("dispensed", "ml", -1e6, 1e6, 2),
            Quantity("net_total", "ml", -1e9, 1e9, 2),
            Quantity("total", "ml", 0.0, 1e9, 2),
        ),
    )

    def __init__(self, wiring: Wiring) -> None:
        """Read address and options."""
        super().__init__(wiring)
        delays = Delays(read=0.3, calibrate=0.3)
        self.address, self.circuit, chosen = connect("ezo-pmp", wiring, delays)
        self._baud = int(chosen.values.get("baud", "9600"))

    def find(self) -> None:
        """See that a pump is there."""
        find(self.circuit, "PMP")

    def open(self) -> None:
        """See that it is there and tells its totals; a dose goes on."""
        self.find()
        on = commands.outputs(self.circuit)
        for code in _OUTPUTS.keys() - on:
            commands.set_output(self.circuit, code, on=True)

    def apply(self, settings: Mapping[str, Value]) -> None:
        """Give it its direction: the only command turns it round, so it is asked first."""
        if self._inverted() != settings["inverted"]:
            self.circuit.order("Invert")

    def read_back(self) -> Mapping[str, Value]:
        """Ask for direction, whether it runs, and then its totals: those of a dose that has ended are its last."""
        running = self._flag("D,?")
        fields = commands.reading(self.circuit)
        volumes = [number for field in fields if (number := replies.number(field)) is not None]
        if not len(volumes) == len(fields) == len(_OUTPUTS):
            raise BadAnswer(f"{self.circuit.where} read {replies.shown(','.join(fields))} instead of three volumes")
        return {
            "inverted": self._inverted(),
            "running": running,
            **dict(zip(_OUTPUTS.values(), volumes, strict=True)),
        }

    def make_safe(self) -> None:
        """Stop; the direction stays."""
        self.circuit.stop()

    def safe_writes(self) -> tuple[SafeWrite, ...]:
        """Spell stop; a line of its own wakes the circuit and ends what was half said."""
        if isinstance(self.address, I2cAddress):
            return (I2cWrite(self.address.path, self.address.address, b"X"),)
        return (UartWrite(str(self.address), self._baud, b"\rX\r"),)

    def act(self, name: str, arguments: Mapping[str, float]) -> Mapping[str, Value]:
        """Begin a dose, or do the rest at once; `Refused` when it is too fast, too little, or without motor power."""
        circuit = self.circuit
        given = [spell(arguments[each]) for each in ("rate", "volume", "duration") if each in arguments]
        match name:
            case "dose" | "dose_over_time":
                circuit.order(",".join(("D", *given)))
            case "dose_rate":
                circuit.order(",".join(("DC", *given)))
            case "stop":
                return dict(zip(["dispensed"], circuit.stop(), strict=False))  # it may say nothing
            case "calibrate":
                commands.calibrate(circuit, arguments["volume"])
                return {"highest_rate": commands.highest_rate(circuit)}
            case "clear_calibration":
                commands.clear_calibration(circuit)
            case "clear_totals":
                circuit.order("Clear")
            case "find":
                commands.find(circuit)
            case _:
                return super().act(name, arguments)
        return {}

    def _inverted(self) -> bool:
        return self._flag("Invert,?")

    def _flag(self, command: str) -> bool:
        """Ask for something that is said with a last field of 1 or 0."""
        fields = self.circuit.query(command)
        if not fields or fields[-1] not in {"0", "1"}:
            raise BadAnswer(f"{self.circuit.where} answered {command} with {replies.shown(','.join(fields))}")
        return fields[-1] == "1"
