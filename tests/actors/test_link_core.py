import re
from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from actors.link_core import (
    GREETING,
    Action,
    Ask,
    Close,
    Down,
    Event,
    Fresh,
    Heard,
    LinkCore,
    LogTo,
    Note,
    Open,
    Refused,
    Remember,
    Rewired,
    Say,
    SendAnswer,
    SendAttach,
    SendHello,
    SendStatus,
    Server,
    ServerTime,
    State,
    Tick,
    Up,
    diagram,
)
from actors.ticker import SECOND
from tests.actors.conftest import DATABASE, SESSION, WELCOME
from transport.messages import Ack, Applied, Attached, Change, Database, Document, Error, Header, Message

DOC = Path(__file__).parents[2] / "docs" / "link.md"
COORDINATOR = Server("coordinator", "tcp://10.0.0.1:5000", "C" * 40)
ATTACHED = Attached(session=SESSION, status_interval=5.0)


class Upmost(Random):
    """Always the longest wait, and no jitter to compute with."""

    def uniform(self, a: float, b: float) -> float:
        return 1.0 if a > 0 else b


class Bench:
    """A core and its clock; `connection` is the newest that it asked for."""

    def __init__(self, epoch: int = 7) -> None:
        self.now = 1000 * SECOND
        self.core = LinkCore(coordinator=COORDINATOR, epoch=epoch, random=Upmost(), now_ns=self.now)
        self.connection = 0
        self.sequence = 0

    def event(self, event: Event) -> list[Action]:
        actions = self.core.handle(event, self.now)
        for action in actions:
            if isinstance(action, Open):
                self.connection = action.connection
        return actions

    def wait(self) -> list[Action]:
        """Let time pass until the core's alarm rings."""
        self.now = max(self.now, self.core.due_ns)
        return self.event(Tick())

    def up(self) -> list[Action]:
        return self.event(Up(self.connection))

    def down(self, reason: str = "disconnected") -> list[Action]:
        return self.event(Down(self.connection, reason))

    def hear(self, body: Message, session: str = "", sequence: int = 0) -> list[Action]:
        return self.event(
            Heard(self.connection, Header(type=body.TYPE, id=1, session=session, sequence=sequence), body)
        )

    def ack(
        self, next_interval: float = 5.0, database: Database | None = None, *, closely: bool = False
    ) -> list[Action]:
        self.sequence += 1
        ack = Ack(next_interval=next_interval, database=database, closely=closely)
        return self.hear(ack, SESSION, self.sequence)

    def joining(self) -> "Bench":
        self.wait()
        self.up()
        self.hear(WELCOME)
        return self

    def attached(self) -> "Bench":
        self.joining().up()
        self.hear(ATTACHED)
        self.sequence = 0
        return self

    @property
    def pause(self) -> float:
        return (self.core.due_ns - self.now) / SECOND


def kinds(actions: Sequence[Action]) -> list[type[Action]]:
    return [type(action) for action in actions]


def test_the_way_to_the_first_status() -> None:
    bench = Bench()
    assert bench.wait() == [Open(1, COORDINATOR.endpoint, COORDINATOR.key)]
    assert bench.up() == [SendHello(1, 7, "")]
    assert bench.hear(WELCOME) == [
        Close(1),
        Remember(8),
        ServerTime(bench.now, bench.now, WELCOME.time_us),
        LogTo(DATABASE),
        Open(2, WELCOME.endpoint, WELCOME.key),
    ]
    assert bench.up() == [SendAttach(2, 8)]
    assert bench.hear(ATTACHED) == [
        Note("attached", "host-1 at tcp://10.0.0.1:6001, epoch 8"),
        Refused(None),
        SendStatus(2, SESSION, 1),
    ]
    assert bench.core.state is State.ATTACHED
    bench.ack()
    assert bench.pause == 5
    assert bench.wait() == [SendStatus(2, SESSION, 2)]


def test_an_ack_sets_the_pace_and_may_name_another_database() -> None:
    bench = Bench().attached()
    assert bench.ack(next_interval=2.0, database=DATABASE) == [LogTo(DATABASE)]
    bench.wait()
    assert bench.pause == 2
    bench.ack(next_interval=0.0)
    bench.wait()
    assert bench.pause == 0.1


