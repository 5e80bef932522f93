"""What stands on the page, line by line. Plain functions: the page draws again only what differs from before."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import zip_longest

from rich.cells import cell_len, set_cell_size

from ui.terminal.cells import Cell, Table, Tone

GAP = 2  # columns between two columns
Line = tuple[Cell, ...]


@dataclass(slots=True)
class View:
    """What of a table is shown: the row under the cursor, the topmost one, and how wide its columns were so far."""

    key: str = ""
    top: int = 0
    widths: list[int] = field(default_factory=list)

    def move(self, table: Table, by: int) -> None:
        """Move the cursor by so many rows, as far as there are any."""
        keys = list(table.rows)
        if keys:
            at = keys.index(self.key) if self.key in table.rows else 0
            self.key = keys[min(max(0, at + by), len(keys) - 1)]

    def settle(self, table: Table, rows: int) -> None:
        """Take in a table of which `rows` rows are to be seen: the cursor stays on its row while that is there.

        Columns only grow, so that a value that gets shorter moves nothing.
        """
        keys = list(table.rows)
        if self.key not in table.rows:
            self.key = keys[0] if keys else ""
        at = keys.index(self.key) if keys else 0
        self.top = max(0, min(self.top, at, len(keys) - rows), at - rows + 1)
        widths = [max(map(cell_len, column)) for column in zip(table.columns, *_texts(table), strict=True)]
        self.widths = [max(pair) for pair in zip_longest(widths, self.widths[: len(widths)], fillvalue=0)]


def table_lines(table: Table, view: View, rows: int) -> list[Line]:
    """Write the heading and so many rows."""
    view.settle(table, rows)
    lines = [tuple(Cell(_padded(name, width), "head") for name, width in zip(table.columns, view.widths, strict=True))]
    for key in list(table.rows)[view.top : view.top + rows]:
        tones: list[Tone] = ["chosen" if key == view.key else cell.tone for cell in table.rows[key]]
        lines.append(
            tuple(
                Cell(_padded(cell.text, width), tone)
                for cell, width, tone in zip(table.rows[key], view.widths, tones, strict=True)
            )
        )
    return lines + [()] * (rows + 1 - len(lines))


def changed(old: Sequence[Line], new: Sequence[Line]) -> list[tuple[int, int, int]]:
    """Find what has to be drawn again: line, first column, and how many columns."""
    found = []
    for y, (before, after) in enumerate(zip_longest(old, new, fillvalue=())):
        if before != after:
            was, is_now = _columns(before), _columns(after)
            length = max(len(was), len(is_now))
            was += [(" ", "plain")] * (length - len(was))
            is_now += [(" ", "plain")] * (length - len(is_now))
            differing = [x for x in range(length) if was[x] != is_now[x]]
            if differing:
                found.append((y, differing[0], differing[-1] + 1 - differing[0]))
    return found


def _columns(line: Line) -> list[tuple[str, Tone]]:
    """Take a line apart into what stands in each column of the terminal; a wide character has two."""
    return [(part, cell.tone) for cell in line for one in cell.text for part in (one, "")[: cell_len(one)]]


def _padded(text: str, width: int) -> str:
    return set_cell_size(text, width) + " " * GAP


def _texts(table: Table) -> list[list[str]]:
    return [[cell.text for cell in cells] for cells in table.rows.values()]
