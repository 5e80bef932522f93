"""Numbers as text: a course in one line, a plot in several. Plain functions."""

from collections.abc import Sequence

LEVELS = "▁▂▃▄▅▆▇█"
DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))  # of a braille cell, by row and column
BRAILLE = 0x2800
LABEL = 11  # columns left of a plot: what four digits need at most

Course = Sequence[float | None]


def number(value: float | None) -> str:
    """Spell a value as people read it: five digits that count, or a dash for none."""
    return "-" if value is None else f"{value:.5g}"


def age(seconds: float) -> str:
    """Spell how long ago something was, in the largest unit that says something."""
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(0, seconds):.0f} s"


def spark(course: Course) -> str:
    """Draw a course in one line, a column a value, from its lowest to its highest; a blank has no value."""
    known = [value for value in course if value is not None]
    if not known:
        return " " * len(course)
    low, high = min(known), max(known)
    scale = (len(LEVELS) - 1) / (high - low) if high > low else 0.0
    return "".join(" " if value is None else LEVELS[round((value - low) * scale)] for value in course)


def plot(course: Course, height: int) -> list[str]:
    """Draw a course in `height` lines, two values a column, with the highest and the lowest value beside it."""
    known = [value for value in course if value is not None]
    width = (len(course) + 1) // 2
    if not known:
        return ["no values in this time".center(LABEL + width), *[""] * (height - 1)]
    low, high = min(known), max(known)
    top = 4 * height - 1
    cells = [[0] * width for _ in range(height)]
    before: int | None = None
    for column, value in enumerate(course):
        if value is None:
            before = None
            continue
        at = round(top * (high - value) / (high - low)) if high > low else top // 2
        for dot in _between(before, at):
            cells[dot // 4][column // 2] |= DOTS[dot % 4][column % 2]
        before = at
    labels = [""] * height
    labels[-1] = f"{low:.4g}"
    labels[0] = f"{high:.4g}"  # one line has room for one
    return [
        f"{label:>{LABEL - 1}} " + "".join(chr(BRAILLE + dots) for dots in row)
        for label, row in zip(labels, cells, strict=True)
    ]


def _between(before: int | None, at: int) -> range:
    """Join a value with the one before it, so that a step is seen as a line."""
    if before is None or before == at:
        return range(at, at + 1)
    return range(before + 1, at + 1) if before < at else range(at, before)
