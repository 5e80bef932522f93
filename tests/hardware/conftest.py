"""What the hardware tests share."""

from pathlib import Path

import pytest

from tests.hardware.fakes import Bench
from tests.hardware.simulators import Rig, make_rig


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rig:
    return make_rig(tmp_path, monkeypatch)
