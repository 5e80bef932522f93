from random import Random

import pytest

from tests.ui.pretend import describe
from transport.messages import (
    Accepted,
    Applied,
    AppliedState,
    Backlog,
    Document,
    Done,
    ManagerInfo,
    Overview,
    Placed,
    Rejected,
    Snapshot,
    Status,
    Update,
    Watch,
    Watching,
)
from ui.fleet import Connect, Fleet, HangUp, Say, Twin

KEY = "k" * 40
WALL = 1_800_000_000_000_000


def manager(name: str, *reactors: str, port: int = 1) -> ManagerInfo:
    placed = [Placed(reactor, 1) for reactor in reactors]
    return ManagerInfo(name=name, endpoint=f"tcp://127.0.0.1:{port}", key=KEY, capacity=500, reactors=placed)


def overview(*managers: ManagerInfo, absent: str = "") -> Overview:
    return Overview(managers=list(managers), database=None, time_us=0, absent=absent)


def status(*states: AppliedState) -> Status:
    backlog = Backlog(waiting=0, oldest=0.0, refused=0, dropped=0)
    return Status(
        now_us=1, readings=[], backlog=backlog, clock_known=True, clock_offset=None, database="", devices=list(states)
    )


def snapshot(name: str, number: int, *documents: Document, attached: bool = True) -> Snapshot:
    return Snapshot(
        reactor=name,
        number=number,
        life="ok" if attached else "lost",
        attach=describe(name) if attached else None,
        status=status() if attached else None,
        desired=list(documents) if attached else None,
    )


def document(revision: int, **values: float) -> Document:
    return Document(target="heater", revision=revision, author="ann", values=dict(values))


@pytest.fixture
def fleet() -> Fleet:
    return Fleet(5.0, Random(1))


def watching(fleet: Fleet, *names: str) -> int:
    """Bring a fleet so far that it watches these at one manager; returns the connection."""
    (connect,) = fleet.overview(overview(manager("m", *names)), 0.0)
    assert isinstance(connect, Connect)
    fleet.up(connect.group, 0.0)
    for name in names:
        fleet.hear(connect.group, snapshot(name, 10), 0.0, WALL)
    fleet.take_changed()
    return connect.group


def twin(fleet: Fleet, name: str = "a") -> Twin:
    return fleet.twins[name]


def test_it_connects_and_watches(fleet: Fleet) -> None:
    assert fleet.overview(overview(manager("m", "a", "b")), 0.0) == [Connect(1, "tcp://127.0.0.1:1", KEY)]
    assert fleet.up(1, 0.0) == [Say(1, Watch(reactors=[Watching("a", 0), Watching("b", 0)]))]


def test_a_manager_without_reactors_is_connected_too(fleet: Fleet) -> None:
    assert fleet.overview(overview(manager("m"), absent="m"), 0.0) == [Connect(1, "tcp://127.0.0.1:1", KEY)]
    assert fleet.connection_for("away", attached=False) is None
    fleet.up(1, 0.0)
    assert fleet.connection_for("away", attached=False) == 1
    assert fleet.connection_for("away", attached=True) is None


def test_the_same_overview_changes_nothing(fleet: Fleet) -> None:
    watching(fleet, "a")
    assert fleet.overview(overview(manager("m", "a")), 1.0) == []
    assert fleet.take_changed() == frozenset()


def test_watches_are_renewed_with_the_numbers_heard_last(fleet: Fleet) -> None:
    group = watching(fleet, "a")
    fleet.hear(group, Update(reactor="a", number=11, life="ok"), 1.0, WALL)
    assert fleet.tick(4.9) == []
    assert fleet.tick(5.0) == [Say(group, Watch(reactors=[Watching("a", 11)]))]


def test_a_gap_asks_for_a_snapshot_once(fleet: Fleet) -> None:
    group = watching(fleet, "a")
    gap = fleet.hear(group, Update(reactor="a", number=12, life="ok"), 1.0, WALL)
    assert gap == [Say(group, Watch(reactors=[Watching("a", 0)]))]
    assert fleet.hear(group, Update(reactor="a", number=13, life="ok"), 1.0, WALL) == []
    fleet.hear(group, snapshot("a", 13), 1.0, WALL)
    assert fleet.hear(group, Update(reactor="a", number=14, life="ok"), 1.0, WALL) == []


