"""A state folder and settings of the test's own."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy.settings import PREFIX, Settings, load

MakeSettings = Callable[..., Settings]


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine's own variables are none of a test's."""
    for name in list(os.environ):
        if name.startswith(PREFIX):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _a_mask_of_its_own() -> Iterator[None]:
    """A command makes its process's files its owner's alone: not those of the tests after it."""
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.fixture
def make_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeSettings:
    """Makes settings of a few variables; the state folder is there."""

    def make(**variables: object) -> Settings:
        state = tmp_path / "state"
        state.mkdir(mode=0o700, exist_ok=True)
        for name, value in {"STATE_DIR": state, **variables}.items():
            monkeypatch.setenv(PREFIX + name, str(value))
        return load()

    return make


@pytest.fixture
def settings(make_settings: MakeSettings) -> Settings:
    """Nobody named anything."""
    return make_settings()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a reactor's file may be."""
    return tmp_path / "tank.toml"
