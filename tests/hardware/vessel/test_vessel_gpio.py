"""GPIO lines: whose they are, and what their pins show."""

import errno
from collections.abc import Hashable
from pathlib import Path

import pytest

from hardware.vessel import frames
from hardware.vessel.frames import FrameError, Kind
from hardware.vessel.gpio import GpioChip
from hardware.vessel.journal import Journal, entries

DONE = frames.frame(Kind.DONE, b"")


class Lines:
    """A chip with clients by name; those in `ended` have gone."""

    def __init__(self, journal: Journal) -> None:
        self.seen: list[tuple[int, float]] = []
        self.ended: set[str] = set()
        self.chip = GpioChip(journal, lambda line, high: self.seen.append((line, high)), self._gone)

    def _gone(self, owner: Hashable) -> bool:
        if owner in self.ended:
            self.chip.release_all(owner)
        return owner in self.ended

    def take(self, owner: str, line: int, flags: int = 0) -> int:
        return self._ask(owner, Kind.TAKE, frames.LINE_LEVEL.pack(line, flags) + b"someone")

    def set(self, owner: str, line: int, active: int) -> int:
        return self._ask(owner, Kind.SET, frames.LINE_LEVEL.pack(line, active))

    def release(self, owner: str, line: int) -> int:
        return self._ask(owner, Kind.RELEASE, frames.LINE.pack(line))

    def get(self, owner: str, line: int) -> bytes:
        return self.chip.serve(owner, Kind.GET, frames.LINE.pack(line))[frames.HEADER.size :]

    def _ask(self, owner: str, kind: Kind, payload: bytes) -> int:
        """Give the errno, 0 when it was done."""
        answer = self.chip.serve(owner, kind, payload)
        return 0 if answer == DONE else frames.decode_failure(answer[frames.HEADER.size :]).errno or -1


@pytest.fixture
def lines(journal: Journal) -> Lines:
    return Lines(journal)


@pytest.mark.parametrize(
    ("flags", "high"),
    [(0, 0.0), (frames.ACTIVE_FLAG, 1.0), (frames.ACTIVE_LOW_FLAG, 1.0),
     (frames.ACTIVE_LOW_FLAG | frames.ACTIVE_FLAG, 0.0)],
)  # fmt: skip
def test_a_line_has_its_level_from_its_first_moment(lines: Lines, flags: int, high: float) -> None:
    assert lines.take("a", 17, flags) == 0
    assert lines.seen == [(17, high)]
    assert lines.get("a", 17) == bytes([bool(flags & frames.ACTIVE_FLAG)])


def test_levels_are_logical(lines: Lines) -> None:
    lines.take("a", 17, frames.ACTIVE_LOW_FLAG)
    assert lines.set("a", 17, 1) == 0
    assert (lines.seen[-1], lines.get("a", 17)) == ((17, 0.0), b"\x01")
    lines.set("a", 17, 1)
    assert len(lines.seen) == 2


def test_a_line_is_one_clients(lines: Lines) -> None:
    lines.take("a", 17)
    assert lines.take("b", 17) == errno.EBUSY
    assert lines.take("a", 17) == errno.EBUSY
    assert lines.take("b", 18) == 0
    assert lines.set("b", 17, 1) == errno.EPERM
    assert lines.release("b", 17) == errno.EPERM


def test_a_released_line_keeps_its_level_and_is_free(lines: Lines) -> None:
    lines.take("a", 17, frames.ACTIVE_FLAG)
    assert lines.release("a", 17) == 0
    assert lines.seen == [(17, 1.0)]
    assert lines.set("a", 17, 0) == errno.EPERM
    assert lines.take("b", 17) == 0
    assert lines.seen == [(17, 1.0), (17, 0.0)]


def test_the_line_of_somebody_who_has_just_gone_is_free(lines: Lines) -> None:
    lines.take("a", 17, frames.ACTIVE_FLAG)
    lines.take("a", 18)
    lines.ended.add("a")
    assert lines.take("b", 17) == 0
    assert lines.take("b", 18) == 0


def test_there_are_54_lines(lines: Lines) -> None:
    assert lines.take("a", 53) == 0
    assert lines.take("a", 54) == errno.EINVAL


def test_what_is_no_request(lines: Lines) -> None:
    assert frames.decode_failure(lines.chip.serve("a", Kind.TRANSFER, b"")[5:]).errno == errno.EOPNOTSUPP
    for kind in (Kind.TAKE, Kind.SET, Kind.GET, Kind.RELEASE):
        with pytest.raises(FrameError):
            lines.chip.serve("a", kind, b"\0")


def test_the_journal(lines: Lines, tmp_path: Path) -> None:
    lines.take("a", 17, frames.ACTIVE_LOW_FLAG)
    lines.take("b", 17)
    lines.set("a", 17, 1)
    lines.get("a", 17)
    lines.chip.release_all("a")
    noted = [
        (each.circuit, each.do, each.command, each.answer, each.error) for each in entries(tmp_path / "journal.jsonl")
    ]
    assert noted == [
        ("gpio17", "write", "take high someone", "", 0),
        ("gpio17", "write", "take low someone", "", errno.EBUSY),
        ("gpio17", "write", "low", "", 0),
        ("gpio17", "read", "get", "1", 0),
        ("gpio17", "write", "release", "", 0),
    ]
