"""The vessel's one thread: simulated bus, serial lines, GPIO and PWM chips and control socket, served as they ask."""

import errno
import heapq
import itertools
import os
import select
import selectors
import socket
import termios
import threading
import tty
from collections.abc import Callable, Hashable
from functools import partial
from pathlib import Path

import msgspec

from hardware.clock import Clock
from hardware.vessel import frames, sockets
from hardware.vessel.circuits.parts import Kept
from hardware.vessel.config import VesselConfig
from hardware.vessel.faults import BusFault
from hardware.vessel.frames import FrameError, Kind, Unpacker
from hardware.vessel.gpio import GpioChip
from hardware.vessel.i2c import TransferError
from hardware.vessel.journal import Journal
from hardware.vessel.pwm import SETTLE, PwmChip
from hardware.vessel.uart import UartCircuit
from hardware.vessel.vessel import Declined, Vessel

LONGEST_PAUSE = 0.1  # s: how long a stop or the tank may have to wait
LONGEST_LINE = 65536  # bytes of a request over the control socket
LONGEST_READ = 4096
BAUD_CODES = {300: termios.B300, 1200: termios.B1200, 2400: termios.B2400, 9600: termios.B9600}
BAUD_CODES |= {19200: termios.B19200, 38400: termios.B38400, 57600: termios.B57600, 115200: termios.B115200}
INPUT_SPEED = 4  # index in what tcgetattr gives

PWM_CHIP, JOURNAL, KEPT = "pwmchip0", "journal.jsonl", "kept.json"

Serve = Callable[[socket.socket], Callable[[], None]]


class Server:
    """Serves one vessel in its `run_dir`, which nobody else uses. Made, run and closed on one thread."""

    def __init__(self, config: VesselConfig, clock: Clock) -> None:
        folder = config.run_dir
        self._folder = folder
        self._clock = clock
        self._pace = config.running.pace
        self._started = clock.monotonic_ns()
        self._journal = Journal(folder / JOURNAL, clock, int(config.running.journal_limit))
        self.vessel = Vessel(config, self._journal, _read_kept(folder / KEPT))
        self._selector = selectors.DefaultSelector()
        self._clients: set[socket.socket] = set()
        self._later: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._lines = [SerialLine(folder, uart, self._journal) for uart in self.vessel.uarts.values()]
        for line in self._lines:
            self._watch(line.master, partial(self._hear, line))
        pins = {wire: [output.pin for output in config.outputs if output.wire == wire] for wire in ("gpio", "pwm")}
        self._gpio = GpioChip(self._journal, partial(self.vessel.set_pin, "gpio"), self._has_gone)
        self._pwm: PwmChip | None = None
        if pins["pwm"]:
            changed = partial(self.vessel.set_pin, "pwm")
            self._pwm = PwmChip(folder / PWM_CHIP, pins["pwm"], self._journal, changed)
            self._watch(self._pwm, self._look)
        if pins["gpio"]:
            self._listen(folder / sockets.GPIO_SOCKET, partial(self._serve_frames, self._switch))
        self._listen(folder / sockets.BUS_SOCKET, partial(self._serve_frames, self._transfer))
        self._listen(folder / sockets.CONTROL_SOCKET, self._serve_control)

    def now(self) -> float:
        """Seconds of the vessel's time since it started."""
        return (self._clock.monotonic_ns() - self._started) / 1e9 * self._pace

    def run(self, stop: threading.Event) -> None:
        """Serve until `stop` is set; it is noticed within 0.1 s."""
        while not stop.is_set():
            self.step()

    def step(self) -> None:
        """Wait for the next thing to do, at most 0.1 s, and do it."""
        for key, _ in self._selector.select(self._pause()):
            handler: Callable[[], None] = key.data
            handler()
        now = self.now()
        self.vessel.advance(now)
        if self._pwm is not None and self._pwm.due() <= now:
            self._look()
        while self._later and self._later[0][0] <= now:
            heapq.heappop(self._later)[2]()
        for line in self._lines:
            line.speak(now)
        if self.vessel.changed():
            _write_kept(self._folder / KEPT, self.vessel.kept())

    def close(self) -> None:
        """Let go of everything; clients see the vessel go."""
        for client in list(self._clients):
            self._drop(client)
        for key in list(self._selector.get_map().values()):
            if isinstance(key.fileobj, socket.socket):
                key.fileobj.close()
        self._selector.close()
        for line in self._lines:
            line.close()
        if self._pwm is not None:
            self._pwm.close()
        for name in (sockets.BUS_SOCKET, sockets.GPIO_SOCKET, sockets.CONTROL_SOCKET):
            (self._folder / name).unlink(missing_ok=True)
        self._journal.close()

    def _pause(self) -> float:
        due = min([self.vessel.due(), *(line.due() for line in self._lines), *(entry[0] for entry in self._later[:1])])
        if self._pwm is not None:
            due = min(due, self._pwm.due())
        return min(max(due - self.now(), 0.0) / self._pace, LONGEST_PAUSE)

    def _hear(self, line: "SerialLine") -> None:
        now = self.now()
        self.vessel.advance(now)
        line.hear(now)

    def _look(self) -> None:
        assert self._pwm is not None
        now = self.now()
        self.vessel.advance(now)
        self._pwm.look(now, SETTLE * self._pace)

    def _watch(self, source: "int | socket.socket | PwmChip", handler: Callable[[], None]) -> None:
        self._selector.register(source, selectors.EVENT_READ, handler)

    def _listen(self, path: Path, serve: Serve) -> None:
        listener = sockets.listen(path)

        def accept() -> None:
            try:
                client, _ = listener.accept()
            except OSError:
                return  # it left before it was let in
            client.settimeout(0.0)
            self._clients.add(client)
            self._watch(client, serve(client))

        self._watch(listener, accept)

    def _drop(self, client: socket.socket) -> None:
        if client in self._clients:
            self._clients.remove(client)
            self._selector.unregister(client)
            self._gpio.release_all(client)
            client.close()

    def _receive(self, client: socket.socket) -> bytes:
        """Take what a client sent; nothing when it left, and then it is dropped."""
        try:
            data = client.recv(frames.LONGEST_FRAME)
        except BlockingIOError:
            return b""
        except OSError:
            data = b""
        if not data:
            self._drop(client)
        return data

    def _send(self, client: socket.socket, data: bytes) -> None:
        """Answer a client; one that left or does not read its answers is dropped."""
        if client in self._clients:
            try:
                client.sendall(data)
            except OSError:
                self._drop(client)

    def _has_gone(self, client: Hashable) -> bool:
        """Whether a GPIO line's holder has ended; what it said last is heard first, and its lines are released.

        A process that has ended has lost its lines before anybody learns of its end: so they are free here at once.
        """
        assert isinstance(client, socket.socket)
        poll = select.poll()
        poll.register(client, 0)
        while client in self._clients and any(event & select.POLLHUP for _, event in poll.poll(0)):
            self._selector.get_key(client).data()
        return client not in self._clients

    def _serve_frames(
        self, serve_one: Callable[[socket.socket, int, bytes], None], client: socket.socket
    ) -> Callable[[], None]:
        unpacker = Unpacker()

        def serve() -> None:
            data = self._receive(client)
            try:
                for kind, payload in unpacker.feed(data):
                    self.vessel.advance(self.now())
                    serve_one(client, kind, payload)
            except FrameError:
                self._drop(client)

        return serve

    def _switch(self, client: socket.socket, kind: int, payload: bytes) -> None:
        self._send(client, self._gpio.serve(client, kind, payload))

    def _transfer(self, client: socket.socket, kind: int, payload: bytes) -> None:
        if BusFault.UNPLUGGED in self.vessel.bus.faults:
            self._drop(client)
            return
        if kind != Kind.TRANSFER:
            self._send(client, frames.encode_failure(errno.EOPNOTSUPP, "Operation not supported"))
            return
        try:
            read = self.vessel.bus.transfer(frames.decode_transfer(payload), self.vessel.now)
        except TransferError as error:
            answer = frames.encode_failure(error.errno or 0, error.strerror or "")
            self._after(error.after, lambda: self._send(client, answer))
        else:
            self._send(client, frames.frame(Kind.DONE, read))

    def _after(self, seconds: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._later, (self.now() + seconds, next(self._order), action))

    def _serve_control(self, client: socket.socket) -> Callable[[], None]:
        buffer = bytearray()

        def serve() -> None:
            buffer.extend(self._receive(client))
            while b"\n" in buffer:
                line, _, rest = buffer.partition(b"\n")
                buffer[:] = rest
                self.vessel.advance(self.now())
                try:
                    answer = self.vessel.control(bytes(line))
                except Declined as error:
                    answer = {"error": str(error)}
                self._send(client, msgspec.json.encode(answer) + b"\n")
            if len(buffer) > LONGEST_LINE:
                self._drop(client)

        return serve


