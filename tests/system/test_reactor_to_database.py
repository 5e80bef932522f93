"""A reactor with real drivers, a simulated vessel and the real QuestDB: no coordinator, no manager."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import zmq

from actors.config import DatabaseLogin, ReactorConfig, SensorConfig
from actors.reactor import Outside, Reactor
from hardware.buses import Buses
from hardware.clock import SystemClock, boot_id
from hardware.drivers.ezo_do import EzoDo
from hardware.drivers.ezo_ph import EzoPh
from hardware.drivers.ezo_rtd import EzoRtd
from hardware.registry import device_class
from hardware.vessel.main import load, run
from storage import queries
from storage.schema import ensure_schema
from storage.spool import Spool
from tests.conftest import Server
from transport.keys import KeyPair
from transport.messages import Database
from transport.wire import Wire

pytestmark = pytest.mark.system

PACE = 10.0
SAMPLES = 5.0  # seconds at pace 1
DRIVERS = {"ezo-rtd": EzoRtd, "ezo-ph": EzoPh, "ezo-do": EzoDo}
VESSEL = """
[circuits.water]
kind = "rtd"
[circuits.ph]
kind = "ph"
[circuits.oxygen]
kind = "do"
"""


@contextmanager
def vessel(folder: Path) -> Iterator[Path]:
    """A vessel on a thread of its own; the path of its I2C bus."""
    file = folder / "vessel.toml"
    file.write_text(VESSEL)
    config = load(file, folder / "vessel")
    config = replace(config, running=replace(config.running, pace=PACE))
    stop = threading.Event()
    thread = threading.Thread(target=run, args=(config, stop))
    thread.start()
    bus = folder / "vessel" / "i2c.sock"
    try:
        wait_for(bus.exists)
        yield bus
    finally:
        stop.set()
        thread.join()


def wait_for(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


def configure(bus: Path, folder: Path, login: DatabaseLogin) -> ReactorConfig:
    def sensor(name: str, driver: str, address: int, compensated: bool) -> SensorConfig:
        return SensorConfig(
            name=name,
            label=name,
            driver=driver,
            address=f"{bus}:{address}",
            live_interval=SAMPLES,
            sample_interval=SAMPLES,
            options={},
            compensation={"temperature": ("water", "temperature")} if compensated else {},
        )

    return ReactorConfig(
        name="tank",
        label="Tank",
        sensors=(
            sensor("water", "ezo-rtd", 102, compensated=False),
            sensor("ph", "ezo-ph", 99, compensated=True),
            sensor("oxygen", "ezo-do", 97, compensated=True),
        ),
        state_dir=folder,
        coordinator="tcp://127.0.0.1:1",  # nobody
        coordinator_key=make_keys().public,
        database_login=login,
        status_interval=5.0,
        spool_limit=10**8,
        spool_retention=3600.0,
        pace=PACE,
    )


def make_keys() -> KeyPair:
    public, secret = zmq.curve_keypair()
    return KeyPair(public.decode(), secret.decode())


@contextmanager
def reactor(config: ReactorConfig) -> Iterator[None]:
    clock = SystemClock(PACE)
    outside = Outside(
        software="1.2.3",
        instance="one",
        boot=boot_id(),
        clock=clock,
        disciplined=lambda: True,
        driver=DRIVERS.__getitem__,
        device=device_class,
        buses=Buses(),
        wire=Wire(make_keys(), clock),
    )
    ready = threading.Event()
    ref = Reactor.start(config, outside, ready)
    try:
        assert ready.wait(10)
        yield
    finally:
        ref.stop()


def spool_of(folder: Path) -> Spool:
    return Spool(folder / "spool.sqlite", clock=SystemClock(), boot=boot_id(), limit=10**8, retention=3600.0)


def test_samples_reach_the_database_once_through_its_death_and_a_restart(own_questdb: Server, tmp_path: Path) -> None:
    with closing(own_questdb.client()) as client, vessel(tmp_path) as bus:
        identity = ensure_schema(client)
        config = configure(bus, tmp_path, own_questdb.owner)
        with closing(spool_of(tmp_path)) as spool:  # as if a coordinator had named it in an earlier life
            spool.set_destination(
                Database(
                    address=own_questdb.address,
                    identity=identity.identity,
                    incarnation=identity.incarnation,
                    schema_major=identity.schema_major,
                    schema_minor=identity.schema_minor,
                )
            )
        with reactor(config):
            wait_for(lambda: queries.count_samples(client).get("tank", 0) >= 20)
            own_questdb.kill()
            time.sleep(2)  # four ticks of each sensor
            own_questdb.start()
            wait_for(lambda: queries.count_samples(client).get("tank", 0) >= 40)
        with reactor(config):
            time.sleep(1)
        with closing(spool_of(tmp_path)) as spool, reactor(config):
            wait_for(lambda: spool.backlog().waiting == 0)
        assert queries.sample_gaps(client, "tank") == []
        assert queries.event_gaps(client, "tank") == []
        for sensor in ("water", "ph", "oxygen"):
            assert queries.missed_ticks(client, "tank", sensor, SAMPLES / PACE) == []
        worst = client.query("SELECT DISTINCT quality FROM samples WHERE sensor IN ('water', 'ph', 'oxygen')")
        assert worst == [("ok",)]
