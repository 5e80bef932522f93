"""The widget that the page is drawn on: lines of text, of which it sends the terminal what changed."""

from collections.abc import Sequence

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from ui.terminal.cells import Tone
from ui.terminal.picture import Line, changed

STYLES: dict[Tone, Style] = {
    "plain": Style(),
    "good": Style(color="green"),
    "warn": Style(color="yellow"),
    "bad": Style(color="red", bold=True),
    "head": Style(bold=True, underline=True),
    "title": Style(bold=True),
    "chosen": Style(reverse=True),
}


class Board(Widget, can_focus=True):
    """Lines, as `picture` makes them."""

    def __init__(self) -> None:
        super().__init__()
        self._lines: Sequence[Line] = ()

    def show(self, lines: Sequence[Line]) -> None:
        """Show these from now on."""
        regions = [Region(x, y, width, 1) for y, x, width in changed(self._lines, lines)]
        self._lines = lines
        if regions:
            self.refresh(*regions)

    def render_line(self, y: int) -> Strip:
        """Draw one."""
        line = self._lines[y] if y < len(self._lines) else ()
        segments = [Segment(cell.text, STYLES[cell.tone]) for cell in line]
        return Strip(segments).adjust_cell_length(self.size.width, Style())

    @property
    def text(self) -> str:
        """What stands there."""
        return "\n".join("".join(cell.text for cell in line).rstrip() for line in self._lines)
