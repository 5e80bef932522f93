"""Safe writes as bytes: on files, a pseudo-terminal, a vessel's bus and lines, and the kernel's calls."""

import errno
import fcntl
import os
import re
import select
import termios
from collections.abc import Callable, Iterator
from pathlib import Path

import gpiod
import pytest

from hardware.safe import FileWrite, I2cWrite, LineWrite, UartWrite
from hardware.safe_writer import carry_out
from hardware.vessel.circuits.parts import CircuitConfig
from hardware.vessel.config import Running, VesselConfig
from hardware.vessel.journal import entries
from hardware.vessel.outputs import OutputConfig
from hardware.vessel.server import Server
from tests.hardware.vessel.conftest import serve  # noqa: F401 - a fixture

Serve = Callable[[VesselConfig], Server]


def test_a_file_is_written_in_one_go(tmp_path: Path) -> None:
    file = tmp_path / "duty_cycle"
    file.write_text("123456\n", encoding="ascii")
    carry_out(FileWrite(str(file), "0"))
    assert file.read_text(encoding="ascii") == "0"


def test_a_channel_that_nobody_exported_needs_nothing(tmp_path: Path) -> None:
    carry_out(FileWrite(str(tmp_path / "pwm1" / "duty_cycle"), "0"))


@pytest.fixture
def refusing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel that takes nothing, as with a PWM channel that has no period."""

    def refuse(_descriptor: int, _data: bytes) -> int:
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr("hardware.safe_writer.os.write", refuse)
    monkeypatch.setattr("hardware.safe_writer.os.O_TRUNC", 0)  # which means nothing in sysfs


@pytest.mark.usefixtures("refusing")
def test_what_says_so_already_need_not_take_it(tmp_path: Path) -> None:
    file = tmp_path / "duty_cycle"
    file.write_text("0\n", encoding="ascii")
    carry_out(FileWrite(str(file), "0"))


@pytest.mark.usefixtures("refusing")
def test_what_says_something_else_has_failed(tmp_path: Path) -> None:
    file = tmp_path / "duty_cycle"
    file.write_text("100\n", encoding="ascii")
    with pytest.raises(OSError, match="Invalid argument"):
        carry_out(FileWrite(str(file), "0"))


def test_i2c_is_one_message_whoever_claims_the_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bus, calls = tmp_path / "i2c-1", []
    bus.touch()
    monkeypatch.setattr(fcntl, "ioctl", lambda _descriptor, *what: calls.append(what))
    carry_out(I2cWrite(str(bus), 0x40, b"\x09\x10"))
    assert calls == [(0x0706, 0x40)]  # I2C_SLAVE_FORCE of linux/i2c-dev.h
    assert bus.read_bytes() == b"\x09\x10"


def test_what_is_no_bus_is_an_error_of_the_kernel(tmp_path: Path) -> None:
    (tmp_path / "i2c-1").touch()
    with pytest.raises(OSError, match="Inappropriate ioctl"):
        carry_out(I2cWrite(str(tmp_path / "i2c-1"), 0x40, b"\x09\x10"))


@pytest.mark.parametrize(
    "write",
    [
        I2cWrite("/nowhere/i2c-1", 0x40, b"X"),
        UartWrite("/nowhere/ttyAMA0", 9600, b"X"),
        LineWrite("/nowhere/gpiochip0", 17, active_low=False, value=False),
    ],
)
def test_a_bus_that_is_not_there(write: I2cWrite | UartWrite | LineWrite) -> None:
    with pytest.raises(FileNotFoundError):
        carry_out(write)


@pytest.fixture
def terminal() -> Iterator[tuple[int, str]]:
    master, slave = os.openpty()
    yield master, os.ttyname(slave)
    os.close(slave)
    os.close(master)


def test_a_serial_port_gets_rate_and_bytes_as_they_are(terminal: tuple[int, str]) -> None:
    master, path = terminal
    carry_out(UartWrite(path, 38400, b"\rX\r"))
    assert os.read(master, 100) == b"\rX\r"
    modes = termios.tcgetattr(master)
    assert modes[4:6] == [termios.B38400, termios.B38400]
    assert modes[2] & termios.CSIZE == termios.CS8
    assert not modes[2] & (termios.PARENB | termios.CSTOPB)


def test_a_serial_port_that_is_stuck_is_not_waited_for(terminal: tuple[int, str]) -> None:
    _, path = terminal
    with pytest.raises(BlockingIOError):
        fill(path)


def fill(path: str) -> None:
    for _ in range(1000):
        carry_out(UartWrite(path, 9600, b"\r" * 4096))


@pytest.mark.parametrize(("active_low", "value"), [(False, False), (False, True), (True, False), (True, True)])
def test_a_real_line_is_held_until_it_is_let_go(
    monkeypatch: pytest.MonkeyPatch,
    active_low: bool,
    value: bool,
) -> None:
    asked: list[tuple[object, ...]] = []

    class Request:
        def release(self) -> None:
            asked.append(("release",))

    def request_lines(path: str, config: dict[int, gpiod.LineSettings], consumer: str) -> Request:
        ((line, settings),) = config.items()
        asked.append((path, line, settings.active_low, bool(settings.output_value), settings.direction, consumer))
        return Request()

    monkeypatch.setattr(gpiod, "request_lines", request_lines)
    release = carry_out(LineWrite("/dev/null", 17, active_low, value))
    output = gpiod.line.Direction.OUTPUT
    assert asked == [("/dev/null", 17, active_low, value, output, "reactorium guard")]
    assert release
    release()
    assert asked[1:] == [("release",)]


def test_on_a_vessel(tmp_path: Path, serve: Serve) -> None:  # noqa: F811 - the fixture
    outputs = (
        OutputConfig("air", "gpio", 17, "air", 1e-5, active_low=True),
        OutputConfig("heater", "pca9685", 3, "heater", 60.0),
    )
    pump = CircuitConfig("acid", "pmp", "uart", 1, drives="acid")
    serve(VesselConfig(tmp_path, (pump,), outputs))
    line = LineWrite(str(tmp_path / "gpio.sock"), 17, active_low=True, value=False)
    release = carry_out(line)
    assert release
    with pytest.raises(OSError, match="busy"):
        carry_out(line)
    release()
    again = carry_out(line)
    assert again
    again()
    carry_out(I2cWrite(str(tmp_path / "i2c.sock"), 0x40, b"\x09\x10"))
    with pytest.raises(OSError, match=re.escape(os.strerror(errno.EREMOTEIO))):
        carry_out(I2cWrite(str(tmp_path / "i2c.sock"), 0x41, b"\x09\x10"))
    written = [(one.circuit, one.command) for one in entries(tmp_path / "journal.jsonl") if one.do == "write"]
    assert ("pca9685-0x40", "09 10") in written
    assert written.count(("gpio17", "release")) == 2


def test_a_vessels_port_hears_stop(tmp_path: Path, serve: Serve) -> None:  # noqa: F811
    pump = CircuitConfig("acid", "pmp", "uart", 1, drives="acid")
    serve(VesselConfig(tmp_path, (pump,), running=Running(pace=100.0)))
    port = os.open(tmp_path / "uart-acid", os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    try:
        hear(port, b"*RE")  # it has started
        carry_out(UartWrite(str(tmp_path / "uart-acid"), 9600, b"\rX\r"))
        hear(port, b"*DONE")
    finally:
        os.close(port)


def hear(port: int, word: bytes) -> None:
    heard = b""
    while word not in heard:
        assert select.select([port], [], [], 10.0)[0], heard
        heard += os.read(port, 1000)
