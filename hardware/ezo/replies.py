"""What a circuit's text means, the same on both wires.

Circuits spell replies as the data sheet does (`?Cal,1`) or in capitals (`?CAL,1`), with a comma after the question
mark or without (`?,O,EC`): all are accepted everywhere.
"""

import re
from itertools import pairwise

_NUMBER = re.compile(r"[-+]?[0-9]{1,15}(\.[0-9]*)?")  # noise of 400 digits over UART would be infinite
WARMING_UP = "*WARM"
_SHOWN = 60  # characters of a circuit's text that an error repeats


def reading(text: str) -> list[str] | None:
    """Split a reading into its fields; none when the text is a control line or an answer to a query."""
    if not text or text.startswith("?") or (text.startswith("*") and text.upper() != WARMING_UP):
        return None
    return [part.strip() for part in text.split(",")]


def answer(text: str, key: str) -> list[str] | None:
    """Give the fields after `?key,`; none when the text does not answer that query."""
    if not text.startswith("?"):
        return None
    head, *fields = text[1:].removeprefix(",").split(",")
    return [part.strip() for part in fields] if head.strip().upper() == key.upper() else None


def done(text: str) -> list[str] | None:
    """Give what `*DONE,v` says, nothing of an empty answer; none when the text is no end of a dose."""
    head, *fields = text.split(",")
    return fields if head.upper() in {"", "*DONE"} else None


def number(text: str) -> float | None:
    """Read a plain decimal number; none for anything else (Python's own rules would take `nan` and `1_0`)."""
    return float(text) if _NUMBER.fullmatch(text) else None


def outputs_on(fields: list[str]) -> frozenset[str]:
    """Which outputs an answer to `O,?` names, in capitals: `EC,TDS` or, as also seen, `MG,1,%,0`."""
    on: set[str] = set()
    for field, following in pairwise([*fields, ""]):
        if field not in {"", "0", "1"} and following != "0":
            on.add(field.upper())
    return frozenset(on)


def shown(text: object) -> str:
    """Make a circuit's words safe and short enough for an error text."""
    words = repr(text)
    return words if len(words) <= _SHOWN else f"{words[:_SHOWN]}…"
