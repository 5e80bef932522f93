"""Boards that boot in 1970 or 2038, clocks that jump in the middle of everything: recorder, timebase, real spool."""

import sqlite3
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import example, given, settings
from hypothesis import strategies as st

from actors.live import Around, Faults, Live, Vitals
from actors.recorder import Keep, Recorder, ServerClock
from actors.ticker import SECOND, Ticker
from actors.timebase import DRIFT_US, Timebase
from storage.rows import Sample
from storage.spool import Spool
from tests.actors.conftest import START_NS, START_US, FakeClock, Kept, Kernel

YEAR = 366 * 86_400.0
LATENCY = 0.25  # seconds that the server's time may be old
TOLERANCE_US = DRIFT_US + round(LATENCY * 1e6)
JUMPS = {"1970": -56 * YEAR, "2038": 12 * YEAR, "an hour back": -3600.0, "an hour on": 3600.0, "a bit": 0.4}


class Board:
    """A recorder that was not started, on a board whose clock does what a test likes. `truth` is the real time."""

    def __init__(self, folder: Path) -> None:
        self.clock, self.kernel, self.path = FakeClock(), Kernel(), folder / "spool.sqlite"
        self.kernel.disciplined = False
        self.kept = Kept()
        self.start()

    def start(self) -> None:
        """Start the reactor, again perhaps, in the same boot."""
        ticker = Ticker(self.clock)
        self.spool = Spool(self.path, clock=self.clock, boot="boot", limit=10_000_000, retention=600)
        self.around = Around(
            reactor="tank",
            began_ns=self.clock.monotonic_ns(),
            clock=self.clock,
            ticker=ticker,
            timebase=Timebase("boot", self.kernel),
            live=Live(self.clock, {}),
            vitals=Vitals(),
            faults=Faults("tank", self.clock, lambda event: self.kept([event])),
        )
        self.recorder = Recorder(lambda _: None, self.spool, self.around, lambda: None)
        self.recorder.begin()

    def truth(self, ns: int) -> int:
        return START_US + (ns - START_NS) // 1000

    def jump(self, seconds: float) -> None:
        """Somebody sets the clock, which ends its being disciplined, or a battery was empty."""
        self.kernel.disciplined = False
        self.clock.step_wall(seconds)

    def ntp(self) -> None:
        self.clock.ahead_us = START_US - START_NS // 1000
        self.kernel.disciplined = True

    def server(self, latency: float) -> None:
        at_ns = self.clock.monotonic_ns()
        asked_ns = at_ns - round(latency * SECOND)
        self.recorder.handle(ServerClock(asked_ns, at_ns, self.truth(asked_ns)))

    def sample(self) -> None:
        self.recorder.handle(Keep([Sample("tank", "ph", "ph", 7.0, "pH", "ok", self.clock.monotonic_ns())]))

    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.around.ticker.ring()
        while not self.recorder.actor_inbox.empty():
            self.recorder.handle(self.recorder.actor_inbox.get().message)

    def rows(self) -> list[tuple[int, int | None]]:
        """When each row was taken, and its date."""
        with closing(sqlite3.connect(self.path)) as file:
            return file.execute("SELECT taken_ns, wall_us FROM rows ORDER BY id").fetchall()

    def check(self) -> None:
        """Every date is right, none is in the future, and what is not known has none."""
        now_us = self.truth(self.clock.monotonic_ns())
        known = self.around.timebase.anchor is not None
        for taken_ns, wall_us in self.rows():
            assert (wall_us is not None) == known
            if wall_us is not None:
                assert abs(wall_us - self.truth(taken_ns)) <= TOLERANCE_US
                assert wall_us <= now_us + DRIFT_US
        assert ("clock: the time is not known: rows wait undated" in self.around.faults.current()) != known


STEPS = st.lists(
    st.one_of(
        st.sampled_from([*JUMPS, "ntp", "sample", "restart"]),
        st.floats(0.0, LATENCY),  # the server's time, so old
        st.integers(1, 100),  # seconds that pass
    ),
    max_size=25,
)


