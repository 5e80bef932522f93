"""The doors that frames come to: the listeners of coordinator and manager, the connections of everybody else.

They are the product's own, with its own allow-lists and its own sockets; only the frames do not come through these.
"""

import json
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from actors import coordinator, link, manager
from hardware.clock import SystemClock
from tests.faults.mutations import Frames, spoil_frames, strain_frames
from tests.transport.world import make_keys
from transport.envelope import decode, encode
from transport.errors import EnvelopeError
from transport.keys import AllowList, Peer
from transport.links import Received, Types
from transport.messages import Role
from transport.wire import Wire
from ui import operator

if TYPE_CHECKING:
    import zmq

GOLDEN: Mapping[str, Frames] = {
    kind: [bytes.fromhex(frame) for frame in frames]
    for kind, frames in json.loads(
        (Path(__file__).parents[1] / "transport" / "golden_rct1.json").read_text(encoding="ascii")
    ).items()
}
STRAINED = 0.2  # of all messages: strange, but to be let in
LONGEST_TEXT = 120  # characters that are said of a frame, at most
SLOWEST = 0.25  # s of processor time that one frame may cost, ten times the dearest bomb
ROUTE = b"\x00nope"  # nobody's: an answer to it goes nowhere


@dataclass(frozen=True, slots=True)
class Frame:
    """What `receive` gives, as far as a door looks at it."""

    bytes: bytes


@dataclass(frozen=True, slots=True)
class Door:
    """One way in, and the types of messages that are let through."""

    name: str
    types: frozenset[str]
    admit: Callable[[Frames], Received | None]


class Doors:
    """Every door of the system on one wire. `admit` is for the wire's thread: `call` goes there. `close` ends it."""

    def __init__(self) -> None:
        clock = SystemClock()
        keys = make_keys()
        self._wire = Wire(keys, clock)
        self._common = self._wire._common
        self._note = self._common.complaints.note
        self._common.complaints.note = self._noted  # type: ignore[method-assign]
        self._text = ""
        self.slowest = 0.0
        self.doors: list[Door] = []
        for name, accept in (("coordinator", coordinator.ACCEPT), ("manager", manager.ACCEPT)):
            self._listen(name, accept)
        for name, types in (
            ("reactor", link.ACCEPT),
            ("manager as client", manager.FROM_COORDINATOR),
            ("operator of coordinator", operator.FROM_COORDINATOR),
            ("operator of manager", operator.FROM_MANAGER),
        ):
            self._connect(name, types)
        self._for = {kind: [door for door in self.doors if kind in door.types] for kind in GOLDEN}

    def _listen(self, name: str, accept: Mapping[Role, Types]) -> None:
        peers = [Peer(role, role, make_keys().public) for role in accept]
        listener = self._wire.listen(
            "tcp://127.0.0.1:*", allow=AllowList(peers).peer_of, accept=accept, deliver=lambda _: None
        )
        self.endpoint = listener.endpoint
        for peer in peers:

            def admit(frames: Frames, key: str = peer.key) -> Received | None:
                return listener._admit(cast("list[zmq.Frame]", [Frame(ROUTE), *map(Frame, frames)]), key, 0)

            types = frozenset(kind.TYPE for kind in accept[peer.role])
            self.doors.append(Door(f"{name} from {peer.role}", types, admit))

    def _connect(self, name: str, types: Types) -> None:
        connection = self._wire.connect(self.endpoint, self._common.keys.public, accept=types, deliver=lambda _: None)
        kinds = frozenset(kind.TYPE for kind in types)
        self.doors.append(Door(name, kinds, lambda frames: connection._admit(frames, 0)))

    def _noted(self, culprit: str, fault: str) -> bool:
        self._text = fault
        return self._note(culprit, fault)

    def draw(self, source: random.Random) -> tuple[Door, Frames]:
        """Spoil a message, and choose the door that it goes to: mostly one that would let it in."""
        kind, other = source.choice(list(GOLDEN)), source.choice(list(GOLDEN))
        door = source.choice(self._for[kind] if source.random() < 0.9 else self.doors)
        if source.random() < STRAINED:
            return door, strain_frames(source, GOLDEN[kind])
        return door, spoil_frames(source, GOLDEN[kind], GOLDEN[other])

    def call(self, action: Callable[[], object]) -> None:
        """Run something on the wire's thread."""
        self._common.loop.call(action)

    def admit(self, door: Door, frames: Frames) -> Received | None:
        """Knock. Gives what was let in; raises whatever the door does, and AssertionError for a broken promise."""
        began = time.thread_time()
        received = door.admit(frames)
        took = time.thread_time() - began
        self.slowest = max(self.slowest, took)
        assert took < SLOWEST, f"took {took:.2f} s of processor time"
        if received is None:
            assert len(self._text) <= LONGEST_TEXT, f"a text of {len(self._text)} characters"
            assert self._text.isprintable(), "a text that is none for a log"
            return None
        _see_that_it_means_one_thing(received)
        return received

    def close(self) -> None:
        self._wire.close()


def _see_that_it_means_one_thing(received: Received) -> None:
    """What was let in is said again, and heard as the same."""
    try:
        again = encode(received.body, id=received.header.id, session=received.header.session)
    except EnvelopeError as error:
        assert error.code == "too_large", error.text  # noqa: PT017 - numbers are longer when they are floats
        return
    assert decode(again).body == received.body
