"""Desired against applied: what one target's settings are, and where each came from. Pure.

A document says everything that somebody wants of a target, under a revision. Only a newer one is taken; what it leaves
out has the value of the reactor's file, or else its driver's default. A change from outside lapses when its setting is
edited in the file; a setting that does not survive starts again from the file.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from hardware.device import Kind, Mistake, Setting, Value, check_settings

FILE = "file"  # what keeps a setting from its document: the file was edited since,
RESTART = "restart"  # or the reactor started again since


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What a target remembers over a restart: the document, and what the file said when it was taken.

    `lapsed` names settings that the file took back, `latched` interlocks that hold until somebody sets something.
    """

    revision: int
    author: str
    values: dict[str, Value]
    replaced: dict[str, Value]
    lapsed: tuple[str, ...] = ()
    latched: tuple[str, ...] = ()

    def changes(self) -> dict[str, tuple[Value, Value]]:
        """Give every change from outside that stands: the value, and what it replaced."""
        return {
            name: (value, self.replaced[name])
            for name, value in self.values.items()
            if name not in self.lapsed and value != self.replaced.get(name, value)
        }


@dataclass(frozen=True, slots=True)
class New:
    """The document is newer and without mistakes: these are the values of all settings."""

    values: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Known:
    """The document, or a newer one, was taken before."""


@dataclass(frozen=True, slots=True)
class Wrong:
    """The document cannot be taken."""

    mistakes: tuple[Mistake, ...]


class Documents:
    """The settings of one target: `values` of all of them, `revision` (0: nobody asked for anything), `author`."""

    def __init__(self, settings: Sequence[Setting], file: Mapping[str, Value], kept: Kept | None) -> None:
        """`file` is what the reactor's file says, checked; `kept` what was remembered last time."""
        self._settings = {setting.name: setting for setting in settings}
        self._base = normal(settings, {setting.name: setting.default for setting in settings} | dict(file))
        self._asked = Kept(revision=0, author="", values=self._base, replaced=self._base)
        if kept is not None and kept.revision:
            self._asked = kept
        self._lapsed = {name for name in self._settings if self._is_over(name)}
        started = {name: self._start(name) for name in self._settings}
        self.values: Mapping[str, Value] = {name: value for name, (value, _) in started.items()}
        self.kept_by = tuple(sorted({cause for _, cause in started.values() if cause}))  # FILE, RESTART

    @property
    def revision(self) -> int:
        """Of the document that is followed."""
        return self._asked.revision

    @property
    def author(self) -> str:
        """Of the document that is followed."""
        return self._asked.author

    @property
    def resting(self) -> Mapping[str, Value]:
        """What settings that do not survive fall back to."""
        return {name: self._base[name] for name, setting in self._settings.items() if not setting.survives}

    def judge(self, revision: int, values: Mapping[str, Value]) -> New | Known | Wrong:
        """Say what a document from outside means; changes nothing."""
        if revision <= self.revision:
            return Known()
        if mistakes := check_settings(tuple(self._settings.values()), values):
            return Wrong(mistakes)
        return New(self._base | normal(self._settings.values(), values))

    def take(self, revision: int, author: str, values: Mapping[str, Value]) -> None:
        """Follow a document that was judged new."""
        self._asked = Kept(revision=revision, author=author, values=dict(values), replaced=self._base)
        self._lapsed = set()
        self.values = dict(values)
        self.kept_by = ()

    def keep(self, latched: Sequence[str] = ()) -> Kept:
        """Give what to remember."""
        asked = self._asked
        return Kept(
            revision=asked.revision,
            author=asked.author,
            values=asked.values,
            replaced=asked.replaced,
            lapsed=tuple(sorted(self._lapsed)),
            latched=tuple(latched),
        )

    def _is_over(self, name: str) -> bool:
        """Whether the file, or other limits in a newer driver, took back what was asked for."""
        asked, base = self._asked, self._base[name]
        if name in asked.lapsed or asked.replaced.get(name) != base:
            return True
        return name in asked.values and bool(check_settings([self._settings[name]], {name: asked.values[name]}))

    def _start(self, name: str) -> tuple[Value, str]:
        """Give a setting's value after a restart, and what kept it from what was asked."""
        base = self._base[name]
        asked = self._asked.values.get(name, base)
        if asked == base:
            return base, ""
        if name in self._lapsed:
            return base, FILE
        return (asked, "") if self._settings[name].survives else (base, RESTART)


def normal(settings: Iterable[Setting], values: Mapping[str, Value]) -> dict[str, Value]:
    """Make the numbers among checked values floats, however they were spelled."""
    numbers = {setting.name for setting in settings if setting.kind is Kind.NUMBER}
    return {name: float(value) if name in numbers else value for name, value in values.items()}
