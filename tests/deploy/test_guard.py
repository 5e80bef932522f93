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
from deploy.proof import NEWS, STARTING, encode
from deploy.restarts import FIRST, LONGEST

if TYPE_CHECKING:
    from deploy.board_watchdog import BoardWatchdog
    from deploy.plain_log import PlainLog
    from deploy.safekeeping import Safekeeping

PATIENCE = 15.0
PROOF = encode([0.0, 0.0, 0.0])
NOTHING: dict[str, str] = {}
BROKEN = {"heater": "Remote I/O error"}


@dataclass
class World:
    """A script: `at` says what happens when; `steps` has what the guard did, with the second in which it did it."""

    folder: Path
    now: float = 0.0
    stop: bool = False
    steps: list[tuple[float, str]] = field(default_factory=list)
    unsafe: list[dict[str, str]] = field(default_factory=list)  # after each attempt; the last stays
    stubborn: bool = False  # the child takes no notice of SIGTERM
    child: str = "none"  # how it ended; empty while it runs
    environment: Mapping[str, str] = field(default_factory=dict)
    proof: bytes | None = PROOF  # what it gives each time that it is heard; none once its pipe is closed
    hangs: tuple[int, float] | None = None  # a part, and since when
    uninterruptible: float = 0.0  # seconds that it is stuck in the kernel after it was killed
    failures: int = 100  # that are too many
    fed: list[float] = field(default_factory=list)  # when the board's watchdog was
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
            assert seconds <= guard.ROUND, "is not awake for too long"
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

    def hear(self) -> bytes | None:
        if self.hangs is None:
            return self.proof
        part, since = self.hangs
        return encode([self.now - since if part == one else 0.0 for one in range(3)])

    def spawn(self, command: list[str], environment: Mapping[str, str]) -> Child:
        self.note(f"start {command[0]}")
        self.environment = environment
        self.child, self.hangs = "", None
        self.proof = PROOF if self.proof is None else self.proof
        return cast("Child", Reactor(self))


@dataclass
class Reactor:
    world: World
    pid: int = 7

    def end(self) -> str:
        return self.world.child

    def hear(self) -> bytes | None:
        return self.world.hear()

    def answer(self) -> None:
        self.world.note("answer")

    def send(self, number: signal.Signals) -> None:
        world = self.world
        world.note(number.name)
        if number is signal.SIGKILL and world.uninterruptible:
            world.at(world.now + world.uninterruptible, lambda: world.dies("got SIGKILL at last"))
        elif number is signal.SIGKILL or not world.stubborn:
            world.dies(f"got {number.name}")


@dataclass
class Watchdog:
    world: World

    def feed(self) -> None:
        self.world.fed.append(self.world.now)

    def release(self) -> None:
        self.world.note("watchdog sleeps")


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
    plan = Plan(
        name="tank",
        outputs={"heater": ()},
        child=["reactor"],
        variables=variables,
        again=["again"],
        file=file,
        stamp=[],
        pace=1.0,
        log_level="info",
        log_format="text",
        lock=5,
        patience=PATIENCE,
        folder=str(world.folder),
        safe_mode=str(world.folder / "safe-mode"),
        failures=world.failures,
        watchdog="",
    )
    outputs, log, watchdog = cast("Safekeeping", Outputs(world)), cast("PlainLog", world.log), Watchdog(world)
    signals, watchdog_ = cast("Signals", world), cast("BoardWatchdog", watchdog)
    return Guard(plan, signals, outputs, log, watchdog_, spawn=world.spawn, now=lambda: world.now).run()


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_from_start_to_stop(world: World) -> None:
    world.at(100.0, world.told_to_stop)
    assert run(world) == 0
    assert world.steps == [
        (0, "make safe"),
        (0, "info: guards 1 outputs"),
        (0, "start reactor"),
        (0, "info: starts the reactor as process 7"),
        (1, "let go"),
        (1, "answer"),
        (100, "SIGTERM"),
        (100, "make safe"),
        (100, "info: the reactor got SIGTERM"),
        (100, "watchdog sleeps"),
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
        (10, f"error: the reactor {how}, 10 s after its start; outputs safe after 0 ms"),
        (10, "info: starts it again in 1 s"),
        (11, "start reactor"),
    ]
    assert world.environment[NEWS] == f"the reactor {how}, 10 s after its start; outputs safe after 0 ms"


