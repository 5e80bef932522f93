import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.config import Above, Apart, Interlock, MaxOn, MinOff, Needs
from actors.interlocks import Claims, Rules, allows, rules_of
from hardware.values import Quality, Reading

ACID_BASE = Apart("never-both", ("acid", "base"))
NEVER_BOTH = "interlock never-both: acid and base are never on together"


def test_a_device_has_its_own_rules_and_of_limits_the_strictest() -> None:
    wet = Needs("wet", "heater", "water", "temperature")
    hot = Above("hot", "heater", "water", "temperature", 32.5)
    short, more = MaxOn("short", "heater", 60), MinOff("more-rest", "heater", 20)
    rules: list[Interlock] = [
        MaxOn("long", "heater", 3600),
        short,
        MinOff("rest", "heater", 10),
        more,
        MaxOn("valve", "valve", 5),
        ACID_BASE,
        wet,
        hot,
    ]
    assert rules_of("heater", rules) == Rules(short, more, (), (wet, hot))
    assert rules_of("acid", rules) == Rules(apart=(ACID_BASE,))
    assert rules_of("light", rules) == Rules()


def test_rules_are_told_to_people() -> None:
    rules = Rules(
        MaxOn("a", "h", 60),
        MinOff("b", "h", 5),
        (ACID_BASE,),
        (Needs("d", "h", "w", "t"), Above("e", "h", "w", "t", 32.5)),
    )
    assert rules.texts() == [
        "interlock a: on for at most 60 s at a time",
        "interlock b: off for at least 5 s",
        NEVER_BOTH,
        "interlock d: off while w.t is not ok",
        "interlock e: off while w.t is above 32.5 or not ok",
    ]


@pytest.mark.parametrize(
    ("value", "quality", "allowed", "allowed_up_to_30"),
    [
        (29.9, Quality.OK, True, True),
        (30.0, Quality.OK, True, True),
        (30.1, Quality.OK, True, False),
        (None, Quality.FAULT, False, False),
        (20.0, Quality.STALE, False, False),
        (20.0, Quality.OUT_OF_RANGE, False, False),
    ],
)
def test_what_is_not_known_well_allows_nothing(
    value: float | None, quality: Quality, allowed: bool, allowed_up_to_30: bool
) -> None:
    reading = Reading("temperature", value, "°C", quality, 0)
    assert allows(Needs("a", "h", "water", "temperature"), reading) == allowed
    assert allows(Above("b", "h", "water", "temperature", 30.0), reading) == allowed_up_to_30
    assert not allows(Above("b", "h", "water", "temperature", 30.0), None)


def test_a_cycle_and_a_run_that_break_a_limit_are_refused_with_the_rules_name() -> None:
    rules = Rules(MaxOn("a", "h", 60), MinOff("b", "h", 5))
    assert rules.against_cycle(60, 5) is None
    assert rules.against_cycle(61, 5) == "interlock a: on for at most 60 s at a time, and not for 61 s"
    assert rules.against_cycle(60, 4) == "interlock b: off for at least 5 s, and not for 4 s"
    assert rules.against_run(60) is None
    assert rules.against_run(61) == "interlock a: on for at most 60 s at a time, and not for 61 s"
    assert Rules().against_run(1e9) is None


def test_who_wants_first_gets_it() -> None:
    claims = Claims([ACID_BASE])
    assert claims.want("acid", on=True) is None
    assert claims.want("base", on=True) == NEVER_BOTH
    assert claims.want("base", on=False) is None
    assert claims.want("light", on=True) is None
    assert claims.want("acid", on=True) is None
    claims.want("acid", on=False)
    assert claims.want("base", on=True) is None


def test_a_place_that_is_given_back_is_told_to_the_others() -> None:
    claims = Claims([ACID_BASE, Apart("other", ("light", "air"))])
    told: list[str] = []
    for name in ("acid", "base", "light", "air"):
        claims.join(name, lambda name=name: told.append(name))  # type: ignore[misc]
    assert claims.take("acid") is None
    assert claims.take("base") == NEVER_BOTH
    assert claims.take("light") is None
    claims.give("acid")
    claims.give("acid")
    assert told == ["base"]
    assert claims.take("base") is None


def test_places_are_taken_by_one_at_a_time_whoever_asks_when() -> None:
    claims = Claims([Apart("one", tuple(f"d{number}" for number in range(4)))])
    on: list[str] = []
    most: list[int] = []

    def ask(name: str) -> None:
        for _ in range(200):
            if claims.take(name) is None:
                on.append(name)
                most.append(len(on))
                on.remove(name)
                claims.give(name)

    threads = [threading.Thread(target=ask, args=(f"d{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(most) == {1}


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=40))
def test_two_that_exclude_each_other_are_never_on_together(steps: list[tuple[str, bool]]) -> None:
    claims = Claims([Apart("x", ("a", "b")), Apart("y", ("b", "c"))])
    on: set[str] = set()
    for name, wanted in steps:
        if wanted and name not in on and claims.take(name) is None:
            on.add(name)
        elif not wanted:
            claims.give(name)
            on.discard(name)
        assert not {"a", "b"} <= on
        assert not {"b", "c"} <= on
