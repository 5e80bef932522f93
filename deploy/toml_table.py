"""A TOML table from people, taken apart with an error for each mistake."""

import difflib
import math
from collections.abc import Mapping
from typing import Any

from hardware.values import is_name

SHORTEST, LONGEST = 0.05, 366 * 86_400.0  # seconds
LONGEST_TEXT = 200


class Table:
    """A TOML table that is taken apart key by key; what is wrong or left over becomes a mistake."""

    def __init__(self, values: Mapping[str, Any], where: str, mistakes: list[str]) -> None:
        self._left = dict(values)
        self._known: list[str] = []
        self._where = where
        self._mistakes = mistakes

    def name(self) -> str:
        """Take the name of what the table describes."""
        value = self.text("name")
        if value and not is_name(value):
            self._mistake("name", value, "must be a-z, then up to 31 of a-z 0-9 _ -")
        return value

    def text(self, key: str, default: str | None = None) -> str:
        """Take a line; without a default it has to be there."""
        value = self._take(key, default)
        if value is None:
            self._mistakes.append(f"{self._where}: {key} is missing")
        elif not isinstance(value, str) or len(value) > LONGEST_TEXT or not (value.isprintable()):
            self._mistake(key, value, f"must be printable text of at most {LONGEST_TEXT} characters")
        else:
            return value
        return ""

    def interval(self, key: str, default: float) -> float:
        """Take a number of seconds."""
        value = self._take(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not SHORTEST <= value <= LONGEST:
            self._mistake(key, value, f"must be {SHORTEST:g} to {LONGEST:.0f} s")
            return default
        return float(value)

    def optional_interval(self, key: str) -> float | None:
        """Take a number of seconds, or nothing."""
        if key in self._left:
            return self.interval(key, LONGEST)
        self._known.append(key)
        return None

    def level(self, key: str) -> float:
        """Take any number; it has to be there."""
        value = self._take(key, None)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            self._mistake(key, value, "must be a number")
            return 0.0
        return float(value)

    def table(self, key: str) -> Mapping[str, Any]:
        """Take a table as it is, empty without it."""
        value = self._take(key, {})
        if not isinstance(value, dict):
            self._mistake(key, value, "must be a table { key = value }")
            return {}
        return value

    def inner(self, key: str) -> "Table":
        """Take a table that is taken apart in turn."""
        return Table(self.table(key), f"{self._where}: {key}", self._mistakes)

    def tables(self, key: str, most: int, least: int = 1) -> "list[Table]":
        """Take an array of tables."""
        value = self._take(key, [])
        if (
            not isinstance(value, list)
            or not least <= len(value) <= most
            or not all(isinstance(one, dict) for one in value)
        ):
            self._mistakes.append(f"{self._where}: must have {least} to {most} tables [[{key}]]")
            return []
        return [
            Table(one, f"{self._where}: [[{key}]] {one.get('name', number)}", self._mistakes)
            for number, one in enumerate(value, 1)
        ]

    def number(self, key: str, most: float) -> float:
        """Take a number above 0; without it there is no limit."""
        value = self._take(key, None)
        if value is None:
            return math.inf
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= most:
            self._mistake(key, value, f"must be a number above 0, up to {most:g}")
            return math.inf
        return float(value)

    def names(self, key: str) -> tuple[str, ...]:
        """Take an array of names."""
        value = self._take(key, [])
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            self._mistake(key, value, 'must be an array of names ["one", "other"]')
            return ()
        return tuple(value)

    def one_of(self, *keys: str) -> str:
        """Say which one of these keys is there; empty, and a mistake, if it is not one."""
        there = [key for key in keys if key in self._left]
        if len(there) == 1:
            self._known += [key for key in keys if key not in there]
            return there[0]
        self._known += keys
        for key in there:
            del self._left[key]
        self._mistakes.append(f"{self._where}: must have one of {', '.join(keys)}")
        return ""

    def nothing_else(self) -> None:
        """See that all of it was taken."""
        for key in self._left:
            near = difflib.get_close_matches(key, self._known, n=1)
            hint = f"{near[0]}?" if near else f"known are {', '.join(self._known)}"
            self._mistakes.append(f"{self._where}: unknown key {key}: {hint}")

    def _take(self, key: str, default: object) -> Any:  # noqa: ANN401 - TOML's own types
        self._known.append(key)
        return self._left.pop(key, default)

    def _mistake(self, key: str, value: object, text: str) -> None:
        self._mistakes.append(f"{self._where}: {key} = {value!r} {text}")
