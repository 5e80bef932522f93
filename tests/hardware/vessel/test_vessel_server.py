"""A vessel over its sockets and pseudo-terminals, a thousand times as fast as life."""

import errno
import fcntl
import os
import stat
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import serial
from smbus2 import i2c_msg

from hardware.vessel import client, sockets
from hardware.vessel.circuits.parts import CircuitConfig
from hardware.vessel.client import SocketSMBus, VesselControl
from hardware.vessel.config import Running, VesselConfig
from hardware.vessel.journal import entries
from hardware.vessel.main import VesselRuns, run
from hardware.vessel.server import Server

Serve = Callable[[VesselConfig], Server]
READING = b"1"  # of the redox probe, about 195 mV
GARBLED_END = bytes([ord("\r") ^ 0xA5])
CIRCUITS = (
    CircuitConfig("ph", "ph", "i2c", 99),
    CircuitConfig("rtd", "rtd", "i2c", 102),
    CircuitConfig("orp", "orp", "uart", 98),
)


@pytest.fixture
def config(tmp_path: Path) -> VesselConfig:
    return VesselConfig(tmp_path / "run", CIRCUITS, running=Running(pace=1000.0))


@pytest.fixture
def folder(serve: Serve, config: VesselConfig) -> Path:
    serve(config)
    return config.run_dir


@pytest.fixture
def bus(folder: Path) -> Iterator[SocketSMBus]:
    opened = SocketSMBus(folder / "i2c.sock")
    yield opened
    opened.close()


@pytest.fixture
def control(folder: Path) -> Iterator[VesselControl]:
    with VesselControl(folder / "control.sock") as opened:
        yield opened


@pytest.fixture
def port(folder: Path) -> Iterator[serial.Serial]:
    with serial.Serial(str(folder / "uart-orp"), 9600, timeout=5.0) as opened:
        line(opened, READING)  # it is deaf until it started
        yield opened


def ask(bus: SocketSMBus, command: bytes, address: int = 99) -> bytes:
    """Ask as a patient driver does: again at 254, and again while the circuit starts."""
    answer = i2c_msg.read(address, 40)
    while True:
        try:
            bus.i2c_rdwr(i2c_msg.write(address, command))
            break
        except OSError as error:
            if error.errno != errno.EREMOTEIO:
                raise
    while True:
        bus.i2c_rdwr(answer)
        if bytes(answer)[0] != 254:
            return bytes(answer).rstrip(b"\0")


def line(port: serial.Serial, wanted: bytes) -> bytes:
    """Give the next line that starts as wanted."""
    while not (found := bytes(port.read_until(b"\r"))).startswith(wanted):
        assert found, "the circuit says nothing"
    return found


def test_a_reading_over_the_bus(bus: SocketSMBus) -> None:
    assert ask(bus, b"i") == b"\x01?i,pH,2.16"
    assert float(ask(bus, b"R", 102)[1:]) == pytest.approx(22.0, abs=0.5)


def test_two_clients_share_the_bus(folder: Path, bus: SocketSMBus) -> None:
    other = SocketSMBus(folder / "i2c.sock")
    assert ask(other, b"i", 102).startswith(b"\x01?i,RTD")
    assert ask(bus, b"i").startswith(b"\x01?i,pH")
    other.close()


def test_errors_are_those_of_linux(bus: SocketSMBus, control: VesselControl) -> None:
    with pytest.raises(OSError, match="Remote") as absent:
        bus.i2c_rdwr(i2c_msg.read(50, 1))
    control.fault("bus", "hang")
    with pytest.raises(TimeoutError) as hung:
        bus.i2c_rdwr(i2c_msg.read(99, 1))
    control.clear("bus")
    assert (absent.value.errno, hung.value.errno) == (errno.EREMOTEIO, errno.ETIMEDOUT)
    assert ask(bus, b"i").startswith(b"\x01")


