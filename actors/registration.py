"""The manager's link to its coordinator, decided: a pure core. Times are monotonic seconds.

    resting    waits for the end of a back-off, then connects
    connecting has a connection that is not up
    unknown    registers, again after each interval without an answer
    known      sends heartbeats

Whatever it serves meanwhile goes on: a coordinator that is away costs a manager nothing but new reactors.
"""

from enum import Enum, auto
from random import Random

from transport.liveness import UNANSWERED, back_off, jittered


class Step(Enum):
    """What to do now."""

    CONNECT = auto()
    HANG_UP = auto()
    REGISTER = auto()
    HEARTBEAT = auto()


class State(Enum):
    """Where the link stands."""

    RESTING = auto()
    CONNECTING = auto()
    UNKNOWN = auto()
    KNOWN = auto()


class Registration:
    """Takes events and says what to do. `due` is when it wants its next `tick`."""

    def __init__(self, *, interval: float, random: Random, now: float) -> None:
        self.state = State.RESTING
        self.due = now
        self._interval = interval
        self._random = random
        self._failures = 0
        self._unanswered = 0

    def tick(self, now: float) -> list[Step]:
        """Let time pass."""
        if now < self.due:
            return []
        match self.state:
            case State.RESTING:
                self.state = State.CONNECTING
                self.due = float("inf")  # the wire says what becomes of it
                return [Step.CONNECT]
            case State.UNKNOWN | State.KNOWN if self._unanswered >= UNANSWERED:
                return self.down(now)
            case State.UNKNOWN:
                return self._say(Step.REGISTER, now)
            case _:
                return self._say(Step.HEARTBEAT, now)

    def up(self, now: float) -> list[Step]:
        """The connection is up."""
        self.state = State.UNKNOWN
        self._unanswered = 0
        return self._say(Step.REGISTER, now)

    def down(self, now: float) -> list[Step]:
        """The connection is down, or might as well be: a new one after a back-off."""
        self.state = State.RESTING
        self._failures += 1
        self.due = now + back_off(self._failures, self._random)
        return [Step.HANG_UP]

    def answered(self, now: float, *, known: bool) -> list[Step]:
        """The coordinator answered."""
        self._unanswered = 0
        self._failures = 0
        was = self.state
        self.state = State.KNOWN if known else State.UNKNOWN
        return self._say(Step.REGISTER, now) if was is State.KNOWN and not known else []

    def refused(self, retry: float, now: float) -> None:
        """It answered with an error: say it again in `retry` seconds, or at the usual time."""
        self._unanswered = 0
        self.due = max(self.due, now + retry)

    def _say(self, step: Step, now: float) -> list[Step]:
        self._unanswered += 1
        self.due = now + jittered(self._interval, self._random)
        return [step]
