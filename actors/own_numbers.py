"""A server's own numbers: live readings of its built-in sensor `self`, as a reactor's own are."""

from collections.abc import Callable, Mapping

from actors.meter import Meter
from actors.ticker import SECOND
from hardware.clock import Clock
from storage.readings import LiveReading

SELF = "self"
Numbers = Mapping[str, tuple[float, str]]  # by quantity, with its unit


class OwnNumbers:
    """Asks for them every `interval` seconds, and adds what the process uses of the machine. Of one thread."""

    def __init__(self, clock: Clock, interval: float, count: Callable[[], Numbers]) -> None:
        self._clock = clock
        self._interval = interval
        self._count = count
        self._meter = Meter(clock)
        self._due = 0.0

    def rows(self, name: str) -> list[LiveReading]:
        """Give what is due now, of the server with this name."""
        now = self._clock.monotonic_ns() / SECOND
        if now < self._due:
            return []
        self._due = now + self._interval
        numbers = {**self._count(), "load": (self._meter.load(), "%"), "memory": (self._meter.memory(), "MiB")}
        wall_us = self._clock.wall_us()
        return [
            LiveReading(name, SELF, quantity, float(value), unit, "ok", wall_us)
            for quantity, (value, unit) in numbers.items()
        ]
