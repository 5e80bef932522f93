"""Whether line protocol is a node's own: the gateway's check, in front of a database that permits everything.

Only what our encoders write passes (`lines.py`, `client_lines.py`), or the older text form of a number: one
spelling of a line, so that there is nothing that we read in one way and the database in another. Values are the
database's business.
"""

import re
from dataclasses import dataclass

TABLES = ("samples", "events", "settings")  # what a reactor ships; the others belong to the server
TIME = "ts"  # the database takes a column of this name for the row's own time

_NAME = rb"[a-z][a-z0-9_]{0,62}+"
_SYMBOL = rb"(?:[^ ,=\n\r\\]|\\[ ,=\n\r\\])*+"
_TEXT = rb'"(?:[^"\n\r\\]|\\["\n\r\\])*+"'
_DOUBLE = rb"=\x10[\x00-\xff]{8}"
_NUMBER = rb"-?[0-9][0-9.eE+-]{0,40}+i?"
_LINE = re.compile(
    rb"(?P<table>[a-z]++),reactor=(?P<reactor>" + _SYMBOL + rb")"
    rb"(?P<symbols>(?:," + _NAME + rb"=" + _SYMBOL + rb")*+)"
    rb"(?: (?P<fields>" + _NAME + rb"=(?:" + rb"|".join((_TEXT, _DOUBLE, _NUMBER)) + rb")"
    rb"(?:," + _NAME + rb"=(?:" + rb"|".join((_TEXT, _DOUBLE, _NUMBER)) + rb"))*+))?+"
    rb" [0-9]{1,19}+n\n"
)
_SYMBOL_NAME = re.compile(rb",(" + _NAME + rb")=" + _SYMBOL)
_FIELD_NAME = re.compile(rb"(" + _NAME + rb")=(?:" + rb"|".join((_TEXT, _DOUBLE, _NUMBER)) + rb"),?")


@dataclass(frozen=True, slots=True)
class Foreign:
    """The first line that does not pass: its number from 1, as the database counts, and why."""

    line: int
    reason: str


def find_foreign(body: bytes, reactor: str) -> Foreign | None:
    """Find the first line that is not `reactor`'s own row of a reactor's table; none when every line is.

    `body` is a whole request; linear in its length.
    """
    own = reactor.encode()
    position = number = 0
    while position < len(body):
        number += 1
        match = _LINE.match(body, position)
        if match is None:
            return Foreign(number, f"line {number} is not as a reactor writes it")
        if match["table"].decode() not in TABLES:
            return Foreign(number, f"line {number}: {match['table'][:63].decode()} is no table of a reactor's")
        if match["reactor"] != own:
            return Foreign(number, f"line {number} is another reactor's: this is {reactor}")
        if not _once_each(match["symbols"], match["fields"] or b""):
            return Foreign(number, f"line {number} names a column twice, or one that is not for it to write")
        position = match.end()
    return None


def _once_each(symbols: bytes, fields: bytes) -> bool:
    """Whether no column comes twice: a second `reactor`, or a `ts`, would go before what was checked."""
    names = [b"reactor", TIME.encode(), *_SYMBOL_NAME.findall(symbols), *_FIELD_NAME.findall(fields)]
    return len(set(names)) == len(names)
