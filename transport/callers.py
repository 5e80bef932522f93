"""Who is connected to a listener, and how one of them is cut off. Used on the wire's thread alone.

libzmq has no call that ends a peer's connection, but it tells each one's descriptor: its monitor as it is accepted and
when it is over, a message as it is read. To libzmq, shutdown(2) is a peer that hung up. A descriptor may be another's
by the time we hear of it, so a connection is known by the address behind it too, and looked up before it is touched.
"""

import os
import resource
import socket
from collections.abc import Callable
from dataclasses import dataclass

KEPT_FREE = 8  # one in so many descriptors is for everything that is no caller


@dataclass(slots=True)
class _Caller:
    address: tuple[object, ...]  # host and port first, as the kernel tells them
    key: str = ""  # that it proved to have; empty until it spoke
    cut: bool = False


class Callers:
    """The connections of one listener, by descriptor, as far as its monitor told."""

    def __init__(self) -> None:
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        self._most = files - files // KEPT_FREE
        self._open: dict[int, _Caller] = {}

    def __len__(self) -> int:
        return len(self._open)

    def came(self, descriptor: int) -> bool:
        """Take in a new connection; false when there were too many, and it is cut off."""
        self._open.pop(descriptor, None)
        try:
            with _held(descriptor) as held:
                self._open[descriptor] = _Caller(held.getpeername())
        except OSError:  # it is gone already
            return True
        return len(self._open) <= self._most or not self.cut(descriptor)

    def went(self, descriptor: int) -> str:
        """Forget a connection that is over; returns its host, empty when nobody had the time to look."""
        caller = self._open.pop(descriptor, None)
        return str(caller.address[0]) if caller else ""

    def spoke(self, descriptor: int, key: str) -> None:
        """Remember whose it is."""
        caller = self._open.get(descriptor)
        if caller is not None:
            caller.key = key

    def cut(self, descriptor: int) -> bool:
        """Cut one off; whether it was there and is cut for the first time."""
        caller = self._open.get(descriptor)
        if caller is None or caller.cut:
            return False
        try:
            with _held(descriptor) as held:
                if held.getpeername() != caller.address:
                    return False
                held.shutdown(socket.SHUT_RDWR)
        except OSError:  # it is gone already
            return False
        caller.cut = True
        return True

    def weed(self, is_welcome: Callable[[str], bool]) -> list[str]:
        """Cut off everybody who spoke and is not welcome any more; returns their keys."""
        unwelcome = [
            (descriptor, caller.key)
            for descriptor, caller in self._open.items()
            if caller.key and not is_welcome(caller.key)
        ]
        return [key for descriptor, key in unwelcome if self.cut(descriptor)]


def _held(descriptor: int) -> socket.socket:
    """Give the socket behind libzmq's descriptor one of ours, so that it stays what it is while we look. OSError."""
    own = os.dup(descriptor)
    try:
        return socket.socket(fileno=own)
    except OSError:  # a file by now
        os.close(own)
        raise
