"""The UART side: how a circuit behaves on a serial line. What it says is a queue of lines, each with its time."""

import math
from collections import deque
from dataclasses import dataclass

from hardware.vessel.circuits.base import Circuit
from hardware.vessel.circuits.parts import After, Reply
from hardware.vessel.faults import Fault
from hardware.vessel.journal import Delivery

CARRIAGE_RETURN = b"\r"
REFUSAL_DELAY = 0.03  # s, seen on a real circuit
BOOT_COMPLETE = 0.004  # s from *RS to *RE, seen on a real circuit
FIRST_READING = 1.0  # s from *RE
LONGEST_COMMAND = 64  # bytes; the rest of a longer one is lost


@dataclass(frozen=True, slots=True)
class _Line:
    due: float
    command: str
    text: str
    reading: bool = False


class UartCircuit:
    """One circuit on its own serial line."""

    def __init__(self, circuit: Circuit) -> None:
        self.circuit = circuit
        self.name = circuit.config.name
        self._heard = bytearray()
        self._lines: deque[_Line] = deque()
        self._busy_until = 0.0
        self._next_reading = math.inf
        self._left = False
        self._bauds = (self._kept_baud(), self._kept_baud())

    def baud(self, now: float) -> int:
        """Give the rate that it speaks: a new one from the restart on that it causes."""
        return self._bauds[0] if now < self.circuit.ready_at else self._bauds[1]

    def restart(self, now: float, reason: str) -> None:
        """Start again and say so."""
        self.circuit.restart(now, reason)
        self._heard.clear()
        self._lines.clear()
        self._bauds = (self._bauds[1], self._kept_baud())
        ready = self.circuit.ready_at
        self._lines.append(_Line(ready, "", "*RS"))
        self._lines.append(_Line(ready + BOOT_COMPLETE, "", "*RE"))
        self._busy_until = ready
        self._next_reading = ready + BOOT_COMPLETE + FIRST_READING

    def hear(self, data: bytes, now: float) -> list[str]:
        """Take bytes as they arrive; give the commands that became whole."""
        circuit = self.circuit
        if self._left or now < circuit.ready_at or Fault.ABSENT in circuit.faults:
            return []
        if circuit.asleep:  # any character wakes it; what it was part of is lost
            circuit.asleep = False
            self._lines.append(_Line(now, "", "*WA"))
            self._next_reading = now + FIRST_READING
            return []
        self._heard += data
        *whole, rest = self._heard.split(CARRIAGE_RETURN)
        self._heard = rest[:LONGEST_COMMAND]
        commands = [line[:LONGEST_COMMAND].decode("latin-1") for line in whole]
        for command in commands:
            if circuit.asleep or self._left or now < circuit.ready_at:
                break  # what came behind a Sleep or a restart is lost
            self._obey(command, now)
        return commands

    def due(self) -> float:
        """When it has something to say next; infinite when nothing is to come."""
        line = self._lines[0].due if self._lines else math.inf
        return min(line, self._reading_due())

    def speak(self, now: float) -> list[Delivery]:
        """Say what is due, each with its CR."""
        for at, text in self.circuit.unasked:
            self._lines.insert(sum(line.due <= at for line in self._lines), _Line(at, "", text))
        self.circuit.unasked.clear()
        said = []
        while self.due() <= now:
            if self._lines and self._lines[0].due <= self._reading_due():
                line = self._lines.popleft()
            else:
                line = _Line(now, "C", self.circuit.take_reading(now), reading=True)
                # A vessel that was held up says one reading, not all that it missed.
                self._next_reading = max(self._next_reading, now - 1.0) + self.circuit.kept.numbers["C"]
            said += self._deliver(line)
        return said

    def _kept_baud(self) -> int:
        return int(self.circuit.kept.numbers["BAUD"])

    def _reading_due(self) -> float:
        circuit = self.circuit
        streams = circuit.streams() and not circuit.asleep and not self._left
        return self._next_reading if streams else math.inf

    def _obey(self, command: str, now: float) -> None:
        circuit = self.circuit
        before = (circuit.kept.numbers["C"], circuit.streams())
        reply = circuit.execute(command, now)
        if (circuit.kept.numbers["C"], circuit.streams()) != before:
            self._next_reading = now + circuit.kept.numbers["C"]
        delay = REFUSAL_DELAY if reply.refused else reply.delay
        due = max(now, self._busy_until) + delay + circuit.config.slower + circuit.faults.delay
        self._busy_until = due
        self._answer(command, reply, due)
        match reply.after:
            case After.RESTART:
                waiting = list(self._lines)
                self.restart(due, "S")
                self._lines.extendleft(reversed(waiting))
            case After.SLEEP:
                self._lines.append(_Line(due, command, "*SL"))
                circuit.asleep = True
            case After.LEAVE:
                self._left = True

    def _answer(self, command: str, reply: Reply, due: float) -> None:
        if Fault.STRAY in self.circuit.faults:
            self._lines.append(_Line(due, "", self.circuit.take_reading(due)))
        if reply.text is not None:
            self._lines.append(_Line(due, command, reply.text, reply.reading))
        if reply.refused:
            self._lines.append(_Line(due, command, "*ER"))
        elif reply.code and self.circuit.kept.numbers["*OK"]:
            self._lines.append(_Line(due, command, "*OK"))

    def _deliver(self, line: _Line) -> list[Delivery]:
        faults = self.circuit.faults
        if Fault.ABSENT in faults or Fault.SILENT in faults:
            return []
        if line.reading:
            self.circuit.delivered()
        spoken = faults.distort(line.text.encode("latin-1") + CARRIAGE_RETURN)
        return [Delivery(line.command, spoken, reading=line.reading, baud=self.baud(line.due))]
