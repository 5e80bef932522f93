"""What was measured, as a table that says what was promised and on which machine."""

import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

PACKAGES = ("questdb", "pyzmq", "msgpack", "msgspec", "pykka", "numpy")


@dataclass(frozen=True, slots=True)
class Figure:
    """One line: what was measured, and the limit that it must keep; without one it only explains another line."""

    what: str
    value: float
    unit: str
    at_least: float | None = None
    at_most: float | None = None
    remark: str = ""

    @property
    def target(self) -> str:
        """The limit, for people."""
        if self.at_least is not None:
            return f"at least {self.at_least:g}"
        return "" if self.at_most is None else f"at most {self.at_most:g}"

    @property
    def verdict(self) -> str:
        """Whether the limit was kept."""
        if self.at_least is None and self.at_most is None:
            return ""
        kept = self.value >= self.at_least if self.at_least is not None else self.value <= (self.at_most or 0.0)
        return "met" if kept else "NOT MET"


def ratio(what: str, ours: Sequence[float], theirs: Sequence[float], at_least: float) -> Figure:
    """Compare interleaved runs pair by pair: the median, since machines are noisy, and the spread as a remark."""
    ratios = sorted(one / other for one, other in zip(ours, theirs, strict=True))
    remark = f"{len(ratios)} pairs, {ratios[0]:.2f} to {ratios[-1]:.2f}"
    return Figure(what, statistics.median(ratios), "", at_least=at_least, remark=remark)


def machine() -> str:
    """Name the machine, what runs on it, and how busy others keep it."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.machine(),
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return (
        f"{os.cpu_count()} cores ({model}), {memory:.0f} GiB, {platform.system()} {platform.release()},"
        f" Python {platform.python_version()}, {packages}"
    )


def table(figures: Sequence[Figure]) -> str:
    """Lay out in Markdown."""
    lines = ["| measured | figure | target | | |", "|---|--:|---|---|---|"]
    for figure in figures:
        value = f"{figure.value:.3g}" if abs(figure.value) < 1000 else f"{figure.value:,.0f}"
        cells = (figure.what, f"{value} {figure.unit}".strip(), figure.target, figure.verdict, figure.remark)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
