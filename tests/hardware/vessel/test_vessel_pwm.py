"""The PWM chip's folder: what clients write, what pins show, what the kernel would refuse."""

import errno
import math
import os
import select
from collections.abc import Iterator
from pathlib import Path

import pytest

from hardware.vessel.journal import Journal, entries
from hardware.vessel.pwm import PwmChip

SETTLE = 0.05


class Bench:
    """A chip with channel 1 wired; the vessel looks when the test says so."""

    def __init__(self, folder: Path, journal: Journal) -> None:
        self.folder = folder / "pwmchip0"
        self.journal = folder / "journal.jsonl"
        self.seen: list[tuple[int, float]] = []
        self.chip = PwmChip(self.folder, [1], journal, lambda pin, high: self.seen.append((pin, high)))
        self.now = 0.0

    def write(self, name: str, text: str, channel: int | None = 1) -> None:
        """Write as a driver does: an existing file, in one go."""
        path = self.folder / name if channel is None else self.folder / f"pwm{channel}" / name
        descriptor = os.open(path, os.O_WRONLY | os.O_TRUNC)
        os.write(descriptor, text.encode())
        os.close(descriptor)

    def set(self, **values: object) -> None:
        """Write files in this order, looked at after each."""
        for name, value in values.items():
            self.write(name, str(value))
            self.look()

    def look(self, after: float = 0.0) -> None:
        self.now += after
        self.chip.look(self.now, SETTLE)

    def read(self, name: str, channel: int = 1) -> str:
        return (self.folder / f"pwm{channel}" / name).read_text().strip()

    def written(self) -> list[tuple[str, str, int]]:
        return [(each.circuit, each.command, each.error) for each in entries(self.journal)]


@pytest.fixture
def bench(tmp_path: Path, journal: Journal) -> Iterator[Bench]:
    made = Bench(tmp_path, journal)
    yield made
    made.chip.close()


def wakes(bench: Bench) -> bool:
    return bool(select.select([bench.chip.fileno()], [], [], 0.0)[0])


def test_a_wired_channel_is_there_and_drives_nothing(bench: Bench) -> None:
    bench.look()
    assert sorted(path.name for path in bench.folder.iterdir()) == ["export", "npwm", "pwm1", "unexport"]
    names = ("period", "duty_cycle", "enable", "polarity")
    assert [bench.read(name) for name in names] == ["0", "0", "0", "normal"]
    assert bench.seen == []


def test_it_wakes_for_writes_alone(bench: Bench) -> None:
    bench.look()
    assert not wakes(bench)
    bench.read("period")
    assert not wakes(bench)
    bench.write("period", "1000")
    assert wakes(bench)
    bench.look()
    assert not wakes(bench)


def test_a_duty(bench: Bench) -> None:
    bench.set(period=1000, duty_cycle=250, enable=1)
    assert bench.seen == [(1, 0.25)]
    bench.set(duty_cycle=500)
    assert bench.seen[-1] == (1, 0.5)
    bench.set(duty_cycle=0, enable=0)
    assert bench.seen[-1] == (1, 0.0)


def test_what_is_seen_at_once_counts_as_a_whole(bench: Bench) -> None:
    for name, text in (("period", "1000"), ("duty_cycle", "900"), ("enable", "1")):
        bench.write(name, text)
    bench.look()
    for name, text in (("duty_cycle", "0"), ("period", "100"), ("duty_cycle", "50")):
        bench.write(name, text)
    bench.look()
    assert (bench.seen[-1], bench.chip.due()) == ((1, 0.5), math.inf)
    assert all(error == 0 for _, _, error in bench.written())


def test_inversed(bench: Bench) -> None:
    bench.set(period=1000, polarity="inversed", duty_cycle=250, enable=1)
    assert bench.seen[-1] == (1, 0.75)
    bench.set(duty_cycle=0, enable=0)
    assert bench.seen[-1] == (1, 1.0)


def test_a_channel_that_is_disabled_with_a_duty_stays_on(bench: Bench) -> None:
    bench.set(period=1000, duty_cycle=250, enable=1)
    bench.set(enable=0, duty_cycle=0)
    assert bench.seen[-1] == (1, 1.0)


