"""What the tests of the web process share."""

import threading
from collections.abc import Callable, Iterator

import pytest

from tests.ui.pretend import Pretender
from transport.wire import Wire
from ui.operator import Operator, OperatorConfig

PATIENCE = 10.0


class Seen:
    """Collects who changed, and waits for what a test wants to see."""

    def __init__(self) -> None:
        self.names: list[frozenset[str]] = []
        self._changed = threading.Condition()

    def put(self, names: frozenset[str]) -> None:
        with self._changed:
            self.names.append(names)
            self._changed.notify_all()

    def wait_until(self, condition: Callable[[], object]) -> None:
        with self._changed:
            assert self._changed.wait_for(condition, PATIENCE)


class Joined:
    """An operator that speaks to a pretended fleet."""

    def __init__(self, pretender: Pretender, interval: float = 5.0) -> None:
        self.pretender = pretender
        self.seen = Seen()
        self.wire = Wire(pretender.operator_keys, pretender.clock)
        config = OperatorConfig(pretender.endpoint, pretender.keys.public, interval, "test")
        self.operator = Operator(config, self.wire, pretender.clock, self.seen.put)
        self.operator.start()

    def wait_until_known(self, *names: str) -> None:
        wanted = set(names) or set(self.pretender.tanks)

        def known() -> bool:
            twins = self.operator.twins
            return all(name in twins and twins[name].attach is not None for name in wanted)

        self.seen.wait_until(known)

    def close(self) -> None:
        self.operator.close()
        self.wire.close()
        self.pretender.close()


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
    assert [thread for thread in threading.enumerate() if thread not in before] == []
