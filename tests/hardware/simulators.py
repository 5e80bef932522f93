"""Outputs below the driver: the registers of a PCA9685, the kernel's rules of sysfs PWM, the lines of a GPIO chip."""

import errno
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pytest
from gpiod.line import Direction, Value
from smbus2 import i2c_msg

from hardware.buses import Buses
from hardware.device import DeviceDriver
from hardware.driver import Wiring
from hardware.outputs import sysfs
from hardware.safe import FileWrite, I2cWrite, LineWrite, SafeWrite
from tests.hardware.fakes import I2C_READ_FLAG, FakeClock

if TYPE_CHECKING:
    from gpiod.line_settings import LineSettings

Driver = TypeVar("Driver", bound=DeviceDriver)

BUS, CHIP = "/dev/i2c-1", 0x40
GPIO, LINES = "/dev/gpiochip0", 28
MODE1, LED0, PRESCALE = 0x00, 0x06, 0xFE
RESTART, INCREMENT, SLEEP, ALL_CALL = 0x80, 0x20, 0x10, 0x01


class Pca9685Chip:
    """NXP's registers: what a write does, and what comes out of each channel."""

    def __init__(self) -> None:
        self.cut_power()

    def cut_power(self) -> None:
        """Lose everything, as at power-up."""
        self.registers = bytearray(256)
        self.registers[MODE1] = SLEEP | ALL_CALL
        for channel in range(16):
            self.registers[LED0 + 4 * channel + 3] = 0x10
        self.registers[PRESCALE] = 0x1E
        self.pointer = 0
        self.stopped = False  # sent to sleep while running, and not started again

    @property
    def frequency(self) -> float:
        return 25e6 / 4096 / (self.registers[PRESCALE] + 1)

    def duty(self, channel: int) -> float:
        """What the pin shows, in percent of the time."""
        first = LED0 + 4 * channel
        on, off = (int.from_bytes(self.registers[at : at + 2], "little") for at in (first, first + 2))
        if off & 0x1000 or self.registers[MODE1] & SLEEP or self.stopped:
            return 0.0
        if on & 0x1000:
            return 100.0
        assert on != off, "the data sheet forbids equal counts (7.3.3)"
        return ((off - on) % 4096) / 40.96

    def write(self, data: bytes) -> None:
        self.pointer, *values = data
        for value in values:
            self._put(self.pointer, value)
            self._step()

    def read(self, count: int) -> bytes:
        found = bytearray()
        for _ in range(count):
            found.append(self.registers[self.pointer])
            self._step()
        return bytes(found)

    def _put(self, register: int, value: int) -> None:
        if register == MODE1:
            self._put_mode(value)
        elif register != PRESCALE:
            self.registers[register] = value
            if LED0 <= register < LED0 + 64:
                self.stopped = False
        elif self.registers[MODE1] & SLEEP:
            self.registers[register] = max(value, 3)

    def _put_mode(self, value: int) -> None:
        before = self.registers[MODE1]
        running = any(not self.registers[LED0 + 4 * channel + 3] & 0x10 for channel in range(16))
        restart = before & RESTART
        if value & SLEEP and not before & SLEEP and running:
            restart, self.stopped = RESTART, True
        if value & RESTART and not value & SLEEP and not before & SLEEP:
            restart, self.stopped = 0, False
        self.registers[MODE1] = (value & ~RESTART) | restart

    def _step(self) -> None:
        if self.registers[MODE1] & INCREMENT:
            self.pointer = 0 if self.pointer in {69, 254} else self.pointer + 1