def test_a_reactor_that_moves_is_watched_at_the_other_manager(fleet: Fleet) -> None:
    group = watching(fleet, "a", "b")
    actions = fleet.overview(overview(manager("m", "b"), manager("n", "a", port=2)), 1.0)
    assert actions == [Say(group, Watch(reactors=[Watching("b", 10)])), Connect(2, "tcp://127.0.0.1:2", KEY)]
    assert twin(fleet).manager == "n"
    assert fleet.hear(group, snapshot("a", 99), 1.0, WALL) == []  # a late word of the manager before
    assert fleet.up(2, 1.0) == [Say(2, Watch(reactors=[Watching("a", 0)]))]


def test_a_coordinator_that_just_started_names_nobody_and_nothing_is_forgotten(fleet: Fleet) -> None:
    group = watching(fleet, "a")
    assert fleet.overview(overview(), 1.0) == []
    assert twin(fleet).life == "ok"
    assert fleet.connection_for("a", attached=True) == group


def test_a_manager_that_is_gone_and_not_named_any_more_is_forgotten(fleet: Fleet) -> None:
    group = watching(fleet, "a")
    fleet.overview(overview(), 1.0)
    fleet.down(group, 2.0)
    assert (twin(fleet).life, twin(fleet).manager) == ("lost", "")
    assert twin(fleet).attach is not None  # what it was stays to be seen
    assert fleet.tick(100.0) == []


def test_a_manager_that_is_gone_is_tried_again(fleet: Fleet) -> None:
    group = watching(fleet, "a")
    fleet.down(group, 1.0)
    assert fleet.connection_for("a", attached=True) is None
    assert fleet.tick(32.0) == [Connect(group + 1, "tcp://127.0.0.1:1", KEY)]
    assert fleet.up(group, 32.0) == []  # the connection before
    assert fleet.up(group + 1, 32.0) == [Say(group + 1, Watch(reactors=[Watching("a", 10)]))]


def test_a_manager_that_listens_elsewhere_is_followed(fleet: Fleet) -> None:
    group = watching(fleet, "a")
    actions = fleet.overview(overview(manager("m", "a", port=9)), 1.0)
    assert actions == [HangUp(group), Connect(group + 1, "tcp://127.0.0.1:9", KEY)]
    assert fleet.up(group + 1, 1.0) == [Say(group + 1, Watch(reactors=[Watching("a", 0)]))]


def test_a_silent_manager_makes_its_reactors_stale_then_lost(fleet: Fleet) -> None:
    group = watching(fleet, "a")
    fleet.tick(11.9)
    assert twin(fleet).life == "ok"
    fleet.tick(12.0)
    assert twin(fleet).life == "stale"
    fleet.tick(17.0)
    assert twin(fleet).life == "lost"
    fleet.hear(group, Update(reactor="a", number=11, life="ok"), 18.0, WALL)
    assert twin(fleet).life == "ok"


def test_a_lost_reactor_keeps_what_was_known(fleet: Fleet) -> None:
    group = watching(fleet, "a")
    fleet.hear(group, snapshot("a", 11, attached=False), 1.0, WALL)
    assert twin(fleet).life == "lost"
    assert twin(fleet).attach is not None
    fleet.take_changed()
    fleet.hear(group, snapshot("a", 12, attached=False), 2.0, WALL)
    assert fleet.take_changed() == frozenset()


def test_the_newest_word_of_a_target_counts(fleet: Fleet) -> None:
    group = watching(fleet, "a")
    before = AppliedState("heater", 5, "ann", {"duty": 1.0}, {"duty": 1.0})
    wanted = document(6, duty=2.0)
    fleet.hear(group, Update(reactor="a", number=11, life="ok", status=status(before)), 1.0, WALL)
    fleet.hear(group, Update(reactor="a", number=12, life="ok", desired=[wanted]), 1.0, WALL)
    assert twin(fleet).state("heater") == before
    applied = Applied(target="heater", revision=6, read_back={"duty": 1.9}, held_by="guard")
    fleet.hear(group, Update(reactor="a", number=13, life="ok", applied=[applied]), 1.0, WALL)
    state = twin(fleet).state("heater")
    assert state == AppliedState("heater", 6, "ann", {"duty": 2.0}, {"duty": 1.9}, "guard")
    after = AppliedState("heater", 6, "ann", {"duty": 2.0}, {"duty": 2.0})
    fleet.hear(group, Update(reactor="a", number=14, life="ok", status=status(after)), 1.0, WALL)
    assert twin(fleet).state("heater") == after
    assert twin(fleet).state("nothing") is None


