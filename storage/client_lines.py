"""Line protocol as the questdb client writes it: for the server's processes, where its size does not matter."""

from typing import Any

from questdb import QuestDBError, Sender, TimestampNanos

from storage.lines import Cells

_ENCODER_ONLY = "http::addr=localhost:9;auto_flush=off;protocol_version=2;"  # version named: no probe, no I/O


class ClientLines:
    """An `Encoder`. The client does not send: it gives up at once when refused, and hides the HTTP status."""

    def __init__(self) -> None:
        self._encoder = Sender.from_conf(_ENCODER_ONLY)
        self._encoder.establish()  # type: ignore[no-untyped-call] # the client's stubs leave out "-> None"
        self._buffer = self._encoder.new_buffer()

    def clear(self) -> None:
        """Begin the next request."""
        self._buffer.clear()  # type: ignore[no-untyped-call]

    def add(self, table: str, symbols: Cells, columns: Cells, wall_us: int) -> None:
        """Add a row; what is none is left out. Raises `ValueError`, and adds nothing, for what no database takes."""
        tags: dict[str, Any] = dict(symbols)  # the client's own types are wider, and invariant
        cells: dict[str, Any] = dict(columns)
        try:
            self._buffer.row(table, symbols=tags, columns=cells, at=TimestampNanos(wall_us * 1000))
        except (QuestDBError, TypeError, OverflowError) as error:
            raise ValueError(str(error)) from error

    def __bytes__(self) -> bytes:
        return bytes(self._buffer)