class ChipAdapter:
    """smbus2's interface over chips by address; `seen` has a line for each transaction."""

    def __init__(self, chips: Mapping[int, Pca9685Chip], seen: list[str], after: Callable[[], None]) -> None:
        self._chips = chips
        self._seen = seen
        self._after = after

    def i2c_rdwr(self, *messages: i2c_msg) -> None:
        said: list[str] = []
        for message in messages:
            chip = self._chips.get(message.addr)
            if chip is None:
                raise OSError(errno.EREMOTEIO, "Remote I/O error")
            if message.flags == I2C_READ_FLAG:
                for index, byte in enumerate(chip.read(message.len)):
                    message.buf[index] = bytes([byte])
                said.append(f"r{message.len}")
            else:
                chip.write(bytes(message))
                said.append(bytes(message).hex(" "))
        self._seen.append(" | ".join(said))
        self._after()

    def close(self) -> None:
        pass


class KernelPwm:
    """A PWM chip's folder, whose files refuse what the kernel refuses. `refused` counts."""

    def __init__(self, path: Path, channels: int = 2) -> None:
        self.path = path
        self.channels = channels
        self.seen: list[str] = []
        self.duties: list[float] = []
        path.mkdir(parents=True)
        for name in ("export", "unexport", "npwm"):
            (path / name).write_text(f"{channels}\n" if name == "npwm" else "")

    def get(self, channel: int, name: str) -> str:
        return (self.path / f"pwm{channel}" / name).read_text().strip()

    def duty(self, channel: int) -> float:
        """What the pin shows, in percent of the time; a channel that is disabled keeps what it had last."""
        if not (self.path / f"pwm{channel}").exists() or self.get(channel, "period") == "0":
            return 0.0
        return 100.0 * int(self.get(channel, "duty_cycle")) / int(self.get(channel, "period"))

    def write(self, path: Path, text: str) -> None:
        """Do what the kernel does when somebody writes this file."""
        self.seen.append(f"{path.relative_to(self.path)} {text}")
        self._judge(path, text)
        if path.name == "export":
            self._export(int(text))
        else:
            path.write_text(f"{text}\n")
            self.duties.append(self.duty(int(path.parent.name.removeprefix("pwm"))))

    def _export(self, channel: int) -> None:
        (self.path / f"pwm{channel}").mkdir()
        for name, value in (("period", "0"), ("duty_cycle", "0"), ("enable", "0"), ("polarity", "normal")):
            (self.path / f"pwm{channel}" / name).write_text(f"{value}\n")

    def _judge(self, path: Path, text: str) -> None:
        if path.name == "export":
            if int(text) >= self.channels:
                raise OSError(errno.ENODEV, "No such device")
            if (self.path / f"pwm{text}").exists():
                raise OSError(errno.EBUSY, "Device or resource busy")
            return
        if not path.exists():
            raise OSError(errno.ENOENT, "No such file or directory")
        state = {each.name: each.read_text().strip() for each in path.parent.iterdir()} | {path.name: text}
        if path.name == "polarity" and state["enable"] == "1":
            raise OSError(errno.EBUSY, "Device or resource busy")
        if state["period"] == "0" or int(state["duty_cycle"]) > int(state["period"]):
            raise OSError(errno.EINVAL, "Invalid argument")


class GpioChip:
    """gpiod's interface over lines with real levels; a line has one owner and keeps its level without one."""

    def __init__(self) -> None:
        self.levels = dict.fromkeys(range(LINES), 0)
        self.owned: dict[int, GpioRequest] = {}
        self.broken: OSError | None = None
        self.opened = 0
        self.history: list[tuple[int, int]] = []

    def open(self, path: str) -> "OpenGpioChip":
        assert path == GPIO
        self.opened += 1
        return OpenGpioChip(self)

    def put(self, line: int, level: int) -> None:
        self.fail()
        self.levels[line] = level
        self.history.append((line, level))

    def fail(self) -> None:
        if self.broken is not None:
            broken, self.broken = self.broken, None
            raise broken