def test_an_ack_may_bring_the_time() -> None:
    bench = Bench().attached()
    bench.sequence += 1
    told_ns = bench.now
    bench.now += SECOND // 2
    assert bench.hear(Ack(next_interval=5.0, time_us=77), SESSION, bench.sequence) == [
        ServerTime(told_ns, bench.now, 77)
    ]


DOCUMENT = Document(target="heater", revision=7, author="ada", values={"on": True})
CHANGE = Change(document=DOCUMENT)
APPLIED = Applied(target="heater", revision=7, read_back={})


def test_all_that_is_desired_comes_with_attached_before_the_first_status() -> None:
    bench = Bench().joining()
    bench.up()
    actions = bench.hear(Attached(session=SESSION, status_interval=5.0, desired=[DOCUMENT]))
    assert actions[2:] == [Ask(CHANGE, 0), SendStatus(2, SESSION, 1)]


def test_a_change_is_heard_once_and_in_its_session_alone() -> None:
    bench = Bench().attached()
    assert bench.hear(CHANGE, "t" * 32, 1) == []
    assert bench.hear(CHANGE, SESSION, 1) == [Ask(CHANGE, 1)]
    assert bench.hear(CHANGE, SESSION, 1) == []
    bench.down()
    assert bench.hear(CHANGE, SESSION, 2) == []


def test_an_answer_takes_the_next_number_of_the_session_and_is_lost_without_one() -> None:
    bench = Bench()
    assert bench.event(Say(APPLIED, 5)) == []
    bench.attached()
    assert bench.event(Say(APPLIED, 5)) == [SendAnswer(2, SESSION, 2, APPLIED, 5)]
    assert bench.wait() == [SendStatus(2, SESSION, 3)]


def test_what_is_wired_otherwise_is_told_by_attaching_again() -> None:
    bench = Bench().attached()
    assert bench.event(Rewired()) == [SendAttach(2, 8)]
    assert bench.core.state is State.ATTACHING
    assert bench.hear(CHANGE, SESSION, 1) == []
    bench.hear(Attached(session="u" * 32, status_interval=5.0))
    assert bench.hear(CHANGE, "u" * 32, 1) == [Ask(CHANGE, 1)]
    assert Bench().event(Rewired()) == []


def test_statuses_without_an_answer_end_in_a_new_socket_after_17_seconds() -> None:
    bench = Bench().attached()
    start = bench.now
    sent = 1
    while kinds(actions := bench.wait()) == [SendStatus]:
        sent += 1
    assert sent == 4
    assert bench.now - start == 17 * SECOND
    assert actions == [Close(2), Note("lost", "host-1 at tcp://10.0.0.1:6001: no answer")]
    assert bench.core.state is State.PAUSING
    assert kinds(bench.wait()) == [Open]
    assert bench.up() == [SendAttach(3, 8)]


def test_only_acks_of_this_session_with_a_rising_sequence_count() -> None:
    bench = Bench().attached()
    bench.now += 10 * SECOND
    before = bench.core.due_ns
    bench.hear(Ack(next_interval=9.0), "t" * 32, 5)
    assert bench.core.due_ns == before
    bench.hear(Ack(next_interval=9.0), SESSION, 5)
    bench.hear(Ack(next_interval=1.0), SESSION, 5)
    bench.hear(Ack(next_interval=1.0), SESSION, 4)
    bench.wait()
    assert bench.pause == 9


def test_two_failures_with_a_manager_and_the_coordinator_is_told_whom_we_lost() -> None:
    bench = Bench().attached()
    assert kinds(bench.down()) == [Close, Note]
    assert bench.pause == 1
    bench.wait()
    assert kinds(bench.down("nobody listens there")) == [Close]
    assert (bench.core.state, bench.pause) == (State.PAUSING, 2)
    bench.wait()
    bench.down("nobody listens there")
    assert (bench.core.state, bench.pause) == (State.RESTING, 4)
    assert bench.wait() == [Open(5, COORDINATOR.endpoint, COORDINATOR.key)]
    assert bench.up() == [SendHello(5, 8, "tcp://10.0.0.1:6001")]


