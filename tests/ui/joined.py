"""An operator that speaks to a pretended fleet, and what it saw."""

import threading
from collections.abc import Callable

from tests.ui.pretend import Pretender
from transport.wire import Wire
from ui.operator import Operator, OperatorConfig

PATIENCE = 10.0


class Seen:
    """Collects who changed, and waits for what a test wants to see."""

    def __init__(self) -> None:
        self.names: list[frozenset[str]] = []
        self.also: Callable[[frozenset[str]], None] = lambda _: None
        self._changed = threading.Condition()

    def put(self, names: frozenset[str]) -> None:
        with self._changed:
            self.names.append(names)
            self._changed.notify_all()
        self.also(names)

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
