"""The reactor: root of the actors beside one vessel. It makes what they share, and keeps them alive."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from actors.config import ReactorConfig, SensorConfig
from actors.keeper import Child, Keeper, Post
from actors.link import EpochFile, Hearers, Link, Node
from actors.link_core import Server
from actors.live import Around, Faults, Live, Vitals
from actors.recorder import Keep, Recorder, ServerClock
from actors.schedule import Schedule
from actors.self_sensor import NAME as SELF
from actors.self_sensor import SelfSensor
from actors.sensor import Sensor, Wired
from actors.shipper import LogTo, Shipper, Waiting
from actors.ticker import Ticker
from actors.timebase import Timebase
from hardware.buses import Buses
from hardware.clock import Clock
from hardware.driver import SensorDriver, Wiring
from storage.ilp import Ingest
from storage.questdb import QuestDB
from storage.rows import Sample
from storage.spool import Spool
from transport.liveness import GRACE, MISSED_STALE
from transport.messages import QuantityInfo, SensorInfo, line
from transport.wire import Wire

SELF_SAMPLES = 600.0  # seconds between two kept readings of `self`
SENSOR = "sensor "  # before a sensor's name in that of its child, apart from ours


@dataclass(frozen=True, slots=True)
class Outside:
    """What a reactor finds around it.

    `driver` gives a driver's class by its name, `boot` is the id of this boot, `disciplined` whether NTP disciplines
    the machine's clock. The reactor closes `buses` and `wire` when it stops.
    """

    software: str
    boot: str
    clock: Clock
    disciplined: Callable[[], bool]
    driver: Callable[[str], type[SensorDriver]]
    buses: Buses
    wire: Wire


class Reactor(Keeper):
    """Starts recorder, shipper, sensors and link. Sampling waits for nobody outside.

    `Reactor.start(config, outside, ready)` raises `BadConfiguration` for a sensor that its driver cannot take, and
    leaves `outside` to its caller then; `ready` is set while every child is ready.
    """

    def __init__(self, config: ReactorConfig, outside: Outside, ready: threading.Event) -> None:
        clock = outside.clock
        sensors = _sensors(config)
        self._config = config
        self._outside = outside
        self._ticker = Ticker(clock)
        self._recorder, self._shipper = Post(), Post()
        self._spool = Spool(
            config.state_dir / "spool.sqlite",
            clock=clock,
            boot=outside.boot,
            limit=config.spool_limit,
            retention=config.spool_retention,
        )
        self._around = Around(
            reactor=config.name,
            clock=clock,
            ticker=self._ticker,
            timebase=Timebase(outside.boot, outside.disciplined),
            live=Live(clock, {sensor.name: _stale_after(sensor) for sensor in sensors}),
            vitals=Vitals(),
            faults=Faults(config.name, clock, lambda event: self._recorder.tell(Keep([event]))),
        )
        children = self._children(sensors)
        super().__init__(children, ticker=self._ticker, clock=clock, fault=self._tell_fault, ready=ready)

    def on_start(self) -> None:
        """Say that we started, and start the children."""
        self._ticker.start()
        self._around.faults.event("reactor", "started", f"reactorium {self._outside.software}")
        super().on_start()

    def on_stop(self) -> None:
        """Stop the children, then let go of what they shared."""
        super().on_stop()
        self._ticker.stop()
        self._outside.wire.close()
        self._outside.buses.close()
        self._spool.close()

    def _children(self, sensors: Sequence[SensorConfig]) -> list[Child]:
        """In the order of their start; they are stopped the other way round, the recorder last."""
        around, spool = self._around, self._spool
        origin_ns = around.clock.monotonic_ns()
        wired = [
            Wired(
                sensor.name,
                self._driver(sensor),
                Schedule(origin_ns, sensor.live_interval, sensor.sample_interval),
                sensor.compensation,
            )
            for sensor in sensors
        ]
        keep = partial(_keep, self._recorder)
        link = partial(
            Link.start,
            around=around,
            wire=self._outside.wire,
            node=self._node(sensors, [one.driver for one in wired]),
            hearers=Hearers(
                database=lambda database: self._shipper.tell(LogTo(database)),
                server_time=lambda at_ns, time_us: self._recorder.tell(ServerClock(at_ns, time_us)),
            ),
        )
        waiting = partial(self._shipper.tell, Waiting())
        return [
            Child("recorder", partial(Recorder.start, spool=spool, around=around, waiting=waiting), self._recorder),
            Child("shipper", partial(Shipper.start, spool=spool, around=around, connect=self._ingest), self._shipper),
            *(
                Child(f"{SENSOR}{one.name}", partial(Sensor.start, wired=one, around=around, keep=keep))
                for one in wired
            ),
            Child("link", link),
        ]

    def _driver(self, sensor: SensorConfig) -> SensorDriver:
        wiring = Wiring(sensor.address, self._outside.buses, self._outside.clock, sensor.options)
        if sensor.name == SELF:
            return SelfSensor(wiring, self._around, self._spool)
        return self._outside.driver(sensor.driver)(wiring)

    def _node(self, sensors: Sequence[SensorConfig], drivers: Sequence[SensorDriver]) -> Node:
        config = self._config
        return Node(
            label=line(config.label),
            software=self._outside.software,
            sensors=[_info(sensor, driver) for sensor, driver in zip(sensors, drivers, strict=True)],
            coordinator=Server("coordinator", config.coordinator, config.coordinator_key),
            epochs=EpochFile(config.state_dir / "epoch"),
        )

    def _ingest(self, address: str) -> Ingest:
        login = self._config.database_login
        return Ingest(QuestDB(address, login.user, login.password))

    def _tell_fault(self, child: str, reason: str | None) -> None:
        source = child.removeprefix(SENSOR)
        if reason is None:
            self._around.faults.end(source, "actor")
        else:
            self._around.faults.begin(source, "actor", f"died and is started again: {reason}")


def _sensors(config: ReactorConfig) -> list[SensorConfig]:
    """What is wired, at the pace of this node, and `self`."""
    wired = [
        replace(
            sensor,
            live_interval=sensor.live_interval / config.pace,
            sample_interval=sensor.sample_interval / config.pace,
        )
        for sensor in config.sensors
    ]
    own = SensorConfig(
        name=SELF,
        label="reactor process",
        driver=SELF,
        address="host",
        live_interval=config.status_interval,
        sample_interval=SELF_SAMPLES,
        options={},
        compensation={},
    )
    return [*wired, own]


def _stale_after(sensor: SensorConfig) -> float:
    """Two readings missed, and the wire's grace; seconds."""
    return MISSED_STALE * min(sensor.live_interval, sensor.sample_interval) + GRACE


def _info(sensor: SensorConfig, driver: SensorDriver) -> SensorInfo:
    return SensorInfo(
        name=sensor.name,
        label=line(sensor.label),
        driver=line(sensor.driver),
        address=line(sensor.address),
        quantities=[
            QuantityInfo(name=one.name, unit=one.unit, low=one.low, high=one.high, decimals=one.decimals)
            for one in driver.quantities
        ],
        live_interval=sensor.live_interval,
        sample_interval=sensor.sample_interval,
    )


def _keep(recorder: Post, rows: Sequence[Sample]) -> None:
    recorder.tell(Keep(rows))
