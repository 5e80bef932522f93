"""Whatever is lost, repeated, overtaken or killed: revisions never go back, what was accepted is applied or told."""

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from actors.device import RETRY
from actors.targets import KeptFile
from hardware.acts import Value
from hardware.errors import NoAnswer
from tests.actors.conftest import FakeClock, Kept, make_around
from tests.actors.test_device import Scene
from transport.messages import Applied, Rejected

HIGHEST = 8
BAD = 5  # the revision whose document cannot be followed


def asked(revision: int) -> dict[str, Value]:
    """The document of a revision: the same whoever sends it, however often."""
    return {"on": revision % 3 != 0, "duty": 10.0 * revision if revision != BAD else 101.0}


class World:
    """One device in a folder, with a network that delivers anything at any time."""

    def __init__(self, folder: Path) -> None:
        clock, kept = FakeClock(), Kept()
        self.scene = Scene(make_around(clock, kept), clock, kept, folder).start()
        self.kept = KeptFile(folder / "d.json")
        self.broken = False
        self.told = 0  # the highest revision that was said to be applied
        self.asked: dict[int, int] = {}  # messages that nobody has answered yet, and the revisions in them
        self._messages = 0
        self._read = 0
        self._started = 0  # how many rows there were at the last start

    def deliver(self, revision: int) -> None:
        self._messages += 1
        self.asked[self._messages] = revision
        self.scene.follow(revision, self._messages, **asked(revision))

    def restart(self, *, killed: bool) -> None:
        if not killed:
            self.scene.device.release()
        self.asked.clear()  # whoever asked hears of it by attach
        self._started = len(self.scene.rows)
        self.scene.start(restart=True)
        self.scene.driver.error = NoAnswer("silent") if self.broken else None
        self.scene.settle(RETRY + 1)

    @property
    def rows(self) -> list[tuple[str, str, int, str]]:
        """The history since the last start."""
        return self.scene.rows[self._started :]

    def break_hardware(self, *, broken: bool) -> None:
        self.broken = broken
        self.scene.driver.error = NoAnswer("silent") if broken else None

    def check(self) -> None:
        for message, reply_to in self.scene.said[self._read :]:
            revision = self.asked.pop(reply_to)
            match message:
                case Applied():
                    assert message.revision >= revision
                    assert message.revision >= self.told
                    self.told = message.revision
                    on_disk = self.kept.read()
                    assert on_disk is not None
                    assert on_disk.revision == message.revision
                case Rejected():
                    assert revision == message.revision == BAD
        self._read = len(self.scene.said)
        state = self.scene.state
        assert state.revision >= self.told
        if state.revision and not self.broken and not state.fault:
            wanted = asked(state.revision)
            assert {name: state.values[name] for name in wanted} == wanted
            assert self.scene.driver.register == wanted

    def end(self) -> None:
        """Once the faults end everybody has an answer, and the newest that was taken is followed."""
        self.break_hardware(broken=False)
        self.scene.settle(RETRY + 1)
        self.check()
        assert not self.asked


STEPS = st.lists(
    st.one_of(st.integers(1, HIGHEST), st.sampled_from(["kill", "stop", "break", "mend", "wait"])), max_size=15
)


@settings(deadline=None, max_examples=30)
@given(STEPS)
def test_what_was_accepted_is_applied_once_or_reported(steps: list[int | str]) -> None:
    with TemporaryDirectory() as folder:
        world = World(Path(folder))
        newest = 0
        for step in steps:
            match step:
                case "kill" | "stop":
                    world.restart(killed=step == "kill")
                    newest = world.scene.state.revision
                case "break" | "mend":
                    world.break_hardware(broken=step == "break")
                case "wait":
                    world.scene.settle(RETRY + 1)
                case int(revision):
                    world.deliver(revision)
                    newest = max(newest, revision if revision != BAD else 0)
            world.check()
        world.end()
        assert world.scene.state.revision == newest
        applied = [revision for name, _, revision, state in world.rows if (name, state) == ("duty", "applied")]
        assert applied == sorted(set(applied))