def test_a_silent_manager_is_given_up_too() -> None:
    bench = Bench().joining()
    bench.up()
    states = []
    for _ in range(3):
        bench.wait()
        states.append(bench.core.state)
    assert states == [State.PAUSING, State.JOINING, State.RESTING]


def test_a_coordinator_that_is_away_is_called_again_more_and_more_slowly() -> None:
    bench = Bench()
    pauses = []
    for _ in range(7):
        bench.wait()
        bench.down("nobody listens there")
        pauses.append(bench.pause)
    assert pauses == [1, 2, 4, 8, 16, 30, 30]


def test_a_hello_without_an_answer_is_said_again() -> None:
    bench = Bench()
    bench.wait()
    bench.up()
    assert bench.pause == GREETING
    assert bench.wait() == [Close(1)]
    assert kinds(bench.wait()) == [Open]


def test_a_link_that_flaps_slows_down_and_a_steady_one_is_forgiven() -> None:
    bench = Bench().attached()
    for expected in (1, 2, 4):
        bench.down()
        assert bench.pause == expected
        bench.wait()
        bench.up()
        bench.hear(ATTACHED)
    bench.sequence = 0
    for _ in range(5):
        bench.ack()
        bench.wait()
    bench.ack()
    bench.down()
    assert bench.pause == 1


def test_what_failed_before_it_was_attached_is_forgotten() -> None:
    bench = Bench()
    for _ in range(7):
        bench.wait()
        bench.down()
    bench.attached().down()
    assert bench.pause == 1


def test_a_late_welcome_is_fenced_off_by_its_epoch() -> None:
    bench = Bench(epoch=9)
    bench.wait()
    bench.up()
    assert bench.hear(WELCOME) == []
    assert bench.core.state is State.GREETING


def test_what_an_old_connection_says_is_not_heard() -> None:
    bench = Bench().attached()
    assert bench.core.handle(Down(1, "disconnected"), bench.now) == []
    assert bench.core.handle(Heard(1, Header(type="welcome", id=9), WELCOME), bench.now) == []
    assert bench.core.state is State.ATTACHED


def test_a_tick_before_its_time_and_a_second_attached_do_nothing() -> None:
    bench = Bench().attached()
    assert bench.event(Tick()) == []
    assert bench.hear(ATTACHED) == []


def test_a_forgotten_session_is_attached_again_but_not_at_once() -> None:
    bench = Bench().attached()
    assert bench.hear(Error(code="session", text="unknown")) == [
        Close(2),
        Note("lost", "host-1 at tcp://10.0.0.1:6001: it does not know our session"),
    ]
    assert (bench.core.state, bench.pause) == (State.PAUSING, 1)


def test_a_manager_that_will_not_have_us_sends_us_to_the_coordinator() -> None:
    bench = Bench().attached()
    assert kinds(bench.hear(Error(code="epoch", text="attached elsewhere", retry=3.0))) == [Close, Note]
    assert (bench.core.state, bench.pause) == (State.RESTING, 4)
    bench.wait()
    assert bench.up() == [SendHello(3, 8, "")]


def test_a_placement_that_is_over_needs_another_one_soon() -> None:
    bench = Bench().joining()
    bench.up()
    bench.hear(Error(code="epoch", text="epoch 8 is over"))
    assert (bench.core.state, bench.pause) == (State.RESTING, 1)


def test_an_error_about_one_status_changes_nothing() -> None:
    bench = Bench().attached()
    assert bench.hear(Error(code="too_large", text="")) == []
    assert bench.core.state is State.ATTACHED


def test_a_coordinator_that_refuses_for_good_is_asked_rarely() -> None:
    bench = Bench()
    bench.wait()
    bench.up()
    actions = bench.hear(Error(code="role", text="not yours"))
    assert actions == [Close(1), Refused("role: not yours")]
    assert (bench.core.state, bench.pause) == (State.RESTING, 31)


def test_nobody_silences_a_reactor_for_long() -> None:
    bench = Bench()
    bench.wait()
    bench.up()
    bench.hear(Error(code="later", text="next year", retry=86_400 * 365.0))
    assert bench.pause == 301


