"""The protocol on both wires, below a pH circuit."""

import errno
from collections.abc import Mapping
from contextlib import suppress
from threading import Barrier, Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware.buses import Buses
from hardware.driver import Wiring
from hardware.drivers.ezo_ph import EzoPh
from hardware.errors import BadAnswer, BusError, HardwareError, NoAnswer, Refused
from tests.hardware.fakes import Answer, Bench, FakeAdapter, FakeClock, ScriptedCircuit

PH: Mapping[str, Answer] = {"I": "?i,pH,1.98", "R": "7.012"}
WIRES = pytest.mark.parametrize("wire", ["i2c", "uart"])


@WIRES
def test_reads(bench: Bench, wire: str) -> None:
    driver, _ = bench.driver(EzoPh, wire, PH)
    driver.open()
    assert driver.read() == {"ph": 7.012}


@WIRES
def test_waits_for_a_probe_slower_than_its_data_sheet(bench: Bench, wire: str) -> None:
    driver, circuit = bench.driver(EzoPh, wire, PH)
    driver.open()
    circuit.delay = 1.656
    started = bench.clock.ns
    assert driver.read() == {"ph": 7.012}
    assert (bench.clock.ns - started) / 1e9 == pytest.approx(1.656, abs=0.16)


@WIRES
def test_gives_up_two_seconds_after_the_delay(bench: Bench, wire: str) -> None:
    driver, circuit = bench.driver(EzoPh, wire, PH)
    driver.open()
    circuit.delay = 100.0
    started = bench.clock.ns
    with pytest.raises(NoAnswer, match=r"ezo-ph at /\S+ .* R .*2\.9 s"):
        driver.read()
    assert (bench.clock.ns - started) / 1e9 == pytest.approx(2.9, abs=0.16)


@WIRES
def test_refusal(bench: Bench, wire: str) -> None:
    driver, _ = bench.driver(EzoPh, wire, {"I": "?i,pH,1.98"})
    driver.open()
    with pytest.raises(Refused, match="does not accept R"):
        driver.read()


@WIRES
def test_silence(bench: Bench, wire: str) -> None:
    driver, _ = bench.driver(EzoPh, wire, {**PH, "R": None})
    driver.open()
    with pytest.raises(NoAnswer):
        driver.read()


@WIRES
@pytest.mark.parametrize("text", ["", "7.0x", "nan", "inf", "1_0", "7.0,7.1", "no output", "?T,25.0", "*DONE", "²"])
def test_what_is_no_reading_raises(bench: Bench, wire: str, text: str) -> None:
    driver, circuit = bench.driver(EzoPh, wire, PH)
    driver.open()
    raw = text.encode()
    circuit.answers["R"] = b"\x01" + raw + b"\0" if wire == "i2c" else raw + b"\r*OK\r"
    with pytest.raises(BadAnswer, match="ezo-ph at"):
        driver.read()


@WIRES
def test_the_wrong_circuit_is_named(bench: Bench, wire: str) -> None:
    driver, _ = bench.driver(EzoPh, wire, {**PH, "I": "?i,D.O.,1.98"})
    with pytest.raises(BadAnswer, match="is a 'DO' circuit, not PH"):
        driver.open()


@WIRES
def test_a_later_read_works_again(bench: Bench, wire: str) -> None:
    driver, _ = bench.driver(EzoPh, wire, {**PH, "R": [None, "7.012"]})
    driver.open()
    with pytest.raises(NoAnswer):
        driver.read()
    driver.open()
    assert driver.read() == {"ph": 7.012}


def test_i2c_polls_rather_than_trusts(bench: Bench) -> None:
    driver, circuit = bench.driver(EzoPh, "i2c", PH)
    circuit.delay = 0.95
    driver.open()
    bench.clock.slept.clear()
    driver.read()
    assert bench.clock.slept == [0.9, 0.05]


@pytest.mark.parametrize(
    ("data", "error", "text"),
    [
        (b"\xff", NoAnswer, "lost the command R"),
        (b"\x02", Refused, "does not accept R"),
        (b"\x07", BadAnswer, "status 7"),
        (b"\x00", BadAnswer, "status 0"),
        (b"\x01" + b"7" * 60, BadAnswer, "sent"),
        (b"\x017.0\x9912\0", BadAnswer, "sent"),
        (OSError(errno.EREMOTEIO, "Remote I/O error"), NoAnswer, "address 99"),
        (OSError(errno.ETIMEDOUT, "Connection timed out"), BusError, "timed out"),
    ],
)
def test_i2c_status_bytes(bench: Bench, data: bytes | OSError, error: type[HardwareError], text: str) -> None:
    driver, _ = bench.driver(EzoPh, "i2c", {**PH, "R": data})
    driver.open()
    with pytest.raises(error, match=text):
        driver.read()


def test_i2c_ignores_top_bits_and_what_follows_the_end(bench: Bench) -> None:
    reading = bytes(byte | 0x80 for byte in b"7.012")
    driver, _ = bench.driver(EzoPh, "i2c", {**PH, "R": b"\x01" + reading + b"\0garbage\xff"})
    driver.open()
    assert driver.read() == {"ph": 7.012}


def test_i2c_a_sleeping_circuit_may_lose_one_command(bench: Bench) -> None:
    driver, circuit = bench.driver(EzoPh, "i2c", {**PH, "I": [None, "?i,pH,1.98"]})
    driver.open()
    assert circuit.heard == ["i", "i"]


