"""The timers of the links, and what they mean. Seconds on the monotonic clock; plain functions, callable anywhere.

Everything counts in the status interval that the listening side set, so that a system that runs at another pace keeps
the same proportions.
"""

import random
from typing import Literal

STATUS_INTERVAL = 5.0  # of a reactor's status and of a manager's heartbeat, until the answer sets another
JITTER = 0.1
MISSED_STALE = 2  # so many intervals without a word, and GRACE: 12 s
MISSED_LOST = 3  # 17 s; below three misses a fleet would flap
GRACE = 2.0
UNANSWERED = 3  # so many statuses or heartbeats without an answer, and a new socket is made
BACK_OFF_FIRST = 1.0
BACK_OFF_MOST = 30.0

Life = Literal["ok", "stale", "lost"]


def life_of(silence: float, interval: float) -> Life:
    """Judge a peer that has been silent for so long and was to speak every `interval`."""
    if silence < MISSED_STALE * interval + GRACE:
        return "ok"
    return "stale" if silence < lost_after(interval) else "lost"


def lost_after(interval: float) -> float:
    """Tell the silence after which a peer is lost, in both directions: 17 s at 5 s."""
    return MISSED_LOST * interval + GRACE


def jittered(interval: float, source: random.Random) -> float:
    """Spread an interval by 10 % either way, so that a fleet does not speak all at once."""
    return interval * source.uniform(1 - JITTER, 1 + JITTER)


def back_off(failures: int, source: random.Random) -> float:
    """Tell how long to wait after so many failures in a row, from 1: anything up to 1, 2, 4 ... 30 s (full jitter)."""
    doublings = min(failures - 1, 5)  # 2**5 is above BACK_OFF_MOST already
    return source.uniform(0, min(BACK_OFF_MOST, BACK_OFF_FIRST * 2**doublings))
