"""The gate: who may complete a CURVE handshake (ZeroMQ RFC 27, ZAP).

It runs in the same poll loop as the sockets that it guards: when the loop stands still nobody gets in.
"""

from collections.abc import Callable

import zmq
from zmq.utils import z85

from transport.complaints import Complaints

ENDPOINT = "inproc://zeromq.zap.01"  # fixed by RFC 27
VERSION = b"1.0"
REQUEST_FRAMES = 9  # two of the ROUTER's envelope, then version, id, domain, address, identity, mechanism, one key

Ask = Callable[[str], bool]


class Gate:
    """Answers libzmq's question whether a key may enter a domain. Every method runs on the wire's thread."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], complaints: Complaints) -> None:
        self._complaints = complaints
        self._domains: dict[bytes, Ask] = {}
        self.denied = 0
        self.socket: zmq.Socket[bytes] = context.socket(zmq.ROUTER)
        self.socket.linger = 0
        self.socket.bind(ENDPOINT)

    def guard(self, domain: bytes, ask: Ask) -> None:
        """Let into `domain` whose key `ask` finds welcome."""
        self._domains[domain] = ask

    def forget(self, domain: bytes) -> None:
        """Let nobody into `domain` any more."""
        del self._domains[domain]

    def answer(self) -> None:
        """Answer every question that waits."""
        while True:
            try:
                request = self.socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            self.socket.send_multipart([*request[:2], VERSION, request[3], *self._judge(request)])

    def _judge(self, request: list[bytes]) -> tuple[bytes, bytes, bytes, bytes]:
        """Make status code, status text, user id and metadata of the reply."""
        domain, address, mechanism = request[4], request[5], request[7]
        ask = self._domains.get(domain)
        if ask is not None and mechanism == b"CURVE" and len(request) == REQUEST_FRAMES:
            key = z85.encode(request[8])
            if ask(key.decode()):
                return b"200", b"OK", key, b""
            self.turn_away(address.decode(), f"key {key.decode()} is not allowed")
        return b"400", b"not allowed", b"", b""

    def turn_away(self, address: str, why: str) -> None:
        """Count who got no further than the handshake, and name the address, if it is known."""
        self.denied += 1
        self._complaints.note(f"stranger at {address or 'an address that left at once'}", why)

    def close(self) -> None:
        """Stop answering."""
        self.socket.close()