def test_i2c_circuits_work_at_the_same_time() -> None:
    """All ten are in their processing delay together: the clock lets none go before the last has come."""
    together = Barrier(10)

    class MeetingClock(FakeClock):
        def sleep(self, seconds: float) -> None:
            together.wait(10)
            super().sleep(seconds)

    clock = MeetingClock()
    adapter = FakeAdapter({address: ScriptedCircuit(dict(PH)) for address in range(1, 11)}, clock)
    buses = Buses(open_adapter=lambda _: adapter)
    drivers = [EzoPh(Wiring(f"/bus:{address}", buses, clock)) for address in range(1, 11)]
    readings: list[Mapping[str, float]] = []
    threads = [Thread(target=lambda driver=driver: readings.append(driver.read())) for driver in drivers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert readings == [{"ph": 7.012}] * 10


def test_uart_opens_with_continuous_mode_off_and_codes_on(bench: Bench) -> None:
    driver, circuit = bench.driver(EzoPh, "uart", PH)
    driver.open()
    assert circuit.heard == ["", "C,0", "*OK,1", "i"]


def test_uart_opens_a_circuit_whose_codes_are_off(bench: Bench) -> None:
    driver, circuit = bench.driver(EzoPh, "uart", PH)
    circuit.answers |= {"": None, "C,0": None}
    driver.open()
    assert driver.read() == {"ph": 7.012}


@pytest.mark.parametrize(
    "lines",
    [
        b"6.5\r7.012\r*OK\r",
        b"*WA\r7.012\r*OK\r",
        b"*UV\r7.012\r*OV\r*OK\r",
        b"*DONE,10.0\r7.012\r*OK\r",
        b"?T,25.0\r7.012\r*OK\r",
        b"\r\n7.012\r\n*OK\r\n",
        b"\x00\xff~\r7.012\r*ok\r",
        b"x" * 500 + b"\r7.012\r*OK\r",
    ],
)
def test_uart_finds_the_reading_among_stray_lines(bench: Bench, lines: bytes) -> None:
    driver, _ = bench.driver(EzoPh, "uart", {**PH, "R": lines})
    driver.open()
    assert driver.read() == {"ph": 7.012}


def test_uart_forgets_what_came_before_the_command(bench: Bench) -> None:
    driver, _ = bench.driver(EzoPh, "uart", PH)
    driver.open()
    bench.port.send(b"6.5\r*RS\r*RE\r*OK\r6")
    assert driver.read() == {"ph": 7.012}


def test_uart_puts_pieces_together(bench: Bench) -> None:
    driver, _ = bench.driver(EzoPh, "uart", {**PH, "R": b"7.0"})
    driver.open()
    for index, piece in enumerate((b"12", b"\r", b"*O", b"K\r")):
        bench.port.send(piece, 0.1 * (index + 1))
    assert driver.read() == {"ph": 7.012}


@pytest.mark.parametrize(
    ("lines", "error", "text"),
    [
        (b"*ER\r", Refused, "does not accept R$"),
        (b"*UV\r*ER\r", Refused, r"\*UV"),
        (b"*RS\r*RE\r", NoAnswer, "restarted during R"),
        (b"*RE\r", NoAnswer, "restarted during R"),
        (b"*OK\r", BadAnswer, r"within 2.9 s, only '\*OK'"),
        (b"7.012\r", BadAnswer, "only '7.012'"),
        (b"7.012\r*O", BadAnswer, "only '7.012'"),
        (b"\xff\xfe\x00", NoAnswer, "did not answer R within 2.9 s$"),
    ],
)
def test_uart_codes(bench: Bench, lines: bytes, error: type[HardwareError], text: str) -> None:
    driver, _ = bench.driver(EzoPh, "uart", {**PH, "R": lines})
    driver.open()
    with pytest.raises(error, match=text):
        driver.read()


def test_uart_opens_a_circuit_that_is_slow_with_everything(bench: Bench) -> None:
    """The codes of the first orders come late, among the answers to the next ones."""
    driver, circuit = bench.driver(EzoPh, "uart", PH)
    circuit.delay = 1.2
    driver.open()
    assert driver.read() == {"ph": 7.012}


def test_uart_does_not_take_a_late_answer_for_a_new_one(bench: Bench) -> None:
    driver, circuit = bench.driver(EzoPh, "uart", {**PH, "R": ["6.500", "7.012"]})
    driver.open()
    circuit.delay = 3.0
    with pytest.raises(NoAnswer):
        driver.read()
    circuit.delay = 0.2
    driver.open()
    assert driver.read() == {"ph": 7.012}


def test_uart_ends_though_noise_never_does(bench: Bench) -> None:
    driver, _ = bench.driver(EzoPh, "uart", {**PH, "R": None})
    driver.open()
    for index in range(1000):
        bench.port.send(b"\x55" * 100, index * 0.01)
    with pytest.raises(NoAnswer):
        driver.read()


@given(data=st.binary(max_size=60))
def test_i2c_survives_any_bytes(data: bytes) -> None:
    bench = Bench()
    driver, circuit = bench.driver(EzoPh, "i2c", PH)
    circuit.answers |= {"R": data, "I": data}
    for call in (driver.open, driver.read):
        with suppress(HardwareError):
            call()


@given(data=st.binary(max_size=400))
def test_uart_survives_any_bytes(data: bytes) -> None:
    bench = Bench()
    driver, circuit = bench.driver(EzoPh, "uart", PH)
    circuit.answers |= {"R": data, "I": data}
    for call in (driver.open, driver.read):
        with suppress(HardwareError):
            call()