def test_a_rejection_stays_until_something_newer_is_wanted(fleet: Fleet) -> None:
    group = watching(fleet, "a")
    rejected = Rejected(reactor="a", target="heater", revision=7, reason="too hot")
    news = Update(reactor="a", number=11, life="ok", desired=[document(6)], rejected=[rejected])
    fleet.hear(group, news, 1.0, WALL)
    assert twin(fleet).rejected == {"heater": rejected}
    fleet.hear(group, Update(reactor="a", number=12, life="ok", desired=[document(8)]), 1.0, WALL)
    assert twin(fleet).rejected == {}


def test_the_last_acts_are_kept_each_once(fleet: Fleet) -> None:
    group = watching(fleet, "a")
    for number in range(30):
        done = [Done(act=f"act-{number:04d}", state="begun"), Done(act=f"act-{number:04d}", state="done")]
        for at, one in enumerate(done):
            fleet.hear(group, Update(reactor="a", number=11 + 2 * number + at, life="ok", done=[one]), 1.0, WALL)
    acts = [(one.act, one.state) for one in twin(fleet).done]
    assert acts == [(f"act-{number:04d}", "done") for number in range(10, 30)]


def test_what_the_database_keeps_for_an_absent_reactor_is_shown(fleet: Fleet) -> None:
    fleet.remember("a", describe("Away"), [document(3, duty=1.0)])
    assert twin(fleet).life == "lost"
    assert twin(fleet).desired["heater"].revision == 3
    answer = Accepted(reactor="a", target="heater", revision=4, delivered=False)
    fleet.accepted(answer, document(4, duty=2.0))
    assert twin(fleet).desired["heater"].values == {"duty": 2.0}


def test_a_document_for_a_lost_reactor_is_shown_and_goes_to_whom_the_overview_names(fleet: Fleet) -> None:
    group = watching(fleet, "a")
    (connect,) = fleet.overview(overview(manager("m"), manager("n", port=2), absent="n"), 1.0)
    assert isinstance(connect, Connect)
    fleet.up(connect.group, 1.0)
    assert fleet.connection_for("a", attached=False) == group  # its manager still hears it
    fleet.hear(group, snapshot("a", 11, attached=False), 2.0, WALL)
    assert fleet.connection_for("a", attached=False) == connect.group
    assert fleet.connection_for("a", attached=True) == group
    fleet.accepted(Accepted(reactor="a", target="heater", revision=4, delivered=False), document(4, duty=2.0))
    assert twin(fleet).desired["heater"].revision == 4


def test_who_was_heard_knows_better_than_the_database(fleet: Fleet) -> None:
    watching(fleet, "a")
    known = twin(fleet)
    fleet.remember("a", describe("Old"), [])
    assert twin(fleet) is known


def test_remembering_the_same_changes_nothing(fleet: Fleet) -> None:
    fleet.remember("a", describe("Away"), [])
    fleet.take_changed()
    fleet.remember("a", describe("Away"), [])
    assert fleet.take_changed() == frozenset()


def test_whom_somebody_looks_at_is_watched_closely_at_once(fleet: Fleet) -> None:
    group = watching(fleet, "a", "b")
    assert fleet.look(frozenset({"b", "nobody"}), 1.0) == [
        Say(group, Watch(reactors=[Watching("a", 10), Watching("b", 10, closely=True)]))
    ]
    assert fleet.look(frozenset({"b"}), 2.0) == []
    assert fleet.look(frozenset(), 3.0) == [Say(group, Watch(reactors=[Watching("a", 10), Watching("b", 10)]))]


def test_a_reading_that_is_told_twice_keeps_its_time(fleet: Fleet) -> None:
    group = watching(fleet, "a")
    boot_us = twin(fleet).boot_us
    fleet.hear(group, Update(reactor="a", number=11, life="ok", status=status()), 1.0, WALL + 20_000)
    assert twin(fleet).boot_us == boot_us
    fleet.hear(group, Update(reactor="a", number=12, life="ok", status=status()), 1.0, WALL + 5_000_000)
    assert twin(fleet).boot_us == boot_us + 5_000_000


def test_a_reactor_that_describes_itself_as_before_is_the_same(fleet: Fleet) -> None:
    group = watching(fleet, "a")
    attach = twin(fleet).attach
    fleet.hear(group, snapshot("a", 17), 1.0, WALL)
    assert twin(fleet).attach is attach
