"""Sessions: the current one, and a rising sequence."""

import random

from hypothesis import given
from hypothesis import strategies as st

from transport.messages import Header
from transport.session import Session, new_session


def heard(session: str, sequence: int) -> Header:
    return Header(type="ack", id=1, session=session, sequence=sequence)


def test_sessions_are_told_apart() -> None:
    assert len({new_session() for _ in range(100)}) == 100
    assert len(new_session()) == 32


def test_each_direction_counts_for_itself() -> None:
    near, far = Session("a"), Session("a")
    assert [near.stamp(), near.stamp()] == [1, 2]
    assert far.hear(heard("a", 1)) == "ok"
    assert far.stamp() == 1


def test_another_session_is_refused_and_leaves_no_trace() -> None:
    session = Session("a")
    assert session.hear(heard("b", 9)) == "session"
    assert session.hear(heard("", 9)) == "session"
    assert session.hear(heard("a", 1)) == "ok"


@given(st.lists(st.integers(0, 20)), st.randoms(use_true_random=False))
def test_what_is_accepted_strictly_rises(sequences: list[int], shuffle: random.Random) -> None:
    session = Session("a")
    repeated = sequences * 2
    shuffle.shuffle(repeated)
    accepted = [number for number in repeated if session.hear(heard("a", number)) == "ok"]
    assert accepted == sorted(set(accepted))
    assert session.hear(heard("a", 21)) == "ok"
