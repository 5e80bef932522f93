"""What can go wrong with hardware.

HardwareError                 anything below; a sensor turns it into readings without a value
├── BusError                  the bus or port itself: missing, busy, hung, unplugged
├── NoAnswer                  the circuit is silent: absent, without power, still starting
├── BadAnswer                 the circuit said something that is not an answer
├── Refused                   the circuit understood and declined
└── BadConfiguration          an address or option that this driver cannot take: people must change the file
"""


class HardwareError(Exception):
    """Something that a driver or bus could not do; the text names circuit, address and what was seen."""


class BusError(HardwareError):
    """The bus or port failed, not the circuit."""


class NoAnswer(HardwareError):  # noqa: N818 - the field's word, and it reads as what happened
    """No circuit answered at the address in time."""


class BadAnswer(HardwareError):  # noqa: N818
    """Bytes came that are no answer to what was asked."""


class Refused(HardwareError):  # noqa: N818
    """The circuit answered that it does not accept the command."""


class BadConfiguration(HardwareError):  # noqa: N818
    """The file asks for something that the driver cannot do; trying again will not help."""
