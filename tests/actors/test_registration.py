"""A manager's link to its coordinator: when it connects, registers, beats and gives up."""

from random import Random

import pytest

from actors.registration import Registration, State, Step

INTERVAL = 5.0


class Latest(Random):
    """Waits as long as it may."""

    def uniform(self, a: float, b: float) -> float:
        return max(a, b)


@pytest.fixture
def link() -> Registration:
    return Registration(interval=INTERVAL, random=Latest(), now=0.0)


@pytest.fixture
def known(link: Registration) -> Registration:
    link.tick(0.0)
    link.up(0.0)
    link.answered(0.0, known=True)
    return link


def test_it_connects_at_once_and_registers_when_that_is_up(link: Registration) -> None:
    assert link.tick(0.0) == [Step.CONNECT]
    assert link.tick(1000.0) == []  # the wire tells what becomes of it
    assert link.up(0.1) == [Step.REGISTER]
    assert link.answered(0.2, known=True) == []
    assert link.state is State.KNOWN


def test_it_beats_at_the_interval(known: Registration) -> None:
    assert known.tick(5.4) == []
    assert known.tick(5.5) == [Step.HEARTBEAT]
    known.answered(5.6, known=True)
    assert known.tick(10.9) == []
    assert known.tick(11.0) == [Step.HEARTBEAT]


def test_it_registers_again_when_it_is_not_known(known: Registration) -> None:
    known.tick(5.5)
    assert known.answered(5.6, known=False) == [Step.REGISTER]
    assert known.answered(5.7, known=True) == []
    assert known.tick(11.2) == [Step.HEARTBEAT]


def test_three_heartbeats_without_an_answer_make_a_new_connection(known: Registration) -> None:
    said = [known.tick(now) for now in (5.5, 11.0, 16.5)]
    assert said == [[Step.HEARTBEAT]] * 3
    assert known.tick(22.0) == [Step.HANG_UP]
    assert known.tick(22.9) == []
    assert known.tick(23.0) == [Step.CONNECT]
    assert known.up(23.1) == [Step.REGISTER]


def test_losses_in_a_row_are_answered_later_and_later_until_an_answer_comes(link: Registration) -> None:
    now, pauses = 0.0, []
    for _ in range(7):
        assert link.tick(now) == [Step.CONNECT]
        assert link.down(now) == [Step.HANG_UP]
        pauses.append(link.due - now)
        now = link.due
    assert pauses == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
    link.tick(now)
    link.up(now)
    link.answered(now, known=True)
    link.down(now)
    assert link.due - now == 1.0


def test_a_refusal_is_tried_again_when_it_says(link: Registration) -> None:
    link.tick(0.0)
    link.up(0.0)
    link.refused(60.0, 1.0)
    assert link.tick(60.9) == []
    assert link.tick(61.0) == [Step.REGISTER]