def test_an_unplugged_adapter(folder: Path, bus: SocketSMBus, control: VesselControl) -> None:
    control.fault("bus", "unplugged")
    with pytest.raises(OSError, match="gone") as gone:
        bus.i2c_rdwr(i2c_msg.read(99, 1))
    assert gone.value.errno == errno.ENODEV
    control.clear()
    again = SocketSMBus(folder / "i2c.sock")
    assert ask(again, b"i").startswith(b"\x01")
    again.close()


@pytest.mark.parametrize("noise", [b"\xff" * 64, b"\0\0\0\x02\x01\x05\0", b"GET / HTTP/1.1\r\n\r\n"])
def test_a_client_that_talks_nonsense_is_dropped_alone(folder: Path, bus: SocketSMBus, noise: bytes) -> None:
    with sockets.connect(folder / "i2c.sock", 5.0) as stranger:
        stranger.sendall(noise)
        assert stranger.recv(100) == b""
    assert ask(bus, b"i").startswith(b"\x01")


def test_a_kind_of_frame_to_come_is_declined(folder: Path) -> None:
    with sockets.connect(folder / "i2c.sock", 5.0) as stranger:
        stranger.sendall(b"\0\0\0\0\x40")
        assert stranger.recv(100)[4:7] == b"\x03\x00\x5f"


def test_a_vessel_that_stands_still_ends_the_connection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "ANSWER_TIMEOUT", 0.01)
    with sockets.listen(tmp_path / "i2c.sock"):
        bus = SocketSMBus(tmp_path / "i2c.sock")
        with pytest.raises(TimeoutError):
            bus.i2c_rdwr(i2c_msg.read(99, 1))
        with pytest.raises(OSError, match="Bad file descriptor"):
            bus.i2c_rdwr(i2c_msg.read(99, 1))


def test_a_serial_line(port: serial.Serial) -> None:
    port.write(b"C,0\r")
    line(port, b"*OK")
    port.write(b"i\r")
    assert line(port, b"?i") == b"?i,ORP,2.13\r"
    assert line(port, b"*OK") == b"*OK\r"


def test_a_new_circuit_streams(port: serial.Serial) -> None:
    readings = {port.read_until(b"\r") for _ in range(20)}
    assert all(reading.endswith(b"\r") for reading in readings)
    assert len(readings) > 3


def test_another_baud_rate_is_garbage_both_ways(port: serial.Serial) -> None:
    port.write(b"Baud,38400\r")
    line(port, b"*OK")
    port.baudrate = 38400
    line(port, READING)
    port.write(b"\rBaud,?\r")
    assert line(port, b"?Baud") == b"?Baud,38400\r"
    port.baudrate = 19200
    port.write(b"C,0\r")
    port.reset_input_buffer()
    for _ in range(10):  # by then the vessel has read the command too, at this rate
        assert port.read_until(GARBLED_END).endswith(GARBLED_END)
    port.baudrate = 38400
    port.write(b"\rC,?\r")
    assert line(port, b"?C") == b"?C,1\r"


def test_actuators_move_the_tank(control: VesselControl, bus: SocketSMBus) -> None:
    control.actuate(heater=2000.0)
    while float(ask(bus, b"R", 102)[1:]) < 23.0:
        pass
    state = control.state()
    assert state["actuators"]["heater"] == 2000.0  # type: ignore[index]
    assert state["surroundings"]["temperature"] > 23.0  # type: ignore[index]


def test_faults_are_switched_and_shown(control: VesselControl, bus: SocketSMBus) -> None:
    ask(bus, b"i")
    control.fault("ph", "value", 3.21)
    assert ask(bus, b"R") == b"\x013.210"
    control.fault("bus", "nack")
    state = control.state()
    assert state["bus"] == ["nack"]
    assert state["circuits"]["ph"]["faults"] == {"value": 3.21}  # type: ignore[index]
    control.clear()
    assert control.state()["bus"] == []
    assert ask(bus, b"R") != b"\x013.210"


def test_a_restart_loses_the_compensation(control: VesselControl, bus: SocketSMBus) -> None:
    ask(bus, b"T,19.5")
    control.restart("ph")
    assert ask(bus, b"T,?") == b"\x01?T,25"


