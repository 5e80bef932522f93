"""A manager's desk: documents on their way, acts, watches, what the database is asked."""

from random import Random

import pytest
from msgspec.structs import replace

from actors.asked_acts import MOST
from actors.desired_store import perform
from actors.desk import HOLD, PATIENCE, Desk
from actors.filing import LOOK, REST
from actors.wants import LATEST, Numbering
from storage.desired import Desired
from tests.actors.archive import Archive
from tests.actors.conftest import FakeClock
from transport.keys import Peer
from transport.messages import (
    Accepted,
    Ack,
    Act,
    Applied,
    AppliedState,
    Attach,
    Attached,
    Backlog,
    Change,
    Conflict,
    Database,
    DeviceInfo,
    Document,
    Done,
    Error,
    Header,
    Message,
    Rejected,
    Set,
    SettingInfo,
    Snapshot,
    Status,
    Update,
    Value,
    Watch,
    Watching,
)
from transport.wire import Outgoing, Received

DATABASE = Database(address="http://h:9000", identity="d", incarnation=1, schema_major=1, schema_minor=0)
DUTY: dict[str, Value] = {"duty": 40.0}
EVA, MAX = b"eva", b"max"


def device(name: str) -> DeviceInfo:
    return DeviceInfo(
        name=name,
        label=name,
        looks="heater",
        driver="pwm",
        address=f"/sys/class/pwm/pwmchip0:{name}",
        settings=[SettingInfo("duty", "%", "number", 0, 100, 1, 0.0, 0.0, survives=True)],
    )


def state(target: str, revision: int, values: dict[str, Value] | None = None) -> AppliedState:
    return AppliedState(target, revision, "eva" if revision else "", values or {}, {})


def wish(base: int = 0, target: str = "heater", values: dict[str, Value] = DUTY, reactor: str = "r1") -> Set:
    return Set(reactor=reactor, target=target, base=base, author="eva", values=values)


def dose(number: int = 1, valid_for: float = 10.0, target: str = "heater", reactor: str = "r1") -> Act:
    return Act(reactor=reactor, act=f"act-{number:08d}", target=target, kind="dose", valid_for=valid_for, author="eva")


