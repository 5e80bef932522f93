"""The web process of a measured system, as people and programs ask it: log in, `/api`, the live stream."""

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Self

import urllib3

from tests.system.whole import CLOCK, Whole

PASSWORD = re.compile(r"log in as +operator, password (\S+) ")
HEADERS = {"Sec-Fetch-Site": "same-origin", "Content-Type": "application/json"}
Heard = Callable[[int, Any], None]


class Person:
    """The operator, logged in with the password that `up` showed. `password` and `address` are for a browser."""

    def __init__(self, whole: Whole) -> None:
        self.address = f"http://127.0.0.1:{whole.variables['WEB_PORT']}"
        self.password = next(found[1] for line in whole.lines if (found := PASSWORD.search(line)))
        self._pool = urllib3.PoolManager(headers=HEADERS)
        answer = self._ask("POST", "/session", {"name": "operator", "password": self.password})
        self._pool.headers = HEADERS | {"Cookie": answer.headers["Set-Cookie"].split(";")[0]}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.clear()

    def get(self, path: str) -> Any:  # noqa: ANN401 - JSON
        """Ask."""
        return self._ask("GET", path, None).json()

    def put(self, path: str, body: object) -> Any:  # noqa: ANN401 - JSON
        """Change something."""
        return self._ask("PUT", path, body).json()

    def _ask(self, method: str, path: str, body: object) -> urllib3.BaseHTTPResponse:
        encoded = None if body is None else json.dumps(body)
        answer = self._pool.request(method, f"{self.address}/api{path}", body=encoded, retries=False)
        if answer.status != 200:
            raise RuntimeError(f"{method} {path} was answered with {answer.status}: {answer.data.decode()}")
        return answer

    @contextmanager
    def listening(self, reactor: str, heard: Heard) -> Iterator[None]:
        """Hear a reactor's state on a thread as a page does: when it came (CLOCK_BOOTTIME, ns), and `live`."""
        url = f"{self.address}/api/stream?reactor={reactor}"
        answer = self._pool.request("GET", url, preload_content=False, retries=False)
        thread = threading.Thread(target=_hear, args=[answer, heard], daemon=True)
        thread.start()
        try:
            yield
        finally:
            answer.shutdown()
            thread.join()
            answer.close()


def _hear(answer: urllib3.BaseHTTPResponse, heard: Heard) -> None:
    rest = b""
    with suppress(urllib3.exceptions.ProtocolError):  # it is cut when nobody listens any more
        while part := answer.read1():
            *events, rest = (rest + part).split(b"\n\n")
            at_ns = CLOCK.monotonic_ns()
            for event in events:
                kind, _, data = event.partition(b"\ndata: ")
                if kind == b"event: live":
                    heard(at_ns, json.loads(data))
