"""A fleet that is none: a coordinator and managers of a few lines on real sockets, for an operator to speak to.

Reactors are what `describe` says. Everything heard stands in `heard`; answers to `set` and `act` can be scripted.
"""

import math
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import count

import zmq
from msgspec.structs import replace

from hardware.clock import SystemClock
from transport.keys import KeyPair, Peer
from transport.messages import (
    Accepted,
    Act,
    ActInfo,
    AppliedState,
    ArgumentInfo,
    Attach,
    Backlog,
    Conflict,
    DeviceInfo,
    Document,
    Done,
    Hello,
    LimitsInfo,
    ManagerInfo,
    Message,
    Mistake,
    Overview,
    Placed,
    QuantityInfo,
    Reading,
    Rejected,
    SensorInfo,
    Set,
    SettingInfo,
    Snapshot,
    Status,
    Update,
    Values,
    Watch,
)
from transport.wire import Listener, Outgoing, Received, Wire

MINUTE_US = 60_000_000
QUANTITIES = {
    "broth": ("Broth temperature", "temperature", "°C", -20.0, 130.0, 2, 27.4),
    "ph": ("pH", "ph", "pH", 0.0, 14.0, 2, 7.12),
    "oxygen": ("Dissolved oxygen", "oxygen", "mg/L", 0.0, 100.0, 2, 8.3),
    "nutrients": ("Conductivity", "conductivity", "µS/cm", 0.07, 500_000.0, 0, 1413.0),
}
DEVICES = {"stirrer": "Stirrer", "heater": "Heater", "light": "Light"}


def make_keys() -> KeyPair:
    public, secret = zmq.curve_keypair()
    return KeyPair(public.decode(), secret.decode())


def describe(label: str, *, epoch: int = 1) -> Attach:
    interval = SettingInfo("sample_interval", "s", "number", 1.0, 86_400.0, 1.0, 10.0, 10.0, True)
    calibrate = [
        ActInfo(name=f"calibrate-{point}", title=f"Calibrate {point} point", arguments=[_buffer()])
        for point in ("mid", "low", "high")
    ]
    sensors = [
        SensorInfo(
            name=name,
            label=title,
            driver=f"ezo-{name}",
            address=f"/dev/i2c-1:0x{number:x}",
            quantities=[QuantityInfo(name=quantity, unit=unit, low=low, high=high, decimals=decimals)],
            live_interval=5.0,
            sample_interval=10.0,
            settings=[interval],
            acts=calibrate if name == "ph" else [],
        )
        for number, (name, (title, quantity, unit, low, high, decimals, _)) in enumerate(QUANTITIES.items(), 0x60)
    ]
    duty = SettingInfo("duty", "%", "number", 0.0, 100.0, 5.0, 0.0, 0.0, True)
    switch = SettingInfo("on", "", "switch", 0.0, 1.0, 1.0, False, False, True)
    devices = [
        DeviceInfo(
            name=name,
            label=title,
            looks=name,
            driver="pca9685",
            address=f"/dev/i2c-1:0x40:{number}",
            settings=[duty, switch],
            rules=["at most 3600 s on"] if name == "heater" else [],
            ramped="duty",
            cycled="on",
        )
        for number, (name, title) in enumerate(DEVICES.items())
    ]
    acid = DeviceInfo(
        name="acid",
        label="Acid pump",
        looks="pump",
        driver="ezo-pmp",
        address="/dev/i2c-1:0x67",
        settings=[],
        acts=[ActInfo(name="dose", title="Dose a volume", arguments=[_volume()], volume=["volume"])],
        reported=[QuantityInfo(name="total", unit="ml", low=0.0, high=1e9, decimals=2)],
        limits=LimitsInfo(dose=5.0, hour=20.0),
    )
    return Attach(epoch=epoch, label=label, software="reactorium 0.1.0", sensors=sensors, devices=[*devices, acid])


def _buffer() -> ArgumentInfo:
    return ArgumentInfo("value", "pH", 0.0, 14.0, 2)


def _volume() -> ArgumentInfo:
    return ArgumentInfo("volume", "ml", 0.5, 5.0, 2)


