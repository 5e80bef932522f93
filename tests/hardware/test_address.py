from collections.abc import Callable

import pytest

from hardware.buses.address import (
    ChipChannelAddress,
    HostAddress,
    I2cAddress,
    LineAddress,
    PwmAddress,
    UartAddress,
    bus_of,
    parse,
    parse_chip_channel,
    parse_for,
    parse_line,
    parse_pwm,
)
from hardware.errors import BadConfiguration


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("/dev/i2c-1:0x63", I2cAddress("/dev/i2c-1", 99)),
        ("/dev/i2c-1:0X63", I2cAddress("/dev/i2c-1", 99)),
        ("/dev/i2c-1:99", I2cAddress("/dev/i2c-1", 99)),
        ("/dev/i2c-1:099", I2cAddress("/dev/i2c-1", 99)),
        ("run/i2c.sock:127", I2cAddress("run/i2c.sock", 127)),
        ("/dev/ttyAMA0", UartAddress("/dev/ttyAMA0")),
        ("/dev/serial/by-path/usb-0:1.2:1.0-port0", UartAddress("/dev/serial/by-path/usb-0:1.2:1.0-port0")),
        ("host", HostAddress()),
    ],
)
def test_reads_every_spelling(text: str, address: object) -> None:
    assert parse(text) == address


@pytest.mark.parametrize("text", ["", "ttyAMA0", "99", "Host", "i2c-1:99"])
def test_says_what_an_address_may_be(text: str) -> None:
    with pytest.raises(BadConfiguration, match=r"/dev/i2c-1:0x63 .*/dev/ttyAMA0.*host"):
        parse(text)


@pytest.mark.parametrize("text", ["/dev/i2c-1:0", "/dev/i2c-1:128", "/dev/i2c-1:0x80"])
def test_refuses_what_seven_bits_cannot_say(text: str) -> None:
    with pytest.raises(BadConfiguration, match="1 to 127"):
        parse(text)


def test_says_where_a_driver_can_be_wired() -> None:
    assert parse_for("ezo-ph", ("i2c", "uart"), "/dev/ttyAMA0") == UartAddress("/dev/ttyAMA0")
    with pytest.raises(BadConfiguration, match=r"'host': ezo-ph takes a bus and address .* or a serial port"):
        parse_for("ezo-ph", ("i2c", "uart"), "host")


@pytest.mark.parametrize("text", ["/dev/i2c-1:0x63", "/dev/ttyAMA0", "host"])
def test_is_spelled_as_it_is_read(text: str) -> None:
    assert str(parse(text)) == text


def test_names_the_kind_of_bus() -> None:
    assert [bus_of(parse(text)) for text in ("/b:1", "/t", "host")] == ["i2c", "uart", "none"]


@pytest.mark.parametrize(
    ("read", "text", "address"),
    [
        (parse_pwm, "/sys/class/pwm/pwmchip0:1", PwmAddress("/sys/class/pwm/pwmchip0", 1)),
        (parse_pwm, "/sys/class/pwm/pwmchip0/:01", PwmAddress("/sys/class/pwm/pwmchip0", 1)),
        (parse_chip_channel, "/dev/i2c-1:0x40:3", ChipChannelAddress("/dev/i2c-1", 64, 3)),
        (parse_chip_channel, "/dev/i2c-1:64:15", ChipChannelAddress("/dev/i2c-1", 64, 15)),
        (parse_line, "/dev/gpiochip0:17", LineAddress("/dev/gpiochip0", 17)),
        (parse_line, "run/a:b/gpio.sock:0", LineAddress("run/a:b/gpio.sock", 0)),
    ],
)
def test_reads_outputs(read: Callable[[str, str], object], text: str, address: object) -> None:
    assert read("driver", text) == address
    assert read("driver", str(address)) == address


@pytest.mark.parametrize(
    ("read", "text", "says"),
    [
        (parse_pwm, "/sys/class/pwm/pwmchip0", "PWM chip's folder and channel"),
        (parse_line, "gpiochip0:17", "GPIO chip and line"),
        (parse_line, "/dev/gpiochip0:-1", "GPIO chip and line"),
        (parse_chip_channel, "/dev/i2c-1:3", "bus, address and channel"),
        (parse_chip_channel, "/dev/i2c-1:0x40:16", "0 to 15, not 16"),
        (parse_chip_channel, "/dev/i2c-1:0x00:1", "1 to 127"),
    ],
)
def test_says_what_an_output_may_be(read: Callable[[str, str], object], text: str, says: str) -> None:
    with pytest.raises(BadConfiguration, match=says):
        read("driver", text)
