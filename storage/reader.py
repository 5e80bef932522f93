"""Queries that people ask, over the PostgreSQL wire as the user that may only read.

Not for the reactor: psycopg is heavy. One statement a call: it goes by the extended protocol, which refuses a second
one (the simple protocol runs both).
"""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import chain, islice

import psycopg
from psycopg.abc import Buffer
from psycopg.adapt import Loader

from storage.questdb import LoginRefused, SqlError, Unreachable

Value = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Reader:
    """Where the wire is, and who reads; no representation shows the password."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """Column names, and rows as they come; timestamps as ISO 8601 in UTC."""

    columns: Sequence[str]
    rows: Iterator[Sequence[Value]]


@contextmanager
def ask(reader: Reader, sql: str, timeout: float = 10.0) -> Iterator[Answer]:
    """Run one read-only statement; rows are read while the context is open, so that any number fits into memory.

    `timeout` in seconds is for logging in. Raises `DatabaseError`: `Unreachable`, `LoginRefused` or `SqlError`.
    """
    # Closed, not left as a context: that would wait for the rows that nobody fetched, for ever.
    with closing(_login(reader, timeout)) as connection:
        cursor = connection.cursor()
        try:
            rows = cursor.stream(sql.encode())
            first = list(islice(rows, 1))
            if not first:  # a stream without rows has no columns either
                cursor.execute(sql.encode(), prepare=True)
            yield Answer([column.name for column in cursor.description or ()], chain(first, rows))
        except psycopg.OperationalError as error:
            raise Unreachable(f"{reader.host}:{reader.port}: {_line(error)}") from error
        except psycopg.Error as error:
            raise SqlError(_line(error)) from error


def _login(reader: Reader, timeout: float) -> psycopg.Connection[tuple[Value, ...]]:
    try:
        connection = psycopg.connect(
            host=reader.host,
            port=reader.port,
            user=reader.user,
            password=reader.password,
            dbname="qdb",
            connect_timeout=round(timeout),
            autocommit=True,
        )
    except psycopg.OperationalError as error:
        if "invalid username/password" in str(error):
            raise LoginRefused(f"{reader.host}:{reader.port} refused the login") from error
        raise Unreachable(f"{reader.host}:{reader.port}: {_line(error)}") from error
    connection.adapters.register_loader("timestamp", _Moment)
    return connection


def _line(error: psycopg.Error) -> str:
    return " ".join(str(error).split("\n")[0].split())


class _Moment(Loader):
    """A timestamp as text: QuestDB's are UTC, psycopg would make a datetime that does not say so."""

    def load(self, data: Buffer) -> str:
        return bytes(data).decode("ascii").replace(" ", "T") + "Z"