def test_a_coordinator_that_is_not_ready_says_when_to_ask_again() -> None:
    bench = Bench()
    bench.wait()
    bench.up()
    bench.hear(Error(code="later", text="no manager yet", retry=5.0))
    assert (bench.core.state, bench.pause) == (State.RESTING, 6)


def test_the_page_shows_the_table() -> None:
    drawn = re.search(r"```mermaid\n(.*?)\n```", DOC.read_text(encoding="utf-8"), re.DOTALL)
    assert drawn is not None
    assert drawn[1] == diagram()


def test_every_state_is_reached() -> None:
    assert {move.to for move in LinkCore.TABLE.values()} == set(State)


EVENTS = st.one_of(
    st.sampled_from(["tick", "say", "rewired", "fresh"]),
    st.just(CHANGE),
    st.just("wait"),
    st.just("up"),
    st.just("down"),
    st.builds(lambda epoch: structs.replace(WELCOME, epoch=epoch), st.integers(5, 12)),
    st.just(ATTACHED),
    st.builds(Ack, next_interval=st.floats(0, 1e6), closely=st.booleans()),
    st.builds(
        Error, code=st.sampled_from(["session", "epoch", "later", "internal"]), text=st.just(""), retry=st.floats(0, 60)
    ),
)


def test_a_new_reading_is_reported_at_once_while_somebody_looks() -> None:
    bench = Bench().attached()
    bench.ack(closely=True)
    bench.now += 2 * SECOND
    assert bench.event(Fresh()) == []
    assert kinds(bench.wait()) == [SendStatus]
    assert bench.pause == 5


def test_readings_that_come_together_are_one_report() -> None:
    bench = Bench().attached()
    bench.ack(closely=True)
    bench.now += 2 * SECOND
    bench.event(Fresh())
    bench.wait()
    for _ in range(3):
        bench.now += SECOND // 100
        assert bench.event(Fresh()) == []
    assert bench.pause == pytest.approx(0.07)
    assert kinds(bench.wait()) == [SendStatus]


def test_a_new_reading_waits_for_the_next_status_when_nobody_looks() -> None:
    bench = Bench().attached()
    bench.event(Fresh())
    assert bench.pause == 5
    bench.ack(closely=True)
    bench.ack()
    bench.event(Fresh())
    assert bench.pause == 5
    bench.ack(closely=True)
    bench.hear(Error(code="session", text=""))
    bench.wait()
    bench.up()
    bench.hear(ATTACHED)
    bench.event(Fresh())
    assert bench.pause == 5


def event_of(bench: Bench, what: str | Message, connection: int, sequence: int) -> Event:
    if what == "wait":
        bench.now = max(bench.now, bench.core.due_ns)
    if isinstance(what, Message):
        return Heard(connection, Header(type=what.TYPE, id=1, session=SESSION, sequence=sequence), what)
    events: dict[str, Event] = {
        "up": Up(connection),
        "down": Down(connection, ""),
        "say": Say(APPLIED, sequence),
        "rewired": Rewired(),
        "fresh": Fresh(),
    }
    return events.get(what, Tick())


@given(st.lists(st.tuples(EVENTS, st.integers(0, 3), st.integers(0, 9)), max_size=60))
def test_whatever_happens_it_always_wants_to_be_woken_and_its_epoch_never_falls(
    script: list[tuple[str | Message, int, int]],
) -> None:
    bench = Bench()
    epoch = bench.core.epoch
    open_connections: set[int] = set()
    for what, age, sequence in script:
        event = event_of(bench, what, max(1, bench.connection - age), sequence)
        for action in bench.event(event):
            match action:
                case Open(number):
                    open_connections.add(number)
                case Close(number):
                    open_connections.remove(number)
                case SendHello(number) | SendAttach(number) | SendStatus(number) | SendAnswer(number):
                    assert number in open_connections
        assert bench.core.epoch >= epoch
        epoch = bench.core.epoch
        assert len(open_connections) <= 1
        assert bool(open_connections) == (bench.core.state not in {State.RESTING, State.PAUSING})
        assert bench.core.due_ns - bench.now <= 200 * SECOND
