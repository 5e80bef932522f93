"""What a manager is measured against: a bare pyzmq ROUTER with CURVE that only unpacks and acknowledges.

    python -m bench.bare

It prints its endpoint and its public key, a line each, and serves until its standard input ends. Any key is let in.
"""

import os
import resource
import sys
import threading

import msgpack  # type: ignore[import-untyped] # it brings no types
import zmq

TAG = b"RCT1"
BODY = msgpack.packb({"next_interval": 5.0, "database": None, "time_us": 0, "closely": False})


def main() -> None:
    """Serve."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # each client takes one
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    router = context.socket(zmq.ROUTER)
    public, secret = zmq.curve_keypair()
    router.set(zmq.BACKLOG, 4096)  # as a manager's: a fleet connects at once
    router.curve_server, router.curve_secretkey = True, secret
    port = router.bind_to_random_port("tcp://127.0.0.1")
    sys.stdout.write(f"tcp://127.0.0.1:{port}\n{public.decode()}\n")
    sys.stdout.flush()
    threading.Thread(target=_end_with_input, daemon=True).start()
    while True:
        route, _, head, body = router.recv_multipart()
        header = msgpack.unpackb(head)
        msgpack.unpackb(body)
        answer = {
            "type": "ack",
            "id": header["id"],
            "session": header["session"],
            "sequence": header["sequence"],
            "sent_us": 0,
            "reply_to": header["id"],
        }
        router.send_multipart([route, TAG, msgpack.packb(answer), BODY])


def _end_with_input() -> None:
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
