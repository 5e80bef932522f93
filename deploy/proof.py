"""Proof of progress on its way from a reactor to its guard: small records in a pipe, and what the guard makes of them.

A record says by how many seconds each part of the reactor is late (`actors.progress`). The first one says as well that
the reactor is about to take the outputs; the guard answers it with a byte once it has let go of them.
"""

from collections.abc import Sequence

PIPES = "REACTORIUM_GUARD_PIPES"  # in a reactor's environment: descriptors to write proof to, and to read the answer of
NEWS = "REACTORIUM_GUARD_NEWS"  # and what the guard has done since a reactor told, a line each
PARTS = ("sampling", "outputs", "the link")  # in the order of a record
STARTING = 120.0  # seconds that a reactor gets until its first record: a small board that starts everything at once
RECORD = 2 * len(PARTS)  # bytes
MOST = 100 * RECORD  # bytes read at once
_TENTHS = 10.0
_AWAKE = 2.0  # seconds that one round counts at most: while nobody is awake nobody can come round
_TOLERANCE = 0.2  # seconds between what the reactor's clock says of a second and ours


def encode(late: Sequence[float]) -> bytes:
    """Spell a record."""
    return b"".join(min(round(_TENTHS * seconds), 0xFFFF).to_bytes(2, "big") for seconds in late)


def _decode(record: bytes) -> list[float]:
    return [int.from_bytes(record[at : at + 2], "big") / _TENTHS for at in range(0, RECORD, 2)]


class Watch:
    """How long one reactor gave no proof. Pure; `patience` and times in seconds, `now` of a monotonic clock.

    Only time in which this program was awake counts, whatever a record says: after a board or a machine stood still
    everything is late at once.
    """

    def __init__(self, patience: float, now: float) -> None:
        self._patience = patience
        self._late: list[float] | None = None  # by its last record, none before the first
        self._silent = 0.0  # since then
        self._now = now

    @property
    def began(self) -> bool:
        """Whether it has said its first word."""
        return self._late is not None

    def hear(self, heard: bytes, now: float) -> str:
        """Take what came, in whole records. Says why the reactor has to be killed, nothing while it gets on."""
        self._silent += min(now - self._now, _AWAKE)
        self._now = now
        if heard:
            before = self._late or [0.0] * len(PARTS)
            most = self._silent + _TOLERANCE
            self._late = [min(late, was + most) for late, was in zip(_decode(heard[-RECORD:]), before, strict=True)]
            self._silent = 0.0
        if self._late is None:
            return "" if self._silent < STARTING else f"{self._silent:.0f} s without a word since its start"
        silent = {part: late + self._silent for part, late in zip(PARTS, self._late, strict=True)}
        stuck = {part: seconds for part, seconds in silent.items() if seconds >= self._patience}
        if not stuck:
            return ""
        return f"{max(stuck.values()):.0f} s without proof from {' and '.join(stuck)}"
