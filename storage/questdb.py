"""QuestDB's HTTP interface for the server side: DDL and queries with the owner's login.

DatabaseError                 anything below
├── Unreachable               nobody answers, or not in time, or the server is in trouble itself: try again
├── LoginRefused              user or password is wrong: people must change something
└── SqlError                  the server understood and declined the statement
"""

import ssl
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import msgspec
import urllib3

GATEWAY = "reactorium-gateway"  # whom its certificate names, wherever it stands
PIECE = 1 << 16  # bytes of an export that are handed on at once


class DatabaseError(Exception):
    """Something that the database did not do; the text names the address and never a password."""


class Unreachable(DatabaseError):  # noqa: N818 - what happened, in the field's word
    """No usable answer came: refused, reset, timed out, or a server error."""


class LoginRefused(DatabaseError):  # noqa: N818
    """The server does not accept user and password."""


class SqlError(DatabaseError):
    """The server declined a statement; the text is the server's."""


@dataclass(frozen=True, slots=True)
class Certificates:
    """How the two ends of a gateway prove who they are, as files in PEM: whom to believe, who I am, my secret key."""

    authority: Path
    own: Path
    key: Path

    def context(self) -> ssl.SSLContext:
        """Read them. Raises `OSError` (`ssl.SSLError` is one) when a file is missing or none of what it should be."""
        context = ssl.create_default_context(cafile=str(self.authority))
        context.load_cert_chain(self.own, self.key)
        return context


class _Answer(msgspec.Struct):
    dataset: list[tuple[Any, ...]] = []


class QuestDB:
    """One server. Thread safe; every call blocks for at most about `timeout` seconds. No retries: callers have them."""

    def __init__(
        self,
        address: str,
        user: str = "",
        password: str = "",
        timeout: float = 5.0,
        certificates: Certificates | None = None,
    ) -> None:
        """`address` as `http://host:port`; with certificates it is a gateway's, `https://host:port`.

        Raises `OSError` when the certificates cannot be read.
        """
        self.address = address.rstrip("/")
        how: dict[str, Any] = {"headers": urllib3.make_headers(basic_auth=f"{user}:{password}")}
        if certificates is not None:
            context = certificates.context()
            how = {"ssl_context": context, "server_hostname": GATEWAY, "assert_hostname": GATEWAY}
        wait = urllib3.Timeout(connect=timeout, read=timeout)
        self._pool = urllib3.PoolManager(num_pools=1, maxsize=2, retries=False, timeout=wait, **how)

    def close(self) -> None:
        """Close the connections; a later call opens new ones."""
        self._pool.clear()

    def execute(self, sql: str) -> None:
        """Run a statement that answers no rows (DDL, INSERT)."""
        self._ask(sql)

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Run a query and return its rows. Timestamps come as ISO 8601 text, doubles that are none as None."""
        return self._ask(sql)

    def write(self, lines: bytes) -> tuple[int, bytes]:
        """POST line protocol with nanosecond timestamps; returns HTTP status and body. Raises `Unreachable`."""
        response = self._request("POST", "/write?precision=n", body=lines)
        return response.status, response.data

    def run(self, sql: str) -> tuple[int, bytes]:
        """Run a statement, whatever becomes of it; returns HTTP status and body. Raises `Unreachable`."""
        response = self._request("GET", "/exec", fields={"query": sql})
        return response.status, response.data

    def export(self, sql: str, form: str) -> Iterator[bytes]:
        """Run a query and yield its rows as a file, csv or parquet, piece by piece. Raises `DatabaseError` on the way.

        A piece may take as long as a call; an answer that is cut off raises `Unreachable`.
        """
        response = self._request("GET", "/exp", fields={"query": sql, "fmt": form}, preload_content=False)
        try:
            if response.status != HTTPStatus.OK:
                self._judge(response.status, response.read())
            yield from response.stream(PIECE)
        except urllib3.exceptions.HTTPError as error:
            raise Unreachable(f"{self.address} did not finish its answer: {error}") from error
        finally:
            response.close()

    def _ask(self, sql: str) -> list[tuple[Any, ...]]:
        body = self._judge(*self.run(sql))
        try:
            return msgspec.json.decode(body, type=_Answer).dataset
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise Unreachable(f"{self.address} answered what is not QuestDB's: {error}") from error

    def _judge(self, status: int, body: bytes) -> bytes:
        """Return a body that is an answer."""
        match status:
            case HTTPStatus.OK:
                return body
            case 401 | 403:
                raise LoginRefused(f"{self.address} refused the login")
            case 400:
                raise SqlError(_error_text(body))
            case _:
                raise Unreachable(f"{self.address} answered HTTP {status}: {_error_text(body)}")

    def _request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        fields: dict[str, str] | None = None,
        *,
        preload_content: bool = True,
    ) -> urllib3.BaseHTTPResponse:
        try:
            return self._pool.request(
                method, self.address + path, body=body, fields=fields, preload_content=preload_content
            )
        except urllib3.exceptions.HTTPError as error:
            raise Unreachable(f"{self.address} does not answer: {error}") from error


def literal(value: str | int) -> str:
    """Spell a value inside SQL (QuestDB's HTTP interface takes no parameters)."""
    if isinstance(value, int):
        return str(value)
    return "'" + value.replace("'", "''") + "'"


def literals(values: Sequence[str | int]) -> str:
    """Spell a list of values for `IN (...)`."""
    return ", ".join(literal(value) for value in values)


def _error_text(body: bytes) -> str:
    """Take the server's own words out of its answer; whatever else it sent is cut short."""
    try:
        error = msgspec.json.decode(body)["error"]
    except (msgspec.DecodeError, UnicodeDecodeError, KeyError, TypeError):
        error = body.decode("utf-8", "replace")
    return str(error)[:300]
