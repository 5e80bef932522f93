"""Line protocol, version 2: rows as the bytes that QuestDB takes over HTTP.

An encoder of our own, because importing the questdb client costs a reactor 17 MiB: docs/decisions/0015. It writes what
the client writes, byte for byte, which a test compares. The server's processes use the client (client_lines.py).
A double is two equals signs, 16, and its eight bytes; everything else is text.
"""

import struct
from collections.abc import Mapping
from functools import lru_cache
from typing import Protocol

Cells = Mapping[str, str | int | float | None]  # by column

_IN_SYMBOL = str.maketrans({character: f"\\{character}" for character in " ,=\n\r\\"})
_IN_TEXT = str.maketrans({character: f"\\{character}" for character in '"\n\r\\'})
_DOUBLE = struct.Struct("<d").pack
_MOST = 2**63  # of an integer, and of a time in nanoseconds


class Encoder(Protocol):
    """Encodes rows, one request at a time. Of one thread. `bytes()` of it is the request."""

    def clear(self) -> None:
        """Begin the next request."""

    def add(self, table: str, symbols: Cells, columns: Cells, wall_us: int) -> None:
        """Add a row; what is none is left out. Raises `ValueError`, and adds nothing, for what no database takes."""

    def __bytes__(self) -> bytes: ...


class Lines:
    """An `Encoder` that needs no library. Names of tables and columns are ours and need no escaping."""

    def __init__(self) -> None:
        self._rows: list[bytes] = []

    def clear(self) -> None:
        """Begin the next request."""
        self._rows.clear()

    def add(self, table: str, symbols: Cells, columns: Cells, wall_us: int) -> None:
        """Add a row; what is none is left out. Raises `ValueError`, and adds nothing, for what no database takes."""
        wall_ns = wall_us * 1000
        if not 0 <= wall_ns < _MOST:
            raise ValueError(f"{wall_us} us is no time")
        fields = b",".join([_field(name, value) for name, value in columns.items() if value is not None])
        head = _head(table, tuple(symbols.items()))
        self._rows.append(b"%s%s %dn\n" % (head, fields and b" " + fields, wall_ns))

    def __bytes__(self) -> bytes:
        return b"".join(self._rows)


@lru_cache(maxsize=512)  # a reactor's series, each over and over: a third of the time
def _head(table: str, symbols: tuple[tuple[str, object], ...]) -> bytes:
    tags = [f",{name}={_symbol(value)}" for name, value in symbols if value is not None]
    return f"{table}{''.join(tags)}".encode()


def _symbol(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is no text")  # noqa: TRY004 - one error for whatever a row holds
    return value.translate(_IN_SYMBOL)


def _field(name: str, value: object) -> bytes:
    match value:
        case float():
            return b"%s==\x10%s" % (name.encode(), _DOUBLE(value))
        case int() if -_MOST <= value < _MOST:
            return b"%s=%di" % (name.encode(), value)
        case str():
            return f'{name}="{value.translate(_IN_TEXT)}"'.encode()
        case _:
            raise ValueError(f"{name} cannot be {value!r}")
