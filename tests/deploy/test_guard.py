"""What a guard does, in which order, with a child, outputs and time that a test makes."""

import heapq
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from deploy import guard
from deploy.guard import AT_END, BEFORE_START, STOPPING, Child, Guard, Signals
from deploy.guard_plan import Plan
from deploy.restarts import FIRST, LONGEST

if TYPE_CHECKING:
    from deploy.plain_log import PlainLog
    from deploy.safekeeping import Safekeeping

NOTHING: dict[str, str] = {}
BROKEN = {"heater": "Remote I/O error"}


@dataclass
class World:
    """A script: `at` says what happens when; `steps` has what the guard did, with the second in which it did it."""

    now: float = 0.0
    stop: bool = False
    steps: list[tuple[float, str]] = field(default_factory=list)
    unsafe: list[dict[str, str]] = field(default_factory=list)  # after each attempt; the last stays
    stubborn: bool = False  # the child takes no notice of SIGTERM
    child: str = "none"  # how it ended; empty while it runs
    environment: Mapping[str, str] = field(default_factory=dict)
    _due: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)

    def at(self, second: float, happens: Callable[[], None]) -> None:
        heapq.heappush(self._due, (second, len(self._due), happens))

    def note(self, step: str) -> None:
        self.steps.append((round(self.now, 3), step))

    def done(self, *which: str) -> list[tuple[float, str]]:
        return [step for step in self.steps if step[1] in which]

    def told_to_stop(self) -> None:
        self.stop = True

    def dies(self, how: str = "was killed by SIGKILL") -> None:
        self.child = how

    # what the guard sees

    def wait(self, seconds: float) -> None:
        end = self.now + seconds
        if self._due and self._due[0][0] <= end:
            self.now, _, happens = heapq.heappop(self._due)
            happens()
        else:
            assert seconds < guard.LONG, "waits for ever"
            self.now = end

    def begin(self, _seconds: float) -> None:
        self.note("make safe")

    def go_on(self, _seconds: float) -> None:
        self.note("try again")
        if len(self.unsafe) > 1:
            self.unsafe.pop(0)

    def let_go(self, _seconds: float) -> None:
        self.note("let go")

    def log(self, level: str, text: str) -> None:
        self.note(f"{level}: {text}")

    def spawn(self, command: list[str], environment: Mapping[str, str]) -> Child:
        self.note(f"start {command[0]}")
        self.environment = environment
        self.child = ""
        return cast("Child", Reactor(self))


@dataclass
class Reactor:
    world: World
    pid: int = 7

    def end(self) -> str:
        return self.world.child

    def send(self, number: signal.Signals) -> None:
        self.world.note(number.name)
        if number is signal.SIGKILL or not self.world.stubborn:
            self.world.dies(f"got {number.name}")


@dataclass
class Outputs:
    world: World

    def __getattr__(self, name: str) -> Callable[[float], None]:
        return cast("Callable[[float], None]", getattr(self.world, name))

    def unsafe(self) -> dict[str, str]:
        return self.world.unsafe[0]


def run(world: World, unsafe: Sequence[dict[str, str]] = (NOTHING,), file: str = "/nowhere/tank.toml") -> int:
    world.unsafe = list(unsafe)
    variables = {"REACTORIUM_PARENT": "7"}
    plan = Plan("tank", {"heater": ()}, ["reactor"], variables, ["again"], file, [], 1.0, "info", "text", 5)
    outputs, log = cast("Safekeeping", Outputs(world)), cast("PlainLog", world.log)
    return Guard(plan, cast("Signals", world), outputs, log, spawn=world.spawn, now=lambda: world.now).run()


@pytest.fixture
def world() -> World:
    return World()


def test_from_start_to_stop(world: World) -> None:
    world.at(100.0, world.told_to_stop)
    assert run(world) == 0
    assert world.steps == [
        (0, "make safe"),
        (0, "info: guards 1 outputs"),
        (0, "let go"),
        (0, "start reactor"),
        (0, "info: starts the reactor as process 7"),
        (100, "SIGTERM"),
        (100, "make safe"),
        (100, "info: the reactor got SIGTERM"),
        (100, "info: stops"),
    ]
    assert world.environment["REACTORIUM_PARENT"] == "7"


@pytest.mark.parametrize("how", ["was killed by SIGKILL", "ended with status 0", "ended with status 78"])
def test_an_end_however_it_came_about_makes_safe_before_anything_is_told(world: World, how: str) -> None:
    world.at(10.0, lambda: world.dies(how))
    world.at(20.0, world.told_to_stop)
    run(world)
    assert [step for step in world.steps if step[0] >= 10][:4] == [
        (10, "make safe"),
        (10, f"error: the reactor {how} after 10 s and is started again in 1 s"),
        (11, "let go"),
        (11, "start reactor"),
    ]


def test_a_child_that_keeps_ending_is_started_ever_later(world: World) -> None:
    class Short(Reactor):
        def end(self) -> str:
            return "ended with status 1"

    world.spawn = lambda command, environment: (  # type: ignore[method-assign]
        World.spawn(world, command, environment),
        cast("Child", Short(world)),
    )[1]
    world.at(1000.0, world.told_to_stop)
    run(world)
    starts = [second for second, _ in world.done("start reactor")]
    assert starts[:4] == [0, FIRST, 3 * FIRST, 7 * FIRST]
    assert starts[-1] - starts[-2] == LONGEST
    assert len(world.done("make safe")) == len(starts) + 1


