"""A time range of one table as a file, CSV or Parquet, made by QuestDB itself and taken in as it comes."""

import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Literal

from storage.history import Span
from storage.questdb import QuestDB, literal

Form = Literal["csv", "parquet"]
TABLES = ("samples", "events", "settings", "desired", "readings", "inventory", "hourly")
GLANCE = 10_000  # rows by which the size of all of them is guessed

Progress = Callable[[int, int], None]  # bytes so far, bytes in all, guessed


def export(  # noqa: PLR0913, PLR0917 - what of which, to where and how
    database: QuestDB, table: str, span: Span, path: Path, form: Form, progress: Progress
) -> int:
    """Write the rows of a table, one of `TABLES`, the oldest first; returns how many there were when it began.

    The file has its name once it is whole and on the disk; whatever stops it, nothing else is left. Raises
    `DatabaseError` and OSError.
    """
    where = f"FROM {table} WHERE ts >= {literal(span.since)} AND ts < {literal(span.until)}"
    rows = int(database.query(f"SELECT count() {where}")[0][0])
    glance = sum(map(len, database.export(f"SELECT * {where} LIMIT {GLANCE}", form)))
    size = glance * max(rows, GLANCE) // GLANCE
    descriptor, unfinished = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            for chunk in database.export(f"SELECT * {where}", form):
                file.write(chunk)
                progress(file.tell(), max(size, file.tell()))
            file.flush()
            os.fsync(descriptor)
        Path(unfinished).rename(path)
    except BaseException:
        with suppress(OSError):
            Path(unfinished).unlink()
        raise
    return rows
