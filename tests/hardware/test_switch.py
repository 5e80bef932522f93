import errno
import os
import socket
from pathlib import Path

import pytest

from hardware.buses import Buses
from hardware.buses.gpio import open_chip
from hardware.driver import Wiring
from hardware.drivers.switch import Switch
from hardware.errors import BusError
from tests.hardware.fakes import FakeClock
from tests.hardware.simulators import Rig


def test_the_line_never_shows_anything_but_safe_and_asked(rig: Rig) -> None:
    device = rig.make(Switch, rig.address("gpio", 17), active_low=True)
    device.open()
    device.apply({"on": True})
    device.apply({"on": False})
    assert rig.gpio.history == [(17, 1), (17, 0), (17, 1)]


def test_what_is_safe_when_on_is_on_from_its_first_moment(rig: Rig) -> None:
    rig.make(Switch, rig.address("gpio", 17), safe=True).open()
    assert rig.gpio.history == [(17, 1)]


def test_a_line_of_another_program(rig: Rig) -> None:
    rig.make(Switch, rig.address("gpio", 17)).open()
    other = rig.make(Switch, rig.address("gpio", 17))
    with pytest.raises(BusError, match="line 17 of /dev/gpiochip0 is used by another program"):
        other.open()
    assert rig.gpio.opened == 1


def test_reads_the_line_not_its_memory(rig: Rig) -> None:
    device = rig.make(Switch, rig.address("gpio", 17))
    device.open()
    rig.gpio.levels[17] = 1
    assert device.read_back() == {"on": True}


@pytest.mark.parametrize("step", ["apply", "read_back"])
def test_a_line_that_failed_is_taken_again(rig: Rig, step: str) -> None:
    device = rig.make(Switch, rig.address("gpio", 17))
    device.open()
    steps = {"apply": lambda: device.apply({"on": True}), "read_back": device.read_back}
    rig.gpio.broken = OSError(errno.ENODEV, os.strerror(errno.ENODEV))
    with pytest.raises(BusError, match="line 17 of /dev/gpiochip0: No such device"):
        steps[step]()
    assert not rig.gpio.opened
    with pytest.raises(BusError, match="is not taken"):
        device.read_back()
    device.apply({"on": True})
    assert rig.gpio.levels[17] == 1


def test_a_chip_that_is_not_there(tmp_path: Path) -> None:
    device = Switch(Wiring(f"{tmp_path}/gpiochip9:1", Buses(), FakeClock()))
    with pytest.raises(BusError, match=r"line 1 of .*gpiochip9: No such file"):
        device.find()
    with pytest.raises(BusError, match=r"line 1 of .*gpiochip9: No such file"):
        device.open()


def test_a_file_is_no_chip(tmp_path: Path) -> None:
    """The real library says so, as an OSError like any other."""
    path = tmp_path / "gpiochip0"
    path.touch()
    with pytest.raises(OSError):  # noqa: PT011 - which one is the kernel's to say
        open_chip(str(path))


def test_a_socket_is_a_vessel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "gpio.sock"
    opened: list[str] = []
    monkeypatch.setattr("hardware.vessel.client.SocketChip", opened.append, raising=False)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        open_chip(str(path))
    assert opened == [str(path)]
