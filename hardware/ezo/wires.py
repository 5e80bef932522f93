"""How a driver reaches its circuit, and sees that it is the right one."""

from typing import Final

from hardware.buses.address import HostAddress, I2cAddress, UartAddress, parse_for
from hardware.driver import Wiring
from hardware.errors import BadAnswer, NoAnswer
from hardware.ezo import commands, options, replies
from hardware.ezo.circuit import Circuit, Delays
from hardware.ezo.i2c import I2cCircuit
from hardware.ezo.options import Chosen, Option, Output
from hardware.ezo.uart import BAUD_RATES, UartCircuit

WIRES: Final = ("i2c", "uart")
_BAUD: Final = options.choice("baud", "Baud", BAUD_RATES)


def connect(
    driver: str, wiring: Wiring, delays: Delays, known: tuple[Option, ...] = (), outputs: tuple[Output, ...] = ()
) -> tuple[I2cAddress | UartAddress, Circuit, Chosen]:
    """Read address and options, a serial port's `baud` among them; `BadConfiguration` lists every mistake in these."""
    address = parse_for(driver, WIRES, wiring.address)
    assert not isinstance(address, HostAddress)
    where = f"{driver} at {address}"
    if isinstance(address, I2cAddress):
        chosen = options.choose(driver, wiring.options, known, outputs)
        bus = wiring.buses.i2c(address.path)
        return address, I2cCircuit(bus, address.address, where, delays, wiring.clock), chosen
    chosen = options.choose(driver, wiring.options, (*known, _BAUD), outputs)
    port = wiring.buses.uart(address.path, int(chosen.values.get("baud", "9600")))
    return address, UartCircuit(port, where, delays, wiring.clock), chosen


def find(circuit: Circuit, kind: str) -> None:
    """See that a circuit of this kind is there; over UART this ends its continuous mode."""
    circuit.open()
    try:
        found = commands.information(circuit)
    except NoAnswer:  # a sleeping circuit may lose the command that wakes it
        found = commands.information(circuit)
    if found.kind != kind:
        raise BadAnswer(f"{circuit.where} is a {replies.shown(found.kind)} circuit, not {kind}")
