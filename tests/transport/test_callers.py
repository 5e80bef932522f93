"""Who is connected, by descriptor: nobody is cut off in another's place."""

import os
import socket
from collections.abc import Iterator

import pytest

from transport.callers import Callers


class Door:
    """A listening socket; `connect` gives both ends of a new connection."""

    def __init__(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.ends: list[socket.socket] = []

    def connect(self) -> tuple[socket.socket, socket.socket]:
        far = socket.create_connection(self.socket.getsockname())
        near, _ = self.socket.accept()
        self.ends += [near, far]
        return near, far


@pytest.fixture
def door() -> Iterator[Door]:
    door = Door()
    yield door
    for one in (door.socket, *door.ends):
        one.close()


def test_who_is_cut_off_sees_the_end_and_is_cut_once(door: Door) -> None:
    callers = Callers()
    near, far = door.connect()
    assert callers.came(near.fileno())
    assert callers.cut(near.fileno())
    assert far.recv(1) == b""
    assert not callers.cut(near.fileno())
    assert callers.went(near.fileno()) == "127.0.0.1"
    assert len(callers) == 0


def test_a_descriptor_that_another_has_by_now_is_let_be(door: Door) -> None:
    callers = Callers()
    (near, _), (other, others) = door.connect(), door.connect()
    assert callers.came(near.fileno())
    os.dup2(other.fileno(), near.fileno())
    assert not callers.cut(near.fileno())
    other.sendall(b"!")
    assert others.recv(1) == b"!"


def test_what_is_no_connection_by_now_is_let_be(door: Door) -> None:
    callers = Callers()
    near, _ = door.connect()
    assert callers.came(near.fileno())
    file = os.memfd_create("file")
    os.dup2(file, near.fileno())
    assert not callers.cut(near.fileno())
    assert callers.came(file)
    os.close(file)
    assert callers.came(file)  # closed before anybody looked
    assert callers.went(file) == ""
    assert not callers.cut(file)


def test_only_who_spoke_and_is_not_welcome_is_weeded(door: Door) -> None:
    callers = Callers()
    ends = {name: door.connect() for name in ("silent", "welcome", "unwelcome")}
    for name, (near, _) in ends.items():
        callers.came(near.fileno())
        if name != "silent":
            callers.spoke(near.fileno(), name)
    callers.spoke(999_999, "unwelcome")
    assert callers.weed(lambda key: key == "welcome") == ["unwelcome"]
    assert ends["unwelcome"][1].recv(1) == b""
    assert callers.weed(lambda key: key == "welcome") == []


def test_above_the_limit_the_newest_is_cut_off(door: Door) -> None:
    callers = Callers()
    callers._most = 2
    ends = [door.connect() for _ in range(3)]
    assert [callers.came(near.fileno()) for near, _ in ends] == [True, True, False]
    assert ends[2][1].recv(1) == b""