class Stage:
    """A desk, its database, and one reactor and two operators that say what a test has them say."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.archive = Archive()
        self.numbering = Numbering(3)
        self.desk = self.make_desk()
        self.session = ""
        self.sequence = 0
        self.heard = 0
        self.ids = 0
        self.last: list[Outgoing] = []

    def make_desk(self) -> Desk:
        desk = Desk(capacity=5, interval=5.0, numbering=Numbering(3), random=Random(1))
        desk.names = frozenset({"r1", "r2"})
        return desk

    @property
    def now(self) -> float:
        return self.clock.now_ns / 1e9

    def say(self, route: bytes, peer: Peer, header: Header, body: Message) -> list[Outgoing]:
        return self.desk.hear(Received(peer, route, header, body, self.clock.now_ns), self.clock.wall_us())

    # the reactor

    def reactor(self, body: Message, *, work: bool = True) -> list[Message]:
        """Say something as r1, and return what is answered to it; the database does its jobs meanwhile."""
        self.sequence += 1
        header = Header(type=body.TYPE, id=7, session=self.session, sequence=self.sequence)
        out = self.say(b"r1", Peer("r1", "reactor", "k" * 40), header, body)
        if work:
            out += self.work()
        return self.to_reactor(out)

    def to_reactor(self, out: list[Outgoing]) -> list[Message]:
        for one in out:
            if one.route == b"r1" and isinstance(one.message, Attached):
                self.session, self.sequence, self.heard = one.message.session, 0, 0
            elif one.route == b"r1" and one.session:
                assert (one.session, one.sequence > self.heard) == (self.session, True)
                self.heard = one.sequence
        self.last = out
        return self.sent

    @property
    def sent(self) -> list[Message]:
        """What the reactor was sent last."""
        return [one.message for one in self.last if one.route == b"r1"]

    def attach(self, *applied: AppliedState, work: bool = True) -> list[Message]:
        self.session = ""
        devices = [device("heater"), device("light")]
        attach = Attach(epoch=1, label="", software="1", sensors=[], devices=devices, applied=list(applied))
        return self.reactor(attach, work=work)

    def report(self, *devices: AppliedState) -> list[Message]:
        return self.reactor(
            Status(
                now_us=self.clock.now_ns // 1000,
                readings=[],
                backlog=Backlog(waiting=0, oldest=0, refused=0, dropped=0),
                clock_known=True,
                clock_offset=None,
                database="",
                devices=list(devices),
            )
        )

    # operators

    def operator(self, body: Message, route: bytes = EVA, *, work: bool = True) -> list[Message]:
        """Say something as an operator, and return what that operator is sent."""
        self.ids += 1
        header = Header(type=body.TYPE, id=self.ids)
        out = self.say(route, Peer(route.decode(), "operator", "o" * 40), header, body)
        if work:
            out += self.work()
        self.to_reactor(out)
        return self.told(route)

    def told(self, route: bytes = EVA) -> list[Message]:
        """What an operator was sent last."""
        return [one.message for one in self.last if one.route == route]

    # the database, and time

    def work(self) -> list[Outgoing]:
        """Do jobs until there is none."""
        out = []
        while (job := self.desk.job(self.now, self.clock.wall_us())) is not None:
            out += self.desk.finish(perform(job, self.archive, self.clock, self.numbering), self.now)
        return out

    def wait(self, seconds: float) -> list[Message]:
        """Let time pass; what is sent meanwhile is in `last`, what to the reactor is returned."""
        out = []
        for _ in range(round(seconds * 2)):
            self.clock.advance(0.5)
            sent, _ = self.desk.tick(self.now)
            out += sent + self.work()
        return self.to_reactor(out)

    def revision(self) -> int:
        """The revision that a set made now gets."""
        return self.clock.wall_us() // 1000 * 1000 + 1003


@pytest.fixture
def stage() -> Stage:
    """A manager that knows its database, with a reactor attached."""
    stage = Stage()
    stage.desk.move_to(DATABASE)
    stage.attach()
    return stage


@pytest.fixture
def lonely() -> Stage:
    """A manager without a database, with a reactor attached."""
    stage = Stage()
    stage.attach()
    return stage


def changes(messages: list[Message]) -> list[Document]:
    return [message.document for message in messages if isinstance(message, Change)]


def only(messages: list[Message]) -> Message:
    [message] = messages
    return message


def document(revision: int, values: dict[str, Value] = DUTY, target: str = "heater") -> Document:
    return Document(target=target, revision=revision, author="eva", values=values)


# a set of an attached reactor


def test_a_set_is_told_at_once_and_accepted_when_the_reactor_follows(stage: Stage) -> None:
    assert stage.operator(wish()) == []
    revision = stage.revision()
    assert [one.message for one in stage.last] == [Change(document=document(revision))]
    stage.reactor(Applied(target="heater", revision=revision, read_back={}, held_by="off without rtd"))
    assert stage.told() == [
        Accepted(reactor="r1", target="heater", revision=revision, delivered=True, held_by="off without rtd")
    ]
    assert stage.archive.rows == [Desired("r1", document(revision))]
    assert stage.told(MAX) == []


def test_a_set_reaches_the_reactor_and_is_accepted_without_any_database(lonely: Stage) -> None:
    lonely.operator(wish())
    assert changes(lonely.sent) == [document(lonely.revision())]
    lonely.reactor(Applied(target="heater", revision=lonely.revision(), read_back={}))
    assert isinstance(only(lonely.told()), Accepted)


def test_a_rejected_set_is_refused_in_the_reactors_words_and_never_kept(stage: Stage) -> None:
    stage.operator(wish())
    revision = stage.revision()
    rejected = Rejected(target="heater", revision=revision, reason="duty 140: must be below 100 %")
    stage.reactor(rejected)
    assert stage.told() == [replace(rejected, reactor="r1")]
    assert stage.archive.rows == []
    assert changes(stage.wait(10)) == []
    stage.clock.advance(1)
    stage.operator(wish(0))
    assert len(changes(stage.sent)) == 1


def test_the_second_of_two_people_sees_the_first(stage: Stage) -> None:
    stage.operator(wish())
    first = stage.revision()
    stage.clock.advance(0.1)
    assert stage.operator(wish(), MAX) == [Conflict(reactor="r1", document=document(first))]
    stage.operator(wish(first, values={"duty": 50.0}), MAX)
    assert changes(stage.sent) == [document(stage.revision(), {"duty": 50.0})]


def test_one_answer_settles_all_that_came_before(stage: Stage) -> None:
    stage.operator(wish())
    first = stage.revision()
    stage.clock.advance(0.1)
    stage.operator(wish(first), MAX)
    stage.reactor(Applied(target="heater", revision=stage.revision(), read_back={}))
    assert [type(message) for message in stage.told()] == [Accepted]
    assert [type(message) for message in stage.told(MAX)] == [Accepted]


def test_revisions_rise_when_the_clock_does_not(stage: Stage) -> None:
    stage.operator(wish())
    first = stage.revision()
    stage.clock.step_wall(-3600)
    stage.operator(wish(first))
    assert [one.revision for one in changes(stage.sent)] == [first + 1000]


def test_a_number_is_never_given_twice(stage: Stage) -> None:
    stage.operator(wish())
    first = stage.revision()
    stage.reactor(Rejected(target="heater", revision=first, reason="no"))
    stage.clock.step_wall(-3600)
    stage.operator(wish())
    assert [one.revision for one in changes(stage.sent)] == [first + 1000]


def test_a_base_of_the_far_future_is_nobodys(stage: Stage) -> None:
    nothing = Document(target="heater", revision=0, author="", values={})
    assert stage.operator(wish(2**53)) == [Conflict(reactor="r1", document=nothing)]


def test_a_revision_that_nobody_gives_bars_no_later_change(stage: Stage) -> None:
    """A reactor that says 2^53 would leave no number above it, for ever: what it follows is kept."""
    stage.report(state("heater", 2**53, DUTY))
    stage.reactor(Applied(target="heater", revision=2**53, read_back={}))
    assert stage.archive.rows == []
    assert stage.operator(wish()) == []
    assert changes(stage.sent) == [document(stage.revision())]
    stage.reactor(Applied(target="heater", revision=2**53, read_back={}))
    assert stage.told() == []
    stage.attach(state("heater", 2**53, DUTY))  # as one that was mended would not
    stage.reactor(Applied(target="heater", revision=stage.revision(), read_back={}))
    assert isinstance(only(stage.told()), Accepted)


def test_the_latest_revision_that_is_believed_leaves_room_above(stage: Stage) -> None:
    stage.report(state("heater", LATEST, DUTY))
    stage.operator(wish(LATEST))
    [told] = changes(stage.sent)
    assert LATEST < told.revision < LATEST + 2000
    stage.reactor(Applied(target="heater", revision=told.revision, read_back={}))
    assert isinstance(only(stage.told()), Accepted)


def test_what_is_said_of_targets_that_there_are_not_is_forgotten(stage: Stage) -> None:
    """Nothing is remembered of them: a reactor may make up as many as it likes."""
    watching(stage)
    for name in ("a", "b"):
        stage.report(state(name, 5, DUTY))
        stage.reactor(Applied(target=name, revision=6, read_back={}))
        stage.reactor(Rejected(target=name, revision=7, reason="no"))
    [snapshot] = watching(stage, number=0)
    assert isinstance(snapshot, Snapshot)
    assert (snapshot.applied, snapshot.rejected, snapshot.desired) == ([], [], [])


def test_too_many_changes_at_once_are_refused(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actors.desk.MOST", 1)
    stage.operator(wish())
    refused = only(stage.operator(wish(stage.revision())))
    assert isinstance(refused, Rejected)
    assert refused.reason == "too many changes are on their way"
    stage.reactor(Applied(target="heater", revision=stage.revision(), read_back={}))
    stage.operator(wish(stage.revision()))
    assert len(changes(stage.sent)) == 1


@pytest.mark.parametrize("target", ["ghost", "r1"])
def test_an_unknown_target_is_refused_at_once(stage: Stage, target: str) -> None:
    refused = only(stage.operator(wish(target=target)))
    assert isinstance(refused, Rejected)
    assert refused.reason == f"r1 has no device or sensor named {target}"


def test_a_lost_change_is_told_again_until_the_reactor_shows_it(stage: Stage) -> None:
    stage.operator(wish())
    revision = stage.revision()
    assert changes(stage.report(state("heater", 0))) == []  # it may be on its way
    stage.clock.advance(1)
    assert changes(stage.report(state("heater", 0))) == [document(revision)]
    stage.clock.advance(1)
    assert changes(stage.report(state("heater", revision, DUTY))) == []
    assert isinstance(only(stage.told()), Accepted)
    stage.clock.advance(5)
    assert changes(stage.report(state("heater", revision, DUTY))) == []


def test_a_reactor_that_does_not_answer_has_it_kept(stage: Stage) -> None:
    stage.operator(wish())
    revision = stage.revision()
    stage.wait(PATIENCE)
    assert stage.told() == [Accepted(reactor="r1", target="heater", revision=revision, delivered=False)]
    assert stage.archive.revision("r1", "heater") == revision
    assert changes(stage.report(state("heater", 0))) == [document(revision)]


def test_what_can_be_neither_delivered_nor_kept_is_refused_and_withdrawn(stage: Stage) -> None:
    stage.archive.away = True
    stage.operator(wish())
    stage.wait(PATIENCE)
    refused = only(stage.told())
    assert isinstance(refused, Rejected)
    assert refused.reason.startswith(
        "neither delivered nor kept, as far as is known: r1 does not answer, and http://h:9000"
    )
    assert changes(stage.report(state("heater", 0))) == []
    stage.archive.away = False
    stage.wait(2 * REST)
    assert stage.archive.rows == []


def test_one_that_stood_for_another_leaves_it_to_be_kept(stage: Stage) -> None:
    stage.operator(wish(), work=False)
    first = stage.revision()
    assert stage.desk.job(stage.now, stage.clock.wall_us()) is None
    stage.archive.away = True
    stage.desk.tick(stage.now)
    stage.clock.advance(PATIENCE)
    stage.desk.tick(stage.now)
    stage.operator(wish(first), MAX, work=False)
    second = stage.revision()
    stage.clock.advance(PATIENCE)
    stage.desk.tick(stage.now)
    stage.archive.away = False
    stage.reactor(Rejected(target="heater", revision=second, reason="no"), work=False)
    assert [type(message) for message in stage.told(MAX)] == [Rejected]
    stage.wait(0.5)
    assert stage.told() == [Accepted(reactor="r1", target="heater", revision=first, delivered=False)]


def test_without_any_database_a_silent_reactor_means_refusal(lonely: Stage) -> None:
    lonely.operator(wish())
    lonely.wait(PATIENCE)
    assert isinstance(only(lonely.told()), Rejected)


def test_what_was_asked_for_before_a_reactor_was_lost_is_wanted_when_it_is_back(stage: Stage) -> None:
    """A soak found that it was followed, and never shown to be desired."""
    stage.wait(16)
    watching(stage)
    stage.operator(wish())
    wanted = document(stage.revision())
    stage.wait(1.5)
    assert stage.desk.twins.of("r1") is None
    attached, *_ = stage.attach()
    assert isinstance(attached, Attached)
    assert attached.desired == [wanted]
    shown = [one.desired for one in stage.told() if isinstance(one, Snapshot)]
    assert shown[-1] == [wanted]
    stage.reactor(Applied(target="heater", revision=wanted.revision, read_back={}))
    assert any(isinstance(one, Accepted) and one.delivered for one in stage.told())


def test_what_was_applied_while_the_database_was_away_is_kept_when_it_is_back(stage: Stage) -> None:
    stage.archive.away = True
    stage.operator(wish())
    stage.reactor(Applied(target="heater", revision=stage.revision(), read_back={}))
    kept = document(stage.revision())
    assert isinstance(only(stage.told()), Accepted)
    assert stage.archive.rows == []
    stage.archive.away = False
    stage.wait(REST)
    assert stage.archive.rows == [Desired("r1", kept)]


def test_a_rejection_of_what_was_kept_is_shown_and_not_told_again(stage: Stage) -> None:
    stage.operator(wish())
    revision = stage.revision()
    stage.wait(PATIENCE)
    stage.operator(Watch(reactors=[Watching("r1", 0)]))
    stage.reactor(Rejected(target="heater", revision=revision, reason="no"))
    update = only(stage.told())
    assert isinstance(update, Update)
    assert [one.revision for one in update.rejected] == [revision]
    stage.clock.advance(5)
    assert changes(stage.report(state("heater", 0))) == []
    attached = stage.attach(state("heater", 0))[0]
    assert isinstance(attached, Attached)
    assert attached.desired == [document(revision)]  # a new session judges anew


# attaching


def test_attached_brings_every_document(stage: Stage) -> None:
    stage.archive.keep([Desired("r1", document(5)), Desired("r1", document(6, target="light"))])
    stage.desk = stage.make_desk()
    stage.desk.move_to(DATABASE)
    attached = only(stage.attach(state("heater", 5, DUTY)))
    assert isinstance(attached, Attached)
    assert attached.desired == [document(5), document(6, target="light")]
    assert changes(stage.report(state("heater", 5, DUTY), state("light", 0))) == []  # it was told
    stage.clock.advance(1)
    assert changes(stage.report(state("heater", 5, DUTY), state("light", 0))) == [document(6, target="light")]


def test_documents_of_what_is_no_longer_wired_are_not_told(stage: Stage) -> None:
    stage.archive.keep([Desired("r1", document(5, target="pump"))])
    stage.desk = stage.make_desk()
    stage.desk.move_to(DATABASE)
    attached = only(stage.attach())
    assert isinstance(attached, Attached)
    assert attached.desired == []


def test_a_slow_database_is_waited_for_and_then_not(stage: Stage) -> None:
    stage.archive.keep([Desired("r1", document(5))])
    stage.desk = stage.make_desk()
    stage.desk.move_to(DATABASE)
    assert stage.attach(work=False) == []
    job = stage.desk.job(stage.now, stage.clock.wall_us())
    assert job is not None
    stage.clock.advance(HOLD)
    out, _ = stage.desk.tick(stage.now)
    attached = only(stage.to_reactor(out))
    assert isinstance(attached, Attached)
    assert attached.desired is None
    out = stage.desk.finish(perform(job, stage.archive, stage.clock, stage.numbering), stage.now)
    assert changes(stage.to_reactor(out)) == [document(5)]


def test_a_database_that_is_away_is_not_waited_for(stage: Stage) -> None:
    stage.archive.away = True
    stage.desk = stage.make_desk()
    stage.desk.move_to(DATABASE)
    attached = only(stage.attach())
    assert isinstance(attached, Attached)
    assert attached.desired is None
    again = only(stage.attach(work=False))  # it was away a moment ago
    assert isinstance(again, Attached)


def test_what_a_reactor_follows_and_the_database_does_not_have_is_kept(stage: Stage) -> None:
    stage.archive.keep([Desired("r1", document(5))])
    stage.desk = stage.make_desk()
    stage.desk.move_to(DATABASE)
    attached = only(stage.attach(state("heater", 9, {"duty": 9.0})))
    assert isinstance(attached, Attached)
    assert attached.desired == [document(9, {"duty": 9.0})]
    assert stage.archive.revision("r1", "heater") == 9
    conflict = only(stage.operator(wish(5)))
    assert isinstance(conflict, Conflict)
    assert conflict.document.revision == 9


def test_a_reactor_without_its_files_is_told_everything_again(stage: Stage) -> None:
    stage.operator(wish())
    kept = document(stage.revision())
    stage.reactor(Applied(target="heater", revision=kept.revision, read_back={}))
    attached = only(stage.attach())
    assert isinstance(attached, Attached)
    assert attached.desired == [kept]


def test_another_database_is_told_everything(stage: Stage) -> None:
    stage.operator(wish())
    revision = stage.revision()
    stage.reactor(Applied(target="heater", revision=revision, read_back={}))
    stage.archive.rows.clear()
    stage.desk.move_to(replace(DATABASE, identity="e"))
    stage.wait(0.5)
    assert stage.archive.revision("r1", "heater") == revision


def test_what_is_said_in_an_old_session_is_not_heard(stage: Stage) -> None:
    stage.operator(wish())
    stage.session = "0" * 32
    error = only(stage.reactor(Applied(target="heater", revision=stage.revision(), read_back={})))
    assert isinstance(error, Error)
    assert error.code == "session"
    assert stage.told() == []


# a set of a reactor that is away


@pytest.fixture
def away() -> Stage:
    stage = Stage()
    stage.desk.move_to(DATABASE)
    return stage


def test_a_set_of_an_absent_reactor_is_kept_and_told_when_it_comes(away: Stage) -> None:
    accepted = only(away.operator(wish()))
    assert accepted == Accepted(reactor="r1", target="heater", revision=away.revision(), delivered=False)
    kept = document(away.revision())
    assert away.archive.rows == [Desired("r1", kept)]
    attached = only(away.attach())
    assert isinstance(attached, Attached)
    assert attached.desired == [kept]


def test_it_conflicts_with_what_is_kept(away: Stage) -> None:
    away.operator(wish())
    first = document(away.revision())
    away.clock.advance(1)
    assert away.operator(wish(), MAX) == [Conflict(reactor="r1", document=first)]
    assert isinstance(only(away.operator(wish(first.revision), MAX)), Accepted)


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (wish(reactor="r9"), "there is no reactor named r9"),
        (wish(target="ghost"), "r1 never had a device or sensor named ghost"),
    ],
)
def test_what_there_is_not_cannot_be_set(away: Stage, wanted: Set, words: str) -> None:
    refused = only(away.operator(wanted))
    assert isinstance(refused, Rejected)
    assert refused.reason == words


def test_what_cannot_be_kept_is_refused(away: Stage) -> None:
    away.archive.away = True
    refused = only(away.operator(wish()))
    assert isinstance(refused, Rejected)
    assert refused.reason.startswith("r1 is not attached, and the database does not keep it: http://h:9000")
    away.archive.away = False
    assert isinstance(only(away.operator(wish())), Accepted)  # tried at once, though it was away a moment ago


def test_without_a_database_it_is_refused_at_once() -> None:
    refused = only(Stage().operator(wish()))
    assert isinstance(refused, Rejected)
    assert refused.reason == "r1 is not attached, and the database cannot be asked to keep it"


def test_a_set_whose_database_actor_died_is_refused_in_the_end(away: Stage) -> None:
    assert away.operator(wish(), work=False) == []
    assert away.desk.job(away.now, away.clock.wall_us()) is not None
    away.wait(61)
    refused = only(away.told())
    assert isinstance(refused, Rejected)


def test_what_another_manager_keeps_is_found_and_told(stage: Stage) -> None:
    other = stage.make_desk()
    other.move_to(DATABASE)
    stage.clock.advance(1)
    mine, stage.desk = stage.desk, other
    assert isinstance(only(stage.operator(wish())), Accepted)
    kept = document(stage.revision())
    stage.desk = mine
    assert changes(stage.wait(LOOK)) == [kept]
    assert changes(stage.wait(LOOK)) == []


# acts


def test_an_act_is_passed_on_and_answered_to_who_asked(stage: Stage) -> None:
    stage.operator(dose())
    assert stage.sent == [dose()]
    for outcome in ("begun", "done"):
        answer = Done(act=dose().act, state=outcome, result={"volume": 1.5})
        stage.reactor(answer)
        assert stage.told() == [answer]
    stage.reactor(Done(act=dose().act, state="done"))
    assert stage.told() == []


@pytest.mark.parametrize("act", [dose(reactor="r2"), dose(target="ghost")])
def test_an_act_that_nobody_can_do_is_refused(stage: Stage, act: Act) -> None:
    refused = only(stage.operator(act))
    assert isinstance(refused, Done)
    assert (refused.state, refused.act, refused.kind) == ("refused", act.act, "dose")


def test_an_act_without_an_answer_is_unknown_after_its_time(stage: Stage) -> None:
    stage.operator(dose(valid_for=10))
    stage.wait(14.5)
    assert stage.told() == []
    stage.wait(0.5)
    unknown = only(stage.told())
    assert isinstance(unknown, Done)
    assert (unknown.state, unknown.text) == ("unknown", "no answer in time")


def test_an_act_that_has_begun_may_take_long(stage: Stage) -> None:
    stage.operator(dose())
    stage.reactor(Done(act=dose().act, state="begun"))
    for _ in range(20):
        stage.wait(5)
        assert stage.told() == []
        stage.report()


def test_an_answer_that_was_lost_with_a_session_is_asked_for_in_the_next(stage: Stage) -> None:
    stage.operator(dose(1))
    stage.reactor(Done(act=dose(1).act, state="begun"))
    stage.operator(dose(2))
    answered = stage.attach()
    assert isinstance(answered[0], Attached)
    assert answered[1:] == [dose(1, valid_for=0), dose(2, valid_for=0)]
    outcomes = [Done(act=dose(1).act, state="done"), Done(act=dose(2).act, state="expired")]
    for outcome in outcomes:
        stage.reactor(outcome)
        assert stage.told() == [outcome]
    assert len(stage.attach()) == 1  # they have ended


def test_what_is_asked_for_again_comes_in_the_order_of_its_numbers(lonely: Stage) -> None:
    """A reactor drops what is numbered below what it has heard."""
    lonely.operator(dose())
    lonely.operator(wish())
    attached, *rest = lonely.attach()
    assert isinstance(attached, Attached)
    assert [type(one) for one in rest] == [Act, Change]


def test_a_reactor_that_never_answers_is_asked_for_so_much_at_once(stage: Stage) -> None:
    for number in range(MOST):
        assert stage.operator(dose(number)) == []
    refused = only(stage.operator(dose(MOST)))
    assert isinstance(refused, Done)
    assert (refused.state, refused.text) == ("refused", "too many acts of r1 are on their way")
    assert stage.operator(dose(0)) == []  # it is on its way already
    stage.reactor(Done(act=dose(0).act, state="done"))
    assert stage.operator(dose(MOST)) == []


def test_acts_of_a_lost_reactor_are_unknown(stage: Stage) -> None:
    stage.operator(dose())
    stage.reactor(Done(act=dose().act, state="begun"))
    stage.wait(17)
    unknown = only(stage.told())
    assert isinstance(unknown, Done)
    assert (unknown.state, unknown.text) == ("unknown", "r1 is lost")


# watching


def watching(stage: Stage, number: int = 0, reactor: str = "r1", route: bytes = EVA) -> list[Message]:
    return stage.operator(Watch(reactors=[Watching(reactor, number)]), route)


def test_a_watch_begins_with_a_snapshot_and_goes_on_by_numbers(stage: Stage) -> None:
    stage.report(state("heater", 0))
    snapshot = only(watching(stage))
    assert isinstance(snapshot, Snapshot)
    assert snapshot.life == "ok"
    assert snapshot.attach is not None
    assert snapshot.status is not None
    stage.operator(wish(), MAX)
    revision = stage.revision()
    asked = only(stage.told())
    stage.reactor(Applied(target="heater", revision=revision, read_back=DUTY))
    applied = only(stage.told())
    stage.report(state("heater", revision, DUTY))
    reported = only(stage.told())
    assert isinstance(asked, Update)
    assert isinstance(applied, Update)
    assert isinstance(reported, Update)
    assert asked.desired == [document(revision)]
    assert [one.read_back for one in applied.applied] == [DUTY]
    assert reported.status is not None
    assert [one.number - snapshot.number for one in (asked, applied, reported)] == [1, 2, 3]


def test_a_snapshot_holds_what_is_newer_than_the_status(stage: Stage) -> None:
    stage.report(state("heater", 0))
    stage.operator(wish(), MAX)
    applied = Applied(target="heater", revision=stage.revision(), read_back=DUTY)
    stage.reactor(applied)
    snapshot = only(watching(stage))
    assert isinstance(snapshot, Snapshot)
    assert (snapshot.desired, snapshot.applied) == ([document(stage.revision())], [applied])
    stage.report(state("heater", stage.revision(), DUTY))
    snapshot = only(watching(stage))
    assert isinstance(snapshot, Snapshot)
    assert snapshot.applied == []


def test_a_snapshot_holds_no_rejection_of_what_is_no_longer_wanted(stage: Stage) -> None:
    stage.operator(wish(), MAX)
    rejected = Rejected(target="heater", revision=stage.revision(), reason="duty 140: must be below 100 %")
    stage.reactor(rejected)
    snapshot = only(watching(stage))
    assert isinstance(snapshot, Snapshot)
    assert [one.revision for one in snapshot.rejected] == [rejected.revision]
    stage.clock.advance(1)
    stage.operator(wish(0), MAX)
    snapshot = only(watching(stage, route=MAX))
    assert isinstance(snapshot, Snapshot)
    assert snapshot.rejected == []


def test_a_renewed_watch_is_silent_unless_something_was_missed(stage: Stage) -> None:
    snapshot = only(watching(stage))
    assert isinstance(snapshot, Snapshot)
    assert watching(stage, snapshot.number) == []
    stage.report()
    again = only(watching(stage, snapshot.number))
    assert isinstance(again, Snapshot)
    assert again.number == snapshot.number + 1


def test_a_reactor_learns_that_somebody_looks_closely(stage: Stage) -> None:
    def closely() -> bool:
        ack = only(stage.report())
        assert isinstance(ack, Ack)
        return ack.closely

    watching(stage, route=MAX)
    assert not closely()
    stage.operator(Watch(reactors=[Watching("r1", 0, closely=True)]))
    assert closely()
    watching(stage)
    assert not closely()


def test_a_watch_that_is_not_renewed_ends(stage: Stage) -> None:
    watching(stage)
    watching(stage, route=MAX)
    for _ in range(4):
        stage.wait(5)
        number = stage.desk._showing._watches.note("r1", "ok")
        watching(stage, number, route=MAX)
        stage.report()
    assert stage.told() == []
    assert len(stage.told(MAX)) == 1


def test_watching_others_ends_the_watch_before(stage: Stage) -> None:
    watching(stage)
    snapshot = only(watching(stage, reactor="r2"))
    assert isinstance(snapshot, Snapshot)
    assert (snapshot.life, snapshot.attach, snapshot.desired) == ("lost", None, None)
    stage.report()
    assert stage.told() == []


def test_silence_and_return_are_shown(stage: Stage) -> None:
    first = only(watching(stage))
    assert isinstance(first, Snapshot)
    lives = []
    for _ in range(4):
        stage.wait(5)
        lives += [message.life for message in stage.told() if isinstance(message, Update)]
        watching(stage, stage.desk._showing._watches.note("r1", stage.desk._showing._watches.life("r1")))
    assert lives == ["stale", "lost"]
    stage.attach()
    snapshot = only(stage.told())
    assert isinstance(snapshot, Snapshot)
    assert (snapshot.life, snapshot.number) == ("ok", first.number + 3)


def test_everybody_who_watches_sees_what_became_of_an_act(stage: Stage) -> None:
    watching(stage, route=MAX)
    stage.operator(dose())
    finished = Done(act=dose().act, state="done")
    stage.reactor(finished)
    update = only(stage.told(MAX))
    assert isinstance(update, Update)
    assert update.done == [finished]


def test_a_withdrawn_document_is_shown_with_what_stands_instead(stage: Stage) -> None:
    watching(stage)
    stage.operator(wish(), MAX)
    stage.reactor(Rejected(target="heater", revision=stage.revision(), reason="no"))
    update = only(stage.told())
    assert isinstance(update, Update)
    assert [one.revision for one in update.desired] == [0]
    assert [one.reason for one in update.rejected] == ["no"]


def test_what_the_database_tells_late_does_not_hide_what_was_asked_for_since(stage: Stage) -> None:
    stage.archive.keep([Desired("r1", document(5))])
    stage.desk = stage.make_desk()
    stage.desk.move_to(DATABASE)
    stage.attach(work=False)
    job = stage.desk.job(stage.now, stage.clock.wall_us())
    assert job is not None
    watching(stage)
    asked = document(stage.revision())
    stage.operator(wish(), work=False)
    stage.last = stage.desk.finish(perform(job, stage.archive, stage.clock, stage.numbering), stage.now)
    shown = [one for update in stage.told() if isinstance(update, Update) for one in update.desired]
    assert not [one for one in shown if one.revision < asked.revision]


def test_a_status_costs_no_more_messages_than_its_ack(stage: Stage) -> None:
    assert [type(message) for message in stage.report(state("heater", 0), state("light", 0))] == [Ack]
    assert len(stage.last) == 1