class OpenGpioChip:
    def __init__(self, chip: GpioChip) -> None:
        self._chip = chip

    def request_lines(
        self, config: "dict[Iterable[int | str] | int | str, LineSettings | None]", consumer: str
    ) -> "GpioRequest":
        ((line, settings),) = config.items()
        assert isinstance(line, int)
        assert settings is not None
        assert (settings.direction, consumer) == (Direction.OUTPUT, "reactorium")
        if line not in self._chip.levels:
            raise OSError(errno.EINVAL, "Invalid argument")
        if line in self._chip.owned:
            raise OSError(errno.EBUSY, "Device or resource busy")
        request = GpioRequest(self._chip, line, active_low=settings.active_low)
        request.set_value(line, settings.output_value)
        self._chip.owned[line] = request
        return request

    def close(self) -> None:
        self._chip.opened -= 1


class GpioRequest:
    def __init__(self, chip: GpioChip, line: int, *, active_low: bool) -> None:
        self._chip = chip
        self._line = line
        self._active_low = active_low

    def get_value(self, line: int, /) -> Value:
        assert line == self._line
        self._chip.fail()
        return Value.ACTIVE if bool(self._chip.levels[line]) != self._active_low else Value.INACTIVE

    def set_value(self, line: int, value: Value, /) -> None:
        assert line == self._line
        self._chip.put(line, int(bool(value) != self._active_low))

    def release(self) -> None:
        del self._chip.owned[self._line]


@dataclass
class Rig:
    """One of each kind of chip, drivers wired to them, and a guard's hand."""

    folder: Path
    clock: FakeClock = field(default_factory=FakeClock)
    chip: Pca9685Chip = field(default_factory=Pca9685Chip)
    gpio: GpioChip = field(default_factory=GpioChip)
    seen: list[str] = field(default_factory=list)
    watch: Callable[[], None] = lambda: None  # called after each transaction of I2C

    def __post_init__(self) -> None:
        self.pwm = KernelPwm(self.folder / "pwmchip0")
        self.buses = self.new_buses()

    def new_buses(self) -> Buses:
        """Give what another process would have."""
        chips = {CHIP: self.chip}
        return Buses(lambda _: ChipAdapter(chips, self.seen, self._watched), open_chip=self.gpio.open)

    def _watched(self) -> None:
        self.watch()

    def address(self, kind: str, number: int = 1) -> str:
        """Spell an address: `pwm`, `pca9685` or `gpio`."""
        return {
            "pwm": f"{self.pwm.path}:{number}",
            "pca9685": f"{BUS}:0x{CHIP:02x}:{number}",
            "gpio": f"{GPIO}:{number}",
        }[kind]

    def make(self, driver: Callable[[Wiring], Driver], address: str, **options: object) -> Driver:
        """Make a driver; it is not opened."""
        return driver(Wiring(address, self.buses, self.clock, options))

    def shown(self, kind: str, number: int = 1) -> float:
        """What a pin shows, in percent of the time it is high."""
        match kind:
            case "pwm":
                return self.pwm.duty(number)
            case "pca9685":
                return self.chip.duty(number)
            case _:
                return 100.0 * self.gpio.levels[number]

    def guard(self, writes: Sequence[SafeWrite]) -> None:
        """Do the writes with nothing of a driver, once its process is gone."""
        self.gpio.owned.clear()
        for write in writes:
            match write:
                case FileWrite(path, text) if Path(path).exists():
                    with suppress(OSError):  # one that fails does not keep the next from being tried
                        self.pwm.write(Path(path), text)
                case I2cWrite(path, address, data):
                    assert (path, address) == (BUS, CHIP)
                    self.chip.write(data)
                case LineWrite(path, line, active_low, value):
                    assert path == GPIO
                    self.gpio.put(line, int(value != active_low))

    def restart(self) -> None:
        """Kill the process: nobody closes anything, the kernel takes the lines back."""
        self.gpio.owned.clear()
        self.buses = self.new_buses()


def make_rig(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Rig:
    """Make a rig whose PWM files are written through the kernel's rules."""
    rig = Rig(folder)
    monkeypatch.setattr(sysfs, "_put", rig.pwm.write)
    return rig
