"""Outputs over the vessel's sockets and folder, as clients in other processes meet them."""

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from gpiod.line import Direction, Value
from gpiod.line_settings import LineSettings
from smbus2 import i2c_msg

from hardware.vessel import frames, sockets
from hardware.vessel.circuits.parts import CircuitConfig
from hardware.vessel.client import SocketChip, SocketLine, SocketSMBus, VesselControl
from hardware.vessel.config import Running, VesselConfig
from hardware.vessel.frames import Kind
from hardware.vessel.journal import Entry, entries
from hardware.vessel.outputs import OutputConfig
from hardware.vessel.server import Server
from tests.hardware.vessel.conftest import HandClock

Serve = Callable[[VesselConfig], Server]
PACE = 10.0
HOLD = """
import sys
from hardware.vessel import frames, sockets
from hardware.vessel.client import SocketLine
line = SocketLine(sys.argv[1], 17, "holder", active_low=False, active=True)
print("taken", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def folder(serve: Serve, tmp_path: Path) -> Path:
    outputs = (
        OutputConfig("warmth", "pca9685", 0, "heater", 60.0),
        OutputConfig("lamp", "pwm", 1, "light", 40.0),
        OutputConfig("bubbles", "gpio", 17, "air", 1e-5),
    )
    circuits = (CircuitConfig("acid-pump", "pmp", "i2c", 103, drives="acid"),)
    serve(VesselConfig(tmp_path / "run", circuits, outputs, running=Running(pace=PACE)))
    return tmp_path / "run"


@pytest.fixture
def control(folder: Path) -> Iterator[VesselControl]:
    with VesselControl(folder / "control.sock") as opened:
        yield opened


def level(control: VesselControl, output: str) -> float:
    return control.state()["outputs"][output]["level"]  # type: ignore[index,no-any-return]


def wait_for(control: VesselControl, output: str, wanted: float) -> None:
    """Ask until it is so; the test's time limit ends a vain wait."""
    while level(control, output) != wanted:
        pass


def settings(**changes: object) -> LineSettings:
    return LineSettings(**{"direction": Direction.OUTPUT} | changes)  # type: ignore[arg-type]


def test_a_chip_on_the_bus(folder: Path, control: VesselControl) -> None:
    bus = SocketSMBus(folder / "i2c.sock")
    answer = i2c_msg.read(0x40, 4)
    bus.i2c_rdwr(i2c_msg.write(0x40, b"\x00\x20"))
    bus.i2c_rdwr(i2c_msg.write(0x40, b"\x06\x00\x00\x00\x04"))
    bus.i2c_rdwr(i2c_msg.write(0x40, b"\x06"), answer)
    assert (bytes(answer), level(control, "warmth")) == (b"\x00\x00\x00\x04", 15.0)
    bus.close()
    assert level(control, "warmth") == 15.0


def test_a_folder_that_is_written(folder: Path, control: VesselControl) -> None:
    channel = folder / "pwmchip0" / "pwm1"
    for name, text in (("period", "1000000"), ("duty_cycle", "250000"), ("enable", "1")):
        (channel / name).write_text(text)
    wait_for(control, "lamp", 10.0)
    (channel / "duty_cycle").write_text("1000001")
    while (channel / "duty_cycle").read_text().strip() != "250000":
        pass
    (folder / "pwmchip0" / "export").write_text("0")
    while not (folder / "pwmchip0" / "pwm0" / "enable").exists():
        pass
    assert level(control, "lamp") == 10.0


def test_a_line_as_gpiod_has_it(folder: Path, control: VesselControl) -> None:
    chip = SocketChip(folder / "gpio.sock")
    request = chip.request_lines({17: settings(active_low=True)}, "test")
    chip.close()
    assert (request.get_value(17), level(control, "bubbles")) == (Value.INACTIVE, 1e-5)
    request.set_value(17, Value.ACTIVE)
    assert (request.get_value(17), level(control, "bubbles")) == (Value.ACTIVE, 0.0)
    request.set_value(17, Value.INACTIVE)
    request.release()
    assert level(control, "bubbles") == 1e-5
    request.release()
    with pytest.raises(OSError, match="descriptor"):
        request.set_value(17, Value.ACTIVE)


