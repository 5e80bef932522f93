import errno
import os
import socket
import termios
import tty
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, Thread

import pytest
from smbus2 import i2c_msg

from hardware.buses import Buses
from hardware.buses.i2c import I2cBus, open_adapter
from hardware.buses.uart import UartPort
from hardware.errors import BadConfiguration, BusError, NoAnswer
from hardware.vessel.client import SocketSMBus
from tests.hardware.fakes import Bench, ScriptedCircuit


def test_one_object_a_path(bench: Bench) -> None:
    assert bench.buses.i2c("/bus") is bench.buses.i2c("/bus") is not bench.buses.i2c("/other")
    assert bench.buses.uart("/port") is bench.buses.uart("/port") is not bench.buses.uart("/other")
    assert not bench.adapters
    assert not bench.ports


def test_a_port_has_one_rate(bench: Bench) -> None:
    bench.buses.uart("/port", 9600)
    with pytest.raises(BadConfiguration, match="9600 baud, not at 38400"):
        bench.buses.uart("/port", 38400)


def test_closes_what_is_open_and_opens_again(bench: Bench) -> None:
    bench.circuits[99] = ScriptedCircuit({"R": "7"})
    bus, port = bench.buses.i2c("/bus"), bench.buses.uart("/port")
    bus.write(99, b"R")
    port.discard()
    bench.buses.close()
    bench.buses.close()
    assert bench.adapters[0].closed
    assert bench.ports[0].closed
    bus.write(99, b"R")
    port.discard()
    assert (len(bench.adapters), len(bench.ports)) == (2, 2)


def test_i2c_carries_bytes_both_ways(bench: Bench) -> None:
    bench.circuits[99] = ScriptedCircuit({"R": b"\x017.01\0\0\0"})
    bus = bench.buses.i2c("/bus")
    bus.write(99, b"R")
    assert bus.read(99, 8) == b"\x017.01\0\0\0"
    assert bench.circuits[99].heard == ["R"]


def test_an_absent_circuit_is_no_fault_of_the_bus(bench: Bench) -> None:
    bus = bench.buses.i2c("/bus")
    with pytest.raises(NoAnswer, match=r"address 98 \(0x62\) of /bus"):
        bus.write(98, b"R")
    assert not bench.adapters[0].closed


@pytest.mark.parametrize("number", [errno.ETIMEDOUT, errno.EIO, errno.ENODEV, errno.EPIPE])
def test_a_bus_that_failed_is_opened_again(bench: Bench, number: int) -> None:
    bench.circuits[99] = ScriptedCircuit({"R": "7"})
    bus = bench.buses.i2c("/bus")
    bus.write(99, b"R")
    bench.adapters[0].broken = OSError(number, os.strerror(number))
    with pytest.raises(BusError, match=f"/bus: {os.strerror(number)}"):
        bus.read(99, 8)
    assert bench.adapters[0].closed
    bus.write(99, b"R")
    assert len(bench.adapters) == 2


def test_a_missing_bus_says_so(tmp_path: Path) -> None:
    with pytest.raises(BusError, match="No such file"):
        I2cBus(str(tmp_path / "i2c-9")).write(99, b"R")


def test_something_that_is_no_bus_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BusError, match="ioctl"):
        I2cBus(str(tmp_path / "file")).write(99, b"R")


def test_a_socket_is_a_vessels_bus(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "i2c.sock"))
        listener.listen()
        adapter = open_adapter(str(tmp_path / "i2c.sock"))
        assert isinstance(adapter, SocketSMBus)
        adapter.close()


def test_the_bus_is_held_for_a_transfer_only() -> None:
    held: list[bool] = []

    class Watching:
        def i2c_rdwr(self, *_: i2c_msg) -> None:
            held.append(bus._lock.locked())

        def close(self) -> None: ...

    bus = I2cBus("/bus", lambda _: Watching())
    bus.write(1, b"R")
    held.append(bus._lock.locked())
    bus.read(1, 8)
    assert held == [True, False, True]


