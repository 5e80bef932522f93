"""The pure checks of a session: is it the current one, does the sequence rise.

A session is opened by the listening side with `attached` and named by its random id in every header from then on. In
each direction the sequence strictly rises, so that a message from an old queue, a repeated one or one that was
overtaken is refused without any clock. Not thread-safe: each belongs to one actor.
"""

import secrets
from dataclasses import dataclass
from typing import Literal

from transport.messages import Header

Verdict = Literal["ok", "session", "old"]


def new_session() -> str:
    """Make a session's id: 128 random bits as 32 hexadecimal digits."""
    return secrets.token_hex(16)


@dataclass(slots=True)
class Session:
    """One side's view of a session."""

    id: str
    _sent: int = 0
    _heard: int = 0

    def stamp(self) -> int:
        """Take the sequence of the next message to send, from 1."""
        self._sent += 1
        return self._sent

    def hear(self, header: Header) -> Verdict:
        """Judge a message that came: `session`, from another one; `old`, repeated or overtaken: drop it."""
        if header.session != self.id:
            return "session"
        if header.sequence <= self._heard:
            return "old"
        self._heard = header.sequence
        return "ok"
