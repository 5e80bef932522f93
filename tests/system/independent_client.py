"""A reactor written from docs/protocol.md alone: pyzmq and msgpack, nothing of ours.

    python independent_client.py COORDINATOR KEY SECRET_FILE STATUSES

It says hello to the coordinator at COORDINATOR, whose public key is KEY, attaches to the manager that it is given,
reports STATUSES times and ends. SECRET_FILE holds its own secret key in Z85. Each answer is printed as a line of JSON;
the last line is `{"reported": STATUSES}`. It exits with 1 and an `{"error": ...}` line when it is refused for good.
"""

import json
import math
import random
import sys
import time
from pathlib import Path
from typing import Any

import msgpack  # type: ignore[import-untyped] # it brings no types
import zmq

TAG = b"RCT1"
ANSWER = 17.0  # seconds: lost
SENSOR = {
    "name": "bottle",
    "label": "A bottle of water",
    "driver": "none",
    "address": "none",
    "quantities": [{"name": "temperature", "unit": "°C", "low": -10.0, "high": 120.0, "decimals": 2}],
    "live_interval": 5.0,
    "sample_interval": 600.0,
}

Map = dict[str, Any]


class Lost(Exception):  # noqa: N818 - the protocol's word
    """Nobody answered in time."""


class Refused(Exception):  # noqa: N818 - what happened
    """An `error` came."""

    def __init__(self, body: Map) -> None:
        super().__init__(body["code"])
        self.body = body


class Connection:
    """A DEALER to one server."""

    def __init__(self, endpoint: str, server_key: str, secret: bytes) -> None:
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._socket = self._context.socket(zmq.DEALER)
        for option, value in (
            (zmq.LINGER, 0),
            (zmq.IMMEDIATE, 1),
            (zmq.HEARTBEAT_IVL, 2000),
            (zmq.HEARTBEAT_TIMEOUT, 6000),
            (zmq.HEARTBEAT_TTL, 6000),
            (zmq.HANDSHAKE_IVL, 3000),
            (zmq.SNDTIMEO, round(ANSWER * 1000)),
            (zmq.CURVE_SERVERKEY, server_key.encode()),
            (zmq.CURVE_SECRETKEY, secret),
            (zmq.CURVE_PUBLICKEY, zmq.curve_public(secret)),
        ):
            self._socket.set(option, value)
        self._socket.connect(endpoint)
        self._last = 0

    def ask(self, kind: str, body: Map, *, session: str = "", sequence: int = 0) -> tuple[Map, Map]:
        """Send a message and return header and body of what answers it."""
        self._last += 1
        header = {
            "type": kind,
            "id": self._last,
            "session": session,
            "sequence": sequence,
            "sent_us": time.time_ns() // 1000,
        }
        try:
            self._socket.send_multipart([TAG, msgpack.packb(header), msgpack.packb(body)])
        except zmq.Again:
            raise Lost(f"no connection for {kind}") from None
        return self._answer(kind, time.monotonic() + ANSWER)

    def _answer(self, kind: str, until: float) -> tuple[Map, Map]:
        while (left := until - time.monotonic()) > 0:
            if not self._socket.poll(math.ceil(left * 1000)):
                continue
            tag, head, raw = self._socket.recv_multipart()
            header, body = msgpack.unpackb(head), msgpack.unpackb(raw)
            if tag != TAG or header.get("reply_to", 0) != self._last:
                continue
            if header["type"] == "error":
                raise Refused(body)
            print(json.dumps({header["type"]: body}), flush=True)  # noqa: T201 - what this program is for
            return header, body
        raise Lost(f"no answer to {kind}")

    def close(self) -> None:
        """Cut it."""
        self._socket.close()
        self._context.term()


class Reactor:
    """A reactor with one sensor, which measures nothing."""

    def __init__(self, coordinator: str, key: str, secret: bytes) -> None:
        self._coordinator = (coordinator, key)
        self._secret = secret
        self._epoch = 0
        self._reported = 0
        self._lost = ""

    def run(self, statuses: int) -> None:
        """Report so many times, through whatever losses."""
        failures = 0
        while self._reported < statuses:
            wait = random.uniform(0, min(30.0, 2.0**failures))
            failures += 1
            try:
                self._serve(self._place(), statuses)
            except Lost:
                time.sleep(wait)
            except Refused as error:
                if error.body["code"] not in {"epoch", "session", "full", "later", "internal"}:
                    raise
                time.sleep(max(wait, error.body.get("retry", 0.0)))

    def _place(self) -> Map:
        """Ask the coordinator for a manager."""
        connection = Connection(*self._coordinator, self._secret)
        try:
            hello = {"software": "independent client 1", "epoch": self._epoch, "lost": self._lost}
            _, welcome = connection.ask("hello", hello)
        finally:
            connection.close()
        if welcome["epoch"] < self._epoch:
            raise Lost("an old welcome")
        self._epoch = welcome["epoch"]
        return welcome

    def _serve(self, welcome: Map, statuses: int) -> None:
        """Attach to the manager and report."""
        self._lost = welcome["endpoint"]  # until we leave it of our own
        connection = Connection(welcome["endpoint"], welcome["key"], self._secret)
        try:
            attach = {
                "epoch": self._epoch,
                "label": "Independent",
                "software": "independent client 1",
                "sensors": [SENSOR],
            }
            _, attached = connection.ask("attach", attach)
            heard, sequence = 0, 0
            while True:
                sequence += 1
                header, ack = connection.ask("status", status(), session=attached["session"], sequence=sequence)
                if header["session"] != attached["session"] or header["sequence"] <= heard:
                    raise Lost("an answer of another session")
                heard = header["sequence"]
                self._reported += 1
                if self._reported == statuses:
                    return
                time.sleep(ack["next_interval"] * random.uniform(0.9, 1.1))
        finally:
            connection.close()


def status() -> Map:
    """Say how things are: a bottle of water at 20 to 21 °C."""
    now_us = time.monotonic_ns() // 1000
    return {
        "now_us": now_us,
        "readings": [["bottle", "temperature", 20 + now_us % 100 / 100, "ok", now_us]],
        "backlog": {"waiting": 0, "oldest": 0.0, "refused": 0, "dropped": 0},
        "clock_known": False,
        "clock_offset": None,
        "database": "",
        "faults": [],
        "a_later_versions_field": [1, 2, 3],
    }


def main() -> int:
    """Run as the module's docstring says."""
    coordinator, key, secret_file, statuses = sys.argv[1:]
    secret = Path(secret_file).read_bytes().strip()
    try:
        Reactor(coordinator, key, secret).run(int(statuses))
    except Refused as error:
        print(json.dumps({"error": error.body}), flush=True)  # noqa: T201
        return 1
    print(json.dumps({"reported": int(statuses)}), flush=True)  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
