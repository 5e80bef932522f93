"""What the tests of the web process share."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.ui.joined import PATIENCE, Joined
from tests.ui.pretend import Pretender
from tests.ui.web import Web


@pytest.fixture
def join() -> Iterator[Callable[..., Joined]]:
    """Make an operator that speaks to a fleet of these reactors."""
    before = threading.enumerate()
    made: list[Joined] = []

    def make(*names: str, managers: int = 1, interval: float = 5.0) -> Joined:
        joined = Joined(Pretender(names or ("tank-1",), managers), interval)
        made.append(joined)
        return joined

    yield make
    for joined in made:
        joined.close()
    for thread in threading.enumerate():
        if thread not in before and "AnyIO" in thread.name:  # they end on their own, with the loop that they served
            thread.join(PATIENCE)
    assert [thread for thread in threading.enumerate() if thread not in before] == []


@pytest.fixture
def web(join: Callable[..., Joined], tmp_path: Path) -> Web:
    """A web process over a fleet of two reactors, without a database."""
    joined = join("tank-1", "tank-2")
    joined.wait_until_known()
    return Web(joined, tmp_path)
