"""Unix sockets at paths of any length."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

BUS_SOCKET, GPIO_SOCKET, CONTROL_SOCKET = "i2c.sock", "gpio.sock", "control.sock"  # in a vessel's folder
LONGEST_PATH = 107  # bytes in sockaddr_un.sun_path beside the final NUL: Linux unix(7)


@contextmanager
def reachable(path: Path) -> Iterator[str]:
    """Spell `path` so that it fits a socket address: a long one goes through a descriptor of its folder."""
    if len(os.fsencode(path)) <= LONGEST_PATH:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def listen(path: Path) -> socket.socket:
    """Listen at `path`, in place of what a process that ended left there; not blocking."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with reachable(path) as address:
        listener.bind(address)
    listener.listen()
    listener.settimeout(0.0)
    return listener


def connect(path: Path, timeout: float) -> socket.socket:
    """Connect to `path`; raises `OSError`. Every later operation takes at most `timeout` seconds."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(timeout)
    try:
        with reachable(path) as address:
            connection.connect(address)
    except OSError:
        connection.close()
        raise
    return connection
