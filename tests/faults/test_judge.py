"""The judge itself: each of its complaints can be made, and a system that kept its promises hears none."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from hardware.vessel.journal import Entry
from tests.faults import judge
from tests.faults.judge import Final, Stored
from tests.faults.people import Answer, Dose, Wish
from tests.faults.witness import Needs, Shown

SECOND = 1_000_000_000
WISH = Wish("tank", "heater", "ada 1", 0, {"on": True, "duty": 30.0}, 0, 1, "accepted", 10, "delivered")
NEXT = replace(WISH, author="ada 2", base=10, asked_ns=2, answered_ns=3, revision=11)
KEPT = Stored("tank", "heater", 10, "ada 1", {"on": True, "duty": 30.0})
NEWER = replace(KEPT, revision=11, author="ada 2")
APPLIED = ("tank", "heater", 10)
FINAL = Final("tank", "heater", 10, 10, {"on": True, "duty": 30.0}, {"on": True, "duty": 30.0}, 30.0)


# --- changes


@pytest.mark.parametrize(("stored", "applied"), [([KEPT], []), ([], [APPLIED]), ([NEWER], [("tank", "heater", 11)])])
def test_accepted_is_kept_or_applied_or_something_newer_is(
    stored: Sequence[Stored], applied: Sequence[tuple[str, str, int]]
) -> None:
    assert judge.of_wishes([WISH, NEXT] if NEWER in stored else [WISH], stored, applied) == []


def test_accepted_that_is_nowhere() -> None:
    (complaint,) = judge.of_wishes([WISH, NEXT], [KEPT], [APPLIED])
    assert "neither kept nor applied" in complaint


def test_kept_otherwise_than_asked() -> None:
    (complaint,) = judge.of_wishes([WISH], [replace(KEPT, values={"on": True, "duty": 31.0})], [])
    assert "kept as" in complaint


@pytest.mark.parametrize("answer", ["conflict", "rejected", "not taken"])
def test_refused_and_kept_all_the_same(answer: Answer) -> None:
    (complaint,) = judge.of_wishes([replace(WISH, answer=answer)], [KEPT], [])
    assert f"it was {answer}" in complaint


def test_nobody_knows_may_be_kept_or_not() -> None:
    unknown = replace(WISH, answer="unknown", revision=0)
    assert judge.of_wishes([unknown], [KEPT], []) == judge.of_wishes([unknown], [], []) == []


def test_kept_and_nobody_asked_for_it() -> None:
    (complaint,) = judge.of_wishes([], [KEPT], [])
    assert "nobody asked" in complaint


def test_accepted_from_a_document_that_never_was() -> None:
    (complaint,) = judge.of_wishes([replace(WISH, stale=True)], [KEPT], [])
    assert "never was" in complaint


def test_revisions_that_do_not_rise() -> None:
    (complaint,) = judge.of_wishes([WISH, replace(NEXT, revision=10)], [KEPT], [])
    assert "got revision 10 after 10" in complaint


def test_applied_in_another_order() -> None:
    assert judge.of_orders([APPLIED, APPLIED, ("tank", "heater", 11)]) == []
    assert judge.of_orders([("tank", "heater", 11), APPLIED]) == ["tank heater: applied 10 after 11"]


# --- how it ends


def test_what_was_accepted_last_is_what_is_done() -> None:
    assert judge.of_ends([FINAL], [WISH], [KEPT]) == []
    off = replace(FINAL, values={"on": False, "duty": 30.0}, read_back={"on": False}, percent=0.0)
    assert judge.of_ends([off], [WISH], [KEPT]) == []


@pytest.mark.parametrize(
    "final",
    [
        replace(FINAL, desired=9, followed=9),
        replace(FINAL, followed=9),
        replace(FINAL, desired=11, followed=11),
        replace(FINAL, read_back={"on": True, "duty": 28.0}),
        replace(FINAL, read_back={"on": False}),
        replace(FINAL, percent=0.0),
    ],
)
def test_an_end_at_odds(final: Final) -> None:
    assert len(judge.of_ends([final], [WISH], [KEPT])) == 1


# --- doses


@pytest.mark.parametrize(
    ("states", "times"),
    [(("done",), 1), (("begun",), 1), (("begun",), 0), (("no answer", "unknown"), 0), (("refused",), 0)],
)
def test_a_dose_as_it_was_answered(states: tuple[str, ...], times: int) -> None:
    assert judge.of_doses([Dose("tank", "a", 0.5, states)], {"tank": [0.5] * times + [0.51]}) == []


@pytest.mark.parametrize(
    ("states", "times"), [(("no answer", "begun"), 2), (("done",), 0), (("refused",), 1), (("expired",), 1)]
)
def test_a_dose_given_twice_or_otherwise_than_answered(states: tuple[str, ...], times: int) -> None:
    assert len(judge.of_doses([Dose("tank", "a", 0.5, states)], {"tank": [0.5] * times})) == 1


def entry(at: float, circuit: str, do: str, command: str = "", *, level: float | None = None, error: int = 0) -> Entry:
    return Entry(round(at * SECOND), 0, circuit, do, command, level=level, error=error)


def test_a_journal_tells_the_doses_that_were_heard() -> None:
    journal = [
        entry(1, "acid", "write", "D,0.5"),
        entry(2, "acid", "write", "D,?"),
        entry(3, "acid", "write", "D,0.51", error=121),
        entry(4, "acid", "write", "D,*"),
        entry(5, "base", "write", "D,7"),
    ]
    assert judge.volumes(journal, "acid") == [0.5]


# --- outputs


def test_seconds_until_an_output_is_safe() -> None:
    journal = [
        entry(1, "heater", "drive", level=6.0),
        entry(1, "light", "drive", level=5.0),
        entry(1, "air", "drive", level=0.0),
        entry(3, "heater", "drive", level=0.0),
        entry(3.5, "heater", "drive", level=6.0),
        entry(4, "heater", "drive", level=0.0),
    ]
    assert judge.seconds_to_safe(journal, 2 * SECOND) == {"heater": 1.0, "light": None}


# --- what was shown


def shown(*lives: tuple[float, str]) -> list[Shown]:
    return [Shown(round(at * SECOND), "tank", life) for at, life in lives]


SILENT = [("tank", (10 * SECOND, 30 * SECOND))]


@pytest.mark.parametrize("lives", [((0, "ok"), (18, "stale")), ((0, "lost"),), ((0, "ok"), (12, "lost"), (35, "ok"))])
def test_silence_that_was_shown(lives: tuple[tuple[float, str], ...]) -> None:
    assert judge.of_shown(shown(*lives), SILENT, 10) == []


@pytest.mark.parametrize("lives", [((0, "ok"),), ((0, "ok"), (21, "stale")), ((0, "lost"), (5, "ok"))])
def test_silence_that_was_shown_late_or_never(lives: tuple[tuple[float, str], ...]) -> None:
    assert len(judge.of_shown(shown(*lives), SILENT, 10)) == 1


def test_a_short_silence_need_not_be_shown() -> None:
    assert judge.of_shown(shown((0, "ok")), SILENT, 25) == []


def test_a_bystander_that_was_shown_otherwise_than_alive() -> None:
    assert judge.of_bystanders(shown((0, "stale"), (5, "ok"), (40, "lost")), SILENT) == []
    assert judge.of_bystanders(shown((0, "ok"), (12, "stale"), (13, "ok")), SILENT) == [
        "tank was shown stale, and nothing was done to it"
    ]


# --- pace and needs


def test_how_late_readings_are() -> None:
    journal = [entry(at, "ph", "write", "R") for at in (1.0, 2.0, 3.2, 4.0, 9.0)]
    journal += [entry(3.5, "ph", "write", "Status"), entry(3.6, "rtd", "write", "R")]
    assert judge.late(journal, ["ph"], [(SECOND, 4 * SECOND)], 1.0) == pytest.approx([0.0, 0.2, 0.2])


def test_a_pace_that_is_worse_than_in_calm() -> None:
    assert judge.of_pace([0.05] * 10, [0.01] * 10, 0.1) == []
    assert judge.of_pace([0.5] * 10, [0.4] * 10, 0.1) == []  # the machine's
    assert len(judge.of_pace([0.2] * 10, [0.01] * 10, 0.1)) == 1


def test_time_that_the_machine_had_not() -> None:
    assert list(judge.without([(0, 10), (20, 30)], [(4, 5)], 1)) == [(0, 3), (6, 10), (20, 30)]
    assert list(judge.without([(0, 10)], [(-5, 1), (8, 20)], 0)) == [(1, 8)]
    assert list(judge.without([(0, 10)], [(-5, 20)], 0)) == []


def test_growth() -> None:
    one = Needs("reactorium web", 1, 5.0, 0, 1000, 10, 5)
    later = replace(one, ns=60 * SECOND, files=13)
    assert judge.of_needs([one, later], {"files": 3, "threads": 0}) == []
    database = [replace(each, title="reactorium questdb") for each in (one, later)]
    assert judge.of_needs(database, {"files": 0}) == []
    assert judge.of_needs([one, replace(later, began=6.0, files=99)], {"files": 3}) == []  # another of the same number
    assert judge.of_needs([one, later], {"files": 2}) == ["reactorium web: files 10 grew by 3 in 1 min"]
