"""How long a reactor may give no proof of progress, for any way in which it may be late."""

from hypothesis import given
from hypothesis import strategies as st

from deploy.proof import PARTS, STARTING, Watch, encode

PATIENCE = 15.0
ROUNDS = st.lists(
    st.tuples(
        st.floats(0.0, 2.0),  # seconds since the round before
        st.one_of(st.none(), st.lists(st.floats(0.0, 30.0), min_size=3, max_size=3)),  # a record, or nothing
    ),
    max_size=60,
)


@given(ROUNDS)
def test_it_is_killed_exactly_when_a_part_is_late_for_too_long(rounds: list[tuple[float, list[float] | None]]) -> None:
    now, said_at = 100.0, None
    late, silent = [0.0] * len(PARTS), 0.0
    watch = Watch(PATIENCE, now)
    for passed, record in rounds:
        now += passed
        silent += passed
        if record is not None:
            late = [min(one, was + silent + 0.2) for one, was in zip(record, late, strict=True)]
            said_at, silent = now, 0.0
        why = watch.hear(b"" if record is None else encode(record), now)
        if said_at is None:
            assert bool(why) == (now - 100.0 >= STARTING)
            continue
        stuck = [part for part, one in zip(PARTS, late, strict=True) if one + now - said_at >= PATIENCE + 0.1]
        well = [part for part, one in zip(PARTS, late, strict=True) if one + now - said_at < PATIENCE - 0.1]
        assert all(part in why for part in stuck)
        assert not any(part in why for part in well)


def test_of_several_records_the_newest_counts() -> None:
    watch = Watch(0.5, 0.0)
    assert watch.hear(encode([20.0, 0.0, 0.0]) + encode([0.0, 0.0, 0.0]), 1.0) == ""
    assert watch.hear(encode([0.0, 0.0, 0.0]) + encode([0.0, 20.0, 0.0]), 2.0) == "1 s without proof from outputs"


def test_time_in_which_the_guard_was_not_awake_does_not_count() -> None:
    watch = Watch(PATIENCE, 0.0)
    watch.hear(encode([0.0, 0.0, 0.0]), 1.0)
    assert watch.hear(b"", 1000.0) == ""


def test_nor_does_time_in_which_the_whole_board_slept() -> None:
    watch = Watch(PATIENCE, 0.0)
    watch.hear(encode([0.0, 0.0, 0.0]), 1.0)
    assert watch.hear(encode([3600.0, 3600.0, 3600.0]), 2.0) == ""  # the reactor's clock went on, ours did not
    assert watch.hear(encode([0.0, 3601.0, 0.0]), 3.0) == ""
    for second in range(4, 13):
        assert watch.hear(encode([0.0, 3600.0, 0.0]), float(second)) == ""
    assert watch.hear(encode([0.0, 3620.0, 0.0]), 14.0) == "15 s without proof from outputs"