@dataclass
class Tank:
    """One pretended reactor."""

    attach: Attach
    number: int = 1
    desired: dict[str, Document] = field(default_factory=dict)
    applied: dict[str, AppliedState] = field(default_factory=dict)
    rejected: dict[str, Rejected] = field(default_factory=dict)
    offset: float = 0.0

    def status(self, now_us: int) -> Status:
        wave = math.sin(now_us / 30e6 + self.offset)
        readings = [
            Reading(name, quantity, start * (1 + 0.02 * wave), "ok", max(0, now_us - 400_000))
            for name, (_, quantity, _, _, _, _, start) in QUANTITIES.items()
        ]
        devices = [self.applied.get(device.name, _idle(device)) for device in self.attach.devices]
        return Status(
            now_us=now_us,
            readings=readings,
            backlog=Backlog(waiting=0, oldest=0.0, refused=0, dropped=0),
            clock_known=True,
            clock_offset=0.002,
            database="",
            devices=devices,
        )


def _idle(device: DeviceInfo) -> AppliedState:
    values = {setting.name: setting.default for setting in device.settings}
    read_back: Values = values if device.settings else {"total": 12.5}
    return AppliedState(device.name, 0, "", values, read_back)


class Pretender:
    """The servers of one small system, all on one wire. `close` ends it."""

    def __init__(self, names: Iterable[str] = ("tank-1",), managers: int = 1) -> None:
        self.clock = SystemClock()
        self.keys, self.operator_keys = make_keys(), make_keys()
        self.wire = Wire(self.keys, self.clock)
        self.heard: list[Message] = []
        self.on_set: Callable[[Set], Message] | None = None
        self.on_act: Callable[[Act], Message] | None = None
        self.tanks = {
            name: Tank(describe(name.replace("-", " ").capitalize()), offset=i) for i, name in enumerate(names)
        }
        self._operator: bytes = b""
        self._revisions = count(1)
        self._watching: dict[str, tuple[str, bytes]] = {}
        self._changed = threading.Condition()
        self._coordinator = self._listen((Hello,), self._greet)
        self.endpoint = self._coordinator.endpoint
        self._managers = {f"manager-{n}": self._manage(f"manager-{n}") for n in range(1, managers + 1)}
        self.placed = {name: list(self._managers)[i % managers] for i, name in enumerate(self.tanks)}

    def _listen(self, kinds: tuple[type[Message], ...], deliver: Callable[[list[Received]], None]) -> Listener:
        operator = Peer("web", "operator", self.operator_keys.public)
        return self.wire.listen(
            "tcp://127.0.0.1:*",
            allow=lambda key: operator if key == operator.key else None,
            accept={"operator": set(kinds)},
            deliver=deliver,
        )

    def _manage(self, name: str) -> Listener:
        return self._listen((Watch, Set, Act), lambda batch: self._serve(name, batch))

    def close(self) -> None:
        self.wire.close()

    # what a test does

    def wait_until(self, condition: Callable[[], object], seconds: float = 10.0) -> None:
        """Wait for what was heard."""
        with self._changed:
            assert self._changed.wait_for(condition, seconds)

    def overview(self, absent: str = "") -> Overview:
        infos = []
        for name, listener in self._managers.items():
            placed = [Placed(reactor, 1) for reactor, manager in self.placed.items() if manager == name]
            infos.append(
                ManagerInfo(name=name, endpoint=listener.endpoint, key=self.keys.public, capacity=500, reactors=placed)
            )
        names = absent or next(iter(self._managers), "")
        return Overview(managers=infos, database=None, time_us=self.clock.wall_us(), absent=names)

    def announce(self, overview: Overview | None = None) -> None:
        """Send the overview again."""
        self._coordinator.send([Outgoing(self._operator, overview or self.overview())])

    def restart_manager(self, name: str) -> None:
        """Kill a manager, and start it elsewhere."""
        self._managers.pop(name).close()
        self._managers[name] = self._manage(name)

    def kill_manager(self, name: str) -> None:
        self._managers.pop(name).close()

    def report(self, *names: str) -> None:
        """Have reactors say how they are."""
        now_us = self.clock.monotonic_ns() // 1000
        for name in names or self.tanks:
            self.update(name, status=self.tanks[name].status(now_us))

    def update(self, name: str, *, skip: int = 0, life: str = "ok", **news: object) -> None:
        """Tell who watches; `skip` loses so many numbers."""
        tank = self.tanks[name]
        tank.number += 1 + skip
        watching = self._watching.get(name)
        if watching is not None:
            manager, route = watching
            update = Update(reactor=name, number=tank.number, life=life, **news)  # type: ignore[arg-type]
            self._managers[manager].send([Outgoing(route, update)])

    # what it answers

    def _note(self, message: Message) -> None:
        with self._changed:
            self.heard.append(message)
            self._changed.notify_all()

    def _greet(self, batch: list[Received]) -> None:
        for received in batch:
            self._operator = received.route
            self._coordinator.send([Outgoing(received.route, self.overview(), received.header.id)])
            self._note(received.body)

    def _serve(self, manager: str, batch: list[Received]) -> None:
        for received in batch:
            route, body = received.route, received.body
            match body:
                case Watch():
                    self._watch(manager, route, body)
                case Set():
                    self._reply(manager, received, self.on_set(body) if self.on_set else self._set(body))
                case Act():
                    self._reply(manager, received, self.on_act(body) if self.on_act else self._act(body))
            self._note(body)

    def _reply(self, manager: str, received: Received, message: Message) -> None:
        self._managers[manager].send([Outgoing(received.route, message, received.header.id)])

    def _watch(self, manager: str, route: bytes, watch: Watch) -> None:
        self._watching = {name: where for name, where in self._watching.items() if where[1] != route}
        for watching in watch.reactors:
            self._watching[watching.reactor] = (manager, route)
            tank = self.tanks[watching.reactor]
            if watching.number != tank.number:
                self._managers[manager].send([Outgoing(route, self.snapshot(watching.reactor))])

    def snapshot(self, name: str) -> Snapshot:
        tank = self.tanks[name]
        return Snapshot(
            reactor=name,
            number=tank.number,
            life="ok",
            attach=tank.attach,
            status=tank.status(self.clock.monotonic_ns() // 1000),
            desired=list(tank.desired.values()),
            rejected=list(tank.rejected.values()),
        )

    def _set(self, wish: Set) -> Message:
        """Do as a manager with a willing reactor would."""
        tank = self.tanks[wish.reactor]
        known = tank.desired.get(wish.target)
        if (known.revision if known else 0) != wish.base:
            nothing = Document(target=wish.target, revision=0, author="", values={})
            return Conflict(reactor=wish.reactor, document=known or nothing)
        mistakes = _mistakes(tank.attach, wish)
        if mistakes:
            reason = f"{mistakes[0].name} {mistakes[0].value} is not {mistakes[0].limit}"
            rejected = Rejected(reactor=wish.reactor, target=wish.target, revision=0, reason=reason, mistakes=mistakes)
            self.update(wish.reactor, rejected=[rejected])
            return rejected
        revision = max(time.time_ns() // 1000, next(self._revisions))
        document = Document(target=wish.target, revision=revision, author=wish.author, values=wish.values)
        tank.desired[wish.target] = document
        state = AppliedState(wish.target, revision, wish.author, wish.values, wish.values)
        tank.applied[wish.target] = state
        if wish.reactor in self.placed:
            self.update(wish.reactor, desired=[document])
            self.report(wish.reactor)
        delivered = wish.reactor in self.placed
        return Accepted(reactor=wish.reactor, target=wish.target, revision=revision, delivered=delivered)

    def _act(self, act: Act) -> Message:
        done = Done(act=act.act, state="done", target=act.target, kind=act.kind, result=dict(act.arguments))
        self.update(act.reactor, done=[done])
        return done

    def change(self, name: str, **changes: object) -> None:
        """Make it describe itself differently, from the next snapshot on."""
        tank = self.tanks[name]
        tank.attach = replace(tank.attach, **changes)


def _mistakes(attach: Attach, wish: Set) -> list[Mistake]:
    targets: list[SensorInfo | DeviceInfo] = [*attach.devices, *attach.sensors]
    infos = {setting.name: setting for one in targets if one.name == wish.target for setting in one.settings}
    mistakes = []
    for name, value in wish.values.items():
        info = infos.get(name)
        if info is None:
            mistakes.append(Mistake(name, str(value), "", f"one of {', '.join(infos)}"))
        elif info.kind == "number" and (isinstance(value, (bool, str)) or not info.low <= value <= info.high):
            mistakes.append(Mistake(name, str(value), info.unit, f"{info.low:g} to {info.high:g} {info.unit}"))
        elif info.kind == "switch" and not isinstance(value, bool):
            mistakes.append(Mistake(name, str(value), "", "true or false"))
    return mistakes
