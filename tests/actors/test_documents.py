"""Desired against applied, as a pure core: what is taken, what it becomes after restarts, with properties."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from actors.documents import FILE, RESTART, Documents, Kept, Known, New, Wrong
from hardware.device import Setting, Value, number, switch

DUTY = number("duty", "%", low=0.0, high=100.0, step=1.0, default=0.0, safe=0.0)
ON = switch("on")
PUMPING = switch("pumping", survives=False)
SETTINGS = (DUTY, ON, PUMPING)


def documents(
    kept: Kept | None = None, settings: tuple[Setting, ...] = SETTINGS, *, duty: float | None = None
) -> Documents:
    return Documents(settings, {} if duty is None else {"duty": duty}, kept)


def take(target: Documents, revision: int, **values: Value) -> Documents:
    judged = target.judge(revision, values)
    assert isinstance(judged, New)
    target.take(revision, "ada", judged.values)
    return target


def restarted(target: Documents, duty: float | None = None) -> Documents:
    """The next process, that reads what the last one wrote."""
    kept = msgspec.json.decode(msgspec.json.encode(target.keep()), type=Kept)
    return documents(kept, duty=duty)


def test_without_a_document_there_is_the_file_and_then_the_driver() -> None:
    target = documents(duty=40)
    assert (target.revision, target.values) == (0, {"duty": 40.0, "on": False, "pumping": False})
    assert target.kept_by == ()


def test_a_newer_document_is_taken_and_what_it_leaves_out_is_the_files() -> None:
    target = take(documents(duty=40), 7, on=True)
    assert target.judge(8, {"on": False}) == New({"duty": 40.0, "on": False, "pumping": False})
    assert (target.revision, target.author, target.values["on"]) == (7, "ada", True)


def test_an_older_and_the_same_document_are_known_whatever_they_say() -> None:
    target = take(documents(), 7, on=True)
    assert isinstance(target.judge(7, {"on": "nonsense"}), Known)
    assert isinstance(target.judge(6, {}), Known)


def test_mistakes_are_all_named_and_nothing_changes() -> None:
    target = documents(duty=40)
    judged = target.judge(7, {"duty": 101.0, "on": 1.0, "colour": "red"})
    assert isinstance(judged, Wrong)
    assert {mistake.name for mistake in judged.mistakes} == {"duty", "on", "colour"}
    assert target.revision == 0


def test_numbers_are_floats_however_they_were_spelled() -> None:
    target = take(documents(duty=40), 7, duty=50)
    assert [type(value) for value in target.values.values()] == [float, bool, bool]


def test_settings_survive_a_restart_unless_they_say_otherwise() -> None:
    target = restarted(take(documents(), 7, duty=50.0, on=True, pumping=True))
    assert (target.revision, target.author) == (7, "ada")
    assert target.values == {"duty": 50.0, "on": True, "pumping": False}
    assert target.kept_by == (RESTART,)
    again = restarted(target)
    assert (again.values, again.kept_by) == (target.values, (RESTART,))
    assert take(again, 8, pumping=True).kept_by == ()


def test_a_change_from_outside_lapses_when_its_setting_is_edited_in_the_file() -> None:
    target = take(documents(duty=40), 7, duty=50.0, on=True)
    assert restarted(target, duty=40).values["duty"] == 50.0
    edited = restarted(target, duty=45)
    assert (edited.revision, edited.values["duty"], edited.values["on"]) == (7, 45.0, True)
    assert edited.kept_by == (FILE,)


def test_what_lapsed_does_not_come_back_when_the_file_is_edited_back() -> None:
    target = take(documents(duty=40), 7, duty=50.0)
    assert restarted(restarted(target, duty=45), duty=40).values["duty"] == 40.0


def test_a_newer_document_goes_before_an_edited_file() -> None:
    target = take(restarted(take(documents(duty=40), 7, duty=50.0), duty=45), 8, duty=60.0)
    assert restarted(target, duty=45).values["duty"] == 60.0
    assert restarted(target, duty=45).kept_by == ()


def test_changes_from_outside_are_told_with_what_they_replaced() -> None:
    target = take(documents(duty=40), 7, duty=50.0, on=False)
    assert target.keep().changes() == {"duty": (50.0, 40.0)}
    assert restarted(target, duty=45).keep().changes() == {}


def test_a_kept_value_that_a_newer_driver_does_not_take_is_the_files() -> None:
    kept = take(documents(), 7, duty=90.0).keep()
    low = number("duty", "%", low=0.0, high=50.0, step=1.0, default=0.0, safe=0.0)
    target = documents(kept, (low, ON, PUMPING))
    assert (target.values["duty"], target.kept_by) == (0.0, (FILE,))


def test_a_setting_that_a_newer_driver_adds_has_its_default() -> None:
    target = documents(take(documents(settings=(ON,)), 7, on=True).keep())
    assert target.values == {"on": True, "duty": 0.0, "pumping": False}
    assert target.kept_by == ()


def test_what_was_kept_for_an_interlock_alone_is_no_document() -> None:
    kept = documents(duty=40).keep(latched=("rule",))
    target = documents(kept, duty=45)
    assert (target.revision, target.values["duty"], target.kept_by) == (0, 45.0, ())


VALUES = st.fixed_dictionaries(
    {},
    optional={
        "duty": st.floats(-10, 110),
        "on": st.booleans(),
        "pumping": st.booleans(),
        "other": st.booleans(),
    },
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.integers(0, 6), VALUES),  # a document: any order, repeated, lost
        st.sampled_from(["restart", "crash"]),  # crash: before the file was written
        st.floats(0, 100),  # the file is edited, and the reactor starts again
    ),
    max_size=30,
)


@given(STEPS)
def test_revisions_never_go_back_and_each_document_is_taken_at_most_once(steps: list[object]) -> None:
    file = 10.0
    target = documents(duty=file)
    kept = target.keep()
    taken: list[int] = []
    for step in steps:
        before = target.revision
        match step:
            case "restart":
                kept = target.keep()
                target = documents(kept, duty=file)
                assert target.revision == before
            case "crash":
                target = documents(kept, duty=file)
                taken = [revision for revision in taken if revision <= target.revision]
            case float():
                file, kept = step, target.keep()
                target = documents(kept, duty=file)
                assert target.revision == before
            case (int(revision), dict(values)):
                judged = target.judge(revision, values)
                if isinstance(judged, New):
                    assert revision > before
                    target.take(revision, "ada", judged.values)
                    taken.append(revision)
                assert target.revision == max(before, revision if isinstance(judged, New) else 0)
        assert taken == sorted(set(taken))
        assert target.values.keys() == {"duty", "on", "pumping"}
        assert 0 <= float(target.values["duty"]) <= 100
