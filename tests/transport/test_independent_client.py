"""The client that was written from the page alone gets through to our wire."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.transport.world import World
from transport.keys import KeyPair, load_or_make
from transport.messages import Ack, Attach, Attached, Error, Hello, Message, Status, Welcome
from transport.session import Session, new_session
from transport.wire import Listener, Outgoing, Received

CLIENT = Path(__file__).parents[1] / "system" / "independent_client.py"


class Servers:
    """Coordinator and manager in one: the first hello is put off, the first session forgotten after two statuses."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.seen: list[Message] = []
        self._session = Session("none")
        self._sessions = 0
        self._threads: list[threading.Thread] = []
        self.listener: Listener = world.server.listen(
            "tcp://127.0.0.1:*",
            allow=world.peer_of,
            accept={"reactor": {Hello, Attach, Status}},
            deliver=self.deliver,
        )

    def deliver(self, batch: list[Received]) -> None:
        """Leave the wire's thread at once, as an actor would."""
        thread = threading.Thread(target=self.serve, args=[batch])
        self._threads.append(thread)
        thread.start()

    def wait(self) -> None:
        for thread in self._threads:
            thread.join()

    def serve(self, batch: list[Received]) -> None:
        for received in batch:
            self.seen.append(received.body)
            answer, session, sequence = self.answer(received)
            self.listener.send([Outgoing(received.route, answer, received.header.id, session, sequence)])

    def answer(self, received: Received) -> tuple[Message, str, int]:
        match received.body:
            case Hello() if len(self.seen) == 1:
                return Error(code="later", text="a manager is being started", retry=0.01), "", 0
            case Hello(epoch=epoch):
                return self.welcome(epoch + 1), "", 0
            case Attach():
                self._session = Session(new_session())
                self._sessions += 1
                return Attached(session=self._session.id, status_interval=0.01), "", 0
            case Status() if self._session.hear(received.header) == "ok":
                sequence = self._session.stamp()
                if self._sessions == 1 and sequence == 3:
                    return Error(code="session", text="forgotten"), "", 0
                return Ack(next_interval=0.01), self._session.id, sequence
        return Error(code="internal", text="not expected"), "", 0

    def welcome(self, epoch: int) -> Welcome:
        return Welcome(
            manager="m-1",
            endpoint=self.listener.endpoint,
            key=self.world.keys.public,
            epoch=epoch,
            database=None,
            status_interval=0.01,
            time_us=1,
        )


@pytest.fixture
def servers(world: World) -> Iterator[Servers]:
    made = Servers(world)
    yield made
    made.wait()


def run(servers: Servers, keys: KeyPair, folder: Path, statuses: int) -> tuple[int, list[dict[str, Any]]]:
    path = folder / "secret"
    path.write_text(keys.secret, encoding="ascii")
    done = subprocess.run(
        [sys.executable, str(CLIENT), servers.listener.endpoint, servers.world.keys.public, str(path), str(statuses)],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stderr == ""
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


def test_it_attaches_and_reports_through_a_refusal_and_a_forgotten_session(servers: Servers, tmp_path: Path) -> None:
    code, said = run(servers, servers.world.admit("stranger"), tmp_path, statuses=4)
    assert code == 0
    assert [next(iter(line)) for line in said] == [
        *("welcome", "attached", "ack", "ack"),
        *("welcome", "attached", "ack", "ack"),
        "reported",
    ]
    kinds = [type(message) for message in servers.seen]
    assert kinds == [Hello, Hello, Attach, Status, Status, Status, Hello, Attach, Status, Status]
    assert [message.epoch for message in servers.seen if isinstance(message, Attach)] == [1, 2]


def test_it_is_told_when_its_role_is_wrong(servers: Servers, tmp_path: Path) -> None:
    servers.listener._accept["reactor"] = frozenset()
    code, said = run(servers, servers.world.admit("stranger"), tmp_path, statuses=1)
    assert (code, said) == (1, [{"error": {"code": "role", "text": "not yours to send here", "retry": 0.0}}])


def test_it_imports_nothing_of_ours() -> None:
    imports = [line for line in CLIENT.read_text(encoding="utf-8").splitlines() if line.startswith(("import", "from"))]
    assert {line.split()[1] for line in imports} == {
        *("json", "math", "random", "sys", "time", "pathlib", "typing"),
        *("msgpack", "zmq"),
    }


def test_a_key_file_of_ours_is_one_that_others_can_read(tmp_path: Path) -> None:
    keys = load_or_make(tmp_path / "k")
    assert (tmp_path / "k").read_text(encoding="ascii").strip() == keys.secret
