"""What ties a reactor to its guard, with real pipes."""

import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from deploy import tether
from deploy.proof import RECORD, encode
from deploy.tether import Tether

WAIT = 10.0


@dataclass
class Ends:
    """The guard's ends, and what the reactor noticed."""

    proof: int
    answer: int
    tether: Tether
    gone: threading.Event = field(default_factory=threading.Event)
    left: set[int] = field(default_factory=set)  # descriptors that are open still

    def close(self, end: int) -> None:
        os.close(end)
        self.left.discard(end)


@pytest.fixture
def ends() -> Iterator[Ends]:
    proof, theirs = os.pipe()
    other, answer = os.pipe()
    gone = threading.Event()
    made = Ends(proof, answer, Tether(theirs, other, gone.set), gone, {proof, answer})
    yield made
    for end in made.left:
        os.close(end)
    assert gone.wait(WAIT)
    os.close(theirs)
    os.close(other)


def test_proof_arrives_in_whole_records(ends: Ends) -> None:
    ends.tether.prove([0.0, 1.23, 99999.0])
    ends.tether.prove([0.5, 0.0, 0.0])
    assert os.read(ends.proof, 100) == bytes([0, 0, 0, 12, 255, 255, 0, 5, 0, 0, 0, 0])


def test_outputs_are_taken_once_the_guard_has_let_go(ends: Ends) -> None:
    def guard() -> None:
        assert os.read(ends.proof, 100) == encode([0.0, 0.0, 0.0])
        os.write(ends.answer, b".")

    thread = threading.Thread(target=guard)
    thread.start()
    ends.tether.take_over()
    thread.join()


def test_a_guard_that_does_not_answer_delays_the_start_and_no_more(ends: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tether, "PATIENCE", 0.01)
    ends.tether.take_over()
    assert len(os.read(ends.proof, 100)) == RECORD


def test_a_guard_that_ends_is_noticed(ends: Ends) -> None:
    assert not ends.gone.is_set()
    ends.close(ends.answer)
    assert ends.gone.wait(WAIT)


def test_proof_for_a_guard_that_has_gone_or_does_not_read_is_lost_and_never_waits(ends: Ends) -> None:
    for _ in range(20_000):  # more than a pipe takes
        ends.tether.prove([0.0, 0.0, 0.0])
    assert len(os.read(ends.proof, 1 << 20)) % RECORD == 0
    ends.close(ends.proof)
    ends.tether.prove([0.0, 0.0, 0.0])


def test_no_child_of_the_reactor_holds_the_pipes(ends: Ends) -> None:
    assert not os.get_inheritable(ends.tether._proof)
    assert not os.get_inheritable(ends.tether._answer)
