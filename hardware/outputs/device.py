"""What devices on an output have in common; a driver file says what it can be told and which level follows."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import replace

from hardware.device import DeviceDescriptor, DeviceDriver, Setting, Value, number, switch
from hardware.driver import Wiring
from hardware.outputs.options import Options
from hardware.outputs.output import Level, Output
from hardware.safe import SafeWrite

FREQUENCY = 1000.0  # Hz, until somebody asks for another


class OutputDevice(DeviceDriver):
    """A device on one output. Its `__init__` reads its `options` and ends with `_use`."""

    output: Output

    def __init__(self, wiring: Wiring) -> None:
        """Begin to read the options."""
        super().__init__(wiring)
        self.options = Options(self.descriptor.driver, wiring.options)

    @abstractmethod
    def level(self, settings: Mapping[str, Value]) -> Level | None:
        """Say what the output does with these settings."""

    def find(self) -> None:
        """See that the output is there."""
        self.output.find()

    def open(self) -> None:
        """Take the output; it goes on with what it does, or is off."""
        self.output.open()

    def apply(self, settings: Mapping[str, Value]) -> None:
        """Give the output its level."""
        self.output.write(self.level(settings))

    def safe_writes(self) -> tuple[SafeWrite, ...]:
        """Spell the safe values."""
        return self.output.safe_writes(self.level({setting.name: setting.safe for setting in self.settings}))

    def close(self) -> None:
        """Let go of the output."""
        self.output.close()

    def _use(self, output: Output) -> None:
        """Take the output; `BadConfiguration` for what was wrong with the options."""
        self.options.end()
        self.output = output
        self.address = output.address


class ModulatedDevice(OutputDevice):
    """Something that gets more or less on a PWM output: a heater, a light, a stirrer.

    Option: `safe`, the duty in percent that is safe for it (air for fish); off without it.
    """

    def __init__(self, wiring: Wiring) -> None:
        """Read the options that all have."""
        super().__init__(wiring)
        self._safe = self.options.number("safe", 0.0, 100.0, 0.0, "%")

    @property
    def settings(self) -> tuple[Setting, ...]:
        """The descriptor's, with the file's safe values."""
        safe: Mapping[str, Value] = {"on": self._safe > 0, "duty": self._safe}
        return tuple(replace(each, safe=safe.get(each.name, each.safe)) for each in self.descriptor.settings)

    def level(self, settings: Mapping[str, Value]) -> Level | None:
        """Duty and frequency, or off."""
        return Level(float(settings["duty"]), float(settings["frequency"])) if settings["on"] else None

    def read_back(self) -> Mapping[str, Value]:
        """Ask for the level; an output that is off has neither duty nor frequency."""
        level = self.output.read()
        return {"on": False} if level is None else {"on": True, "duty": level.duty, "frequency": level.frequency}


def describe_modulated(driver: str, title: str, low: float, high: float) -> DeviceDescriptor:
    """Make the descriptor of a PWM driver whose frequency goes from `low` to `high` Hz."""
    return DeviceDescriptor(
        driver=driver,
        title=title,
        settings=(
            switch("on"),
            number("duty", "%", low=0.0, high=100.0, step=1.0, default=0.0, safe=0.0),
            number("frequency", "Hz", low=low, high=high, step=1.0, default=FREQUENCY, safe=FREQUENCY),
        ),
        acts=(),
        buses=(driver,),
        longest_operation=2.0,  # s: when udev takes its time, or a bus is busy
        ramped="duty",
        cycled="on",
    )