@pytest.mark.parametrize(
    "config",
    [{17: settings(direction=Direction.INPUT)}, {17: None}, {"GPIO17": settings()}, {17: settings(), 18: settings()},
     {(17, 18): settings()}],
)  # fmt: skip
def test_what_no_output_needs_is_declined(folder: Path, config: dict[object, LineSettings | None]) -> None:
    chip = SocketChip(folder / "gpio.sock")
    with pytest.raises(OSError, match="single lines") as declined:
        chip.request_lines(config, "test")  # type: ignore[arg-type]
    assert declined.value.errno == errno.EOPNOTSUPP
    chip.close()


def test_a_line_is_one_clients_until_it_lets_go(folder: Path) -> None:
    path = folder / "gpio.sock"
    first = SocketLine(path, 17, "first", active_low=False, active=True)
    with pytest.raises(OSError, match="busy") as busy:
        SocketLine(path, 17, "second", active_low=False, active=False)
    assert busy.value.errno == errno.EBUSY
    with pytest.raises(OSError, match="Invalid"):
        SocketLine(path, 54, "second", active_low=False, active=False)
    first.release()
    second = SocketLine(path, 17, "second", active_low=False, active=False)
    assert not second.get()
    second.release()


def test_the_line_of_a_killed_process_is_free_at_once_and_keeps_its_level(folder: Path, control: VesselControl) -> None:
    path = folder / "gpio.sock"
    root = str(Path(__file__).parents[3])
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": root},
    )  # fmt: skip
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"taken\n"
        holder.send_signal(signal.SIGKILL)
    assert level(control, "bubbles") == 1e-5
    line = SocketLine(path, 17, "guard", active_low=False, active=False)
    assert level(control, "bubbles") == 0.0
    line.release()


def test_a_client_of_the_lines_that_talks_nonsense_is_dropped_alone(folder: Path) -> None:
    path = folder / "gpio.sock"
    line = SocketLine(path, 17, "first", active_low=False, active=True)
    with sockets.connect(path, 5.0) as stranger:
        stranger.sendall(frames.frame(Kind.SET, b"\0"))
        assert stranger.recv(100) == b""
    assert line.get()
    line.release()


def test_a_dose_over_the_bus_ends_by_itself(folder: Path, control: VesselControl) -> None:
    bus = SocketSMBus(folder / "i2c.sock")
    control.fault("acid-pump", "absent")
    with pytest.raises(OSError, match="Remote"):
        bus.i2c_rdwr(i2c_msg.write(103, b"D,5"))
    control.clear()
    while True:
        try:
            bus.i2c_rdwr(i2c_msg.write(103, b"D,5"))
            break
        except OSError as error:
            if error.errno != errno.EREMOTEIO:  # it starts
                raise
    assert level(control, "acid-pump") == pytest.approx(1.75e-6)
    wait_for(control, "acid-pump", 0.0)
    on, off = [each for each in drives(folder) if each.circuit == "acid-pump"][-2:]
    assert (off.ns - on.ns) / 1e9 == pytest.approx(5 / 1.75 / PACE, abs=0.1)
    bus.close()


def drives(folder: Path) -> list[Entry]:
    return [each for each in entries(folder / "journal.jsonl") if each.do == "drive"]


def test_nothing_is_left_when_the_vessel_ends(tmp_path: Path) -> None:
    server = Server(
        VesselConfig(
            tmp_path,
            (CircuitConfig("rtd", "rtd", "i2c", 102),),
            (OutputConfig("a", "pwm", 0, "light", 1.0), OutputConfig("b", "gpio", 0, "air", 1e-5)),
        ),
        HandClock(),
    )
    assert {"gpio.sock", "pwmchip0"} <= {path.name for path in tmp_path.iterdir()}
    server.close()
    assert [path.name for path in tmp_path.iterdir()] == ["journal.jsonl"]
