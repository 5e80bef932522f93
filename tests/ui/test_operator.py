from collections.abc import Callable

import pytest

from tests.ui.joined import PATIENCE, Joined
from transport.messages import Accepted, Act, Conflict, Done, Error, Hello, Outcome, Rejected, Set, Watch
from ui.errors import Declined, NoAnswer, NoManager

Join = Callable[..., Joined]


def wish(**values: float | bool | str) -> Set:
    return Set(reactor="tank-1", target="heater", base=0, author="ann", values=values)


def dose() -> Act:
    return Act(
        reactor="tank-1",
        act="0123456789",
        target="acid",
        kind="dose",
        arguments={"volume": 1.0},
        valid_for=2.0,
        author="ann",
    )


def test_it_greets_the_coordinator_and_watches_whom_it_names(join: Join) -> None:
    joined = join("tank-1", "tank-2")
    joined.wait_until_known()
    twin = joined.operator.twin("tank-1")
    assert twin is not None
    assert twin.manager == "manager-1"
    assert twin.life == "ok"
    assert twin.attach is not None
    assert twin.attach.label == "Tank 1"
    assert twin.heard_us > 0
    assert joined.pretender.heard[0] == Hello(software="test")
    assert joined.operator.system.coordinator
    assert list(joined.operator.system.managers) == ["manager-1"]


def test_it_watches_at_most_fifty_over_a_connection(join: Join) -> None:
    joined = join(*(f"tank-{n}" for n in range(120)))
    joined.wait_until_known()
    counts = [len(heard.reactors) for heard in joined.pretender.heard if isinstance(heard, Watch)]
    assert sorted(counts)[-3:] == [20, 50, 50]


def test_news_arrive_as_they_come(join: Join) -> None:
    joined = join()
    joined.wait_until_known()
    before = joined.operator.twin("tank-1")
    joined.pretender.report("tank-1")
    joined.seen.wait_until(lambda: joined.operator.twin("tank-1") is not before)
    after = joined.operator.twin("tank-1")
    assert before is not None
    assert after is not None
    assert after.status is not None
    assert after.version > before.version


def test_a_set_is_accepted_and_shown(join: Join) -> None:
    joined = join()
    joined.wait_until_known()
    answer = joined.operator.set(wish(duty=40.0)).result(PATIENCE)
    assert isinstance(answer, Accepted)
    assert answer.delivered

    def applied() -> bool:
        twin = joined.operator.twin("tank-1")
        state = twin.state("heater") if twin else None
        return state is not None and state.revision == answer.revision and state.read_back == {"duty": 40.0}

    joined.seen.wait_until(applied)


@pytest.mark.parametrize(
    ("base", "values", "kind"),
    [(7, {"duty": 1.0}, Conflict), (0, {"duty": 101.0}, Rejected), (0, {"x": 1.0}, Rejected)],
)
def test_what_the_manager_says_of_a_set_is_handed_on(
    join: Join, base: int, values: dict[str, float | bool | str], kind: type
) -> None:
    joined = join()
    joined.wait_until_known()
    asked = Set(reactor="tank-1", target="heater", base=base, author="ann", values=values)
    assert isinstance(joined.operator.set(asked).result(PATIENCE), kind)


def test_an_act_is_answered(join: Join) -> None:
    joined = join()
    joined.wait_until_known()
    answer = joined.operator.act(dose()).result(PATIENCE)
    assert answer == Done(act="0123456789", state="done", target="acid", kind="dose", result={"volume": 1.0})
    joined.seen.wait_until(lambda: (twin := joined.operator.twin("tank-1")) and twin.done == (answer,))


def test_an_act_begins_first_and_ends_in_the_twin(join: Join) -> None:
    joined = join()
    joined.wait_until_known()
    joined.pretender.on_act = lambda act: Done(act=act.act, state="begun")
    assert joined.operator.act(dose()).result(PATIENCE).state == "begun"
    states: tuple[Outcome, ...] = ("begun", "done")
    for state in states:
        joined.pretender.update("tank-1", done=[Done(act="0123456789", state=state)])
    joined.seen.wait_until(
        lambda: (twin := joined.operator.twin("tank-1")) and [one.state for one in twin.done] == ["done"]
    )


def test_an_error_is_a_refusal(join: Join) -> None:
    joined = join()
    joined.wait_until_known()
    joined.pretender.on_set = lambda _: Error(code="internal", text="out of paper")
    with pytest.raises(Declined, match="out of paper"):
        joined.operator.set(wish()).result(PATIENCE)


def test_nobody_takes_an_act_for_an_absent_reactor(join: Join) -> None:
    joined = join()
    joined.wait_until_known()
    act = Act(reactor="nowhere", act="0123456789", target="acid", kind="dose", valid_for=1.0, author="ann")
    with pytest.raises(NoManager):
        joined.operator.act(act).result(PATIENCE)


def test_a_set_for_an_absent_reactor_goes_to_the_manager_named_for_it(join: Join) -> None:
    joined = join("tank-1", "away")
    joined.wait_until_known()
    pretender = joined.pretender
    pretender.on_set = lambda asked: Accepted(reactor=asked.reactor, target=asked.target, revision=9, delivered=False)
    asked = Set(reactor="never-seen", target="heater", base=0, author="ann", values={"duty": 3.0})
    answer = joined.operator.set(asked).result(PATIENCE)
    assert isinstance(answer, Accepted)
    assert pretender.heard[-1] == asked


def test_a_manager_that_dies_leaves_its_questions_unanswered(join: Join) -> None:
    joined = join()
    joined.wait_until_known()

    def die(_: Set) -> Accepted:
        raise ConnectionError  # no answer; the listener goes on

    joined.pretender.on_set = die
    future = joined.operator.set(wish())
    joined.pretender.kill_manager("manager-1")
    with pytest.raises(NoAnswer):
        future.result(PATIENCE)


def test_closing_tells_who_waits(join: Join) -> None:
    joined = join()
    joined.wait_until_known()

    def die(_: Set) -> Accepted:
        raise ConnectionError

    joined.pretender.on_set = die
    future = joined.operator.set(wish())
    joined.pretender.wait_until(lambda: not future.done())
    joined.operator.close()
    with pytest.raises(NoAnswer):
        future.result(0)


def test_a_manager_that_comes_again_elsewhere_is_followed(join: Join) -> None:
    joined = join()
    joined.wait_until_known()
    joined.pretender.change("tank-1", label="Moved")
    joined.pretender.restart_manager("manager-1")
    joined.pretender.announce()

    def moved() -> bool:
        twin = joined.operator.twin("tank-1")
        return twin is not None and twin.attach is not None and twin.attach.label == "Moved"

    joined.seen.wait_until(moved)