@settings(max_examples=25)
@example(["sample", "1970", "sample", 0.1, "2038", "sample", 10, "sample", "restart", "sample"])
@example(["2038", "sample", "ntp", 10, "sample", "an hour on", 20, "sample", "ntp", 10])
@given(STEPS)
def test_rows_are_dated_once_the_time_is_known_and_never_wrong(steps: list[str | float | int]) -> None:
    with TemporaryDirectory() as folder:
        board = Board(Path(folder))
        for step in steps:
            match step:
                case "ntp":
                    board.ntp()
                case "sample":
                    board.sample()
                case "restart":
                    board.recorder.release()
                    board.spool.close()
                    board.start()
                case str(name):
                    board.jump(JUMPS[name])
                case float(latency):
                    board.server(latency)
                case seconds:
                    board.wait(float(seconds))
            board.check()
        board.ntp()
        board.sample()
        board.wait(10.0)
        board.check()
        assert all(wall_us is not None for _, wall_us in board.rows())
        board.recorder.release()
        board.spool.close()


def test_a_clock_that_is_off_is_shown_and_told(tmp_path: Path) -> None:
    board = Board(tmp_path)
    board.server(0.0)
    board.jump(JUMPS["an hour back"])
    board.wait(10.0)
    assert board.around.timebase.offset(board.clock.monotonic_ns(), board.clock.wall_us()) == -3600.0
    told = "clock: the machine's clock is 3600 s behind: rows get the right time all the same"
    assert board.around.faults.current() == [told]
    board.ntp()
    board.wait(10.0)
    assert board.around.faults.current() == []
    assert [event.text.split(":")[0] for event in board.kept.events][-2:] == [
        "the machine's clock is 3600 s behind",
        "over after 10 s",
    ]
    board.spool.close()


def test_a_clock_that_is_set_while_it_is_read_is_not_believed(tmp_path: Path) -> None:
    board = Board(tmp_path)
    board.jump(JUMPS["2038"])
    wall_us = board.clock.wall_us()

    def set_meanwhile() -> int:
        board.ntp()
        return wall_us

    board.clock.wall_us = set_meanwhile  # type: ignore[method-assign]
    board.wait(10.0)
    assert board.around.timebase.anchor is None
    board.spool.close()


def test_what_is_confirmed_while_the_time_is_not_known_is_kept_for_its_time(tmp_path: Path) -> None:
    """A board that boots in 2038 must neither forget nor keep for ever what an earlier boot dated."""
    clock = FakeClock()
    first = Spool(tmp_path / "spool", clock=clock, boot="first", limit=10_000_000, retention=600)
    first.append([Sample("tank", "ph", "ph", 7.0, "pH", "ok", clock.monotonic_ns())])
    board_time = Timebase("first", lambda: True).kernel(clock.monotonic_ns(), clock.wall_us())
    assert board_time is not None
    first.date(board_time)
    first.close()
    clock.step_wall(JUMPS["2038"])
    spool = Spool(tmp_path / "spool", clock=clock, boot="second", limit=10_000_000, retention=600)
    spool.confirm([row.id for row in spool.batch(10)])
    assert spool.prune() == 0
    known = Timebase("second", lambda: False).server(clock.monotonic_ns(), clock.monotonic_ns(), START_US)
    assert known is not None
    spool.date(known)
    clock.advance(599.0)
    assert spool.prune() == 0
    clock.advance(2.0)
    assert spool.prune() == 1
    spool.close()


def test_a_time_that_no_clock_has_is_not_believed() -> None:
    timebase = Timebase("boot", lambda: False)
    for year in (1970, 2025, 2101, 100_000):
        assert timebase.server(SECOND, SECOND, round((year - 1970) * 365.2425 * 86_400e6)) is None
    assert timebase.server(SECOND, SECOND, START_US) is not None