@pytest.mark.parametrize(
    ("request_line", "error"),
    [
        (b"hello", "not a request"),
        (b'{"do": 3}', "not a request"),
        (b'{"do": "explode"}', "explode: known are"),
        (b'{"do": "fault", "circuit": "ph"}', "fault: known are"),
        (b'{"do": "fault", "circuit": "ph", "fault": "boredom"}', "no fault boredom; there are absent"),
        (b'{"do": "fault", "circuit": "bus", "fault": "slow"}', "no fault slow; there are hang"),
        (b'{"do": "restart", "circuit": "xx"}', "no circuit xx; there are ph"),
        (b'{"do": "actuate", "values": {"heater": -1}}', "actuators.heater: -1"),
        (b'{"do": "actuate", "values": {"magnet": 1}}', "actuators.magnet: unknown key"),
    ],
)
def test_control_says_what_it_cannot_do(folder: Path, request_line: bytes, error: str) -> None:
    with sockets.connect(folder / "control.sock", 5.0) as person:
        person.sendall(request_line + b"\n")
        assert error.encode() in person.recv(4096)


def test_control_raises_what_the_vessel_says(control: VesselControl) -> None:
    with pytest.raises(ValueError, match="no circuit xx"):
        control.restart("xx")


def test_circuits_and_journal_outlive_the_process(config: VesselConfig) -> None:
    def name(command: bytes) -> bytes:
        stop = threading.Event()
        thread = threading.Thread(target=run, args=(config, stop))
        thread.start()
        try:
            bus = patient_bus(config.run_dir / "i2c.sock")
            answer = ask(bus, command)
            bus.close()
            return answer
        finally:
            stop.set()
            thread.join()

    assert name(b"Name,Anna") == b"\x01"
    assert name(b"Name,?") == b"\x01?Name,Anna"
    commands = [each.command for each in entries(config.run_dir / "journal.jsonl") if each.do == "write"]
    assert [commands[0], commands[-1]] == ["Name,Anna", "Name,?"]
    assert sorted(path.name for path in config.run_dir.iterdir()) == ["journal.jsonl", "kept.json", "lock"]


def patient_bus(path: Path) -> SocketSMBus:
    """Open a bus that may not be there yet; the test's time limit ends a vain wait."""
    while True:
        try:
            return SocketSMBus(path)
        except (FileNotFoundError, ConnectionRefusedError):
            os.sched_yield()


def test_what_a_torn_file_kept_is_forgotten(serve: Serve, config: VesselConfig) -> None:
    config.run_dir.mkdir()
    (config.run_dir / "kept.json").write_bytes(b'{"ph": {"ki')
    serve(config)
    bus = SocketSMBus(config.run_dir / "i2c.sock")
    assert ask(bus, b"Name,?") == b"\x01?Name,"
    bus.close()


def test_one_vessel_a_folder(config: VesselConfig) -> None:
    config.run_dir.mkdir()
    lock = os.open(config.run_dir / "lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(lock, fcntl.LOCK_EX)
    with pytest.raises(VesselRuns, match="another vessel"):
        run(config, threading.Event())
    os.close(lock)


def test_the_folder_is_its_owners_alone(config: VesselConfig) -> None:
    stop = threading.Event()
    stop.set()
    run(config, stop)
    assert stat.S_IMODE(config.run_dir.stat().st_mode) == 0o700


def test_the_program_shares_no_code_with_the_drivers() -> None:
    source = Path(__file__).parents[3] / "hardware" / "vessel"
    for file in source.rglob("*.py"):
        for forbidden in ("hardware.ezo", "hardware.drivers", "hardware.buses"):
            assert forbidden not in file.read_text(), file


def test_a_vessel_without_a_serial_line_is_served(serve: Serve, config: VesselConfig) -> None:
    serve(replace(config, circuits=CIRCUITS[:1]))
    with VesselControl(config.run_dir / "control.sock") as control:
        assert control.state()["circuits"] != {}
