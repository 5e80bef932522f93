"""Where acts for one target are admitted, journalled and answered."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from actors.journal import Dosed, Entry, Journal, State
from actors.live import Around
from actors.targets import Do, Say, describe_act
from actors.ticker import SECOND
from hardware.acts import Act, Value
from hardware.device import check_arguments
from transport.messages import Done, line


@dataclass(frozen=True, slots=True)
class Admitted:
    """An act that may begin: `ml` is what it doses, `told` says it in a line."""

    do: Do
    act: Act
    ml: float
    told: str


class Acts:
    """Of one target and its thread. An act passes `admit`, is `begin`-ned, done by the caller, and `end`-ed."""

    def __init__(self, target: str, acts: Sequence[Act], journal: Journal, around: Around, say: Say) -> None:
        self._target = target
        self._acts = {act.name: act for act in acts}
        self._journal = journal
        self._around = around
        self._say = say
        self._opened = False

    def open(self) -> None:
        """Read the journal, and report what a crash cut off."""
        if not self._acts or self._opened:
            return
        try:
            cut = self._journal.open()
            self._opened = True
            for entry in cut:
                self._around.faults.event(self._target, "act", f"{entry.kind}: unknown: {entry.text}")
                self._answer(entry, 0)
            self._journal.tidy()
        except OSError as error:
            self._fail(error)
        else:
            self._around.faults.end(self._target, "journal")

    def admit(self, do: Do) -> Admitted | None:
        """Judge an act that was asked for. What may not begin is answered here."""
        self.open()
        act, asked = self._acts.get(do.act.kind), do.act
        if (entry := self._journal.known(asked.act)) is not None:
            self._answer(entry, do.reply_to)
            return None
        if act is None:
            self.refuse(do, f"there is no act {asked.kind!r}, but {', '.join(self._acts) or 'none'}")
            return None
        if mistakes := check_arguments(act, asked.arguments):
            self.refuse(do, "; ".join(map(str, mistakes)))
            return None
        told, ml = describe_act(act, asked.arguments), act.millilitres(asked.arguments)
        if self._around.clock.monotonic_ns() - do.at_ns > asked.valid_for * SECOND:
            self._turn_away(do, "expired", f"{told} was not begun within {asked.valid_for:g} s")
            return None
        if ml and (limit := self._journal.against(ml)) is not None:
            self.refuse(do, limit)
            return None
        return Admitted(do, act, ml, told)

    def refuse(self, do: Do, reason: str) -> None:
        """Answer that it was not begun, and why."""
        self._turn_away(do, "refused", reason)

    def begin(self, admitted: Admitted) -> bool:
        """Write down that it begins; false, and refused, when that cannot be done: it could be done twice then."""
        if not self._opened:
            self.refuse(admitted.do, "the journal of acts cannot be read: it may have been done before")
            return False
        try:
            self._journal.begin(admitted.do.act.act, admitted.act.name, admitted.ml)
        except OSError as error:
            self._fail(error)
            self.refuse(admitted.do, f"the journal of acts cannot be written: {error}")
            return False
        self._around.faults.end(self._target, "journal")
        return True

    def begun(self, admitted: Admitted) -> None:
        """Answer that it is under way and takes a while."""
        asked = admitted.do.act
        self._say(Done(act=asked.act, state="begun", target=self._target, kind=asked.kind), admitted.do.reply_to)

    def end(self, admitted: Admitted, state: State, text: str, result: Mapping[str, Value], ml: float) -> None:
        """Write down and answer how it ended, having dosed `ml`."""
        asked = admitted.do.act
        try:
            self._journal.end(asked.act, state, line(text), result, ml)
        except OSError as error:
            self._fail(error)  # told now, and unknown after a restart
        entry = self._journal.known(asked.act)
        assert entry is not None  # it was begun
        self._answer(entry, admitted.do.reply_to)
        self._tell(admitted.told, asked.author, state, text)

    def record(self, admitted: Admitted, state: State, text: str, result: Mapping[str, Value]) -> None:
        """Write down and answer what was done without waiting for that."""
        asked = admitted.do.act
        try:
            self._journal.begin(asked.act, admitted.act.name)
        except OSError as error:
            self._fail(error)
            done = Done(act=asked.act, state=state, target=self._target, kind=asked.kind, text=line(text))
            self._say(done, admitted.do.reply_to)
        else:
            self.end(admitted, state, text, result, 0.0)

    def dosed(self) -> Dosed:
        """What was dosed so far."""
        return self._journal.dosed()

    def _turn_away(self, do: Do, state: State, text: str) -> None:
        asked = do.act
        self._say(Done(act=asked.act, state=state, target=self._target, kind=asked.kind, text=line(text)), do.reply_to)
        self._tell(asked.kind, asked.author, state, text)

    def _answer(self, entry: Entry, reply_to: int) -> None:
        done = Done(
            act=entry.act,
            state=entry.state,
            target=self._target,
            kind=entry.kind,
            text=entry.text,
            result=entry.result,
        )
        self._say(done, reply_to)

    def _tell(self, told: str, author: str, state: State, text: str) -> None:
        self._around.faults.event(self._target, "act", f"{told}: {state}, asked by {author}{text and ': '}{text}")

    def _fail(self, error: OSError) -> None:
        self._around.faults.begin(self._target, "journal", f"the journal of acts: {error}")
