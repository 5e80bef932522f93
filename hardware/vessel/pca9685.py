"""A PCA9685 on the simulated bus, register by register (NXP, PCA9685 product data sheet, rev. 4: table 4, 7.3).

A chip that has no running clock (asleep, as at power-up, or told to use the clock pin, where nothing is wired) drives
its pins low; the data sheet says only that they cannot be switched then. Channels that were stopped by sleep stay off
until RESTART is written, or a channel. Writes take effect when their message ends (OCH 0 or 1: the same here).
"""

import random
from collections.abc import Callable

from hardware.vessel.faults import Fault, Faults
from hardware.vessel.journal import Delivery
from hardware.vessel.outputs import CHIP_CHANNELS

MODE1, MODE2, SUBADDRESS, ALL_CALL, LED0, LED_END, ALL_LED, PRESCALE, TEST_MODE = (
    0x00, 0x01, 0x02, 0x05, 0x06, 0x46, 0xFA, 0xFE, 0xFF,
)  # fmt: skip
RESTART, EXTERNAL_CLOCK, INCREMENT, SLEEP, ALL_CALLED = 0x80, 0x40, 0x20, 0x10, 0x01  # in MODE1
SUBADDRESSED = (0x08, 0x04, 0x02)  # in MODE1, of the three subaddresses
INVERT = 0x10  # in MODE2
FULL = 0x10  # in the high byte of a count
HIGH_BITS = 0x1F  # of a high byte that can be written
COUNTS = 4096
LEAST_PRESCALE = 3
LAST_INCREMENTED = {LED_END - 1, PRESCALE}  # behind these the pointer goes back to 0
SOFTWARE_RESET = b"\x06"  # to the general call address, 0

Changed = Callable[[dict[int, float]], None]


class Pca9685:
    """One chip at its address. `changed` hears the share of the time that each pin is high, whenever one changes."""

    def __init__(self, address: int, chance: random.Random, changed: Changed) -> None:
        self.name = f"pca9685-{address:#04x}"
        self.faults = Faults(chance)
        self.address = address
        self._changed = changed
        self._levels = dict.fromkeys(range(CHIP_CHANNELS), 0.0)
        self._power_up()

    def restart(self, now: float, reason: str) -> None:  # noqa: ARG002 - as circuits have it
        """Cut the power for a moment: every register is as from the factory, every pin low."""
        self._power_up()
        self._update()

    def answers(self, address: int, now: float, *, written: bool) -> bool:  # noqa: ARG002 - it starts at once
        """Whether it is meant: by its own address, or, when written to, by one that it shares with others."""
        if Fault.ABSENT in self.faults:
            return False
        return address == self.address or (written and address in self._shared())

    def spell(self, data: bytes) -> str:
        """Spell what is written for the journal: register and values in hexadecimal."""
        return data.hex(" ")

    def write(self, data: bytes, now: float, address: int) -> None:  # noqa: ARG002 - it takes no time
        """Take one message: the register, then what goes into it and those behind it."""
        if address == 0:
            if data == SOFTWARE_RESET:
                self._power_up()
        elif data:
            self._pointer = data[0]
            for value in data[1:]:
                self._put(self._pointer, value)
                self._step()
        self._update()

    def read(self, count: int, now: float, *, combined: bool) -> tuple[Delivery, bytes]:  # noqa: ARG002
        """Give the registers from the pointer on."""
        command = f"{self._pointer:02x}"
        found = bytearray()
        for _ in range(count):
            found.append(self._registers[self._pointer])
            self._step()
        answer = self.faults.distort(bytes(found))[:count].ljust(count, b"\xff")
        return Delivery(command, answer), answer

    def _power_up(self) -> None:
        self._registers = bytearray(256)
        self._registers[MODE1] = SLEEP | ALL_CALLED
        self._registers[MODE2] = 0x04
        self._registers[SUBADDRESS : ALL_CALL + 1] = bytes([0xE2, 0xE4, 0xE8, 0xE0])
        for channel in range(CHIP_CHANNELS):
            self._registers[LED0 + 4 * channel + 3] = FULL
        self._registers[PRESCALE] = 0x1E
        self._pointer = 0

    def _shared(self) -> set[int]:
        """Addresses that it shares: the general call, and those that MODE1 switches on."""
        bits = (*SUBADDRESSED, ALL_CALLED)
        places = range(SUBADDRESS, ALL_CALL + 1)
        on = self._registers[MODE1]
        return {0} | {self._registers[place] >> 1 for place, bit in zip(places, bits, strict=True) if on & bit}

    def _step(self) -> None:
        if self._registers[MODE1] & INCREMENT:
            self._pointer = 0 if self._pointer in LAST_INCREMENTED else (self._pointer + 1) % 256

    def _put(self, register: int, value: int) -> None:
        if register == MODE1:
            self._put_mode(value)
        elif register == PRESCALE:
            if self._registers[MODE1] & SLEEP:  # blocked while it runs
                self._registers[PRESCALE] = max(value, LEAST_PRESCALE)
        elif LED0 <= register < LED_END:
            self._put_count(register, value)
        elif ALL_LED <= register < PRESCALE:  # reads as 0
            for channel in range(CHIP_CHANNELS):
                self._put_count(LED0 + 4 * channel + register - ALL_LED, value)
        elif register < LED0:
            self._registers[register] = value

    def _put_count(self, register: int, value: int) -> None:
        is_high = (register - LED0) % 2 == 1
        self._registers[register] = value & HIGH_BITS if is_high else value
        self._registers[MODE1] &= ~RESTART

    def _put_mode(self, value: int) -> None:
        """RESTART is set by falling asleep with channels that run, and cleared by writing 1 to it while awake."""
        before = self._registers[MODE1]
        restart = before & RESTART
        if value & SLEEP and not before & SLEEP and any(self._duty(channel) for channel in range(CHIP_CHANNELS)):
            restart = RESTART
        if value & RESTART and not (value | before) & SLEEP:
            restart = 0
        sticky = before & EXTERNAL_CLOCK  # until a reset
        self._registers[MODE1] = (value & ~RESTART) | sticky | restart

    def _duty(self, channel: int) -> float:
        """What its registers make of a channel, 0 to 1."""
        first = LED0 + 4 * channel
        on, off = (int.from_bytes(self._registers[place : place + 2], "little") for place in (first, first + 2))
        if off & FULL << 8:
            return 0.0
        if on & FULL << 8:
            return 1.0
        return (off - on) % COUNTS / COUNTS

    def _update(self) -> None:
        mode = self._registers[MODE1]
        runs = not mode & (RESTART | EXTERNAL_CLOCK | SLEEP)
        inverted = self._registers[MODE2] & INVERT
        levels = {channel: self._duty(channel) if runs else 0.0 for channel in range(CHIP_CHANNELS)}
        if inverted:
            levels = {channel: 1.0 - level for channel, level in levels.items()}
        changes = {channel: level for channel, level in levels.items() if level != self._levels[channel]}
        self._levels = levels
        if changes:
            self._changed(changes)
