"""How a target follows documents: what it takes, what it keeps over a restart, what it tells of it.

Shared by sensors and devices. `hear` gives the values to follow; their owner brings them to the hardware and then says
`settled`. Only then are they kept in the file, told to the manager and written into the history, in this order.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from actors.documents import Documents, Known, New, Wrong
from actors.live import Around
from actors.targets import Follow, KeptFile, Say, mistakes_on_wire, setting_rows
from hardware.device import Setting, Value
from storage.rows import Row
from transport.messages import Applied, AppliedState, Document, Mistake, Rejected, line

Against = Callable[[Mapping[str, Value]], str | None]


@dataclass(frozen=True, slots=True)
class Hearers:
    """Who is told: the manager, the spool. Neither ever blocks."""

    say: Say
    keep: Callable[[Sequence[Row]], None]


@dataclass(frozen=True, slots=True)
class Target:
    """A sensor or device that can be told something: its settings, what the reactor's file says of them, its file."""

    name: str
    settings: tuple[Setting, ...]
    file: Mapping[str, Value]
    kept: KeptFile


class Following:
    """The documents of one target, of its actor's thread. Begins unsettled: with the values of last time."""

    def __init__(self, target: Target, around: Around, hearers: Hearers) -> None:
        self._target = target.name
        self._kept = target.kept
        self._around = around
        self._hearers = hearers
        remembered = target.kept.read()
        self.documents = Documents(target.settings, target.file, remembered)
        self.latched = remembered.latched if remembered else ()
        self._unsettled = True
        self._owed: list[int] = []  # messages to answer once the newest document is settled
        self._rejected = 0  # revision of the document that was rejected last
        self._shown = Document(target=target.name, revision=0, author="", values={})  # what was settled last

    def hear(self, follow: Follow, against: Against) -> Mapping[str, Value] | None:
        """Judge a document; gives the values to follow, or none when it changes nothing, which is answered.

        `against` names what forbids some values although each of them is possible.
        """
        document = follow.document
        match self.documents.judge(document.revision, document.values):
            case Known():
                self._owed.append(follow.reply_to)
                return None
            case Wrong(mistakes):
                names = {mistake.name for mistake in mistakes}
                self._reject(follow, "; ".join(map(str, mistakes)), names, mistakes_on_wire(mistakes))
                return None
            case New(values):
                if (rule := against(values)) is not None:
                    self._reject(follow, rule, values.keys(), [])
                    return None
                self.documents.take(document.revision, document.author, values)
                self._owed.append(follow.reply_to)
                self._unsettled = True
                return values

    def settled(self, read_back: Mapping[str, Value], held_by: str, latched: tuple[str, ...] = ()) -> None:
        """The newest document is on the hardware: keep it, and tell everybody who waits for it."""
        documents = self.documents
        if self._unsettled or latched != self.latched:
            self._unsettled, self.latched = False, latched
            self._keep()
            before, values = self._shown.values, dict(documents.values)
            self._shown = Document(
                target=self._target, revision=documents.revision, author=documents.author, values=values
            )
            changed = {name: value for name, value in values.items() if before.get(name) != value}
            self._hearers.keep(self._rows(self._shown, changed, "applied"))
        self.answer(read_back, held_by)

    def answer(self, read_back: Mapping[str, Value], held_by: str) -> None:
        """Answer those who asked for what is settled; who asked for more has to wait."""
        if self._unsettled:
            return
        for reply_to in self._owed:
            applied = Applied(
                target=self._target,
                revision=self.documents.revision,
                read_back=dict(read_back),
                held_by=line(held_by),
            )
            self._hearers.say(applied, reply_to)
        self._owed.clear()

    def show(self, read_back: Mapping[str, Value], held_by: str, fault: str = "", doing: str = "") -> None:
        """Put how the target stands where the status finds it."""
        held = "; ".join(filter(None, (held_by, *self.documents.kept_by)))
        shown = self._shown
        self._around.standings.put(
            AppliedState(
                self._target,
                shown.revision,
                line(shown.author),
                shown.values,
                dict(read_back),
                line(held),
                line(fault),
                line(doing),
            )
        )

    def _keep(self) -> None:
        try:
            self._kept.write(self.documents.keep(self.latched))
        except OSError as error:  # it is followed all the same; after a restart the manager sends it again
            self._around.faults.begin(self._target, "kept", f"settings cannot be kept: {error}")
        else:
            self._around.faults.end(self._target, "kept")

    def _reject(self, follow: Follow, reason: str, names: Collection[str], mistakes: list[Mistake]) -> None:
        document = follow.document
        rejected = Rejected(target=self._target, revision=document.revision, reason=line(reason), mistakes=mistakes)
        self._hearers.say(rejected, follow.reply_to)
        if document.revision != self._rejected:
            self._rejected = document.revision
            now = self.documents.values
            asked = {
                name: value
                for name, value in document.values.items()
                if name in names and name in now and value != now[name]
            }
            self._hearers.keep(self._rows(document, asked, "rejected"))

    def _rows(self, asked: Document, values: Mapping[str, Value], state: str) -> list[Row]:
        return list(setting_rows(self._around.reactor, asked, values, state, self._around.clock.monotonic_ns()))
