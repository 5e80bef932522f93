"""`reactorium sql QUERY`: the answer of a read-only query as CSV with a header."""

import csv
import os
import sys

from deploy import logins, logs
from deploy.errors import StartError
from deploy.settings import Settings
from storage.questdb import DatabaseError
from storage.reader import Reader, ask


def sql(settings: Settings, query: str) -> None:
    """Ask as the user who may only read, and write rows as they come. Raises StartError with the database's words."""
    logs.setup("sql", "error", settings.log_format)
    login = logins.reader(settings)
    reader = Reader(logins.reader_host(settings), settings.questdb_pg_port, login.user, login.password)
    writer = csv.writer(sys.stdout, lineterminator="\n")
    try:
        with ask(reader, query) as answer:
            writer.writerow(answer.columns)
            writer.writerows(answer.rows)
        sys.stdout.flush()
    except DatabaseError as error:
        raise StartError(str(error)) from error
    except BrokenPipeError:  # who reads has enough, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
