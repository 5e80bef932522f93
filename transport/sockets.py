"""Sockets with their options, set on purpose: what libzmq does by itself queues for the dead and drops in silence.

Milliseconds and messages, as libzmq wants them. Used on the loop's thread.
"""

import ctypes
import resource
import secrets
import struct
from collections.abc import Callable
from itertools import count

import zmq

from transport.keys import KeyPair
from transport.loop import Loop

HEARTBEAT_MS = 2000  # a frozen or cut-off peer is found within HEARTBEAT_MS + HEARTBEAT_TIMEOUT_MS
HEARTBEAT_TIMEOUT_MS = 6000
HANDSHAKE_MS = 3000
CONNECT_MS = 3000
MAX_FILES = 65_536
EVENTS = 256  # that one poll takes in at most
BACKLOG = 4096  # a whole fleet comes back at once; the kernel caps it at net.core.somaxconn

Options = dict[zmq.SocketOption, int | bytes]

_COMMON: Options = {
    zmq.LINGER: 0,
    zmq.HEARTBEAT_IVL: HEARTBEAT_MS,
    zmq.HEARTBEAT_TIMEOUT: HEARTBEAT_TIMEOUT_MS,
    zmq.HEARTBEAT_TTL: HEARTBEAT_TIMEOUT_MS,
    zmq.HANDSHAKE_IVL: HANDSHAKE_MS,
    zmq.TCP_KEEPALIVE: 1,  # keeps the state of address translation; the heartbeats do the detecting
    zmq.TCP_KEEPALIVE_IDLE: 30,
    zmq.TCP_KEEPALIVE_INTVL: 10,
    zmq.TCP_KEEPALIVE_CNT: 3,
}
_LISTENING: Options = {
    zmq.ROUTER_MANDATORY: 1,  # an unknown route is an error, not silence
    zmq.ROUTER_HANDOVER: 0,
    zmq.SNDHWM: 200,
    zmq.RCVHWM: 20,  # of each peer: what one that never stops talking can make us hold, each as large as it may be
    zmq.BACKLOG: BACKLOG,
    zmq.CURVE_SERVER: 1,
    zmq.ZAP_ENFORCE_DOMAIN: 1,  # without it a missing ZAP handler lets every key in
}
_CONNECTING: Options = {
    zmq.IMMEDIATE: 1,  # nothing is queued for a server that is away, to arrive stale
    zmq.SNDHWM: 50,
    zmq.RCVHWM: 200,
    zmq.CONNECT_TIMEOUT: CONNECT_MS,
    zmq.RECONNECT_IVL: -1,  # a loss is the owner's to answer, with a new socket after its own back-off
}


def listening(context: zmq.Context[zmq.Socket[bytes]], keys: KeyPair, domain: bytes, size: int) -> zmq.Socket[bytes]:
    """Make a ROUTER, not yet bound; `size` is the largest frame in bytes, above which a peer is cut off.

    libzmq numbers the routes from C's rand(), which nobody seeds: to a peer that knew the next number and took it for
    its own routing id, an assertion (socket_base.cpp, add_out_pipe) would end this process.
    """
    _raise_file_limit()
    ctypes.CDLL(None).srand(secrets.randbits(32))
    options = _COMMON | _LISTENING | _keys(keys) | {zmq.ZAP_DOMAIN: domain, zmq.MAXMSGSIZE: size}
    return _socket(context, zmq.ROUTER, options)


def connecting(context: zmq.Context[zmq.Socket[bytes]], keys: KeyPair, server: str, size: int) -> zmq.Socket[bytes]:
    """Make a DEALER, not yet connected, that speaks to nobody but the holder of the `server` key.

    It has no routing id of its own: a second connection with one that the other side still holds is never heard.
    """
    options = _COMMON | _CONNECTING | _keys(keys) | {zmq.CURVE_SERVERKEY: server.encode(), zmq.MAXMSGSIZE: size}
    return _socket(context, zmq.DEALER, options)


def _raise_file_limit() -> None:
    """Allow as many file descriptors as the system lets us, within reason: each peer takes one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_FILES if hard == resource.RLIM_INFINITY else min(hard, MAX_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _keys(keys: KeyPair) -> Options:
    return {zmq.CURVE_SECRETKEY: keys.secret.encode(), zmq.CURVE_PUBLICKEY: keys.public.encode()}


def _socket(context: zmq.Context[zmq.Socket[bytes]], kind: int, options: Options) -> zmq.Socket[bytes]:
    socket = context.socket(kind)
    try:
        for option, value in options.items():
            socket.set(option, value)
    except zmq.ZMQError:
        socket.close()
        raise
    return socket


def reason_of(error: zmq.ZMQError) -> str:
    """Say what libzmq found wrong, without the address that pyzmq appends."""
    return zmq.strerror(error.errno or 0)


_numbers = count()


class Watched:
    """A socket with its monitor, both watched by the loop until closed."""

    def __init__(
        self, loop: Loop, socket: zmq.Socket[bytes], events: int, on_message: Callable[[], None],
        on_event: Callable[[int, int], None],
    ) -> None:  # fmt: skip
        self._loop = loop
        self._on_message = on_message
        self._on_event = on_event
        self.socket = socket
        try:
            self._monitor: zmq.Socket[bytes] = loop.context.socket(zmq.PAIR)
        except zmq.ZMQError:  # no file descriptor left
            socket.close()
            raise
        self._monitor.linger = 0
        self._monitor.rcvhwm = 0  # libzmq would wait for room with a lock held that `close` needs, for ever
        address = f"inproc://monitor-{next(_numbers)}"
        socket.monitor(address, events)
        self._monitor.connect(address)
        loop.watch(self._monitor, self._tell)  # before the socket: whoever speaks has come up first
        loop.watch(socket, on_message)

    def _tell(self) -> None:
        """Hand on what happened, each event by its number and value: the handler may close this."""
        for _ in range(EVENTS):
            try:
                event, value = struct.unpack("=HI", self._monitor.recv_multipart(zmq.NOBLOCK)[0])
            except zmq.Again:
                return
            self._on_event(event, value)
            if self._monitor.closed:
                return

    def pause(self, until_ns: int) -> None:
        """Look at no message until then, on the monotonic clock; libzmq takes in what it has room for."""
        self._loop.unwatch(self.socket)
        self._loop.alarm(self.socket, until_ns, lambda: self._loop.watch(self.socket, self._on_message))

    def close(self) -> None:
        """Close both; what is still queued is dropped."""
        self._loop.disarm(self.socket)
        for watched in (self.socket, self._monitor):
            self._loop.unwatch(watched)
        self.socket.monitor(None, 0)
        self.socket.close()
        self._monitor.close()