def test_what_a_reactor_had_to_tell_the_next_one_has_not(world: World) -> None:
    world.at(10.0, world.dies)
    world.at(30.0, lambda: world.dies("ended with status 1"))
    world.at(40.0, world.told_to_stop)
    run(world)
    assert world.environment[NEWS].startswith("the reactor ended with status 1, ")
    assert "\n" not in world.environment[NEWS]


def test_what_nobody_had_the_time_to_tell_is_kept_for_the_next_but_not_for_ever(world: World) -> None:
    world.proof = b""
    for second in range(10, 1000, 100):
        world.at(float(second), lambda second=second: world.dies(f"ended with status {second}"))  # type: ignore[misc]
    world.at(1000.0, world.told_to_stop)
    run(world)
    told = [line.split(",")[0].split()[-1] for line in world.environment[NEWS].splitlines()]
    assert told == ["510", "610", "710", "810", "910"]


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


# Proof of progress


def kills(world: World) -> list[float]:
    return [second for second, _ in world.done("SIGKILL")]


@pytest.mark.parametrize(("part", "name"), [(0, "sampling"), (1, "outputs"), (2, "the link")])
def test_a_reactor_of_which_a_part_hangs_is_killed_then_made_safe_then_told_of(
    world: World, part: int, name: str
) -> None:
    world.at(50.0, lambda: setattr(world, "hangs", (part, world.now)))
    world.at(70.0, world.told_to_stop)
    run(world)
    (killed,) = kills(world)
    assert 50 + PATIENCE <= killed <= 50 + PATIENCE + guard.ROUND
    at = world.steps.index((killed, "SIGKILL"))
    text = f"the reactor was killed after 15 s without proof from {name}, {killed:.0f} s after its start"
    assert world.steps[at + 1 : at + 3] == [
        (killed, "make safe"),
        (killed, f"error: {text}; outputs safe after 0 ms"),
    ]
    assert world.done("start reactor")[-1][0] == killed + FIRST
    assert world.environment[NEWS].startswith(text)


def test_a_reactor_that_says_nothing_more_is_killed(world: World) -> None:
    world.at(50.0, lambda: setattr(world, "proof", b""))
    world.at(70.0, world.told_to_stop)
    run(world)
    (killed,) = kills(world)
    assert 50 + PATIENCE - guard.ROUND <= killed <= 50 + PATIENCE + guard.ROUND
    assert "without proof from sampling and outputs and the link" in world.environment[NEWS]


def test_a_part_that_is_late_but_comes_round_in_time_is_left_alone(world: World) -> None:
    def slow() -> bytes:
        return encode([world.now % (PATIENCE - 1), 0.0, 0.0])

    world.hear = slow  # type: ignore[method-assign]
    world.at(300.0, world.told_to_stop)
    run(world)
    assert kills(world) == []


def test_a_start_may_take_long_but_not_for_ever_and_the_outputs_stay_the_guards(world: World) -> None:
    world.proof = b""
    world.at(STARTING + 1.5, world.told_to_stop)
    run(world)
    assert kills(world) == [STARTING]
    assert world.done("let go") == []


def test_a_guard_that_was_not_awake_blames_nobody(world: World) -> None:
    """A board that slept, or a machine that stood still, is no reactor that hangs."""
    world.proof = PROOF
    world.at(50.0, lambda: setattr(world, "proof", b""))
    world.at(50.5, lambda: setattr(world, "now", 3600.0))
    world.at(3601.0, lambda: setattr(world, "proof", PROOF))
    world.at(3610.0, world.told_to_stop)
    run(world)
    assert kills(world) == []


