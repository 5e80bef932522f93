"""`reactorium export TABLE FROM TO FILE`: rows of a time range as a file, Parquet or CSV by the name's ending."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, TaskProgressColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from deploy import logins, logs
from deploy.errors import StartError
from deploy.settings import Settings
from storage import export
from storage.history import Span
from storage.questdb import DatabaseError, QuestDB

PATIENCE = 120.0  # seconds for the next piece: a long query thinks before it speaks


def run_export(settings: Settings, table: str, since: str, until: str, file: str) -> None:
    """Write the file. Raises StartError: what is asked for, the file or the database."""
    logs.setup("export", "error", settings.log_format)
    if table not in export.TABLES:
        raise StartError(f"{table} is none of {', '.join(export.TABLES)}")
    span = Span(_moment("FROM", since), _moment("TO", until))
    if span.since >= span.until:
        raise StartError(f"FROM {since} must be before TO {until}")
    path = Path(file)
    form = path.suffix.removeprefix(".")
    if form not in {"csv", "parquet"}:
        raise StartError(f"{file} must end in .csv or .parquet")
    if path.exists():
        raise StartError(f"{file} is there already")
    login = logins.owner(settings)
    database = QuestDB(logins.database_address(settings), login.user, login.password, PATIENCE)
    try:
        with bar(path.name) as progress:
            rows = export.export(database, table, span, path, "csv" if form == "csv" else "parquet", progress)
    except DatabaseError as error:
        raise StartError(str(error)) from error
    except OSError as error:
        raise StartError(f"{file} cannot be written: {error.strerror}") from error
    finally:
        database.close()
    sys.stderr.write(f"{rows} rows of {table} in {file}\n")


@contextmanager
def bar(what: str) -> Iterator[export.Progress]:
    """Show on stderr how far it is, when that is a terminal."""
    console = Console(stderr=True)
    parts = ("{task.description}", BarColumn(), TaskProgressColumn(), DownloadColumn(), TimeRemainingColumn())
    with Bars(*parts, console=console, disable=not console.is_terminal, transient=True) as bars:
        task = bars.add_task(what, total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)


def _moment(name: str, text: str) -> str:
    """Read a time: a date or a date and time, ISO 8601; UTC unless it says otherwise."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise StartError(f"{name} {text} must be a date or time like 2026-11-01 or 2026-11-01T12:00:00Z") from None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return aware.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
