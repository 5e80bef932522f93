"""Small files that are replaced whole."""

import os
from pathlib import Path

from storage.spool_file import sync_directory


def make_sure(path: Path, text: str) -> None:
    """Have a file say this, without a write when it does: a full disk must not keep a second start. Raises OSError."""
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        write_whole(path, text.encode())


def write_whole(path: Path, content: bytes) -> None:
    """Replace a file so that a crash or a power cut leaves the old one or the new one. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.new")
    try:
        with new.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except OSError:
        new.unlink(missing_ok=True)  # half of it would keep the last bytes of a full disk
        raise
    sync_directory(path)