def test_who_does_not_stop_is_killed(world: World) -> None:
    world.stubborn = True
    world.at(5.0, world.told_to_stop)
    assert run(world) == 0
    (told,), (killed,) = world.done("SIGTERM"), world.done("SIGKILL")
    assert told[0] == 5
    assert killed[0] == pytest.approx(5 + STOPPING, abs=0.2)
    assert world.done("make safe")[-1][0] >= killed[0]


def test_who_ends_while_it_is_told_to_stop_is_not_killed(world: World) -> None:
    world.stubborn = True
    world.at(5.0, world.told_to_stop)
    world.at(6.0, lambda: world.dies("ended with status 0"))
    assert run(world) == 0
    assert world.done("SIGTERM", "SIGKILL") == [(5, "SIGTERM")]
    assert world.steps[-1] == (6, "info: stops")


def test_what_is_not_safe_at_the_start_is_tried_again_for_a_while(world: World) -> None:
    world.at(100.0, world.told_to_stop)
    assert run(world, [BROKEN]) == 1
    (started,) = world.done("start reactor")
    assert BEFORE_START <= started[0] < BEFORE_START + 1
    assert len(world.done("try again")) > 10
    assert len(world.done("error: heater is not safe: Remote I/O error")) == 1
    assert 100 + AT_END <= world.now < 100 + AT_END + 1


def test_the_start_does_not_wait_longer_than_it_has_to(world: World) -> None:
    world.at(100.0, world.told_to_stop)
    assert run(world, [BROKEN, BROKEN, {"heater": "busy"}, NOTHING]) == 0
    (started,) = world.done("start reactor")
    assert started[0] == pytest.approx(0.6)
    assert [text for _, text in world.steps if "heater" in text] == [
        "error: heater is not safe: Remote I/O error",
        "error: heater is not safe: busy",
        "info: heater is safe now",
    ]


def test_nothing_is_written_while_the_reactor_runs(world: World) -> None:
    world.at(50.0, world.told_to_stop)
    run(world, [BROKEN])
    (started,) = world.done("start reactor")
    assert not [one for one in world.done("make safe", "try again") if started[0] < one[0] < 50]


def test_what_is_not_safe_is_tried_again_until_the_next_start(world: World) -> None:
    def dies() -> None:
        world.dies()
        world.unsafe.insert(0, BROKEN)

    world.at(10.0, dies)
    world.at(30.0, world.told_to_stop)
    run(world)
    assert world.done("try again") == [(10.2, "try again")]
    assert world.done("start reactor")[-1] == (11, "start reactor")


def test_told_to_stop_between_two_runs_ends_at_once(world: World) -> None:
    world.at(10.0, world.dies)
    world.at(10.5, world.told_to_stop)
    assert run(world) == 0
    assert world.now == 10.5
    assert len(world.done("start reactor")) == 1


def test_told_to_stop_before_the_first_run_starts_nothing(world: World) -> None:
    world.at(0.5, world.told_to_stop)
    assert run(world, [BROKEN]) == 1
    assert world.done("start reactor") == []


class Became(BaseException):
    """This process is another program now."""


@pytest.fixture
def became(monkeypatch: pytest.MonkeyPatch) -> None:
    def execv(path: str, words: list[str]) -> None:
        assert words[0] == path
        raise Became(path)

    monkeypatch.setattr("deploy.guard.os.execv", execv)


@pytest.mark.usefixtures("became")
def test_another_file_is_read_before_the_next_start(world: World, tmp_path: Path) -> None:
    file = tmp_path / "tank.toml"
    given_back: list[float] = []
    world.give_back = lambda: given_back.append(world.now)  # type: ignore[attr-defined]
    world.at(10.0, file.touch)
    world.at(20.0, world.dies)
    with pytest.raises(Became, match="again"):
        run(world, file=str(file))
    assert given_back == [21]
    assert world.done("make safe")[-1] == (20, "make safe")


def test_a_program_that_cannot_be_started_is_one_that_has_ended() -> None:
    child = Child(["/nowhere/reactor"], {})
    assert child.end() == "cannot be started: No such file or directory"


def test_it_loads_nothing_that_costs_memory() -> None:
    heavy = {
        "pykka",
        "zmq",
        "msgspec",
        "msgpack",
        "questdb",
        "loguru",
        "environs",
        "smbus2",
        "serial",
        "gpiod",
        "ctypes",
    }
    modules = "import sys, deploy.guard, hardware.vessel.client; print(*sys.modules)"
    answer = subprocess.run([sys.executable, "-c", modules], check=True, capture_output=True, text=True)
    loaded = set(answer.stdout.split())
    assert "hardware.safe_writer" in loaded
    assert loaded & heavy == set()
    assert loaded & {"actors", "storage", "transport", "hardware.buses"} == set()


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (0, "ended with status 0"),
        (78, "ended with status 78"),
        (-9, "was killed by SIGKILL"),
        (-40, "was killed by 40"),
    ],
)
def test_an_end_in_words(code: int, text: str) -> None:
    assert guard._describe(code).replace("signal ", "") == text