class SerialLine:
    """A pseudo-terminal with a circuit at its far end, and the link `uart-NAME` to the near one.

    The near end is held open, so that nothing hangs up while no client is there; what nobody reads is lost in the end,
    as on a wire. A client that speaks at another rate than the circuit hears and causes garbage.
    """

    def __init__(self, folder: Path, uart: UartCircuit, journal: Journal) -> None:
        self.uart = uart
        self._journal = journal
        self.master, self._near = os.openpty()
        tty.setraw(self._near)
        self._set_speed()
        os.set_blocking(self.master, False)
        self._link = folder / f"uart-{uart.name}"
        self._link.unlink(missing_ok=True)
        self._link.symlink_to(os.ttyname(self._near))

    def hear(self, now: float) -> None:
        """Pass on what a client wrote."""
        data = os.read(self.master, LONGEST_READ)
        for command in self.uart.hear(self._garbled(data, self.uart.baud(now)), now):
            self._journal.write(self.uart.name, command)

    def due(self) -> float:
        """When the circuit has something to say."""
        return self.uart.due()

    def speak(self, now: float) -> None:
        """Let the circuit say what is due."""
        for delivery in self.uart.speak(now):
            self._journal.read(self.uart.name, delivery)
            try:
                os.write(self.master, self._garbled(delivery.answer, delivery.baud))
            except BlockingIOError:
                continue  # nobody reads: lost, as on a wire

    def close(self) -> None:
        """Hang up."""
        self._link.unlink(missing_ok=True)
        os.close(self.master)
        os.close(self._near)

    def _set_speed(self) -> None:
        attributes = termios.tcgetattr(self._near)
        attributes[INPUT_SPEED] = attributes[INPUT_SPEED + 1] = BAUD_CODES[self.uart.baud(0.0)]
        termios.tcsetattr(self._near, termios.TCSANOW, attributes)

    def _garbled(self, data: bytes, baud: int) -> bytes:
        if termios.tcgetattr(self.master)[INPUT_SPEED] == BAUD_CODES[baud]:
            return data
        return bytes(byte ^ 0xA5 for byte in data)


def _read_kept(path: Path) -> dict[str, Kept]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Kept])
    except (FileNotFoundError, msgspec.DecodeError):
        return {}  # circuits as they come from the factory


def _write_kept(path: Path, kept: dict[str, Kept]) -> None:
    fresh = path.with_suffix(".new")
    fresh.write_bytes(msgspec.json.encode(kept))
    fresh.replace(path)
