"""How a reactor's file spells where something is wired: parsed here, once."""

import re
from dataclasses import dataclass

from hardware.errors import BadConfiguration

_I2C = re.compile(r"(?P<path>.+):(?P<address>0x[0-9a-f]+|[0-9]+)", re.IGNORECASE)
_SPELLINGS = {
    "i2c": "a bus and address (/dev/i2c-1:0x63 or /dev/i2c-1:99)",
    "uart": "a serial port (/dev/ttyAMA0)",
    "none": '"host"',
}
_LOWEST, _HIGHEST = 1, 127  # 7 bits; 0 calls every circuit at once


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


Address = I2cAddress | UartAddress | HostAddress


def parse(text: str) -> Address:
    """Read an address; equal wiring gives equal values however it was spelled. Raises `BadConfiguration`."""
    if text == "host":
        return HostAddress()
    if "/" not in text:
        raise BadConfiguration(f"address {text!r} is not {' or '.join(_SPELLINGS.values())}")
    found = _I2C.fullmatch(text)
    if found is None:
        return UartAddress(text)
    address = int(found["address"], 0) if "x" in found["address"].lower() else int(found["address"])
    if not _LOWEST <= address <= _HIGHEST:
        raise BadConfiguration(f"address {text!r}: an I2C address is {_LOWEST} to {_HIGHEST}, not {address}")
    return I2cAddress(found["path"], address)


def bus_of(address: Address) -> str:
    """Name the kind of bus as a `Descriptor` does: `i2c`, `uart` or `none`."""
    match address:
        case I2cAddress():
            return "i2c"
        case UartAddress():
            return "uart"
        case HostAddress():
            return "none"


def parse_for(driver: str, buses: tuple[str, ...], text: str) -> Address:
    """Read the address of something that can sit only on these kinds of bus; `BadConfiguration` says on which."""
    address = parse(text)
    if bus_of(address) not in buses:
        takes = " or ".join(_SPELLINGS[bus] for bus in buses)
        raise BadConfiguration(f"address {text!r}: {driver} takes {takes}")
    return address