@pytest.mark.parametrize(
    ("name", "text"),
    [("duty_cycle", "1001"), ("period", "249"), ("period", "0"), ("enable", "yes"), ("polarity", "up"),
     ("duty_cycle", "-1"), ("duty_cycle", "1e2"), ("duty_cycle", "9" * 30)],
)  # fmt: skip
def test_what_the_kernel_refuses_is_put_back(bench: Bench, name: str, text: str) -> None:
    bench.set(period=1000, duty_cycle=250, enable=1)
    before = bench.read(name)
    bench.set(**{name: text})
    assert (bench.read(name), bench.chip.due()) == (text, SETTLE)
    bench.look(after=SETTLE)
    assert (bench.read(name), bench.chip.due()) == (before, math.inf)
    assert bench.written()[-1] == ("pwm1", f"{name} {text}", errno.EINVAL)
    assert bench.seen == [(1, 0.25)]


@pytest.mark.parametrize("name", ["duty_cycle", "enable", "polarity"])
def test_without_a_period_everything_is_refused(bench: Bench, name: str) -> None:
    bench.set(**{name: {"duty_cycle": "1", "enable": "1", "polarity": "inversed"}[name]})
    bench.look(after=SETTLE)
    assert bench.read(name) == {"duty_cycle": "0", "enable": "0", "polarity": "normal"}[name]
    assert bench.seen == []


def test_a_contradiction_that_ends_in_time_is_none(bench: Bench) -> None:
    bench.set(period=1000, duty_cycle=900, enable=1)
    bench.set(period=100)
    bench.look(after=SETTLE / 2)
    bench.set(duty_cycle=50)
    bench.look(after=SETTLE)
    assert bench.seen == [(1, 0.9), (1, 0.5)]
    assert all(error == 0 for _, _, error in bench.written())


def test_a_file_that_is_being_written_is_left_alone(bench: Bench) -> None:
    bench.set(period=1000, duty_cycle=250, enable=1)
    bench.write("duty_cycle", "")
    bench.look(after=1.0)
    assert (bench.seen, bench.chip.due()) == ([(1, 0.25)], math.inf)
    bench.write("duty_cycle", "300\n")
    bench.look()
    assert bench.seen[-1] == (1, 0.3)


def test_export_and_unexport(bench: Bench) -> None:
    bench.write("export", "0", None)
    bench.look()
    assert bench.read("period", 0) == "0"
    assert (bench.folder / "export").read_text() == ""
    bench.write("unexport", "0", None)
    bench.look()
    assert not (bench.folder / "pwm0").exists()
    bench.write("export", "0\n", None)
    bench.look()
    bench.write("period", "100", 0)
    assert wakes(bench)


@pytest.mark.parametrize(
    ("name", "text", "error"),
    [("export", "1", errno.EBUSY), ("export", "4", errno.ENODEV), ("export", "x", errno.EINVAL),
     ("unexport", "3", errno.ENODEV)],
)  # fmt: skip
def test_an_export_that_the_kernel_refuses(bench: Bench, name: str, text: str, error: int) -> None:
    bench.write(name, text, None)
    bench.look()
    assert bench.written() == [("pwmchip0", f"{name} {text}", error)]
    assert sorted(path.name for path in bench.folder.iterdir()) == ["export", "npwm", "pwm1", "unexport"]


def test_every_change_is_in_the_journal(bench: Bench) -> None:
    bench.set(period=1000, duty_cycle=250)
    bench.set(period=1000)
    assert bench.written() == [("pwm1", "period 1000", 0), ("pwm1", "duty_cycle 250", 0)]


def test_a_new_vessel_starts_with_a_new_chip(tmp_path: Path, journal: Journal) -> None:
    first = Bench(tmp_path, journal)
    first.set(period=1000, duty_cycle=250, enable=1)
    second = Bench(tmp_path, journal)  # the first was killed
    assert second.read("enable") == "0"
    second.chip.close()
    first.chip.close()
    assert not second.folder.exists()
