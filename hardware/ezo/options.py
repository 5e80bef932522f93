"""What a reactor's file may say about an EZO sensor beside its address: read once, every mistake at once."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from hardware.errors import BadConfiguration
from hardware.ezo.commands import spell
from hardware.values import Quantity


@dataclass(frozen=True, slots=True)
class Output:
    """A number in a circuit's reading: the code that `O,…` switches it with (none: always there), and what it is."""

    code: str
    quantity: Quantity


@dataclass(frozen=True, slots=True)
class Option:
    """A key of the file that becomes something the circuit keeps: `command,value`.

    `spelled` gives the value as the circuit takes it, or none for what `takes` does not describe.
    """

    key: str
    command: str
    takes: str
    spelled: Callable[[object], str | None]


def number(key: str, command: str, low: float, high: float) -> Option:
    """Take a number with limits."""

    def spelled(value: object) -> str | None:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        return spell(value) if low <= value <= high else None

    return Option(key, command, f"a number from {low:g} to {high:g}", spelled)


def choice(key: str, command: str, values: Sequence[object]) -> Option:
    """Take one of some values."""

    def spelled(value: object) -> str | None:
        return str(value) if not isinstance(value, bool) and value in values else None

    return Option(key, command, f"one of {', '.join(map(str, values))}", spelled)


@dataclass(frozen=True, slots=True)
class Chosen:
    """What the file says: the outputs to read, and each option that it has, by key, as the circuit spells it."""

    outputs: tuple[Output, ...]
    values: Mapping[str, str]


def choose(driver: str, given: Mapping[str, object], known: Sequence[Option], outputs: tuple[Output, ...]) -> Chosen:
    """Read the options of one sensor; `BadConfiguration` lists every mistake with key, value and what it may be.

    A circuit with several outputs has the option `outputs`, a list of quantities; all of them without it.
    """
    mistakes: list[str] = []
    options = {option.key: option for option in known}
    chosen = outputs
    values: dict[str, str] = {}
    for key, value in given.items():
        if key == "outputs" and len(outputs) > 1:
            named = value if isinstance(value, list) else []
            chosen = tuple(output for output in outputs if output.quantity.name in named)
            if not chosen or len(chosen) != len(named):
                names = ", ".join(output.quantity.name for output in outputs)
                mistakes.append(f"option outputs is a list of some of {names}, not {value!r}")
        elif key not in options:
            keys = [*options, "outputs"] if len(outputs) > 1 else [*options]
            mistakes.append(f"{driver} has no option {key!r}, only {', '.join(keys) or 'none at all'}")
        elif (spelled := options[key].spelled(value)) is None:
            mistakes.append(f"option {key} is {options[key].takes}, not {value!r}")
        else:
            values[key] = spelled
    if mistakes:
        raise BadConfiguration("; ".join(mistakes))
    return Chosen(chosen, values)
