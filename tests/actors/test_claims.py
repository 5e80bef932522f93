"""Which of several machines with one identity is served."""

from hypothesis import given
from hypothesis import strategies as st

from actors.claims import REMEMBERED, Claims, Verdict


def judge(claims: Claims, hellos: str, *, held: bool = True) -> list[str]:
    return [claims.judge("r1", instance, held=held).name for instance in hellos]


def test_a_process_that_starts_again_takes_over_at_once() -> None:
    assert judge(Claims(), "AABBCC") == ["SERVED"] * 6


def test_who_comes_back_after_a_newer_one_was_there_first() -> None:
    assert judge(Claims(), "ABABA") == ["SERVED", "SERVED", "BACK", "REFUSED", "SERVED"]


def test_a_copy_stays_one_when_the_first_starts_again() -> None:
    assert judge(Claims(), "ABACBC") == ["SERVED", "SERVED", "BACK", "SERVED", "REFUSED", "SERVED"]


def test_a_copy_that_starts_again_is_found_out_again() -> None:
    assert judge(Claims(), "ABACACB") == ["SERVED", "SERVED", "BACK", "SERVED", "BACK", "REFUSED", "REFUSED"]


def test_a_copy_is_served_while_the_first_is_attached_nowhere_and_gives_way_to_it() -> None:
    claims = Claims()
    judge(claims, "ABA")
    assert judge(claims, "B", held=False) == ["SERVED"]
    assert judge(claims, "AB") == ["BACK", "REFUSED"]


def test_reactors_are_apart_and_older_programs_are_never_judged() -> None:
    claims = Claims()
    judge(claims, "ABA")
    assert claims.judge("r2", "B", held=True) is Verdict.SERVED
    assert claims.judge("r1", "", held=True) is Verdict.SERVED
    assert claims.judge("r1", "A", held=True) is Verdict.SERVED


@given(st.lists(st.tuples(st.integers(0, 40), st.booleans()), max_size=200))
def test_a_reactor_that_is_attached_nowhere_is_never_refused_and_nothing_heaps_up(
    hellos: list[tuple[int, bool]],
) -> None:
    claims = Claims()
    for instance, held in hellos:
        verdict = claims.judge("r1", str(instance), held=held)
        assert held or verdict is not Verdict.REFUSED
        assert claims.judge("r1", str(instance), held=False) is not Verdict.REFUSED
    for claim in claims._claims.values():
        assert len(claim.replaced) <= REMEMBERED
        assert len(claim.copies) <= REMEMBERED
