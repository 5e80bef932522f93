"""Many reactors as a server sees them: a socket each, each with its own key, in one process without threads.

    python -m bench.clients ENDPOINT KEY SECRETS

SECRETS is a file of lines `NAME SECRET`. Each command is a line of JSON on standard input, each answer one on standard
output: {"do": "attach"} opens sessions, {"do": "connect"} goes without; {"do": "flood", "count": C} reports C times
in all, as fast as it is acknowledged; {"do": "pace", "interval": S, "seconds": T} reports every S seconds for T
seconds. Latencies are in ms.
"""

import heapq
import json
import select
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Self

import zmq

from transport.envelope import decode, encode
from transport.keys import KeyPair
from transport.messages import (
    AppliedState,
    Attach,
    Attached,
    Backlog,
    DeviceInfo,
    QuantityInfo,
    Reading,
    SensorInfo,
    SettingInfo,
    Status,
)
from transport.sockets import connecting

WINDOW = 20  # reports of one reactor under way in a flood
TOGETHER = 100  # that attach at once
PATIENCE = 60.0  # seconds until a key must be let in
ANSWER = 20.0  # seconds for an answer
LARGEST = 2 * 1024 * 1024
SENSORS = ("broth", "ph", "oxygen", "gas")
QUANTITIES = ("value", "raw", "slope")
DEVICES = ("stirrer", "heater", "light", "air", "acid", "base")


class Peer:
    """One reactor: twelve readings and six devices, about 600 bytes a report."""

    def __init__(
        self, context: "zmq.Context[zmq.Socket[bytes]]", name: str, endpoint: str, key: str, keys: KeyPair
    ) -> None:
        self.name = name
        self.sent_ns = 0
        self.next = 0.0
        self._connect = partial(connecting, context, keys, key, LARGEST)
        self._endpoint = endpoint
        self._session = "none"
        self._sequence = 0
        self.socket = self._connect()  # to nobody yet

    def open(self) -> None:
        """Connect afresh; who is not let in is not heard on that connection again."""
        self.socket.close()
        self.socket = self._connect()
        self.socket.connect(self._endpoint)

    def attach(self, seconds: float) -> bool:
        """Ask for a session, within so many seconds."""
        self.socket.setsockopt(zmq.SNDTIMEO, round(seconds * 1000))
        try:
            self.socket.send_multipart(encode(_attach(), id=1))
        except zmq.Again:
            return False
        return True

    def attached(self, seconds: float) -> bool:
        """Take the session."""
        while self.socket.poll(round(seconds * 1000)):
            body = decode(self.socket.recv_multipart()).body
            if isinstance(body, Attached):
                self._session, self._sequence = body.session, 0
                return True
        return False

    def report(self) -> list[bytes]:
        """Make the next report, ready to be sent."""
        self._sequence += 1
        now_us = time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000 + self._sequence  # no two of one moment
        return encode(_status(now_us), id=self._sequence, session=self._session, sequence=self._sequence)

    def acks(self) -> Iterator[None]:
        """Take the acknowledgements that are here; a socket must be emptied after each send too, to be heard again."""
        while True:
            try:
                frames = self.socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            if b"\xa3ack" not in frames[1]:
                raise RuntimeError(f"{self.name} was answered: {frames}")
            yield


def _attach() -> Attach:
    settings = [SettingInfo("duty", "%", "number", 0.0, 100.0, 0.1, 0.0, 0.0, survives=False)]
    quantities = [QuantityInfo(name=name, unit="1", low=0.0, high=100.0, decimals=3) for name in QUANTITIES]
    common: dict[str, Any] = {"label": "measured", "driver": "none", "address": "none"}
    return Attach(
        epoch=1,
        label="measured",
        software="bench",
        sensors=[
            SensorInfo(name=name, quantities=quantities, live_interval=5.0, sample_interval=600.0, **common)
            for name in SENSORS
        ],
        devices=[DeviceInfo(name=name, looks="pump", settings=settings, **common) for name in DEVICES],
    )


def _status(now_us: int) -> Status:
    return Status(
        now_us=now_us,
        readings=[
            Reading(sensor, quantity, now_us % 1000 / 10, "ok", now_us) for sensor in SENSORS for quantity in QUANTITIES
        ],
        backlog=Backlog(waiting=3, oldest=1.5, refused=0, dropped=0),
        clock_known=True,
        clock_offset=0.001,
        database="",
        devices=[AppliedState(name, 0, "", {"duty": 12.5}, {"duty": 12.5}) for name in DEVICES],
    )


