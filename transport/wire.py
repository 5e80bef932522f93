"""The wire of a process: everything that it says to other processes and hears from them goes through one `Wire`.

    wire = Wire(keys, SystemClock())
    listener = wire.listen("tcp://127.0.0.1:*", allow=allow_list.peer_of, accept={"reactor": {Hello}}, deliver=on_batch)
    listener.send([Outgoing(received.route, Welcome(...), reply_to=received.header.id)])
    connection = wire.connect(endpoint, server_key, accept={Welcome, Error}, deliver=on_happenings)
    connection.send(Hello(...))

`deliver` and `allow` are called on the wire's thread and must not block: an actor passes `lambda batch: ref.tell(...)`.
"""

from collections.abc import Callable, Mapping

from hardware.clock import Clock
from transport.complaints import Complaints
from transport.connection import Connection
from transport.keys import KeyPair, Peer
from transport.links import (
    Common,
    Counters,
    Down,
    Happening,
    Outgoing,
    Received,
    Types,
    Up,
)
from transport.listener import Listener
from transport.loop import Loop
from transport.messages import Role
from transport.zap import Gate

__all__ = ["Connection", "Counters", "Down", "Happening", "Listener", "Outgoing", "Received", "Up", "Wire"]


class Wire:
    """Owns the thread and the sockets. Every method may be called from any thread but the wire's own."""

    def __init__(self, keys: KeyPair, clock: Clock) -> None:
        loop = Loop(clock)
        complaints = Complaints(clock)
        self._common = Common(loop, Gate(loop.context, complaints), complaints, keys, clock)
        loop.watch(self._common.gate.socket, self._common.gate.answer)
        loop.start()

    @property
    def denied(self) -> int:
        """How many got no further than the handshake: their key is not allowed, or they have none."""
        return self._common.gate.denied

    def is_alive(self) -> bool:
        """Tell whether the wire's thread runs; without it this process neither hears nor says anything."""
        return self._common.loop.is_alive()

    def pulse(self, seconds: float, beat: Callable[[], None]) -> None:
        """Call `beat` on the wire's thread every so many seconds, for as long as its loop turns."""
        loop, clock = self._common.loop, self._common.clock

        def turn() -> None:
            beat()
            loop.alarm(beat, clock.monotonic_ns() + round(seconds * 1e9), turn)

        loop.post(turn)

    def listen(
        self,
        endpoint: str,
        *,
        allow: Callable[[str], Peer | None],
        accept: Mapping[Role, Types],
        deliver: Callable[[list[Received]], None],
        busy: Callable[[], bool] = lambda: False,
    ) -> Listener:
        """Bind a ROUTER to `tcp://ADDRESS:PORT`; port `*` takes a free one, which `Listener.endpoint` names.

        `allow` tells whose a public key is and is asked for every handshake and every message, so that a key taken
        off the list is heard no more; `Listener.weed` cuts its holder off. `accept` says what each role may send here;
        a role that is not in it gets no handshake. While the owner is `busy` nothing is read.

        Raises:
            EndpointError: the port is taken, or the address malformed or not this machine's.
        """
        return self._common.loop.call(
            lambda: Listener(self._common, endpoint, allow=allow, accept=accept, deliver=deliver, busy=busy)
        )

    def connect(
        self, endpoint: str, server_key: str, *, accept: Types, deliver: Callable[[list[Happening]], None]
    ) -> Connection:
        """Connect a DEALER to a server whose public key is known. Returns at once.

        Whatever becomes of it is delivered: Up, what the server says, and in the end, unless the owner closes it,
        one Down, also for an endpoint that is none.
        """
        return Connection(self._common, endpoint, server_key, accept=accept, deliver=deliver)

    def close(self) -> None:
        """Close every socket and end the thread; returns when both are done."""
        self._common.loop.stop(self._shut)

    def _shut(self) -> None:
        for link in list(self._common.open):
            link.shut()
        self._common.loop.unwatch(self._common.gate.socket)
        self._common.gate.close()
