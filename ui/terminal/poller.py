"""A thread that asks for what the page shows, again and again: the page never waits for the database."""

import threading
from collections.abc import Callable

from storage.questdb import DatabaseError
from ui.terminal.places import Found, Place

Find = Callable[[Place], Found]


class Poller:
    """Asks for one place at a time. Thread safe; a database that hangs holds up nobody but this thread, a daemon."""

    def __init__(self, find: Find, tell: Callable[[Found | DatabaseError], object], every: float) -> None:
        """`tell` is called on this thread with each answer. Asks `every` so many s, for a new place at once."""
        self._find = find
        self._tell = tell
        self._every = every
        self._changed = threading.Condition()
        self._place = Place()
        self._asked = False
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="poller", daemon=True)

    def start(self) -> None:
        """Ask from now on."""
        self._thread.start()

    def go(self, place: Place) -> None:
        """Ask for this place from now on, and at once."""
        with self._changed:
            self._place = place
            self._asked = True
            self._changed.notify()

    def stop(self) -> None:
        """Ask no more. What is under way may still end, and is told to nobody."""
        with self._changed:
            self._stopped = True
            self._changed.notify()

    def _run(self) -> None:
        while (place := self._next()) is not None:
            answer: Found | DatabaseError
            try:
                answer = self._find(place)
            except DatabaseError as error:
                answer = error
            if not self._stopped:
                self._tell(answer)

    def _next(self) -> Place | None:
        """Wait until it is time to ask; none when there is nothing more to ask."""
        with self._changed:
            self._changed.wait_for(lambda: self._asked or self._stopped, self._every)
            self._asked = False
            return None if self._stopped else self._place
