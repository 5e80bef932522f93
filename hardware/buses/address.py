"""How a reactor's file spells where something is wired: parsed here, once."""

import re
from dataclasses import dataclass

from hardware.errors import BadConfiguration

_I2C = re.compile(r"(?P<path>.+):(?P<address>0x[0-9a-f]+|[0-9]+)", re.IGNORECASE)
_SPELLINGS = {
    "i2c": "a bus and address (/dev/i2c-1:0x63 or /dev/i2c-1:99)",
    "uart": "a serial port (/dev/ttyAMA0)",
    "none": '"host"',
    "pwm": "a PWM chip's folder and channel (/sys/class/pwm/pwmchip0:1)",
    "pca9685": "a bus, address and channel (/dev/i2c-1:0x40:3)",
    "gpio": "a GPIO chip and line (/dev/gpiochip0:17)",
}
_SENSED = ("i2c", "uart", "none")  # told apart by their spelling; an output's kind is its driver's
_LOWEST, _HIGHEST = 1, 127  # 7 bits; 0 calls every circuit at once
_CHANNEL = re.compile(r"(?P<path>.*/.*):(?P<number>[0-9]{1,4})")
_CHIP_CHANNELS = 16  # of a PCA9685


@dataclass(frozen=True, slots=True)
class I2cAddress:
    """A circuit on an I2C bus."""

    path: str
    address: int

    def __str__(self) -> str:
        return f"{self.path}:0x{self.address:02x}"


@dataclass(frozen=True, slots=True)
class UartAddress:
    """The one circuit on a serial port."""

    path: str

    def __str__(self) -> str:
        return self.path


@dataclass(frozen=True, slots=True)
class HostAddress:
    """This machine itself: no bus."""

    def __str__(self) -> str:
        return "host"


@dataclass(frozen=True, slots=True)
class PwmAddress:
    """A channel of Linux's own PWM: `path` is its chip's folder in /sys/class/pwm."""

    path: str
    channel: int

    def __str__(self) -> str:
        return f"{self.path}:{self.channel}"


@dataclass(frozen=True, slots=True)
class ChipChannelAddress:
    """A channel of a PCA9685 on an I2C bus."""

    path: str
    address: int
    channel: int

    def __str__(self) -> str:
        return f"{self.path}:0x{self.address:02x}:{self.channel}"


@dataclass(frozen=True, slots=True)
class LineAddress:
    """A line of a GPIO chip."""

    path: str
    line: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line}"


OutputAddress = PwmAddress | ChipChannelAddress | LineAddress
Address = I2cAddress | UartAddress | HostAddress | OutputAddress


def parse(text: str) -> I2cAddress | UartAddress | HostAddress:
    """Read the address of a circuit or of the host; equal wiring gives equal values. Raises `BadConfiguration`."""
    if text == "host":
        return HostAddress()
    if "/" not in text:
        raise BadConfiguration(f"address {text!r} is not {' or '.join(_SPELLINGS[bus] for bus in _SENSED)}")
    found = _I2C.fullmatch(text)
    if found is None:
        return UartAddress(text)
    address = int(found["address"], 0) if "x" in found["address"].lower() else int(found["address"])
    if not _LOWEST <= address <= _HIGHEST:
        raise BadConfiguration(f"address {text!r}: an I2C address is {_LOWEST} to {_HIGHEST}, not {address}")
    return I2cAddress(found["path"], address)


def bus_of(address: I2cAddress | UartAddress | HostAddress) -> str:
    """Name the kind of bus as a `Descriptor` does: `i2c`, `uart` or `none`."""
    match address:
        case I2cAddress():
            return "i2c"
        case UartAddress():
            return "uart"
        case HostAddress():
            return "none"


def parse_for(driver: str, buses: tuple[str, ...], text: str) -> I2cAddress | UartAddress | HostAddress:
    """Read the address of something that can sit only on these kinds of bus; `BadConfiguration` says on which."""
    address = parse(text)
    if bus_of(address) not in buses:
        takes = " or ".join(_SPELLINGS[bus] for bus in buses)
        raise BadConfiguration(f"address {text!r}: {driver} takes {takes}")
    return address


def parse_pwm(driver: str, text: str) -> PwmAddress:
    """Read the address of a channel of Linux's own PWM. Raises `BadConfiguration`."""
    return PwmAddress(*_channel(driver, "pwm", text))


def parse_chip_channel(driver: str, text: str) -> ChipChannelAddress:
    """Read the address of a PCA9685's channel. Raises `BadConfiguration`."""
    circuit, channel = _channel(driver, "pca9685", text)
    chip = parse(circuit)
    if not isinstance(chip, I2cAddress):
        raise _not_an_output(driver, "pca9685", text)
    if channel >= _CHIP_CHANNELS:
        raise BadConfiguration(f"address {text!r}: a channel is 0 to {_CHIP_CHANNELS - 1}, not {channel}")
    return ChipChannelAddress(chip.path, chip.address, channel)


def parse_line(driver: str, text: str) -> LineAddress:
    """Read the address of a GPIO line. Raises `BadConfiguration`."""
    return LineAddress(*_channel(driver, "gpio", text))


def _channel(driver: str, bus: str, text: str) -> tuple[str, int]:
    found = _CHANNEL.fullmatch(text)
    if found is None:
        raise _not_an_output(driver, bus, text)
    return found["path"].rstrip("/"), int(found["number"])


def _not_an_output(driver: str, bus: str, text: str) -> BadConfiguration:
    return BadConfiguration(f"address {text!r}: {driver} takes {_SPELLINGS[bus]}")
