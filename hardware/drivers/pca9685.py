"""A device on a channel of a PCA9685: `/dev/i2c-1:0x40:3`."""

from hardware.driver import Wiring
from hardware.outputs.device import ModulatedDevice, describe_modulated
from hardware.outputs.pca9685 import HIGHEST_FREQUENCY, LOWEST_FREQUENCY, ChipChannel


class Pca9685(ModulatedDevice):
    """Duty, frequency, on and off; all channels that are on share one frequency. Option: `safe`."""

    descriptor = describe_modulated("pca9685", "PCA9685", low=LOWEST_FREQUENCY, high=HIGHEST_FREQUENCY)

    def __init__(self, wiring: Wiring) -> None:
        """Read address and options."""
        super().__init__(wiring)
        self._use(ChipChannel("pca9685", wiring))
