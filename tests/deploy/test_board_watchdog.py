"""The board's watchdog, with a pipe that stands in for it."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.board_watchdog import BoardWatchdog


@pytest.fixture
def board(tmp_path: Path) -> Iterator[tuple[str, int]]:
    """Where the watchdog is, and what it hears."""
    path = str(tmp_path / "watchdog")
    os.mkfifo(path)
    heard = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    yield path, heard
    os.close(heard)


@pytest.fixture
def said() -> list[str]:
    return []


def watchdog(path: str, said: list[str]) -> BoardWatchdog:
    return BoardWatchdog(path, lambda level, text: said.append(f"{level}: {text}"))


def test_each_meal_is_a_write_and_an_orderly_end_lets_it_sleep(board: tuple[str, int], said: list[str]) -> None:
    path, heard = board
    dog = watchdog(path, said)
    dog.feed()
    dog.feed()
    assert os.read(heard, 100) == b"\0\0"
    dog.release()
    assert os.read(heard, 100) == b"V"
    assert os.read(heard, 100) == b""  # it is closed
    dog.feed()
    dog.release()
    assert said == [f"warning: the watchdog {path} keeps its own time: Inappropriate ioctl for device"]


def test_without_a_path_there_is_none(said: list[str]) -> None:
    dog = watchdog("", said)
    dog.feed()
    dog.release()
    assert said == []


def test_one_that_cannot_be_opened_is_said(tmp_path: Path, said: list[str]) -> None:
    dog = watchdog(str(tmp_path / "none"), said)
    dog.feed()
    assert said == [f"error: the watchdog {tmp_path}/none is not fed: No such file or directory"]


def test_one_that_breaks_is_said_once(tmp_path: Path, said: list[str]) -> None:
    path = str(tmp_path / "watchdog")
    os.mkfifo(path)
    heard = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    dog = watchdog(path, said)
    os.close(heard)
    dog.feed()
    dog.feed()
    dog.release()
    assert said[1:] == [f"error: the watchdog {path} cannot be fed: Broken pipe"]