def test_a_closed_pipe_is_an_end(world: World) -> None:
    world.at(50.0, lambda: setattr(world, "proof", None))
    world.at(52.0, world.told_to_stop)
    run(world)
    (killed,) = kills(world)
    assert killed == pytest.approx(50 + guard.GOING, abs=0.2)
    assert "was killed after it closed its pipe" in world.environment[NEWS]


def test_a_pipe_that_ends_with_its_process_is_its_end(world: World) -> None:
    world.at(50.0, lambda: setattr(world, "proof", None))
    world.at(50.1, world.dies)
    world.at(50.5, world.told_to_stop)
    run(world)
    assert kills(world) == []


def test_what_can_be_made_safe_is_while_the_reactor_is_stuck_in_the_kernel(world: World) -> None:
    world.uninterruptible = 30.0
    world.at(50.0, lambda: setattr(world, "proof", b""))
    world.at(96.0, world.told_to_stop)
    run(world)
    (killed,) = kills(world)
    safe = [second for second, _ in world.done("make safe") if second >= killed]
    assert safe[0] <= killed + guard.STUCK + guard.SHORT
    assert safe[-1] >= killed + 30
    assert not [one for one in world.done("start reactor") if killed <= one[0] < killed + 30]


def test_who_hangs_while_it_stops_has_the_time_that_it_has(world: World) -> None:
    world.stubborn = True
    world.at(50.0, lambda: setattr(world, "proof", b""))
    world.at(55.0, world.told_to_stop)
    run(world)
    assert kills(world) == [pytest.approx(55 + STOPPING, abs=0.2)]


def test_the_watchdog_is_fed_every_round_whatever_happens_and_sleeps_in_the_end(world: World) -> None:
    world.at(10.0, world.dies)
    world.at(30.0, lambda: setattr(world, "proof", b""))
    world.at(100.0, world.told_to_stop)
    run(world, [NOTHING])
    pauses = [after - before for before, after in zip(world.fed, world.fed[1:], strict=False)]
    assert max(pauses) <= guard.ROUND
    assert world.fed[-1] >= 99
    assert world.done("watchdog sleeps") == [(100.0, "watchdog sleeps")]


# Safe mode


def test_a_reactor_that_keeps_ending_is_put_into_safe_mode(world: World) -> None:
    world.failures = 3
    file = world.folder / "safe-mode"
    for second in (30.0, 60.0):
        world.at(second, world.dies)
    world.at(80.0, lambda: world.note(f"safe mode: {file.exists()}"))
    world.at(90.0, world.dies)
    world.at(95.0, world.told_to_stop)
    run(world)
    assert world.done("safe mode: False")
    reason = file.read_text()
    assert reason.startswith("3 ends within 10 min; the last: the reactor was killed by SIGKILL, 2")
    assert world.done(f"error: safe mode: {reason}") == [(90.0, f"error: safe mode: {reason}")]
    assert world.done("start reactor")[-1][0] > 90  # it samples all the same


def test_ends_that_are_far_apart_are_no_reason(world: World) -> None:
    world.failures = 3
    for second in (100.0, 350.0, 701.0):
        world.at(second, world.dies)
    world.at(720.0, world.told_to_stop)
    run(world)
    assert not (world.folder / "safe-mode").exists()


def test_nor_are_those_of_a_reactor_that_never_had_the_outputs(world: World) -> None:
    world.failures = 1
    world.proof = b""
    world.at(5.0, lambda: world.dies("ended with status 78"))
    world.at(6.0, world.told_to_stop)
    run(world)
    assert not (world.folder / "safe-mode").exists()


def test_the_next_guard_learns_which_child_was_the_last_ones(world: World) -> None:
    world.at(5.0, world.told_to_stop)
    run(world)
    assert (world.folder / "child").read_text() == "7"
