"""A TCP proxy with bad manners, between two ends that do not know of it."""

import socket
import threading
from contextlib import suppress


class Proxy:
    """Passes TCP connections on. What it hears can be swallowed, by direction, or said twice; nothing is closed for it.

    `tapes` is what each connection's client said.
    """

    def __init__(self, endpoint: str) -> None:
        self.swallow_up = threading.Event()
        self.swallow_down = threading.Event()
        self.twice = threading.Event()  # of what clients say
        self.tapes: list[bytes] = []
        self._target = ("127.0.0.1", int(endpoint.rsplit(":", 1)[1]))
        self._door = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"tcp://127.0.0.1:{self._door.getsockname()[1]}"
        self._open = [self._door]
        self._threads: list[threading.Thread] = []
        self._run(self._accept)

    def _run(self, target: object, *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments)  # type: ignore[arg-type] # a bound method
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._door.accept()
                far = socket.create_connection(self._target)
                self._open += [near, far]
                self.tapes.append(b"")
                self._run(self._pass_on, near, far, self.swallow_up, len(self.tapes) - 1)
                self._run(self._pass_on, far, near, self.swallow_down, None)

    def _pass_on(self, source: socket.socket, sink: socket.socket, swallow: threading.Event, tape: int | None) -> None:
        with suppress(OSError):
            while heard := source.recv(65536):
                if tape is not None:
                    self.tapes[tape] += heard
                if not swallow.is_set():
                    sink.sendall(heard * 2 if tape is not None and self.twice.is_set() else heard)
        with suppress(OSError):  # also after a reset
            sink.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        for one in self._open:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for one in self._open:
            one.close()
