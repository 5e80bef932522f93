"""A plain DC pump on an output that the option `output` names: PWM, a channel of a PCA9685, or a GPIO line.

It knows nothing of volumes: how long it runs for a dose follows from the setting `flow`, the person's calibration
(the ml that it really moved, by the seconds that it ran), and is the business of its actor.
"""

from collections.abc import Mapping

from hardware.device import Act, Argument, DeviceDescriptor, Setting, Value, number, switch
from hardware.driver import Wiring
from hardware.outputs.device import FREQUENCY, OutputDevice
from hardware.outputs.line import LineOutput
from hardware.outputs.output import Level, Output
from hardware.outputs.pca9685 import HIGHEST_FREQUENCY, LOWEST_FREQUENCY, ChipChannel
from hardware.outputs.sysfs import SysfsPwm

_VOLUME = Argument("volume", "ml", 0.01, 10_000.0, 2)
_DURATION = Argument("duration", "min", 0.01, 10_080.0, 2)


class Pump(OutputDevice):
    """Runs or does not, at `duty` when its output is PWM. `on` means until somebody says otherwise, and lapses.

    Options: `output`, one of pwm, pca9685, gpio; `active_low`; `frequency` of the pulses in Hz.
    """

    descriptor = DeviceDescriptor(
        driver="pump",
        title="Pump",
        settings=(
            switch("on", survives=False),
            number("duty", "%", low=0.0, high=100.0, step=1.0, default=100.0, safe=0.0),
            number("flow", "ml/s", low=0.001, high=1000.0, step=0.01, default=1.0, safe=1.0),
        ),
        acts=(
            Act("dose", "Dose", (_VOLUME,), volume=("volume",), timed=True),
            Act("dose_over_time", "Dose over time", (_VOLUME, _DURATION), volume=("volume",), timed=True),
            Act(
                "dose_rate",
                "Dose at a rate",
                (Argument("rate", "ml/min", 0.01, 60_000.0, 2), _DURATION),
                volume=("rate", "duration"),
                timed=True,
            ),
            Act("stop", "Stop", timed=True),
        ),
        buses=("pwm", "pca9685", "gpio"),
        longest_operation=2.0,
        cycled="on",
    )

    def __init__(self, wiring: Wiring) -> None:
        """Read address and options."""
        super().__init__(wiring)
        self._kind = self.options.choice("output", self.descriptor.buses)
        self._frequency = FREQUENCY
        if self._kind != "gpio":
            self._frequency = self.options.number("frequency", LOWEST_FREQUENCY, HIGHEST_FREQUENCY, FREQUENCY, "Hz")
        self._use(self._make_output())

    @property
    def settings(self) -> tuple[Setting, ...]:
        """All of the descriptor's; a line that only switches has no duty."""
        return tuple(each for each in self.descriptor.settings if each.name != "duty" or self._kind != "gpio")

    def level(self, settings: Mapping[str, Value]) -> Level | None:
        """Run, or not."""
        return Level(float(settings.get("duty", 100.0)), self._frequency) if settings["on"] else None

    def open(self) -> None:
        """Take the output, and stop the pump if it runs: nobody counts what it pumps."""
        super().open()
        self.make_safe()

    def read_back(self) -> Mapping[str, Value]:
        """Ask whether it runs."""
        level = self.output.read()
        if level is None:
            return {"on": False}
        return {"on": True} if self._kind == "gpio" else {"on": True, "duty": level.duty}

    def _make_output(self) -> Output:
        match self._kind:
            case "pca9685":
                return ChipChannel("pump", self.wiring)
            case "gpio":
                return LineOutput("pump", self.wiring, active_low=self.options.flag("active_low"))
            case _:
                return SysfsPwm("pump", self.wiring, active_low=self.options.flag("active_low"))
