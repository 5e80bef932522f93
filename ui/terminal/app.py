"""The terminal page. It shows what the poller found; whatever it computes is in `cells`, `draw` and `picture`."""

import time
from dataclasses import replace
from typing import ClassVar

import rich
from rich.traceback import Traceback
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Footer, Input

from storage.questdb import DatabaseError
from transport.liveness import STATUS_INTERVAL
from ui.terminal import cells, draw
from ui.terminal.board import Board
from ui.terminal.cells import Cell, Table
from ui.terminal.picture import Line, View, table_lines
from ui.terminal.places import OF_A_REACTOR, SPANS, Found, Name, Place
from ui.terminal.poller import Find, Poller

PLOT_HEIGHT = 7  # lines
PATIENCE = 10.0  # seconds for an answer
NOTHING = Table((), {})


class Answer(Message):
    """The poller has an answer."""

    def __init__(self, answer: Found | DatabaseError) -> None:
        super().__init__()
        self.answer = answer


class TerminalPage(App[None]):
    """The page: a title, a table, below it a plot where there is one, and the keys."""

    ENABLE_COMMAND_PALETTE = False
    CSS = """
    Board { height: 1fr; }
    #search { height: 1; border: none; padding: 0; display: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("1", "show('fleet')", "Fleet"),
        Binding("2", "show('events')", "Events"),
        Binding("3", "show('database')", "Data"),
        Binding("r", "show('readings')", "Read"),
        Binding("d", "show('devices')", "Devices"),
        Binding("e", "show('happenings')", "Log"),
        Binding("left_square_bracket", "span(-1)", "Span", key_display="[ ]"),
        Binding("right_square_bracket", "span(1)", "Longer", show=False),
        Binding("slash", "search", "Find", key_display="/", priority=True),  # before what is typed right after it
        Binding("escape", "leave", "Back", key_display="esc"),
        Binding("q", "quit", "Quit"),
        Binding("enter", "enter", "Enter", show=False),
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("pageup", "move(-10)", "Up", show=False),
        Binding("pagedown", "move(10)", "Down", show=False),
        Binding("home", "move(-100000)", "First", show=False),
        Binding("end", "move(100000)", "Last", show=False),
    ]

    def __init__(self, find: Find, every: float, interval: float = STATUS_INTERVAL) -> None:
        """`find` asks the database, `every` so many seconds; `interval` is the reactors' status interval in s."""
        super().__init__(ansi_color=True)
        self._poller = Poller(find, lambda answer: self.post_message(Answer(answer)), every)
        self._board = Board()
        self._search = Input(id="search", placeholder="show the rows that have this text", select_on_focus=False)
        self._every = every
        self._interval = interval
        self._answered = time.monotonic()
        self._place = Place()
        self._found: Found | None = None
        self._view = View()
        self._trouble = ""
        self._wanted = ""  # the text that is searched

    def compose(self) -> ComposeResult:
        """Put the parts below each other."""
        yield self._board
        yield self._search
        yield Footer(compact=True, show_command_palette=False)

    def on_mount(self) -> None:
        """Ask for the fleet."""
        self._board.focus()
        self._poller.start()
        self.set_interval(self._every, self._doubt)
        self._go(self._place)

    def on_unmount(self) -> None:
        """Ask no more."""
        self._poller.stop()

    def on_resize(self) -> None:
        """Ask for as many steps as the plot has columns."""
        self._go(self._place)

    @property
    def _table(self) -> Table:
        if self._found is None:
            return NOTHING
        return cells.table(self._found, self._interval).having(self._wanted)

    def _fatal_error(self) -> None:
        """Show where and what when it ends badly; Textual's own shows what each variable held, passwords too."""
        self.panic(Traceback(width=None, suppress=[rich]))

    # keys

    def action_show(self, name: Name) -> None:
        """Go to another place, of the same reactor where it is of one."""
        self._go(replace(self._place, name=name, reactor=self._place.reactor if name in OF_A_REACTOR else ""))

    def action_enter(self) -> None:
        """Go to the reactor under the cursor."""
        if self._place.name == "fleet" and self._view.key:
            self._go(replace(self._place, name="readings", reactor=self._view.key))

    def action_leave(self) -> None:
        """End the search, or go back to the fleet."""
        if self._search.display:
            self._search.value = ""
            self._search.display = False
            self._board.focus()
        elif self._place.name != "fleet":
            self.action_show("fleet")

    def action_move(self, by: int) -> None:
        """Move the cursor."""
        self._view.move(self._table, by)
        self._draw()

    def action_span(self, by: int) -> None:
        """Show a shorter or a longer time."""
        spans = list(SPANS.values())
        at = spans.index(self._place.seconds) + by
        self._go(replace(self._place, seconds=spans[min(max(0, at), len(spans) - 1)]))

    def action_search(self) -> None:
        """Ask which rows are to be shown."""
        self._search.display = True
        self.set_focus(self._search)  # at once: what is typed next is for it

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Have the keys of a reactor only there, and those of the time where it matters."""
        match action, parameters:
            case "show", (name,) if name in OF_A_REACTOR:
                return bool(self._place.reactor)
            case "span", _:
                return self._place.name == "readings"
        return True

    def on_input_changed(self, event: Input.Changed) -> None:
        """Show the rows that have this text."""
        self._wanted = event.value
        self._draw()

    def on_input_submitted(self) -> None:
        """Move among the rows that were found; Escape shows all of them again."""
        self._board.focus()

    # what comes

    def on_answer(self, message: Answer) -> None:
        """Show it; of a place that was left, not."""
        self._answered = time.monotonic()
        match message.answer:
            case DatabaseError() as error:
                self._trouble = f"no database: {error}"
            case found:
                self._trouble = ""
                if found.place == self._place:
                    self._found = found
        self._draw()

    def _doubt(self) -> None:
        """Say that no answer comes at all: a server may hang, and the poller with it."""
        if time.monotonic() - self._answered > self._every + PATIENCE:
            self._trouble = "no database: it does not answer"
            self._draw()

    def _go(self, place: Place) -> None:
        """Ask for a place; what it shows comes later."""
        place = replace(place, columns=max(20, 2 * (self.size.width - draw.LABEL)))
        if (place.name, place.reactor) != (self._place.name, self._place.reactor):
            self._found, self._view = None, View()
        self._place = place
        self._poller.go(place)
        self.refresh_bindings()
        self._draw()

    def _draw(self) -> None:
        """Draw what is known now."""
        lines: list[Line] = [(Cell(self._title(), "title"),)]
        if self._trouble:
            seen = f"this is of {self._found.at} UTC" if self._found else "trying again"
            lines.append((Cell(f"{seen}; {self._trouble}", "chosen"),))
        plotted = PLOT_HEIGHT if self._place.name == "readings" else 0
        table = self._table
        lines += table_lines(table, self._view, max(1, self._board.size.height - len(lines) - 1 - plotted))
        if plotted and self._found is not None:
            courses = {".".join(key): course for key, course in self._found.courses.items()}
            course = courses.get(self._view.key, [None] * self._place.columns)
            lines += [(Cell(line),) for line in draw.plot(course, plotted)]
        self._board.show(lines)

    def _title(self) -> str:
        place, found = self._place, self._found
        parts = ["Reactorium", f"{place.reactor} {place.name}".strip()]
        if place.name == "readings":
            parts.append(next(name for name, seconds in SPANS.items() if seconds == place.seconds))
        parts.append(cells.summary(found, self._interval) if found else "asking the database")
        return "  ".join(part for part in parts if part)
