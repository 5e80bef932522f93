"""Outputs are made safe whatever some of them do."""

import errno
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Event, Lock

import pytest

from deploy.safekeeping import Safekeeping
from hardware.safe import FileWrite, I2cWrite, LineWrite, SafeWrite, UartWrite
from hardware.safe_writer import Release

LONG = 20.0  # s that a test waits for what comes at once
HEATER = (I2cWrite("/dev/i2c-1", 0x40, b"\x09\x10"), I2cWrite("/dev/i2c-1", 0x40, b"\x06\x00"))
STIRRER = (I2cWrite("/dev/i2c-1", 0x40, b"\x0d\x10"),)
COOLER = (I2cWrite("/dev/i2c-2", 0x40, b"\x09\x10"),)
LIGHT = (FileWrite("/sys/class/pwm/pwmchip0/pwm1/duty_cycle", "0"),)
VALVE = (LineWrite("/dev/gpiochip0", 17, active_low=True, value=False),)
PUMP = (UartWrite("/dev/ttyAMA0", 9600, b"\rX\r"),)
ALL: Mapping[str, tuple[SafeWrite, ...]] = {
    "heater": HEATER,
    "stirrer": STIRRER,
    "cooler": COOLER,
    "light": LIGHT,
    "valve": VALVE,
    "pump": PUMP,
}


@dataclass
class World:
    """Buses that do what a test says: `broken` ones fail, those in `hung` wait until their event is set."""

    written: list[SafeWrite] = field(default_factory=list)
    broken: dict[SafeWrite, Exception] = field(default_factory=dict)
    hung: dict[str, Event] = field(default_factory=dict)
    held: int = 0
    reached: Event = field(default_factory=Event)  # somebody waits for a bus that hangs
    lock: Lock = field(default_factory=Lock)

    def carry_out(self, write: SafeWrite) -> Release | None:
        hangs = self.hung.get(write.chip if isinstance(write, LineWrite) else write.path)
        if hangs is not None:
            self.reached.set()
            assert hangs.wait(LONG)
        with self.lock:
            if write in self.broken:
                raise self.broken[write]
            self.written.append(write)
            self.held += isinstance(write, LineWrite)
        return self.release if isinstance(write, LineWrite) else None

    def release(self) -> None:
        self.held -= 1


@pytest.fixture
def world() -> World:
    return World()


def test_everything_is_written_in_a_devices_order(world: World) -> None:
    outputs = Safekeeping(ALL, world.carry_out)
    outputs.begin(LONG)
    assert outputs.unsafe() == {}
    assert set(world.written) == {write for writes in ALL.values() for write in writes}
    assert [write for write in world.written if write in HEATER] == list(HEATER)


def test_each_round_writes_again(world: World) -> None:
    outputs = Safekeeping(ALL, world.carry_out)
    outputs.begin(LONG)
    world.written.clear()
    outputs.begin(LONG)
    assert len(world.written) == 7
    outputs.go_on(LONG)  # all is safe: nothing to do
    assert len(world.written) == 7


@pytest.mark.parametrize("write", [write for writes in ALL.values() for write in writes], ids=str)
@pytest.mark.parametrize(
    "error", [OSError(errno.EREMOTEIO, "Remote I/O error"), ValueError("no such thing"), ImportError("no gpiod")]
)
def test_one_that_fails_keeps_no_other(world: World, write: SafeWrite, error: Exception) -> None:
    world.broken[write] = error
    outputs = Safekeeping(ALL, world.carry_out)
    outputs.begin(LONG)
    assert set(world.written) == {one for writes in ALL.values() for one in writes} - {write}
    (reason,) = outputs.unsafe().values()
    assert str(error).removeprefix("[Errno 121] ") in reason


def test_what_failed_is_tried_again_as_a_whole_and_nothing_else(world: World) -> None:
    world.broken[HEATER[1]] = OSError(errno.EREMOTEIO, "Remote I/O error")
    outputs = Safekeeping(ALL, world.carry_out)
    outputs.begin(LONG)
    assert outputs.unsafe() == {"heater": "/dev/i2c-1: Remote I/O error"}
    world.broken.clear()
    world.written.clear()
    outputs.go_on(LONG)
    assert world.written == list(HEATER)
    assert outputs.unsafe() == {}


def test_the_place_of_a_failure_is_named(world: World) -> None:
    for write in (LIGHT[0], VALVE[0], PUMP[0]):
        world.broken[write] = OSError(errno.EBUSY, "Device or resource busy")
    outputs = Safekeeping(ALL, world.carry_out)
    outputs.begin(LONG)
    assert outputs.unsafe() == {
        "light": "/sys/class/pwm/pwmchip0/pwm1/duty_cycle: Device or resource busy",
        "valve": "line 17 of /dev/gpiochip0: Device or resource busy",
        "pump": "/dev/ttyAMA0: Device or resource busy",
    }


class Hung:
    """A world whose first I2C bus hangs, and outputs that have been through a round there."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.ends = world.hung["/dev/i2c-1"] = Event()
        self.outputs = Safekeeping(ALL, world.carry_out)
        self.outputs.begin(0.0)
        assert world.reached.wait(LONG)

    def settle(self, done: Callable[[], bool]) -> None:
        """Give the other buses the moment that they need."""
        for _ in range(1000):
            if done():
                return
            Event().wait(0.001)
        raise AssertionError(self.outputs.unsafe())


@pytest.fixture
def hung(world: World) -> Hung:
    return Hung(world)


def test_a_bus_that_hangs_holds_up_its_own_outputs_alone(hung: Hung) -> None:
    hung.settle(lambda: hung.outputs.unsafe() == {"heater": "its bus hangs", "stirrer": "its bus hangs"})
    hung.ends.set()
    hung.settle(lambda: not hung.outputs.unsafe())


def test_a_bus_that_comes_back_while_the_reactor_runs_writes_no_more(hung: Hung) -> None:
    hung.settle(lambda: len(hung.world.written) == 4)
    hung.outputs.let_go(0.0)
    hung.ends.set()
    hung.outputs.let_go(LONG)  # behind everything that was asked of the bus before
    assert [write for write in hung.world.written if write in STIRRER] == []


def test_an_old_success_says_nothing_of_now(hung: Hung) -> None:
    hung.settle(lambda: len(hung.world.written) == 4)
    hung.world.broken = dict.fromkeys(STIRRER, OSError(errno.EIO, "Input/output error"))
    hung.ends.set()
    hung.settle(lambda: hung.outputs.unsafe() == {"stirrer": "/dev/i2c-1: Input/output error"})
    hung.outputs.begin(LONG)
    assert list(hung.outputs.unsafe()) == ["stirrer"]


def test_lines_are_held_until_they_are_let_go(world: World) -> None:
    outputs = Safekeeping(ALL, world.carry_out)
    outputs.begin(LONG)
    outputs.begin(LONG)
    assert world.held == 1
    outputs.let_go(LONG)
    assert world.held == 0


def test_a_line_that_cannot_be_let_go_ends_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone() -> None:
        raise OSError(errno.ENODEV, "No such device")

    monkeypatch.setattr(world, "release", gone)
    outputs = Safekeeping({"valve": VALVE}, world.carry_out)
    outputs.begin(LONG)
    outputs.let_go(LONG)
    outputs.begin(LONG)
    assert len(world.written) == 2


def test_a_device_without_outputs_is_always_safe(world: World) -> None:
    outputs = Safekeeping({"nothing": ()}, world.carry_out)
    outputs.begin(LONG)
    assert outputs.unsafe() == {}
