"""The vessel without its sockets: tank, circuits on their wires, and what a person may switch."""

import random
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import TypeVar

import msgspec

from hardware.vessel.circuits import KINDS
from hardware.vessel.circuits.base import Circuit
from hardware.vessel.circuits.parts import Bench, CircuitConfig, Kept
from hardware.vessel.config import BUS, VesselConfig
from hardware.vessel.faults import BusFault, Fault
from hardware.vessel.i2c import I2cBus, I2cCircuit
from hardware.vessel.journal import Journal
from hardware.vessel.options import checked
from hardware.vessel.tank import Actuators, Surroundings, Tank
from hardware.vessel.uart import UartCircuit

GRAIN = 0.05  # s of real time in which the tank does not change: its pH takes a search

Known = TypeVar("Known", Fault, BusFault)


class Declined(ValueError):  # noqa: N818 - what happened
    """A request over the control socket that the vessel cannot follow; the text says why."""


class Request(msgspec.Struct, forbid_unknown_fields=True):
    """One line on the control socket."""

    do: str
    circuit: str | None = None
    fault: str | None = None
    amount: float | None = None
    values: dict[str, float] = msgspec.field(default_factory=dict)


class Vessel:
    """A tank with circuits. One thread; `now` is seconds of the vessel's own time since it started."""

    def __init__(self, config: VesselConfig, journal: Journal, kept: Mapping[str, Kept]) -> None:
        self.config = config
        self.tank = Tank(config.tank, config.actuators)
        self.now = 0.0
        self._tank_at = 0.0
        self._surroundings = self.tank.surroundings()
        circuits = [self._circuit(each, kept.get(each.name)) for each in config.circuits]
        i2c = {each.config.name: I2cCircuit(each) for each in circuits if each.config.wire == "i2c"}
        self.uarts = {each.config.name: UartCircuit(each) for each in circuits if each.config.wire == "uart"}
        self.wired: Mapping[str, I2cCircuit | UartCircuit] = {**i2c, **self.uarts}
        self.bus = I2cBus(i2c, journal)
        for wired in self.wired.values():
            wired.restart(0.0, "P")

    def advance(self, now: float) -> None:
        """Let time pass until `now`."""
        self.now = now
        if now - self._tank_at >= GRAIN * self.config.running.pace:
            self.tank.advance(now - self._tank_at)
            self._tank_at = now
            self._surroundings = self.tank.surroundings()
            for wired in self.wired.values():
                wired.circuit.tick(now)

    def surroundings(self) -> Surroundings:
        """Give what the probes see."""
        return self._surroundings

    def kept(self) -> dict[str, Kept]:
        """Give what the circuits keep without power."""
        return {name: wired.circuit.kept for name, wired in self.wired.items()}

    def changed(self) -> bool:
        """Whether a circuit changed what it keeps since the last call."""
        circuits = [wired.circuit for wired in self.wired.values() if wired.circuit.changed]
        for circuit in circuits:
            circuit.changed = False
        return bool(circuits)

    def control(self, line: bytes) -> dict[str, object]:
        """Follow one request of the control socket; raises `Declined`."""
        try:
            request = msgspec.json.decode(line, type=Request)
        except ValueError as error:
            raise Declined(f"not a request: {error}") from error
        match request:
            case Request(do="state"):
                return self._state()
            case Request(do="actuate", values=values):
                self._actuate(values)
            case Request(do="fault", circuit=str(name), fault=str(fault), amount=amount):
                self._fault(name, fault, amount)
            case Request(do="clear", circuit=name, fault=fault):
                self._clear(name, fault)
            case Request(do="restart", circuit=str(name)):
                self._wired(name).restart(self.now, "P")
            case _:
                raise Declined(f"{request.do}: known are state, actuate, fault, clear, restart, with what they need")
        return {}

    def _circuit(self, config: CircuitConfig, kept: Kept | None) -> Circuit:
        chance = random.Random(f"{self.config.running.seed:.0f} {config.name}")  # noqa: S311 - noise, not secrets
        feed = self.config.trace.feed(config.name) if self.config.trace else None
        return KINDS[config.kind](config, Bench(self.surroundings, chance, feed, kept))

    def _wired(self, name: str) -> I2cCircuit | UartCircuit:
        if name not in self.wired:
            raise Declined(f"no circuit {name}; there are {', '.join(self.wired)}")
        return self.wired[name]

    def _fault(self, name: str, fault: str, amount: float | None) -> None:
        if name == BUS:
            self.bus.faults.add(_known(BusFault, fault))
        else:
            self._wired(name).circuit.faults.switch_on(_known(Fault, fault), amount)

    def _clear(self, name: str | None, fault: str | None) -> None:
        if name in {None, BUS}:
            self.bus.faults -= {_known(BusFault, fault)} if fault else set(BusFault)
        if name is None:
            for wired in self.wired.values():
                wired.circuit.faults.switch_off()
        elif name != BUS:
            self._wired(name).circuit.faults.switch_off(_known(Fault, fault) if fault else None)

    def _actuate(self, values: Mapping[str, float]) -> None:
        mistakes: list[str] = []
        good = checked(Actuators, values, "actuators", mistakes)
        if mistakes:
            raise Declined("; ".join(mistakes))
        self.tank.actuators = replace(self.tank.actuators, **good)

    def _state(self) -> dict[str, object]:
        return {
            "now": self.now,
            "pace": self.config.running.pace,
            "tank": asdict(self.tank.state),
            "surroundings": asdict(self._surroundings),
            "actuators": asdict(self.tank.actuators),
            "bus": sorted(self.bus.faults),
            "circuits": {
                name: {
                    "kind": wired.circuit.config.kind,
                    "wire": wired.circuit.config.wire,
                    "faults": {fault.value: amount for fault, amount in wired.circuit.faults.amounts.items()},
                }
                for name, wired in self.wired.items()
            },
        }


def _known(faults: type[Known], name: str) -> Known:
    try:
        return faults(name)
    except ValueError:
        raise Declined(f"no fault {name}; there are {', '.join(faults)}") from None
