"""What can be wrong with a circuit, its probe or its wire; switched while the vessel runs."""

import random
from enum import StrEnum

TOP_BIT = 0x80


class Fault(StrEnum):
    """Faults of one circuit. Some take an amount; without one they take that of `DEFAULT_AMOUNTS`."""

    ABSENT = "absent"  # not on the wire: address not acknowledged, port silent and deaf
    SILENT = "silent"  # acknowledges, executes, never says anything
    SLOW = "slow"  # every command takes `amount` s longer
    GARBAGE = "garbage"  # answers are random bytes
    NOISE = "noise"  # each byte of an answer is damaged with the probability `amount`
    STRAY = "stray"  # UART: a line that nobody asked for before each answer
    TOP_BIT = "top-bit"  # I2C: received characters have their top bit set, as on a Raspberry Pi
    STUCK = "stuck"  # every reading repeats the last one
    VALUE = "value"  # every reading is `amount`
    DISCONNECTED = "disconnected"  # no probe at the circuit: RTD -1023.000, DO and EC 0, others wander
    CUT = "cut"  # an answer ends before its last byte; UART: without CR


class BusFault(StrEnum):
    """Faults of the whole I2C bus."""

    HANG = "hang"  # held low: every transfer fails with ETIMEDOUT after 1 s (Linux i2c-bcm2835)
    NACK = "nack"  # nobody acknowledges: EREMOTEIO
    UNPLUGGED = "unplugged"  # the adapter is gone: clients are cut off, new ones turned away


DEFAULT_AMOUNTS = {Fault.SLOW: 1.0, Fault.NOISE: 0.1, Fault.VALUE: 0.0}


class Faults:
    """The faults of one circuit that are on."""

    def __init__(self, chance: random.Random) -> None:
        self.amounts: dict[Fault, float] = {}
        self._chance = chance

    def __contains__(self, fault: Fault) -> bool:
        return fault in self.amounts

    def switch_on(self, fault: Fault, amount: float | None = None) -> None:
        """Switch a fault on, or give it another amount."""
        self.amounts[fault] = DEFAULT_AMOUNTS.get(fault, 0.0) if amount is None else amount

    def switch_off(self, fault: Fault | None = None) -> None:
        """Switch one fault off, or all."""
        if fault is None:
            self.amounts.clear()
        else:
            self.amounts.pop(fault, None)

    @property
    def delay(self) -> float:
        """What is added to each command's time, s."""
        return self.amounts.get(Fault.SLOW, 0.0)

    def distort(self, answer: bytes) -> bytes:
        """Damage an answer as the faults say."""
        if Fault.GARBAGE in self.amounts:
            answer = self._chance.randbytes(max(len(answer), 4))
        if Fault.NOISE in self.amounts:
            likelihood = self.amounts[Fault.NOISE]
            answer = bytes(
                byte ^ (1 << self._chance.randrange(8)) if self._chance.random() < likelihood else byte
                for byte in answer
            )
        if Fault.CUT in self.amounts:
            answer = answer[:-1]
        return answer

    def set_top_bits(self, answer: bytes) -> bytes:
        """Set characters' top bits where the wire does that."""
        if Fault.TOP_BIT not in self.amounts:
            return answer
        return bytes(byte | TOP_BIT if byte else byte for byte in answer)
