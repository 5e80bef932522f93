"""What the tests with real sockets share."""

import threading
from collections.abc import Iterator

import pytest
from loguru import logger

from tests.transport.world import World


@pytest.fixture
def world() -> Iterator[World]:
    before = threading.enumerate()
    made = World()
    yield made
    made.close()
    assert threading.enumerate() == before


@pytest.fixture
def said() -> Iterator[list[str]]:
    """What is logged, line by line."""
    lines: list[str] = []
    sink = logger.add(lambda text: lines.append(str(text).strip()), format="{message}")
    yield lines
    logger.remove(sink)
