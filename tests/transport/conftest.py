"""What the tests with real sockets share."""

import threading
from collections.abc import Iterator

import pytest

from tests.transport.world import World


@pytest.fixture
def world() -> Iterator[World]:
    before = threading.enumerate()
    made = World()
    yield made
    made.close()
    assert threading.enumerate() == before