class Crowd:
    """All of them, and one epoll over their sockets: what is idle costs nothing."""

    def __init__(self, endpoint: str, key: str, secrets: Path) -> None:
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        context.set(zmq.MAX_SOCKETS, 10_000)
        self.peers = []
        for line in secrets.read_text(encoding="ascii").splitlines():
            name, secret = line.split(" ")
            keys = KeyPair(zmq.curve_public(secret.encode()).decode(), secret)
            self.peers.append(Peer(context, name, endpoint, key, keys))

    def connect(self) -> dict[str, object]:
        """Connect each, to a server that knows no sessions."""
        for peer in self.peers:
            peer.open()
        connected = sum(bool(peer.socket.poll(round(ANSWER * 1000), zmq.POLLOUT)) for peer in self.peers)
        if connected < len(self.peers):
            raise RuntimeError(f"only {connected} of {len(self.peers)} could connect")
        return {"connected": connected}

    def attach(self) -> dict[str, object]:
        """Open a session for each, the first alone until the server knows its key."""
        first, end = self.peers[0], time.monotonic() + PATIENCE
        first.open()
        while not (first.attach(1.0) and first.attached(ANSWER)):
            if time.monotonic() > end:
                raise RuntimeError("nobody is let in")
            first.open()
        for start in range(1, len(self.peers), TOGETHER):
            some = self.peers[start : start + TOGETHER]
            for peer in some:
                peer.open()
            if not (all(peer.attach(ANSWER) for peer in some) and all(peer.attached(ANSWER) for peer in some)):
                raise RuntimeError("not all could attach")
        return {"attached": len(self.peers)}

    def flood(self, count: int) -> dict[str, object]:
        """Report as fast as possible; everything is made before the clock starts."""
        each = count // len(self.peers)
        reports = {peer: [peer.report() for _ in range(each)] for peer in self.peers}
        missing = each * len(self.peers)
        began_ns = time.perf_counter_ns()
        for peer, ready in reports.items():
            for frames in ready[:WINDOW]:
                peer.socket.send_multipart(frames, copy=True)
            reports[peer] = ready[WINDOW:][::-1]
        with _Watch(self.peers) as watch:
            heard = self.peers  # whose first answers may have come while we sent, which an epoll does not tell
            while heard:
                for peer in heard:
                    for _ in peer.acks():
                        missing -= 1
                        if reports[peer]:
                            peer.socket.send_multipart(reports[peer].pop(), copy=True)
                heard = watch.busy(ANSWER) if missing else []
        if missing:
            raise RuntimeError(f"{missing} reports were not acknowledged within {ANSWER:.0f} s")
        return {"seconds": (time.perf_counter_ns() - began_ns) / 1e9, "acked": each * len(self.peers)}

    def pace(self, interval: float, seconds: float) -> dict[str, object]:
        """Report at the pace of life, spread evenly over the interval."""
        began = time.monotonic()
        due = [(began + interval * number / len(self.peers), number) for number in range(len(self.peers))]
        heapq.heapify(due)
        latencies: list[float] = []

        def heard(peer: Peer) -> None:
            latencies.extend((time.perf_counter_ns() - peer.sent_ns) / 1e6 for _ in peer.acks())

        with _Watch(self.peers) as watch:
            while (now := time.monotonic()) < began + seconds:
                if due[0][0] > now:
                    for peer in watch.busy(due[0][0] - now):
                        heard(peer)
                    continue
                at, number = due[0]
                peer = self.peers[number]
                frames = peer.report()
                peer.sent_ns = time.perf_counter_ns()
                peer.socket.send_multipart(frames)
                heard(peer)
                heapq.heapreplace(due, (at + interval, number))
        return {"latencies": [round(latency, 3) for latency in latencies]}


class _Watch:
    """An epoll over the sockets' descriptors, which are edge-triggered."""

    def __init__(self, peers: list[Peer]) -> None:
        self._epoll = select.epoll()
        self._peers = {int(peer.socket.get(zmq.FD)): peer for peer in peers}
        for descriptor in self._peers:
            self._epoll.register(descriptor, select.EPOLLIN)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._epoll.close()

    def busy(self, seconds: float) -> list[Peer]:
        """Give those with something to read, at the latest after so many seconds."""
        return [self._peers[descriptor] for descriptor, _ in self._epoll.poll(max(0.0, seconds))]


def main() -> None:
    """Do as told until nobody tells more."""
    crowd = Crowd(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
    commands: dict[str, Callable[..., dict[str, object]]] = {
        "connect": crowd.connect,
        "attach": crowd.attach,
        "flood": crowd.flood,
        "pace": crowd.pace,
    }
    for line in sys.stdin:
        told = json.loads(line)
        answer = commands[told.pop("do")](**told)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
