"""A circuit below the driver: scripted answers on a fake adapter and a fake serial port, in fake time."""

import errno
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from smbus2 import i2c_msg

from hardware.buses import Buses
from hardware.device import DeviceDriver
from hardware.driver import SensorDriver, Wiring

Driver = TypeVar("Driver", bound=SensorDriver | DeviceDriver)

I2C_READ_FLAG = 1


class FakeClock:
    """Time that passes when someone waits."""

    def __init__(self) -> None:
        self.ns = 1_000_000_000
        self.slept: list[float] = []

    def monotonic_ns(self) -> int:
        return self.ns

    def wall_us(self) -> int:
        return self.ns // 1000

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.ns += int(seconds * 1e9)


Answer = str | bytes | OSError | None


@dataclass
class ScriptedCircuit:
    """What a circuit says to each command, in capitals. A list is used up in order, its last answer stays.

    Text is an answer, an empty one only `accepted`. Bytes are sent as they are (I2C: status and all; UART: no codes).
    None is silence (I2C: 255). A command that is not in the script is refused.
    """

    answers: dict[str, Answer | list[Answer]] = field(default_factory=dict)
    heard: list[str] = field(default_factory=list)
    delay: float = 0.0  # s that every command takes

    def hear(self, command: bytes) -> Answer:
        text = command.decode("ascii")
        self.heard.append(text)
        answer = self.answers.get(text.upper(), "*ER")
        if isinstance(answer, list):
            return answer.pop(0) if len(answer) > 1 else answer[0]
        return answer


class FakeAdapter:
    """smbus2's interface over scripted circuits by address; `broken` is raised by the next transfer."""

    def __init__(self, circuits: Mapping[int, ScriptedCircuit], clock: FakeClock) -> None:
        self.circuits = circuits
        self.clock = clock
        self.broken: OSError | None = None
        self.closed = False
        self._answers: dict[int, tuple[int, bytes]] = {}

    def i2c_rdwr(self, *messages: i2c_msg) -> None:
        (message,) = messages
        if self.broken is not None:
            broken, self.broken = self.broken, None
            raise broken
        circuit = self.circuits.get(message.addr)
        if circuit is None:
            raise OSError(errno.EREMOTEIO, "Remote I/O error")
        if message.flags == I2C_READ_FLAG:
            for index, byte in enumerate(self._read(message.addr)[: message.len].ljust(message.len, b"\0")):
                message.buf[index] = bytes([byte])
        else:
            self._write(message.addr, circuit, bytes(message))

    def close(self) -> None:
        self.closed = True

    def _write(self, address: int, circuit: ScriptedCircuit, command: bytes) -> None:
        answer = circuit.hear(command)
        if isinstance(answer, OSError):
            raise answer
        match answer:
            case None:
                data = b"\xff"
            case "*ER":
                data = b"\x02"
            case str():
                data = b"\x01" + answer.encode("latin-1") + b"\0"
            case _:
                data = answer
        self._answers[address] = (self.clock.ns + int(circuit.delay * 1e9), data)

    def _read(self, address: int) -> bytes:
        ready, data = self._answers.get(address, (0, b"\xff"))
        if self.clock.ns < ready:
            return b"\xfe"
        self._answers.pop(address, None)
        return data


class FakePort:
    """pyserial's interface over one scripted circuit; waiting for bytes passes fake time."""

    def __init__(self, circuit: ScriptedCircuit, clock: FakeClock) -> None:
        self.circuit = circuit
        self.clock = clock
        self.timeout: float | None = None
        self.broken: Exception | None = None
        self.closed = False
        self.come = bytearray()
        self._coming: list[tuple[int, bytes]] = []
        self._command = b""

    @property
    def in_waiting(self) -> int:
        self._arrive()
        return len(self.come)

    def send(self, data: bytes, after: float = 0.0) -> None:
        """Let bytes come from the circuit, `after` seconds from now."""
        self._coming.append((self.clock.ns + int(after * 1e9), data))

    def read(self, size: int = 1, /) -> bytes:
        self._arrive()
        if not self.come:
            assert self.timeout is not None
            due = min((at for at, _ in self._coming), default=self.clock.ns + 10**18)
            self.clock.ns = min(due, self.clock.ns + int(self.timeout * 1e9) + 1)
            self._arrive()
        data = bytes(self.come[:size])
        del self.come[:size]
        return data

    def write(self, data: bytes, /) -> int:
        if self.broken is not None:
            broken, self.broken = self.broken, None
            raise broken
        *commands, self._command = (self._command + data).split(b"\r")
        for command in commands:
            answer = self.circuit.hear(command)
            match answer:
                case None:
                    continue
                case OSError():
                    raise answer
                case bytes():
                    self.send(answer, self.circuit.delay)
                case "*ER":
                    self.send(b"*ER\r", self.circuit.delay)
                case _:
                    text = answer.encode("latin-1") + b"\r" if answer else b""
                    self.send(text + b"*OK\r", self.circuit.delay)
        return len(data)

    def reset_input_buffer(self) -> None:
        self._arrive()
        self.come.clear()

    def close(self) -> None:
        self.closed = True

    def _arrive(self) -> None:
        for at, data in [entry for entry in self._coming if entry[0] <= self.clock.ns]:
            self.come += data
            self._coming.remove((at, data))


@dataclass
class Bench:
    """Scripted circuits on `/bus:1` to `/bus:127` and one on `/port`, and drivers wired to them."""

    clock: FakeClock = field(default_factory=FakeClock)
    circuits: dict[int, ScriptedCircuit] = field(default_factory=dict)
    on_uart: ScriptedCircuit = field(default_factory=ScriptedCircuit)
    adapters: list[FakeAdapter] = field(default_factory=list)
    ports: list[FakePort] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.buses = Buses(self._open_adapter, self._open_port)

    @property
    def port(self) -> FakePort:
        return self.ports[-1]

    def driver(
        self,
        kind: Callable[[Wiring], Driver],
        wire: str,
        script: Mapping[str, Answer | list[Answer]],
        **options: object,
    ) -> tuple[Driver, ScriptedCircuit]:
        """Make a driver of this kind wired to a circuit with this script, over `i2c` or `uart`."""
        circuit = ScriptedCircuit(dict(script))
        if wire == "uart":
            circuit.answers |= {"": "*ER", "C,0": "", "*OK,1": ""}
        return self.wire(kind, wire, circuit, **options), circuit

    def wire(self, kind: Callable[[Wiring], Driver], wire: str, circuit: ScriptedCircuit, **options: object) -> Driver:
        """Make a driver of this kind wired to this circuit."""
        if wire == "i2c":
            self.circuits[99] = circuit
            return kind(Wiring("/bus:99", self.buses, self.clock, options))
        self.on_uart = circuit
        return kind(Wiring("/port", self.buses, self.clock, options))

    def _open_adapter(self, path: str) -> FakeAdapter:
        assert path == "/bus"
        self.adapters.append(FakeAdapter(self.circuits, self.clock))
        return self.adapters[-1]

    def _open_port(self, path: str, baud: int) -> FakePort:
        assert (path, baud) == ("/port", 9600)
        self.ports.append(FakePort(self.on_uart, self.clock))
        return self.ports[-1]
