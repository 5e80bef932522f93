"""HTTP for clients that are slow or too many: uvicorn's protocol, with the limits that it leaves to a proxy."""

import asyncio
import socket

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

MOST_CONNECTIONS = 800  # below the 1,024 files that a process may have where nobody raised it
LONGEST_REQUEST = 20.0  # seconds from a request's first byte, or from the connection, to its last
LONGEST_PAUSE = 60.0  # seconds that an answer may wait for somebody who does not read it
LONGEST_QUEUE = 256 * 1024  # bytes that the kernel keeps for somebody who does not read: 4 MiB unless told
ASKING = frozenset({h11.IDLE, h11.SEND_BODY})  # the client has not said all of a request yet


class Patient(H11Protocol):
    """One connection, which gets a while for asking and for reading; when there are too many, the idlest goes."""

    _since = 0.0  # when it had nothing to do last, by the loop's clock
    _asking: asyncio.TimerHandle | None = None
    _reading: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        """Begin to wait for a request; when there are too many connections, let go of one."""
        super().connection_made(transport)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, LONGEST_QUEUE)
        self._await_request()
        if len(self.connections) > MOST_CONNECTIONS:
            idle = [one for one in self.connections if isinstance(one, Patient) and one.is_idle]
            min(idle, key=lambda one: one._since)._let_go()  # noqa: SLF001 - its own kind

    @property
    def is_idle(self) -> bool:
        """Tell whether nobody works for it, and it was not let go of yet."""
        return self.conn.their_state in ASKING and not self.transport.is_closing()

    def data_received(self, data: bytes) -> None:
        """Take what came."""
        if self._asking is None:
            self._await_request()
        super().data_received(data)
        if self.conn.their_state not in ASKING:
            self._forget_request()

    def on_response_complete(self) -> None:
        """Be idle from now on; of a request that came too early there may be a half already."""
        self._since = self.loop.time()
        super().on_response_complete()
        if self.conn.their_state is h11.SEND_BODY and self._asking is None:
            self._await_request()

    def pause_writing(self) -> None:
        """Wait for a client who does not read."""
        super().pause_writing()
        self._reading = self.loop.call_later(LONGEST_PAUSE, self._let_go)

    def resume_writing(self) -> None:
        """Go on: it reads again."""
        self._forget_reader()
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        self._forget_request()
        self._forget_reader()
        super().connection_lost(exc)

    def _await_request(self) -> None:
        self._since = self.loop.time()
        self._asking = self.loop.call_later(LONGEST_REQUEST, self._refuse)

    def _refuse(self) -> None:
        """Say that it took too long, if nothing was said yet."""
        if self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            headers = [(b"content-length", b"0"), (b"connection", b"close")]
            for event in (h11.Response(status_code=408, headers=headers), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _let_go(self) -> None:
        self.transport.abort()

    def _forget_request(self) -> None:
        if self._asking is not None:
            self._asking.cancel()
            self._asking = None

    def _forget_reader(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None
