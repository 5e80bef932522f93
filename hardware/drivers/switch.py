"""A relay, a valve or anything else that a GPIO line switches: `/dev/gpiochip0:17`."""

from collections.abc import Mapping
from dataclasses import replace

from hardware.device import DeviceDescriptor, Setting, Value, switch
from hardware.driver import Wiring
from hardware.outputs.device import OutputDevice
from hardware.outputs.line import ON, LineOutput
from hardware.outputs.output import Level


class Switch(OutputDevice):
    """On or off. Options: `active_low`, for relays that a low level switches on; `safe`, true when on is safe."""

    descriptor = DeviceDescriptor(
        driver="switch",
        title="On and off",
        settings=(switch("on"),),
        acts=(),
        buses=("gpio",),
        longest_operation=1.0,
        cycled="on",
    )

    def __init__(self, wiring: Wiring) -> None:
        """Read address and options."""
        super().__init__(wiring)
        self._safe = self.options.flag("safe")
        self._use(LineOutput("switch", wiring, active_low=self.options.flag("active_low")))

    @property
    def settings(self) -> tuple[Setting, ...]:
        """The descriptor's, with the file's safe value."""
        return tuple(replace(each, safe=self._safe) for each in self.descriptor.settings)

    def level(self, settings: Mapping[str, Value]) -> Level | None:
        """On, or off."""
        return ON if settings["on"] else None

    def open(self) -> None:
        """Take the line, which has the safe value from its first moment."""
        self.make_safe()

    def read_back(self) -> Mapping[str, Value]:
        """Ask the chip."""
        return {"on": self.output.read() is not None}
