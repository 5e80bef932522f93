"""What every EZO sensor does; a driver file fills it with data."""

from collections.abc import Mapping
from typing import ClassVar, Final

from hardware.acts import Act, Value
from hardware.driver import Descriptor, SensorDriver, Wiring
from hardware.errors import BadAnswer, BadConfiguration, Refused
from hardware.ezo import calibration, commands, replies, wires
from hardware.ezo.calibration import Point
from hardware.ezo.circuit import Delays
from hardware.ezo.options import Option, Output
from hardware.values import Quantity, judge

# s; the longest open() asks and sets about fifteen things at 0.3 s each, a read takes at most half of that
_LONGEST_OPERATION: Final = 5.0

# What a circuit can be told. The limits keep out what no vessel is, and a gauge pressure that is no absolute one.
TEMPERATURE: Final = Quantity("temperature", "°C", -20.0, 130.0, 2)
SALINITY: Final = Quantity("salinity", "PSU", 0.0, 100.0, 1)
PRESSURE: Final = Quantity("pressure", "kPa", 20.0, 600.0, 1)


def describe(
    driver: str,
    title: str,
    outputs: tuple[Output, ...],
    *compensations: Quantity,
    points: tuple[Point, ...] = (),
    acts: tuple[Act, ...] = (),
) -> Descriptor:
    """Make the descriptor of an EZO driver; `acts` are those beside what its points and its kind give."""
    return Descriptor(
        driver=driver,
        title=title,
        quantities=tuple(output.quantity for output in outputs),
        buses=wires.WIRES,
        longest_operation=_LONGEST_OPERATION,
        compensations=tuple(quantity.name for quantity in compensations),
        acts=(*acts, *calibration.acts(points)),
    )


class EzoSensor(SensorDriver):
    """An EZO circuit that measures, over I2C or UART.

    The class attributes are the driver: `kind` as the circuit names itself (capitals, no dots), its outputs in the
    order of its readings, its delays, what it can be told, options of the file, `settings` that open() makes sure of
    (command and value), `words` that stand in readings beside the numbers (small letters), its calibration `points`
    and the command that takes them.
    """

    kind: ClassVar[str]
    outputs: ClassVar[tuple[Output, ...]]
    delays: ClassVar[Delays]
    compensations: ClassVar[tuple[Quantity, ...]] = ()
    options: ClassVar[tuple[Option, ...]] = ()
    settings: ClassVar[tuple[tuple[str, str], ...]] = ()
    words: ClassVar[frozenset[str]] = frozenset()
    points: ClassVar[tuple[Point, ...]] = ()
    calibrates_with: ClassVar[str] = "Cal"

    def __init__(self, wiring: Wiring) -> None:
        """Read address and options; `BadConfiguration` lists every mistake in the options."""
        super().__init__(wiring)
        name = self.descriptor.driver
        _, self.circuit, chosen = wires.connect(name, wiring, self.delays, self.options, self.outputs)
        self._outputs = chosen.outputs
        self._settings = (
            *self.settings,
            *((option.command, chosen.values[option.key]) for option in self.options if option.key in chosen.values),
        )
        self._told: dict[str, float] = {}
        self._was_reset = False
        self._reads_compensated = True

    @property
    def quantities(self) -> tuple[Quantity, ...]:
        """All of the circuit's, or those that the option `outputs` names."""
        return tuple(output.quantity for output in self._outputs)

    def find(self) -> None:
        """See that a circuit of this kind is there; over UART this ends its continuous mode."""
        wires.find(self.circuit, self.kind)

    def open(self) -> None:
        """See that the right circuit is there and reads what it shall; writes only what differs."""
        self.find()
        for command, value in self._settings:
            commands.ensure(self.circuit, command, value)
        if len(self.outputs) > 1:
            self._choose_outputs()
        self._reads_compensated = True
        self._was_reset = False

    def read(self) -> Mapping[str, float]:
        """Take one reading, compensated with what `compensate` was last told."""
        if self._was_reset:
            self.open()
        self.renew(self._told)
        fields = [field for field in self._measure() if field.lower() not in self.words]
        values = [number for field in fields if (number := replies.number(field)) is not None]
        if not len(values) == len(fields) == len(self._outputs):
            names = ", ".join(quantity.name for quantity in self.quantities)
            raise BadAnswer(f"{self.circuit.where} read {replies.shown(','.join(fields))} instead of {names}")
        return {output.quantity.name: value for output, value in zip(self._outputs, values, strict=True)}

    def compensate(self, quantity: str, value: float) -> None:
        """Keep what every reading from now on is compensated with; `Refused` when no vessel can be so."""
        for known in self.compensations:
            if known.name == quantity:
                checked = judge(known, value, taken_ns=0)
                if checked.value is None:
                    raise Refused(f"{self.circuit.where}: cannot compensate: {checked.reason}")
                self._told[quantity] = value
                return
        takes = ", ".join(self.descriptor.compensations) or "nothing"
        raise BadConfiguration(f"{self.descriptor.driver} can be compensated for {takes}, not {quantity}")

    def act(self, name: str, arguments: Mapping[str, float]) -> Mapping[str, Value]:
        """Take a calibration point, or what every circuit can do; the result says how it is calibrated now."""
        match name:
            case calibration.FIND:
                commands.find(self.circuit)
                return {}
            case calibration.RESET:
                self._was_reset = True  # whatever comes of it
                self.circuit.reset()
                return {}
            case calibration.STATE if self.points:
                return self.calibrated()
            case calibration.CLEAR if self.points:
                commands.clear_calibration(self.circuit, self.calibrates_with)
                return self.calibrated()
        for point in self.points:
            if point.name == name:
                commands.calibrate(self.circuit, *point.words, *arguments.values(), command=self.calibrates_with)
                return self.calibrated()
        return super().act(name, arguments)

    def calibrated(self) -> Mapping[str, Value]:
        """Ask how it is calibrated."""
        return {"points": commands.calibration_points(self.circuit, self.calibrates_with)}

    def renew(self, told: Mapping[str, float]) -> None:
        """Tell the circuit, before a reading, what it needs to know beside the temperature and may have lost."""

    def _measure(self) -> list[str]:
        """Read with the temperature in the same command: nothing is lost when the circuit restarted unnoticed."""
        celsius = self._told.get(TEMPERATURE.name)
        if celsius is None:
            return commands.reading(self.circuit)
        if self._reads_compensated:
            try:
                return commands.compensated_reading(self.circuit, celsius)
            except Refused:  # firmware before about 2.12
                self._reads_compensated = False
        commands.set_temperature(self.circuit, celsius)
        return commands.reading(self.circuit)

    def _choose_outputs(self) -> None:
        on = commands.outputs(self.circuit)
        for output in self.outputs:
            wanted = output in self._outputs
            if wanted != (output.code.upper() in on):
                commands.set_output(self.circuit, output.code, on=wanted)
