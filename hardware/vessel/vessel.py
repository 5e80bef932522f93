"""The vessel without its sockets: tank, circuits on their wires, outputs, and what a person may switch."""

import math
import random
from collections.abc import Mapping
from dataclasses import asdict, replace
from functools import partial
from typing import TypeVar

import msgspec

from hardware.vessel.circuits import KINDS
from hardware.vessel.circuits.base import Circuit
from hardware.vessel.circuits.parts import Bench, CircuitConfig, Kept
from hardware.vessel.config import BUS, VesselConfig
from hardware.vessel.faults import BusFault, Fault, Faults
from hardware.vessel.i2c import I2cBus, I2cCircuit
from hardware.vessel.journal import Journal
from hardware.vessel.options import checked
from hardware.vessel.outputs import CHIP_ADDRESS
from hardware.vessel.pca9685 import Pca9685
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
    """A tank with circuits and outputs. One thread; `now` is seconds of the vessel's own time since it started."""

    def __init__(self, config: VesselConfig, journal: Journal, kept: Mapping[str, Kept]) -> None:
        self.config = config
        self.tank = Tank(config.tank, config.actuators)
        self.now = 0.0
        self._journal = journal
        self._tank_at = self._seen_at = 0.0
        self._surroundings = self.tank.surroundings()
        self._driven: dict[str, str] = {}  # actuator -> what drives it
        self._levels: dict[str, float] = {}  # what drives -> what it does
        self._pins = {(output.wire, output.address, output.pin): output for output in config.outputs}
        driving = [(output.name, output.drives) for output in config.outputs]
        driving += [(circuit.name, circuit.drives) for circuit in config.circuits if circuit.drives]
        for name, actuator in driving:
            self._driven[actuator] = name
            self._drive(name, actuator, 0.0)
        circuits = [self._circuit(each, kept.get(each.name)) for each in config.circuits]
        i2c = {each.config.name: I2cCircuit(each) for each in circuits if each.config.wire == "i2c"}
        self.uarts = {each.config.name: UartCircuit(each) for each in circuits if each.config.wire == "uart"}
        self.wired: Mapping[str, I2cCircuit | UartCircuit] = {**i2c, **self.uarts}
        addresses = sorted({output.address for output in config.outputs if output.wire == "pca9685"})
        self.chips = {chip.name: chip for chip in map(self._chip, addresses)}
        self.bus = I2cBus([*i2c.values(), *self.chips.values()], journal)
        for wired in self.wired.values():
            wired.restart(0.0, "P")

    def due(self) -> float:
        """When `advance` has something to do at that very moment."""
        return min((wired.circuit.due() for wired in self.wired.values()), default=math.inf)

    def advance(self, now: float) -> None:
        """Let time pass until `now`; what ends before, ends at its moment."""
        while (due := self.due()) <= now:
            self.now = due
            for wired in self.wired.values():
                wired.circuit.tick(due)
        self.now = now
        if now - self._seen_at >= GRAIN * self.config.running.pace:
            self._seen_at = now
            self._run_tank()
            self._surroundings = self.tank.surroundings()
            for wired in self.wired.values():
                wired.circuit.tick(now)

    def set_pin(self, wire: str, pin: int, high: float, address: int = CHIP_ADDRESS) -> None:
        """Learn that a pin is high for another share of the time from now on; on some nothing hangs."""
        output = self._pins.get((wire, address, pin))
        if output is not None:
            self._drive(output.name, output.drives, output.amount(high))

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
                self._part(name).restart(self.now, "P")
            case _:
                raise Declined(f"{request.do}: known are state, actuate, fault, clear, restart, with what they need")
        return {}

    def _circuit(self, config: CircuitConfig, kept: Kept | None) -> Circuit:
        chance = random.Random(f"{self.config.running.seed:.0f} {config.name}")  # noqa: S311 - noise, not secrets
        feed = self.config.trace.feed(config.name) if self.config.trace else None
        bench = Bench(self.surroundings, chance, feed, kept)
        if config.drives:
            bench = replace(bench, drive=partial(self._drive, config.name, config.drives))
        return KINDS[config.kind](config, bench)

    def _chip(self, address: int) -> Pca9685:
        def changed(levels: Mapping[int, float]) -> None:
            for channel, high in levels.items():
                self.set_pin("pca9685", channel, high, address)

        return Pca9685(address, random.Random(address), changed)  # noqa: S311 - noise, not secrets

    def _drive(self, name: str, actuator: str, amount: float) -> None:
        """Let an output do something else from now on: the tank ran with what it did until now."""
        if self._levels.get(name) == amount:
            return
        self._run_tank()
        self._levels[name] = amount
        self.tank.actuators = replace(self.tank.actuators, **{actuator: amount})
        self._journal.drive(name, actuator, amount)

    def _run_tank(self) -> None:
        self.tank.advance(self.now - self._tank_at)
        self._tank_at = self.now

    def _part(self, name: str) -> I2cCircuit | UartCircuit | Pca9685:
        parts: Mapping[str, I2cCircuit | UartCircuit | Pca9685] = {**self.wired, **self.chips}
        if name not in parts:
            raise Declined(f"no circuit {name}; there are {', '.join(parts)}")
        return parts[name]

    def _faults(self, name: str) -> Faults:
        part = self._part(name)
        return part.faults if isinstance(part, Pca9685) else part.circuit.faults

    def _fault(self, name: str, fault: str, amount: float | None) -> None:
        if name == BUS:
            self.bus.faults.add(_known(BusFault, fault))
        else:
            self._faults(name).switch_on(_known(Fault, fault), amount)

    def _clear(self, name: str | None, fault: str | None) -> None:
        if name in {None, BUS}:
            self.bus.faults -= {_known(BusFault, fault)} if fault else set(BusFault)
        if name is None:
            for each in (*self.wired, *self.chips):
                self._faults(each).switch_off()
        elif name != BUS:
            self._faults(name).switch_off(_known(Fault, fault) if fault else None)

    def _actuate(self, values: Mapping[str, float]) -> None:
        mistakes: list[str] = []
        good = checked(Actuators, values, "actuators", mistakes)
        mistakes += [f"actuators.{name}: {self._driven[name]} drives it" for name in good if name in self._driven]
        if mistakes:
            raise Declined("; ".join(mistakes))
        self._run_tank()
        self.tank.actuators = replace(self.tank.actuators, **good)

    def _state(self) -> dict[str, object]:
        return {
            "now": self.now,
            "pace": self.config.running.pace,
            "tank": asdict(self.tank.state),
            "surroundings": asdict(self._surroundings),
            "actuators": asdict(self.tank.actuators),
            "outputs": {
                name: {"drives": actuator, "level": self._levels[name]} for actuator, name in self._driven.items()
            },
            "bus": sorted(self.bus.faults),
            "circuits": {
                name: {
                    "kind": wired.circuit.config.kind,
                    "wire": wired.circuit.config.wire,
                    "faults": _shown(wired.circuit.faults),
                }
                for name, wired in self.wired.items()
            },
            "chips": {name: {"faults": _shown(chip.faults)} for name, chip in self.chips.items()},
        }


def _shown(faults: Faults) -> dict[str, float]:
    return {fault.value: amount for fault, amount in faults.amounts.items()}


def _known(faults: type[Known], name: str) -> Known:
    try:
        return faults(name)
    except ValueError:
        raise Declined(f"no fault {name}; there are {', '.join(faults)}") from None
