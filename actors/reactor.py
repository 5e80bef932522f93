"""The reactor: root of the actors beside one vessel. It makes what they share, and keeps them alive."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from actors.access import reach
from actors.config import DeviceConfig, ReactorConfig, SensorConfig
from actors.device import Device, Rest
from actors.following import Hearers as TargetHearers
from actors.interlocks import Claims
from actors.inventory import Inventory
from actors.keeper import Child, Heard, Keeper, Post, Restart, tell
from actors.link import EpochFile, Hearers, Link, News, Node, Tell
from actors.link_events import Server
from actors.live import Around, Faults, Live, Vitals
from actors.progress import Part, Progress, patience
from actors.recorder import Keep, Recorder, ServerClock
from actors.safe_mode import FILE as SAFE_MODE
from actors.safe_mode import SafeMode
from actors.self_sensor import NAME as SELF
from actors.self_sensor import SelfSensor
from actors.sensor import Sensor
from actors.shipper import LogTo, Shipper, Waiting
from actors.targets import Do, Follow
from actors.ticker import SECOND, Ticker
from actors.timebase import Timebase
from actors.wiring import Makers, Workbench
from hardware.buses import Buses
from hardware.clock import Clock
from hardware.device import DeviceDriver
from hardware.driver import SensorDriver, Wiring
from storage.ilp import Ingest
from storage.rows import Row
from storage.spool import Spool
from transport.messages import Act, Change, Done, Message, Rejected, line
from transport.wire import Wire

SELF_SAMPLES = 600.0  # seconds between two kept readings of `self`
SENSOR, DEVICE = "sensor ", "device "  # before a name in that of its child, apart from ours
PROOF = 1.0  # seconds between two proofs of progress


@dataclass(frozen=True, slots=True)
class Prove:
    """Give proof of progress."""


@dataclass(frozen=True, slots=True)
class Guarded:
    """What a reactor has of its guard; nothing of it without one. Neither call blocks for long.

    `take_over` returns once the guard has let go of the outputs, `prove` tells it by how many seconds each `Part` is
    late, `news` is what it has done since the last reactor told.
    """

    take_over: Callable[[], None] = lambda: None
    prove: Callable[[Sequence[float]], None] = lambda _late: None
    news: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Outside:
    """What a reactor finds around it.

    `instance` is random, of this start of the process, and `boot` the id of this boot. `driver` and `device` give a
    driver's class by its name, `disciplined` whether NTP disciplines the machine's clock. The reactor closes `buses`
    and `wire` when it stops.
    """

    software: str
    instance: str
    boot: str
    clock: Clock
    disciplined: Callable[[], bool]
    driver: Callable[[str], type[SensorDriver]]
    device: Callable[[str], type[DeviceDriver]]
    buses: Buses
    wire: Wire
    guard: Guarded = field(default_factory=Guarded)


class Reactor(Keeper):
    """Starts recorder, shipper, devices, sensors and link. Neither control nor sampling waits for anybody outside.

    `Reactor.start(config, outside, ready)` raises `BadConfiguration` for what its driver cannot take, and leaves
    `outside` to its caller then; `ready` is set while every child is ready.
    """

    def __init__(self, config: ReactorConfig, outside: Outside, ready: threading.Event) -> None:
        clock = outside.clock
        self._config = config
        self._outside = outside
        self._ticker = Ticker(clock)
        self._recorder, self._shipper, self._link = Post(), Post(), Post()
        self._devices: dict[str, Post] = {}
        self._targets: dict[str, Post] = {}  # sensors and devices
        self._spool = Spool(
            config.state_dir / "spool.sqlite",
            clock=clock,
            boot=outside.boot,
            limit=config.spool_limit,
            retention=config.spool_retention,
            told=lambda text: self._around.faults.event("spool", "fault", text),
        )
        self._proof = self._ticker.alarm(lambda: tell(self.actor_ref, Prove()))
        self._around = Around(
            reactor=config.name,
            began_ns=clock.monotonic_ns(),
            clock=clock,
            ticker=self._ticker,
            timebase=Timebase(outside.boot, outside.disciplined),
            live=Live(clock, {}, fresh=partial(self._link.tell, News())),
            vitals=Vitals(lost_ns=clock.monotonic_ns()),
            faults=Faults(config.name, clock, lambda event: self._keep([event])),
            progress=Progress(SELF),
            safe_mode=SafeMode(config.state_dir / SAFE_MODE),
        )
        self._patience: dict[str, float] = {}  # seconds by which a sensor or device may be late
        children = self._children()
        super().__init__(children, ticker=self._ticker, clock=clock, fault=self._tell_fault, ready=ready)

    def on_start(self) -> None:
        """Say that we started and why, take over from the guard, and start the children."""
        self._ticker.start()
        faults = self._around.faults
        faults.event("reactor", "started", f"reactorium {self._outside.software}", self._around.began_ns)
        for text in self._outside.guard.news:
            faults.event("reactor", "guard", text)
        self._expect()
        self._outside.guard.take_over()
        super().on_start()
        self._prove()

    def on_receive(self, message: Heard | Restart | Prove) -> None:
        """Give proof, or look after a child."""
        if isinstance(message, Prove):
            self._prove()
        else:
            super().on_receive(message)

    def on_stop(self) -> None:
        """Make the outputs safe, stop the children, then let go of what they shared."""
        for device in self._devices.values():
            device.tell(Rest())
        super().on_stop()
        self._ticker.stop()
        self._outside.wire.close()
        self._outside.buses.close()
        self._spool.close()

    def _children(self) -> list[Child]:
        """In the order of their start; they are stopped the other way round, the recorder last."""
        around, spool = self._around, self._spool
        hearers = TargetHearers(say=self._say, keep=self._keep)
        makers = Makers(self._sensor_driver, self._device_driver)
        wires = Workbench(self._config, self._outside.boot, around, makers, hearers).wire(self._own_sensor())
        claims = Claims(self._config.interlocks)
        devices = [
            Child(
                f"{DEVICE}{wired.target.name}",
                partial(Device.start, wired=wired, around=around, claims=claims, hearers=hearers),
            )
            for wired in wires.devices
        ]
        sensors = [
            Child(f"{SENSOR}{wired.config.name}", partial(Sensor.start, wired=wired, around=around, asking=asking))
            for wired, asking in wires.sensors
        ]
        longest = {wired.config.name: wired.driver.descriptor.longest_operation for wired, _ in wires.sensors}
        longest |= {wired.target.name: wired.driver.descriptor.longest_operation for wired in wires.devices}
        self._patience = {name: patience([seconds], self._config.pace) for name, seconds in longest.items()}
        self._devices = {child.name.removeprefix(DEVICE): child.post for child in devices}
        self._targets = self._devices | {child.name.removeprefix(SENSOR): child.post for child in sensors}
        waiting = partial(self._shipper.tell, Waiting())
        return [
            Child("recorder", partial(Recorder.start, spool=spool, around=around, waiting=waiting), self._recorder),
            Child("shipper", partial(Shipper.start, spool=spool, around=around, connect=self._ingest), self._shipper),
            *devices,
            *sensors,
            Child("link", self._start_link(wires.inventory), self._link),
        ]

    def _expect(self) -> None:
        """Expect everybody from now on: who hangs at the start is late like any other."""
        progress, now_ns = self._around.progress, self._outside.clock.monotonic_ns()
        for name in self._targets:
            progress.expect(Part.OUTPUTS if name in self._devices else Part.SAMPLING, name, now_ns)
        self._outside.wire.pulse(PROOF, lambda: progress.expect(Part.LINK, "wire", self._now_ns() + SECOND))

    def _prove(self) -> None:
        """Tell the guard how late everything is, and everybody who it is that hangs."""
        progress, faults, now_ns = self._around.progress, self._around.faults, self._now_ns()
        self._outside.guard.prove(progress.lateness(now_ns))
        for part in (Part.SAMPLING, Part.OUTPUTS):
            for name, late in progress.late(part, now_ns).items():
                if late > self._patience[name]:
                    faults.begin(name, "hangs", f"hangs, and should have come round {late:.0f} s ago")
                else:
                    faults.end(name, "hangs")
        self._proof.set(now_ns + round(PROOF * SECOND))

    def _now_ns(self) -> int:
        return self._outside.clock.monotonic_ns()

    def _start_link(self, inventory: Inventory) -> Callable[..., Any]:
        config = self._config
        node = Node(
            label=line(config.label),
            software=self._outside.software,
            instance=self._outside.instance,
            inventory=inventory,
            coordinator=Server("coordinator", config.coordinator, config.coordinator_key),
            epochs=EpochFile(config.state_dir / "epoch"),
        )
        hearers = Hearers(
            database=lambda database: self._shipper.tell(LogTo(database)),
            server_time=lambda *times: self._recorder.tell(ServerClock(*times)),
            asked=self._ask,
        )
        return partial(Link.start, around=self._around, wire=self._outside.wire, node=node, hearers=hearers)

    def _sensor_driver(self, sensor: SensorConfig) -> SensorDriver:
        wiring = Wiring(sensor.address, self._outside.buses, self._outside.clock, sensor.options)
        if sensor.name == SELF:
            return SelfSensor(wiring, self._around, self._spool)
        return self._outside.driver(sensor.driver)(wiring)

    def _device_driver(self, device: DeviceConfig) -> DeviceDriver:
        wiring = Wiring(device.address, self._outside.buses, self._outside.clock, device.options)
        return self._outside.device(device.driver)(wiring)

    def _own_sensor(self) -> SensorConfig:
        return SensorConfig(
            name=SELF,
            label="reactor process",
            driver=SELF,
            address="host",
            live_interval=self._config.status_interval,
            sample_interval=SELF_SAMPLES,
            options={},
            compensation={},
        )

    def _ingest(self, address: str) -> Ingest:
        return Ingest(reach(address, self._config.database_login))

    def _ask(self, asked: Change | Act, at_ns: int, reply_to: int) -> None:
        """Hand on what the manager asks for, on the link's thread."""
        name = asked.document.target if isinstance(asked, Change) else asked.target
        target = self._targets.get(name)
        match asked:
            case Change(document=document) if target is not None:
                target.tell(Follow(document, reply_to))
            case Act() if target is not None:
                target.tell(Do(asked, at_ns, reply_to))
            case Change(document=document):
                self._say(Rejected(target=name, revision=document.revision, reason=f"there is no {name}"), reply_to)
            case Act(act=act, kind=kind):
                self._say(Done(act=act, state="refused", target=name, kind=kind, text=f"there is no {name}"), reply_to)

    def _say(self, message: Message, reply_to: int) -> None:
        self._link.tell(Tell(message, reply_to))

    def _keep(self, rows: Sequence[Row]) -> None:
        self._recorder.tell(Keep(rows))

    def _tell_fault(self, child: str, reason: str | None) -> None:
        source = child.removeprefix(SENSOR).removeprefix(DEVICE)
        if reason is None:
            self._around.faults.end(source, "actor")
        else:
            self._around.faults.begin(source, "actor", f"died and is started again: {reason}")
