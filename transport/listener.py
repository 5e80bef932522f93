"""The listening end of a link: a ROUTER on the coordinator and on each manager.

Private methods and `shut` run on the loop's thread, which owns the socket; the others may be called from any thread.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from itertools import count

import zmq
from loguru import logger

from transport.callers import Callers
from transport.envelope import decode, encode
from transport.errors import EndpointError, EnvelopeError
from transport.keys import Peer
from transport.links import BATCH, BATCH_SIZE, Common, Counters, Outgoing, Received, Types, largest, receive, transmit
from transport.messages import Role
from transport.sockets import Watched, listening, reason_of

NO_ZMTP, NO_CURVE = int(zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL), int(zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL)
ACCEPTED, DISCONNECTED = int(zmq.EVENT_ACCEPTED), int(zmq.EVENT_DISCONNECTED)
FAILURES = {NO_ZMTP: "no handshake came to an end", NO_CURVE: "nonsense, or no key"}
TOO_MANY = 300  # faults of one peer within a minute, after which it is cut off for the rest of it
REST_NS = 2_000_000  # between two looks at an owner that is busy
SRCFD = int(zmq.SRCFD)


class Listener:
    """A bound ROUTER: hears the peers that the allow-list names, each with what its role may say."""

    def __init__(  # noqa: PLR0913 - what `Wire.listen` takes, by name
        self,
        common: Common,
        endpoint: str,
        *,
        allow: Callable[[str], Peer | None],
        accept: Mapping[Role, Types],
        deliver: Callable[[list[Received]], None],
        busy: Callable[[], bool],
    ) -> None:
        self.counters = Counters()
        self._common = common
        self._allow = allow
        self._accept = {role: frozenset(kind.TYPE for kind in types) for role, types in accept.items()}
        self._deliver = deliver
        self._busy = busy
        self._failure = ""  # of the handshake whose end is told next
        self._ids = count(1)
        self._domain = f"listener-{id(self)}".encode()
        size = max(largest(types) for types in accept.values())
        socket = listening(common.loop.context, common.keys, self._domain, size)
        try:
            socket.bind(endpoint)
        except zmq.ZMQError as error:
            socket.close()
            raise EndpointError(f"cannot listen on {endpoint}: {reason_of(error)}") from None
        self.endpoint = socket.get_string(zmq.LAST_ENDPOINT)
        self._callers = Callers()
        events = ACCEPTED | DISCONNECTED | NO_ZMTP | NO_CURVE
        self._watched = Watched(common.loop, socket, events, self._read, self._on_event)
        common.gate.guard(self._domain, self._is_welcome)
        common.open.add(self)

    def send(self, batch: Iterable[Outgoing]) -> None:
        """Queue messages for their routes.

        A peer that is gone or does not read loses its message, which is counted; so does, with an error in the log,
        a message above its limit.
        """
        sent_us = self._common.clock.wall_us()
        packed = []
        for out in batch:
            try:
                frames = encode(
                    out.message,
                    id=next(self._ids),
                    session=out.session,
                    sequence=out.sequence,
                    sent_us=sent_us,
                    reply_to=out.reply_to,
                )
            except EnvelopeError as error:
                self.counters.unsent += 1
                logger.error("{}: not sent: {}", self.endpoint, error)
            else:
                packed.append([out.route, *frames])
        self._common.loop.post(partial(self._transmit, packed))

    def weed(self) -> None:
        """Cut off whom the allow-list does not name any more. Its owner calls this after each change of the list."""
        self._common.loop.post(self._weed)

    def close(self) -> None:
        """Stop listening; harmless when stopped."""
        self._common.loop.post(self.shut)

    def peer_of(self, key: str) -> Peer | None:
        """Tell whom the key names, if its role may speak here at all. Nobody, when the list itself fails."""
        try:
            peer = self._allow(key)
        except Exception as error:  # noqa: BLE001 - the owner's code: whatever it raises, the door stays shut
            self._common.complaints.note(self.endpoint, f"the allow-list fails: {type(error).__name__}")
            return None
        return peer if peer is not None and peer.role in self._accept else None

    def shut(self) -> None:
        """Close the socket, on the loop's thread."""
        if self in self._common.open:
            self._common.open.remove(self)
            self._common.gate.forget(self._domain)
            self._watched.close()

    def _read(self) -> None:
        at_ns = self._common.clock.monotonic_ns()
        if self._busy():  # TCP holds back who sends; of what waits, libzmq gives each peer's in turn
            self._watched.pause(at_ns + REST_NS)
            return
        batch, size = [], 0
        socket = self._watched.socket
        for _ in range(BATCH):
            try:
                frames = receive(socket)
            except zmq.Again:
                break
            descriptor, key = frames[0].get(SRCFD), str(frames[0].get("User-Id"))  # the gate's answer
            self._callers.spoke(descriptor, key)
            received = self._admit(frames, key, at_ns)
            if received is not None:
                batch.append(received)
            elif not self._is_welcome(key):
                self._cut(descriptor, key)
            size += sum(map(len, frames))
            if size > BATCH_SIZE:
                break
        if batch:
            self.counters.received += len(batch)
            self._common.hand_over(self.endpoint, self._deliver, batch)

    def _is_welcome(self, key: str) -> bool:
        """Whether the key's holder may speak here, and did not do too much wrong within this minute."""
        peer = self.peer_of(key)
        return peer is not None and self._common.complaints.count(peer.name) < TOO_MANY

    def _cut(self, descriptor: int, key: str) -> None:
        peer = self.peer_of(key)
        if self._callers.cut(descriptor) and peer is not None:
            logger.warning("{}: cut off for the rest of the minute, after {} faults", peer.name, TOO_MANY)

    def _weed(self) -> None:
        for key in self._callers.weed(self._is_welcome):
            self._common.complaints.note(f"key {key}", "is no longer allowed: cut off")

    def _admit(self, frames: list[zmq.Frame], key: str, at_ns: int) -> Received | None:
        route, *parts = frames
        peer = self.peer_of(key)
        if peer is None:  # taken off the list since it connected
            self.counters.refused += 1
            self._common.complaints.note(f"key {key}", "is no longer allowed")
            return None
        try:
            header, body = decode([part.bytes for part in parts], self._accept[peer.role])
        except EnvelopeError as error:
            self.counters.refused += 1
            answer = self._common.refusal(peer.name, error, next(self._ids))
            if answer is not None:
                self._transmit([[route.bytes, *answer]])
            return None
        return Received(peer, route.bytes, header, body, at_ns)

    def _transmit(self, packed: list[list[bytes]]) -> None:
        socket = self._watched.socket
        for frames in packed:
            try:
                transmit(socket, frames)
            except zmq.ZMQError:  # EHOSTUNREACH: gone; EAGAIN: does not read; ENOTSOCK: closed
                self.counters.unsent += 1

    def _on_event(self, event: int, value: int) -> None:
        """Take in what the monitor tells. A handshake's failure names nobody, but its end, which comes next, does."""
        if event == ACCEPTED:
            if not self._callers.came(value):
                self._common.complaints.note(self.endpoint, "too many connections: the newest is cut off")
        elif event == DISCONNECTED:
            address = self._callers.went(value)
            if self._failure:
                self._common.gate.turn_away(address, self._failure)
                self._failure = ""
        else:
            self._failure = FAILURES[event]
