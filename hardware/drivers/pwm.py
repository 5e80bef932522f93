"""A device on Linux's own PWM: `/sys/class/pwm/pwmchip0:1`."""

from hardware.driver import Wiring
from hardware.outputs.device import ModulatedDevice, describe_modulated
from hardware.outputs.sysfs import SysfsPwm


class Pwm(ModulatedDevice):
    """Duty, frequency, on and off. Options: `safe`; `active_low`, for what is on while the pin is low."""

    descriptor = describe_modulated("pwm", "PWM", low=1.0, high=100_000.0)

    def __init__(self, wiring: Wiring) -> None:
        """Read address and options."""
        super().__init__(wiring)
        self._use(SysfsPwm("pwm", wiring, active_low=self.options.flag("active_low")))
