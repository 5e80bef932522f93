"""A web process without a process: the application over a pretended fleet, asked by a client."""

from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.testclient import TestClient

from storage.reader import Reader
from tests.ui.joined import Joined
from ui.accounts import Accounts
from ui.rest.app import make_app
from ui.rest.gate import Throttle
from ui.rest.parts import Parts
from ui.rest.stream import Hub

NOWHERE = Reader("127.0.0.1", 1, "viewer", "")
_MADE: list[FastAPI] = []
OURS = {"Sec-Fetch-Site": "same-origin"}


class Web:
    """`client` asks as a program that may change things; `as_person` as somebody at the page."""

    def __init__(self, joined: Joined, folder: Path, reader: Reader = NOWHERE) -> None:
        self.joined = joined
        self.pretender, self.operator = joined.pretender, joined.operator
        self.accounts = Accounts(folder / "accounts.json")
        self.password = self.accounts.make_first() or ""
        self.slept: list[float] = []
        hub = Hub()
        joined.seen.also = hub.changed
        throttle = Throttle(sleep=self._sleep)
        self.parts = Parts(
            joined.operator, self.accounts, reader, hub, throttle, joined.pretender.clock, "reactorium 1.2"
        )
        self.app = _app(self.parts)
        self.token = self.accounts.add_program("script", "operator")[1]
        self.client = TestClient(self.app, headers={"Authorization": f"Bearer {self.token}"})
        self.stranger = TestClient(self.app)

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    def as_person(self) -> TestClient:
        client = TestClient(self.app, headers=OURS)
        answer = client.post("/api/session", json={"name": "operator", "password": self.password})
        assert answer.status_code == 200
        return client

    def get(self, path: str, **parameters: object) -> Any:  # noqa: ANN401 - JSON
        answer = self.client.get(f"/api{path}", params=parameters)  # type: ignore[arg-type]
        assert answer.status_code == 200, answer.text
        return answer.json()


def _app(parts: Parts) -> FastAPI:
    """Make the application, once for all tests: its routes take half a second to describe."""
    if not _MADE:
        _MADE.append(make_app(parts))
    _MADE[0].state.parts = parts
    return _MADE[0]
