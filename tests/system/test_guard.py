"""The guard with a real reactor on a vessel: what the journal says of the outputs, whatever ends."""

import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import psutil
import pytest

from hardware.vessel.client import send
from tests.system.guarded import CLOCK, SWITCHED, WITHIN, Guarded, is_gone, running, wait_for

KILLS = int(os.environ.get("GUARD_KILLS", "20"))  # more of them prove more, and take 2 s each
pytestmark = [pytest.mark.system, pytest.mark.timeout(300 + 10 * KILLS)]
ALL = (*SWITCHED, "acid", "base")
ACID = 0x67
LIGHT = 15 << 20  # bytes resident


@pytest.fixture
def tank(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    made = Guarded(tmp_path, tmp_path_factory.getbasetemp() / "compiled")
    yield made
    made.close()


def dose(tank: Guarded) -> None:
    """Have both pumps run until somebody stops them."""
    send(tank.vessel / "i2c.sock", ACID, b"D,*")
    port = os.open(tank.vessel / "uart-base", os.O_WRONLY | os.O_NOCTTY)
    os.write(port, b"\rD,*\r")
    os.close(port)
    wait_for(lambda: tank.are_on("acid", "base"), "pumps that run")


def end(tank: Guarded, reactor: psutil.Process, number: signal.Signals) -> dict[str, float]:
    """End the reactor; gives the seconds until each output was safe."""
    ended_ns = CLOCK.monotonic_ns()
    reactor.send_signal(number)
    return tank.seconds_to_safe(ended_ns, *ALL)


def test_outputs_are_safe_within_a_second_of_every_kill(tank: Guarded) -> None:
    tank.start()
    reactor, slowest = None, []
    for _ in range(KILLS):
        reactor = running(tank, reactor)
        dose(tank)
        slowest.append(1000 * max(end(tank, reactor, signal.SIGKILL).values()))
    assert max(slowest) < 1000
    told = ", ".join(f"{how.__name__} {how(slowest):.0f}" for how in (min, median, max))
    report(f"{KILLS} kills, ms until the slowest output was safe: {told}")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGSEGV])
def test_any_other_end_is_the_same(tank: Guarded, number: signal.Signals) -> None:
    tank.start()
    reactor = running(tank)
    end(tank, reactor, number)
    running(tank, reactor)
    how = "ended with status 0" if number is signal.SIGTERM else f"was killed by {number.name}"
    assert tank.said(f"the reactor {how}")


def test_it_stops_in_order(tank: Guarded) -> None:
    tank.start()
    reactor = running(tank)
    dose(tank)
    told_ns = CLOCK.monotonic_ns()
    os.kill(tank.pid, signal.SIGTERM)
    assert tank.wait() == 0
    assert is_gone(reactor)
    assert tank.said("INFO    reactor tank: stops")
    assert max(tank.seconds_to_safe(told_ns, *ALL).values()) < WITHIN


def test_a_reactor_whose_guard_is_killed_ends_and_the_next_guard_waits_for_it(tank: Guarded) -> None:
    tank.start()
    reactor = running(tank)
    dose(tank)
    killed_ns = CLOCK.monotonic_ns()
    os.kill(tank.pid, signal.SIGKILL)
    tank.wait()
    tank.start()
    tank.seconds_to_safe(killed_ns, "acid")
    running(tank, reactor)
    assert is_gone(reactor)
    assert not tank.said("in use by process")


def test_it_is_light(tank: Guarded) -> None:
    resident = 0
    for _ in range(2):  # the first one may have to compile
        tank.start()
        running(tank)
        resident = psutil.Process(tank.pid).memory_info().rss
        assert psutil.Process(tank.pid).cmdline()[0] == "reactorium guard tank"
        os.kill(tank.pid, signal.SIGTERM)
        tank.wait()
    report(f"a guard of five outputs has {resident / (1 << 20):.1f} MiB resident")
    assert resident < LIGHT


def test_a_chip_that_fails_keeps_no_other_and_is_tried_again(tank: Guarded) -> None:
    tank.start(pace=1.0)
    reactor = running(tank)
    dose(tank)
    control = tank.control()
    control.fault("pca9685-0x40", "absent")
    killed_ns = CLOCK.monotonic_ns()
    reactor.kill()
    assert max(tank.seconds_to_safe(killed_ns, "light", "air", "acid").values()) < 1.0
    wait_for(lambda: tank.said("heater is not safe"), "a word about the heater")
    assert tank.are_on("heater")
    control.clear()
    tank.seconds_to_safe(killed_ns, "heater")
    wait_for(lambda: tank.said("heater is safe now"), "a good word about the heater")
    control.close()


def test_a_bus_that_hangs_holds_up_no_other(tank: Guarded) -> None:
    tank.start()
    reactor = running(tank)
    control = tank.control()
    control.fault("bus", "hang")
    killed_ns = CLOCK.monotonic_ns()
    reactor.kill()
    assert max(tank.seconds_to_safe(killed_ns, "light", "air").values()) < 1.0
    control.clear()
    control.close()


def test_an_edited_file_is_read_before_the_next_start(tank: Guarded) -> None:
    tank.start()
    reactor = running(tank)
    text = tank.file.read_text(encoding="utf-8").replace("settings = { on = true }", "options.safe = true")
    tank.file.write_text(text.replace("options = { active_low = true }", "options.active_low = true"), encoding="utf-8")
    reactor.kill()
    wait_for(lambda: tank.said("is another: reads it again"), "a look at the file")
    wait_for(lambda: tank.reactor() not in {None, reactor}, "another reactor")
    os.kill(tank.pid, signal.SIGTERM)
    assert tank.wait() == 0
    assert tank.levels()["air"][1] > 0  # which is safe now
    assert not tank.levels()["heater"][1]


def test_a_wrong_file_is_said_and_nothing_is_started(tank: Guarded) -> None:
    tank.file.write_text(tank.file.read_text(encoding="utf-8").replace("0x40:3", "0x40:33"), encoding="utf-8")
    tank.start()
    assert tank.wait() == 78
    assert re.search(r"tank\.toml: \[\[devices\]\] heater: address .*0x40:33.* not 33", tank.log.read_text())
    assert tank.written() == []


def report(text: str) -> None:
    """Leave a line for the person who looks at the run (pytest -s)."""
    print(f"\n{time.strftime('%H:%M:%S')} {text}")  # noqa: T201 - a measurement
