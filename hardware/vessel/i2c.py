"""The I2C side: how a circuit behaves on the bus, and the bus that clients share with circuits and chips.

Status bytes as Atlas Scientific documents them. No source says whether reading the status byte alone uses an answer up,
or whether the command that wakes a circuit is carried out: here it does and it is not, the harder case for a driver.
"""

import errno
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from hardware.vessel.circuits.base import Circuit
from hardware.vessel.circuits.parts import After, Reply
from hardware.vessel.faults import BusFault, Fault
from hardware.vessel.frames import Read, Write
from hardware.vessel.journal import Delivery, Journal

SUCCESS, SYNTAX_ERROR, PROCESSING, NO_DATA = 1, 2, 254, 255
HANG = 1.0  # s until Linux gives a held bus up


class TransferError(OSError):
    """A transfer that failed; `errno` as Linux gives it, `after` the seconds of vessel time until it says so."""

    def __init__(self, number: int, text: str, after: float = 0.0) -> None:
        super().__init__(number, text)
        self.after = after


class Target(Protocol):
    """Something on the bus."""

    @property
    def name(self) -> str:
        """What the journal calls it."""

    @property
    def address(self) -> int:
        """Where it is."""

    def answers(self, address: int, now: float, *, written: bool) -> bool:
        """Whether it acknowledges `address` now, to be written to or read."""

    def spell(self, data: bytes) -> str:
        """Spell what is written to it for the journal."""

    def write(self, data: bytes, now: float, address: int) -> None:
        """Take what was written to `address`, one of those that it answers."""

    def read(self, count: int, now: float, *, combined: bool) -> tuple[Delivery, bytes]:
        """Give what a read of `count` bytes gets, for the journal and on the wire."""


@dataclass(frozen=True, slots=True)
class _Pending:
    command: str
    reply: Reply
    due: float


class I2cCircuit:
    """One circuit at its address."""

    def __init__(self, circuit: Circuit) -> None:
        self.circuit = circuit
        self.name = circuit.config.name
        self._pending: _Pending | None = None
        self._left = False

    @property
    def address(self) -> int:
        """Where it answers now."""
        return int(self.circuit.kept.numbers["ADDRESS"])

    def restart(self, now: float, reason: str) -> None:
        """Start again; an answer that waited is gone."""
        self._pending = None
        self.circuit.restart(now, reason)

    def answers(self, address: int, now: float, *, written: bool) -> bool:  # noqa: ARG002 - both alike
        """Whether it is there at all: with power, started, on this wire."""
        there = not (self._left or now < self.circuit.ready_at or Fault.ABSENT in self.circuit.faults)
        return there and address == self.address

    def spell(self, data: bytes) -> str:
        """Give the command."""
        return data.rstrip(b"\0").decode("latin-1")  # the vendor's Python ends a command with NUL

    def write(self, data: bytes, now: float, address: int) -> None:  # noqa: ARG002 - it has but one
        """Take a command; an answer that waited is gone."""
        command = self.spell(data)
        if not command:
            return  # somebody only asks whether it is there
        self._pending = None
        circuit = self.circuit
        if circuit.asleep:
            circuit.asleep = False
            return
        reply = circuit.execute(command, now)
        match reply.after:
            case After.NOTHING:
                self._pending = self._wait(command, reply, now)
            case After.RESTART if reply.text is not None:  # the last Import says so first
                self._pending = self._wait(command, reply, now)
            case After.RESTART:
                self.restart(now, "S")
            case After.SLEEP:
                circuit.asleep = True
            case After.LEAVE:
                self._left = True

    def read(self, count: int, now: float, *, combined: bool) -> tuple[Delivery, bytes]:
        """Give status byte and answer: in one transaction with its command always "still processing"."""
        delivery = self._answer(now, combined=combined)
        return delivery, (bytes([delivery.status or 0]) + delivery.answer).ljust(count, b"\0")[:count]

    def _answer(self, now: float, *, combined: bool) -> Delivery:
        pending, circuit = self._pending, self.circuit
        if circuit.asleep:
            circuit.asleep = False
            return Delivery(status=NO_DATA)
        if pending is None or Fault.SILENT in circuit.faults:
            return Delivery(status=NO_DATA)
        if combined or now < pending.due:
            return Delivery(pending.command, status=PROCESSING)
        self._pending = None
        if pending.reply.after is After.RESTART:
            self.restart(now, "S")
        if pending.reply.refused:
            return Delivery(pending.command, status=SYNTAX_ERROR)
        return self._deliver(pending)

    def _deliver(self, pending: _Pending) -> Delivery:
        circuit = self.circuit
        if pending.reply.reading:
            circuit.delivered()
        text = (pending.reply.text or "").encode("latin-1")
        answer = circuit.faults.set_top_bits(circuit.faults.distort(text)) if text else text
        return Delivery(pending.command, answer, SUCCESS, pending.reply.reading)

    def _wait(self, command: str, reply: Reply, now: float) -> _Pending:
        return _Pending(command, reply, now + reply.delay + self.circuit.config.slower + self.circuit.faults.delay)


class I2cBus:
    """The bus with all that is on it. Transfers of the server's thread only."""

    def __init__(self, targets: Sequence[Target], journal: Journal) -> None:
        self.faults: set[BusFault] = set()
        self._targets = targets
        self._journal = journal

    def transfer(self, messages: Sequence[Read | Write], now: float) -> bytes:
        """Carry out one transaction, give the bytes of its reads one after another; raises `TransferError`."""
        if BusFault.HANG in self.faults:
            raise TransferError(errno.ETIMEDOUT, "Connection timed out", HANG)
        read = b""
        written: set[int] = set()
        for message in messages:
            match message:
                case Write(address, data):
                    self._write(address, data, now)
                    written.add(address)
                case Read(address, count):
                    read += self._read(address, count, now, combined=address in written)
        return read

    def _write(self, address: int, data: bytes, now: float) -> None:
        targets = self._answering(address, now, written=True)
        if not targets:
            name, command = self._silent(address, data)
            self._journal.write(name, command, error=errno.EREMOTEIO)
            raise TransferError(errno.EREMOTEIO, "Remote I/O error")
        for target in targets:
            self._journal.write(target.name, target.spell(data))
            target.write(data, now, address)

    def _read(self, address: int, count: int, now: float, *, combined: bool) -> bytes:
        targets = self._answering(address, now, written=False)
        if not targets:
            self._journal.read(self._silent(address, b"")[0], Delivery(), error=errno.EREMOTEIO)
            raise TransferError(errno.EREMOTEIO, "Remote I/O error")
        delivery, answer = targets[0].read(count, now, combined=combined)
        self._journal.read(targets[0].name, delivery)
        return answer

    def _answering(self, address: int, now: float, *, written: bool) -> list[Target]:
        if BusFault.NACK in self.faults:
            return []
        return [each for each in self._targets if each.answers(address, now, written=written)]

    def _silent(self, address: int, data: bytes) -> tuple[str, str]:
        """Name what should have answered, and spell what it was told."""
        for target in self._targets:
            if target.address == address:
                return target.name, target.spell(data)
        return f"{address:#04x}", data.rstrip(b"\0").decode("latin-1")