def test_buses_work_at_the_same_time() -> None:
    """Two threads meet inside their transfers on two buses."""
    meeting = Barrier(2)

    class Meeting:
        def i2c_rdwr(self, *_: i2c_msg) -> None:
            meeting.wait(5)

        def close(self) -> None: ...

    buses = Buses(open_adapter=lambda _: Meeting())
    other = Thread(target=buses.i2c("/one").write, args=(1, b"R"))
    other.start()
    buses.i2c("/two").write(1, b"R")
    other.join()


@pytest.fixture
def terminal() -> Iterator[tuple[int, UartPort]]:
    master, slave = os.openpty()
    tty.setraw(slave)
    port = UartPort(os.ttyname(slave), 9600)
    os.close(slave)
    yield master, port
    port.close()
    os.close(master)


def test_uart_reads_what_has_come_or_waits(terminal: tuple[int, UartPort]) -> None:
    master, port = terminal
    assert port.read(0.0) == b""
    os.write(master, b"7.01\r*OK\r")
    assert port.read(1.0) == b"7.01\r*OK\r"
    assert port.read(0.001) == b""


def test_uart_writes_and_discards(terminal: tuple[int, UartPort]) -> None:
    master, port = terminal
    port.write(b"R\r")
    assert os.read(master, 10) == b"R\r"
    os.write(master, b"stray")
    port.discard()
    assert port.read(0.0) == b""


def test_another_process_cannot_take_the_port(terminal: tuple[int, UartPort]) -> None:
    _, port = terminal
    port.discard()
    with pytest.raises(BusError, match="exclusively lock"):
        UartPort(port.path, 9600).discard()


def test_an_unplugged_port_fails_and_is_opened_again() -> None:
    master, slave = os.openpty()
    path = os.ttyname(slave)
    port = UartPort(path, 9600)
    port.discard()
    os.close(slave)
    os.close(master)
    with pytest.raises(BusError, match=path):
        port.read(0.1)
    with pytest.raises(BusError, match="No such file"):
        port.read(0.1)


@pytest.mark.parametrize("error", [OSError(errno.EIO, "gone"), termios.error(5, "gone")])
def test_a_port_that_failed_is_opened_again(bench: Bench, error: Exception) -> None:
    port = bench.buses.uart("/port")
    port.discard()
    bench.port.broken = error
    with pytest.raises(BusError, match=r"/port: .*gone"):
        port.write(b"R\r")
    assert bench.ports[0].closed
    port.write(b"R\r")
    assert len(bench.ports) == 2


class HungBus:
    """Every transfer times out while it `hangs`; what was tried, when, on a clock that a test moves."""

    def __init__(self) -> None:
        self.now = 100.0
        self.hangs = True
        self.tried: list[float] = []
        self.users: dict[int, ThreadPoolExecutor] = {}
        self.bus = I2cBus("/bus", lambda _path: self, lambda: self.now)

    def i2c_rdwr(self, *_messages: i2c_msg) -> None:
        self.tried.append(self.now)
        if self.hangs:
            self.now += 1.0
            raise TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))

    def close(self) -> None:
        pass

    def use(self, address: int) -> str:
        """Write, on a thread that this address keeps for itself; what went wrong."""
        user = self.users.setdefault(address, ThreadPoolExecutor(1))
        error = user.submit(self.bus.write, address, b"R").exception()
        return str(error or "")


@pytest.fixture
def hung() -> Iterator[HungBus]:
    made = HungBus()
    yield made
    for user in made.users.values():
        user.shutdown()


def test_a_bus_that_hangs_keeps_nobody_waiting_for_all_the_others(hung: HungBus) -> None:
    assert [hung.use(99), hung.use(100)] == ["I2C bus /bus: Connection timed out"] * 2
    assert {hung.use(address) for address in range(99, 110)} == {"I2C bus /bus hangs"}
    assert hung.now == 102.0
    hung.now += 2.0
    assert hung.use(101) == "I2C bus /bus: Connection timed out"  # a try now and then
    assert hung.use(102) == "I2C bus /bus hangs"
    hung.hangs = False
    hung.now += 2.0
    assert [hung.use(103), hung.use(104)] == ["", ""]
    assert len(hung.tried) == 5


def test_one_circuit_that_holds_the_bus_costs_the_others_nothing(hung: HungBus) -> None:
    for _ in range(5):
        hung.hangs = True
        assert hung.use(99).endswith("timed out")
        hung.hangs = False
        assert hung.use(100) == ""
