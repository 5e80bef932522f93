"""Safe mode: outputs stay safe until a person says otherwise; sampling and everything else go on.

It is a file in the reactor's state folder, with the reason as its text. The guard makes it when the reactor keeps
ending. The act `leave_safe_mode` of the sensor `self` deletes it; so may somebody at the board.
"""

from pathlib import Path

FILE = "safe-mode"  # in the reactor's state folder
HELD = "safe mode"  # what an output is held by
ACT = "leave_safe_mode"


class SafeMode:
    """Whether it is on. `reason` is assigned by one thread at a time and read by any; empty while it is off."""

    def __init__(self, path: Path | None = None) -> None:
        self.reason = ""
        self._path = path
        self.look()

    def look(self) -> None:
        """See whether the file is there; one that cannot be read counts."""
        if self._path is None:
            return
        try:
            self.reason = self._path.read_text(encoding="utf-8", errors="replace").strip() or "no reason is given"
        except FileNotFoundError:
            self.reason = ""
        except OSError as error:
            self.reason = f"{self._path}: {error.strerror}"

    def leave(self) -> None:
        """Delete the file. Raises OSError."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)
        self.look()
