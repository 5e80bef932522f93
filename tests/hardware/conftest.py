"""What the hardware tests share."""

import pytest

from tests.hardware.fakes import Bench


@pytest.fixture
def bench() -> Bench:
    return Bench()
