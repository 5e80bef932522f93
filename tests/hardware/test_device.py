import math

import pytest

from hardware.device import Act, Argument, Kind, Setting, check_arguments, check_settings, number, switch

DUTY = number("duty", "%", low=0.0, high=100.0, step=1.0, default=0.0, safe=0.0)
SETTINGS = (
    DUTY,
    switch("on"),
    Setting("mode", "", Kind.CHOICE, 0, 0, 0, "slow", "slow", survives=True, choices=("slow", "fast")),
    Setting("label", "", Kind.TEXT, 0, 8, 0, "", "", survives=True),
)
DOSE = Act("dose", "Dose", (Argument("rate", "ml/min", -50, 50, 1), Argument("time", "min", 0, 9, 1)), ("rate", "time"))


def texts(values: dict[str, object]) -> list[str]:
    return [str(mistake) for mistake in check_settings(SETTINGS, values)]


@pytest.mark.parametrize(
    "values",
    [
        {"duty": 0.0, "on": True, "mode": "fast", "label": "Dünger"},
        {"duty": 100, "on": False},  # JSON's 100 is a number like any other
        {"label": "", "mode": "slow"},
        {},
    ],
)
def test_good_settings_have_no_mistakes(values: dict[str, object]) -> None:
    assert texts(values) == []


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("duty", 100.1, "duty 100.1: must be a number from 0 to 100 %"),
        ("duty", -1e-9, "duty -1e-09: must be a number from 0 to 100 %"),
        ("duty", math.nan, "duty nan: must be a number from 0 to 100 %"),
        ("duty", math.inf, "duty inf: must be a number from 0 to 100 %"),
        ("duty", True, "duty True: must be a number from 0 to 100 %"),
        ("duty", "7", "duty '7': must be a number from 0 to 100 %"),
        ("duty", None, "duty None: must be a number from 0 to 100 %"),
        ("on", 1, "on 1: must be true or false"),
        ("on", "true", "on 'true': must be true or false"),
        ("mode", "fastest", "mode 'fastest': must be one of slow, fast"),
        ("mode", ["slow"], "mode ['slow']: must be one of slow, fast"),
        ("label", "123456789", "label '123456789': must be a line of at most 8 characters"),
        ("label", "a\nb", "label 'a\\nb': must be a line of at most 8 characters"),
        ("label", 7, "label 7: must be a line of at most 8 characters"),
        ("power", 7, "power 7: unknown, there is duty, on, mode, label"),
    ],
)
def test_a_bad_setting_is_told_with_value_and_limit(name: str, value: object, text: str) -> None:
    assert texts({name: value}) == [text]


def test_a_huge_number_is_a_mistake_like_any_other() -> None:
    (text,) = texts({"duty": 10**400})
    assert text.endswith("…: must be a number from 0 to 100 %")
    assert len(text) < 120


def test_every_mistake_is_told() -> None:
    assert len(texts({"duty": 200, "on": 1, "mode": 1, "<b>": 1})) == 4


def test_a_mistake_carries_what_a_page_needs() -> None:
    (mistake,) = check_settings(SETTINGS, {"duty": 200})
    assert (mistake.name, mistake.value, mistake.unit) == ("duty", 200, "%")


def test_an_act_needs_all_of_its_arguments() -> None:
    assert check_arguments(DOSE, {"rate": -10, "time": 2.5}) == ()
    assert [str(mistake) for mistake in check_arguments(DOSE, {"rate": 51, "volume": 1})] == [
        "volume 1: unknown, there is rate, time",
        "rate 51: must be a number from -50 to 50 ml/min",
        "time None: must be a number from 0 to 9 min",
    ]


def test_an_act_without_arguments_takes_none() -> None:
    assert [str(each) for each in check_arguments(Act("stop", "Stop"), {"now": 1})] == [
        "now 1: unknown, there is nothing"
    ]


def test_the_volume_of_an_act_is_the_product_of_its_arguments() -> None:
    assert DOSE.millilitres({"rate": -10.0, "time": 2.5}) == 25.0
    assert Act("stop", "Stop").millilitres({}) == 0.0
