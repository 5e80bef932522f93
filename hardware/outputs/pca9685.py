"""A channel of a PCA9685 over I2C (NXP, PCA9685 product data sheet, rev. 4: registers in table 4, 7.3).

The chip has one frequency for its 16 channels and loses everything with its power: what is shared is looked up in the
chip itself, every time. A channel that is on at 0 % and one that is off are both "full off" to the chip; the count at
which it would have started, which full off ignores, tells them apart.
"""

from typing import Final

from hardware.buses.address import ChipChannelAddress, parse_chip_channel
from hardware.driver import Wiring
from hardware.errors import BadAnswer, Refused
from hardware.outputs.output import Level, Output
from hardware.safe import I2cWrite, SafeWrite

LOWEST_FREQUENCY, HIGHEST_FREQUENCY = 24.0, 1526.0  # Hz, of the internal oscillator

_MODE1, _LED0, _PRESCALE = 0x00, 0x06, 0xFE
_RESTART, _INCREMENT, _SLEEP = 0x80, 0x20, 0x10  # in MODE1
_AWAKE: Final = _INCREMENT  # it does not answer to the address for all chips, which is that of EZO-RGB
_FULL: Final = 0x10  # in the high byte of a start or end count: always on, always off
_COUNTS: Final = 4096  # of a period
_OSCILLATOR: Final = 25e6  # Hz
_STARTING: Final = 0.0005  # s until the oscillator runs
_CHANNELS, _BYTES = 16, 4  # of the chip; of a channel

_OFF: Final = bytes([0, 0, 0, _FULL])
_IDLE: Final = bytes([1, 0, 0, _FULL])  # on at 0 %


class ChipChannel(Output):
    """One of the sixteen channels."""

    address: ChipChannelAddress

    def __init__(self, driver: str, wiring: Wiring) -> None:
        self.address = parse_chip_channel(driver, wiring.address)
        self._clock = wiring.clock
        self._bus = wiring.buses.i2c(self.address.path)
        self._lock = self._bus.chip_lock(self.address.address)
        self._register = _LED0 + _BYTES * self.address.channel

    def find(self) -> None:
        """See that something answers."""
        self._get(_MODE1, 1)

    def open(self) -> None:
        """Wake the chip if it sleeps, as it does when it gets power; a channel that runs goes on."""
        with self._lock:
            self._wake()

    def write(self, level: Level | None) -> None:
        """Write all four bytes, which take effect together. `Refused` when others run at another frequency."""
        with self._lock:
            self._wake()
            if level is not None:
                self._tune(level.frequency)
            self._put(self._register, *_spell(level))

    def read(self) -> Level | None:
        """Ask what the channel does; a chip that sleeps has lost its power and gives nothing."""
        mode = self._get(_MODE1, 1)[0]
        if mode & _SLEEP:
            return None
        if mode & ~_RESTART != _AWAKE:
            raise BadAnswer(f"{self.address}: the chip is in mode 0x{mode:02x}: another program uses it")
        counts, prescale = self._get(self._register, _BYTES), self._get(_PRESCALE, 1)[0]
        return None if _is_off(counts) else Level(_duty(counts), _frequency(prescale))

    def safe_writes(self, level: Level | None) -> tuple[SafeWrite, ...]:
        """Write single registers, which work on a chip in whatever mode; the frequency stays."""
        first, (start, start_high, end, end_high) = self._register, _spell(level)
        writes = [(first + 3, end_high), (first, start)]
        if level is not None:
            writes = [
                (_MODE1, _AWAKE),
                (first, start),
                (first + 1, start_high),
                (first + 2, end),
                (first + 3, end_high),
            ]
        return tuple(I2cWrite(self.address.path, self.address.address, bytes(write)) for write in writes)

    def _wake(self) -> None:
        mode = self._get(_MODE1, 1)[0]
        if mode & ~_RESTART == _AWAKE:
            return
        self._put(_MODE1, _AWAKE)
        self._clock.sleep(_STARTING)
        self._put(_MODE1, _AWAKE | _RESTART)  # goes on with what ran when it was sent to sleep

    def _tune(self, frequency: float) -> None:
        """Set the prescaler if it differs, which takes a chip that sleeps, and with it all its channels."""
        prescale, now = round(_OSCILLATOR / (_COUNTS * frequency)) - 1, self._get(_PRESCALE, 1)[0]
        if prescale == now:
            return
        others = [
            str(channel)
            for channel in range(_CHANNELS)
            if channel != self.address.channel and not _is_off(self._get(_LED0 + _BYTES * channel, _BYTES))
        ]
        if others:
            raise Refused(
                f"{self.address}: frequency {frequency:g} Hz: the chip has one for all its channels, and at "
                f"{_frequency(now):.1f} Hz it serves channel {', '.join(others)}: switch off what is there first"
            )
        self._put(_MODE1, _AWAKE | _SLEEP)
        self._put(_PRESCALE, prescale)
        self._wake()

    def _get(self, register: int, count: int) -> bytes:
        return self._bus.exchange(self.address.address, bytes([register]), count)

    def _put(self, register: int, *values: int) -> None:
        self._bus.write(self.address.address, bytes([register, *values]))


def _spell(level: Level | None) -> bytes:
    """Start and end count of a period, low bytes first."""
    if level is None:
        return _OFF
    match round(level.duty * _COUNTS / 100):
        case 0:
            return _IDLE
        case 4096:
            return bytes([0, _FULL, 0, 0])
        case count:
            return bytes([0, 0]) + count.to_bytes(2, "little")


def _is_off(counts: bytes) -> bool:
    return bool(counts[3] & _FULL) and counts != _IDLE


def _duty(counts: bytes) -> float:
    """Give the duty in percent of a channel that is not off."""
    if counts[3] & _FULL:
        return 0.0
    if counts[1] & _FULL:
        return 100.0
    start, end = int.from_bytes(counts[:2], "little"), int.from_bytes(counts[2:], "little")
    return 100.0 * ((end - start) % _COUNTS) / _COUNTS


def _frequency(prescale: int) -> float:
    return _OSCILLATOR / (_COUNTS * (prescale + 1))
