"""The outputs that a guard keeps safe. Every bus has a thread of its own, so that one that hangs holds up no other.

The threads are there from the start: the moment in which a reactor dies may be one in which no thread can be had.
"""

import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from queue import Empty, SimpleQueue

from hardware.safe import FileWrite, LineWrite, SafeWrite
from hardware.safe_writer import Release

CarryOut = Callable[[SafeWrite], Release | None]


class Output:
    """One device's safe writes. Used by its bus's thread; others only look."""

    def __init__(self, name: str, writes: tuple[SafeWrite, ...], carry_out: CarryOut) -> None:
        self.name = name
        self.round = 0  # the last one in which all its writes succeeded
        self.error = ""  # what the last attempt met
        self._writes = writes
        self._carry_out = carry_out
        self._held: list[Release] = []

    def make_safe(self, number: int) -> None:
        """Write everything, whatever fails, for the round of this number."""
        self.let_go()
        errors = []
        for write in self._writes:
            try:
                release = self._carry_out(write)
            except Exception as error:  # noqa: BLE001 - whatever it is, the next write and the next output must follow
                errors.append(f"{_place(write)}: {getattr(error, 'strerror', None) or error}")
            else:
                self._held += [release] if release else []
        if errors:
            self.error = "; ".join(errors)
        else:
            self.round = number

    def let_go(self) -> None:
        """Release the lines that it holds."""
        while self._held:
            with suppress(Exception):  # a line that is gone is no reason to end a bus's thread
                self._held.pop()()


class Bus(threading.Thread):
    """The outputs of one bus, chip or port, written one after another on this thread."""

    def __init__(self, outputs: list[Output]) -> None:
        super().__init__(daemon=True)
        self.is_busy = False
        self._wanted = 0
        self._outputs = outputs
        self._orders: SimpleQueue[tuple[int, SimpleQueue[None]]] = SimpleQueue()
        self.start()

    def order(self, number: int, done: "SimpleQueue[None]") -> None:
        """Have every output made safe that is not so in this round, or let go in round 0; `done` hears the end.

        What an older order has not come to, because the bus hung, is not done any more.
        """
        self._wanted = number
        self.is_busy = True
        self._orders.put((number, done))

    def run(self) -> None:
        """Carry out orders for ever."""
        while True:
            number, done = self._orders.get()
            for output in self._outputs:
                if not number:
                    output.let_go()
                elif number == self._wanted and output.round != number:
                    output.make_safe(number)
            self.is_busy = False
            done.put(None)


class Safekeeping:
    """All outputs of one reactor. One thread calls it; nothing raises."""

    def __init__(self, outputs: Mapping[str, tuple[SafeWrite, ...]], carry_out: CarryOut) -> None:
        buses: dict[str, list[Output]] = {}
        self._outputs = [Output(name, writes, carry_out) for name, writes in outputs.items() if writes]
        for output in self._outputs:
            buses.setdefault(_bus(outputs[output.name][0]), []).append(output)  # a device is on one bus
        self._buses = [Bus(members) for members in buses.values()]
        self._round = 0

    def begin(self, seconds: float) -> None:
        """Write every safe value: nothing is known to be safe. Returns when it is done, or after so many seconds."""
        self._round += 1
        for output in self._outputs:
            output.error = "its bus hangs"  # unless an attempt comes to another end
        self._order(self._buses, self._round, seconds)

    def go_on(self, seconds: float) -> None:
        """Try again what is not safe yet, as `begin`; a bus that is still at it is left alone."""
        self._order([bus for bus in self._buses if not bus.is_busy], self._round, seconds)

    def let_go(self, seconds: float) -> None:
        """Release every line, for the reactor to take it."""
        self._order(self._buses, 0, seconds)

    def unsafe(self) -> dict[str, str]:
        """Give the outputs that could not be made safe, with the reason."""
        return {output.name: output.error for output in self._outputs if output.round != self._round}

    @staticmethod
    def _order(buses: Iterable[Bus], number: int, seconds: float) -> None:
        done: SimpleQueue[None] = SimpleQueue()
        asked = list(buses)
        for bus in asked:
            bus.order(number, done)
        deadline = time.monotonic() + seconds
        try:
            for _ in asked:
                done.get(timeout=max(0.0, deadline - time.monotonic()))
        except Empty:
            pass  # `unsafe` says which


def _bus(write: SafeWrite) -> str:
    """Name what the write shares with others: a bus, a port, a chip."""
    match write:
        case FileWrite(path):
            return os.path.dirname(path)  # noqa: PTH120 - pathlib is 1 MiB of a guard
        case LineWrite(chip):
            return chip
        case _:
            return write.path


def _place(write: SafeWrite) -> str:
    match write:
        case FileWrite(path):
            return path
        case LineWrite(chip, line):
            return f"line {line} of {chip}"
        case _:
            return write.path
