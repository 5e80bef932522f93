"""Plans: the same seed makes the same, all kinds come, and what is kept can be read again."""

from itertools import islice

from tests.faults import plan

REACTORS = ("tank-1", "tank-2")


def first(count: int, seed: int = 1) -> list[plan.Round]:
    return list(islice(plan.rounds(seed, REACTORS), count))


def test_the_same_seed_makes_the_same() -> None:
    assert first(20) == first(20)
    assert first(20) != first(20, seed=2)


def test_a_plan_of_some_length_has_every_kind() -> None:
    kinds = {(fault.kind, fault.who.partition(" ")[0]) for faults in first(60) for fault in faults}
    networks = {(kind, of) for kind in plan.NETWORK for of in ("reactor", "manager")}
    assert kinds <= networks | {(kind, of) for kind, of, *_ in plan.CARDS}
    assert {kind for kind, _ in kinds} == {kind for kind, *_ in plan.CARDS}
    assert {of for kind, of in kinds if kind == "kill"} == {"reactor", "guard", "vessel", *plan.SERVERS}


def test_nobody_gets_two_at_once_on_the_same_way() -> None:
    for faults in first(200):
        assert 1 <= len(faults) <= plan.MOST
        assert len({(fault.kind in plan.NETWORK, fault.who) for fault in faults}) == len(faults)


def test_it_can_be_kept_and_read_again() -> None:
    assert plan.load(plan.dump(first(20))) == first(20)


def test_it_can_be_read_by_people() -> None:
    assert str(plan.Fault(1.0, "stop", "manager", 12.0)) == "stop manager for 12.0 s"
    assert str(plan.Fault(1.0, "kill", "reactor tank-1")) == "kill reactor tank-1"
