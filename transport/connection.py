"""The connecting end of a link: a DEALER with one life.

Private methods and `shut` run on the loop's thread, which owns the socket; the others may be called from any thread.
"""

from collections.abc import Callable
from functools import partial
from itertools import count

import zmq

from transport.envelope import decode, encode
from transport.errors import EnvelopeError
from transport.links import BATCH, Common, Counters, Down, Happening, Received, Types, Up, largest, receive, transmit
from transport.messages import Message
from transport.sockets import Watched, connecting, reason_of

HANDSHAKE_NS = 8_000_000_000  # connecting and handshake have 3 s each; a name that does not resolve makes no event
UP = int(zmq.EVENT_HANDSHAKE_SUCCEEDED)
REASONS = {  # what libzmq's monitor says of a connection that is over
    int(zmq.EVENT_CLOSED): "nobody listens there",
    int(zmq.EVENT_DISCONNECTED): "disconnected",
    int(zmq.EVENT_HANDSHAKE_FAILED_AUTH): "our key is not allowed there",
    int(zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL): "no handshake: nothing that speaks ZMTP, or the holder of another key",
    int(zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL): "no handshake: it speaks ZMTP without our CURVE",
}


class Connection:
    """A DEALER to one server: one life, from Up (or never) to Down. The owner answers a Down with a new one."""

    def __init__(
        self,
        common: Common,
        endpoint: str,
        server_key: str,
        *,
        accept: Types,
        deliver: Callable[[list[Happening]], None],
    ) -> None:
        self.endpoint = endpoint
        self.counters = Counters()
        self._common = common
        self._server_key = server_key
        self._accept = frozenset(kind.TYPE for kind in accept)
        self._size = largest(accept)
        self._deliver = deliver
        self._ids = count(1)
        self._watched: Watched | None = None
        common.loop.post(self._connect)

    def send(self, message: Message, *, session: str = "", sequence: int = 0, reply_to: int = 0) -> int:
        """Queue a message and return the id that its answer will reply to.

        Before Up and after Down, and to a server that does not read, it is lost, which is counted.

        Raises:
            EnvelopeError: it is above its limit.
        """
        number = next(self._ids)
        sent_us = self._common.clock.wall_us()
        frames = encode(message, id=number, session=session, sequence=sequence, sent_us=sent_us, reply_to=reply_to)
        self._common.loop.post(partial(self._transmit, frames))
        return number

    def close(self) -> None:
        """Cut the connection and deliver nothing more from it; harmless when it is down."""
        self._common.loop.post(self.shut)

    def shut(self) -> None:
        """Close the socket, on the loop's thread."""
        if self._watched is not None:
            self._common.open.remove(self)
            self._common.loop.disarm(self)
            self._watched.close()
            self._watched = None

    def _connect(self) -> None:
        common = self._common
        try:
            socket = connecting(common.loop.context, common.keys, self._server_key, self._size)
            self._watched = Watched(common.loop, socket, sum(REASONS) | UP, self._read, self._on_event)
            common.open.add(self)
            socket.connect(self.endpoint)
        except zmq.ZMQError as error:  # a key or an address that is none, or no file descriptor left
            self._end(f"cannot connect: {reason_of(error)}")
            return
        due_ns = common.clock.monotonic_ns() + HANDSHAKE_NS
        common.loop.alarm(self, due_ns, partial(self._end, "no answer"))

    def _on_event(self, event: int, _value: int) -> None:
        self._common.loop.disarm(self)
        if event == UP:
            self._hand_over([Up()])
        else:
            self._end(REASONS[event])

    def _end(self, reason: str) -> None:
        self.shut()
        self._hand_over([Down(reason)])

    def _hand_over(self, batch: list[Happening]) -> None:
        self._common.hand_over(self.endpoint, self._deliver, batch)

    def _read(self) -> None:
        assert self._watched is not None  # an open socket called
        batch: list[Happening] = []
        at_ns = self._common.clock.monotonic_ns()
        for _ in range(BATCH):
            try:
                frames = receive(self._watched.socket)
            except zmq.Again:
                break
            received = self._admit([frame.bytes for frame in frames], at_ns)
            if received is not None:
                batch.append(received)
        if batch:
            self.counters.received += len(batch)
            self._hand_over(batch)

    def _admit(self, frames: list[bytes], at_ns: int) -> Received | None:
        try:
            header, body = decode(frames, self._accept)
        except EnvelopeError as error:
            self.counters.refused += 1
            answer = self._common.refusal(self.endpoint, error, next(self._ids))
            if answer is not None:
                self._transmit(answer)
            return None
        return Received(None, b"", header, body, at_ns)

    def _transmit(self, frames: list[bytes]) -> None:
        try:
            if self._watched is not None:
                transmit(self._watched.socket, frames)
                return
        except zmq.Again:
            pass
        self.counters.unsent += 1
