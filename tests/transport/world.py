"""A small world on loopback: a server with an allow-list, and whoever connects to it."""

import queue
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

import zmq

from hardware.clock import SystemClock
from transport.keys import AllowList, KeyPair, Peer
from transport.messages import Ack, Error, Heartbeat, Hello, Message, Overview, Register, Role, Status, Welcome
from transport.wire import Connection, Happening, Listener, Outgoing, Received, Up, Wire

PATIENCE = 10.0  # seconds that a test waits for what takes milliseconds
T = TypeVar("T")
ANSWERS = (Welcome, Ack, Error, Overview)


def eventually(condition: Callable[[], object]) -> None:
    """Wait for what another thread brings about within milliseconds."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        threading.Event().wait(0.002)


def make_keys() -> KeyPair:
    public, secret = zmq.curve_keypair()
    return KeyPair(public.decode(), secret.decode())


class Inbox(Generic[T]):
    """Takes batches on the wire's thread and gives them out one by one."""

    def __init__(self) -> None:
        self.batches: list[list[T]] = []
        self._queue: queue.SimpleQueue[T] = queue.SimpleQueue()

    def put(self, batch: list[T]) -> None:
        self.batches.append(batch)
        for one in batch:
            self._queue.put(one)

    def take(self) -> T:
        return self._queue.get(timeout=PATIENCE)

    def is_empty(self) -> bool:
        return self._queue.empty()


class RawPeer:
    """A DEALER with a key, and no manners: no heartbeats, no limits, and it reads when it likes."""

    def __init__(self, endpoint: str, server_key: str, keys: KeyPair) -> None:
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.socket = self._context.socket(zmq.DEALER)
        self.socket.linger = 0
        self.socket.sndtimeo = self.socket.rcvtimeo = round(PATIENCE * 1000)
        self.socket.curve_publickey, self.socket.curve_secretkey = keys.public.encode(), keys.secret.encode()
        self.socket.curve_serverkey = server_key.encode()
        self._ends = self.socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)
        self.socket.connect(endpoint)

    def is_cut_off(self, seconds: float = PATIENCE) -> bool:
        """Wait for the end of the connection; whether it came."""
        return bool(self._ends.poll(round(seconds * 1000)))

    def close(self) -> None:
        self.socket.disable_monitor()
        self._ends.close()
        self.socket.close()
        self._context.term()


class World:
    """A listening wire that knows `peers`; `wire()` makes others. `close` ends them all."""

    def __init__(self) -> None:
        self._wires: list[Wire] = []
        self.keys = make_keys()
        self.allow = AllowList()
        self.server = self.wire(self.keys)
        self.heard: Inbox[Received] = Inbox()
        self.listener = self.listen(self.heard.put)

    def listen(
        self,
        deliver: Callable[[list[Received]], None],
        endpoint: str = "tcp://127.0.0.1:*",
        busy: Callable[[], bool] = lambda: False,
    ) -> Listener:
        return self.server.listen(
            endpoint,
            allow=self.peer_of,
            accept={"reactor": {Hello, Status}, "manager": {Register, Heartbeat}},
            deliver=deliver,
            busy=busy,
        )

    def peer_of(self, key: str) -> Peer | None:
        return self.allow.peer_of(key)

    def wire(self, keys: KeyPair | None = None) -> Wire:
        wire = Wire(keys or make_keys(), SystemClock())
        self._wires.append(wire)
        return wire

    def admit(self, name: str, role: Role = "reactor") -> KeyPair:
        keys = make_keys()
        known = [Peer(one.name, one.role, one.key) for one in self.allow.to_message().peers]
        self.allow = AllowList([*known, Peer(name, role, keys.public)])
        return keys

    def connect(self, wire: Wire, endpoint: str = "", key: str = "") -> tuple[Connection, Inbox[Happening]]:
        inbox: Inbox[Happening] = Inbox()
        connection = wire.connect(
            endpoint or self.listener.endpoint, key or self.keys.public, accept=ANSWERS, deliver=inbox.put
        )
        return connection, inbox

    def joined(self, name: str = "tank-1", role: Role = "reactor") -> tuple[Connection, Inbox[Happening]]:
        connection, inbox = self.connect(self.wire(self.admit(name, role)))
        assert inbox.take() == Up()
        return connection, inbox

    def raw(self, keys: KeyPair) -> RawPeer:
        return RawPeer(self.listener.endpoint, self.keys.public, keys)

    def acknowledge(self, received: Received) -> None:
        self.listener.send([Outgoing(received.route, Ack(next_interval=5.0), received.header.id)])

    def close(self) -> None:
        for wire in self._wires:
            wire.close()


def message_in(happening: Happening) -> Message:
    assert isinstance(happening, Received)
    return happening.body
