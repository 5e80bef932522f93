"""What a reactor's file may say about an output beside its address: every mistake at once."""

from collections.abc import Mapping

from hardware.errors import BadConfiguration


class Options:
    """Takes options one by one; `end` raises for all that was wrong, and for what nobody took."""

    def __init__(self, driver: str, given: Mapping[str, object]) -> None:
        self._driver = driver
        self._given = given
        self._known: list[str] = []
        self._mistakes: list[str] = []

    def flag(self, key: str) -> bool:
        """Take a bool, false without it."""
        value = self._take(key, default=False)
        if isinstance(value, bool):
            return value
        self._mistakes.append(f"option {key} is true or false, not {value!r}")
        return False

    def number(self, key: str, low: float, high: float, default: float, unit: str) -> float:
        """Take a number with limits."""
        value = self._take(key, default)
        if isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high:
            return float(value)
        self._mistakes.append(f"option {key} is a number from {low:g} to {high:g} {unit}, not {value!r}")
        return default

    def choice(self, key: str, choices: tuple[str, ...]) -> str:
        """Take one of some words; it has to be there, and `BadConfiguration` is raised at once: all depends on it."""
        value = self._take(key, None)
        for choice in choices:
            if value == choice:
                return choice
        raise BadConfiguration(f"option {key} is one of {', '.join(choices)}, not {value!r}")

    def end(self) -> None:
        """Raise `BadConfiguration` with every mistake, if there is one."""
        only = ", ".join(self._known) or "none at all"
        unknown = [key for key in self._given if key not in self._known]
        self._mistakes += [f"{self._driver} has no option {key!r}, only {only}" for key in unknown]
        if self._mistakes:
            raise BadConfiguration("; ".join(self._mistakes))

    def _take(self, key: str, default: object) -> object:
        self._known.append(key)
        return self._given.get(key, default)
