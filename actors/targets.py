"""What sensors and devices, the targets of what people ask for, have in common."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec
from loguru import logger

from actors.documents import Kept
from actors.files import write_whole
from hardware import device
from hardware.acts import Act
from hardware.device import Setting, Value
from storage.rows import SettingRow
from transport import messages
from transport.messages import ActInfo, AppliedState, ArgumentInfo, Document, Message, SettingInfo, line

Say = Callable[[Message, int], None]  # a message for the manager, and the id of the message that it answers


@dataclass(frozen=True, slots=True)
class Follow:
    """This is desired of the target; `reply_to` is the message that said so."""

    document: Document
    reply_to: int


@dataclass(frozen=True, slots=True)
class Do:
    """Do it once. `at_ns` is when it came."""

    act: messages.Act
    at_ns: int
    reply_to: int


class Standings:
    """How every target stands, for status and attach. Thread safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._states: dict[str, AppliedState] = {}

    def put(self, state: AppliedState) -> None:
        """Take a target's newest."""
        with self._lock:
            self._states[state.target] = state

    def snapshot(self) -> list[AppliedState]:
        """Return all."""
        with self._lock:
            return list(self._states.values())


class KeptFile:
    """What one target keeps over a restart: JSON in a file of the state folder."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> Kept | None:
        """Return it; none when there is none, or none that can be read."""
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=Kept)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
            logger.warning("the settings of last time are forgotten: {}: {}", self._path, error)
            return None

    def write(self, kept: Kept) -> None:
        """Replace it, whole or not at all. Raises OSError."""
        write_whole(self._path, msgspec.json.encode(kept))


def kept_file(state_dir: Path, target: str) -> KeptFile:
    """Give a target's file in a reactor's state folder."""
    return KeptFile(state_dir / "applied" / f"{target}.json")


def setting_rows(
    reactor: str, asked: Document, values: Mapping[str, Value], state: str, at_ns: int
) -> list[SettingRow]:
    """Make the rows of some settings of a target: `state` is applied or rejected."""
    return [
        SettingRow(
            reactor,
            asked.target,
            name,
            spell(value),
            None if isinstance(value, str) else float(value),
            asked.revision,
            state,
            line(asked.author),
            at_ns,
        )
        for name, value in values.items()
    ]


def spell(value: Value) -> str:
    """Write a setting's value as people read it."""
    match value:
        case bool():
            return str(value).lower()
        case float():
            return f"{value:.10g}"
        case _:
            return value


def mistakes_on_wire(mistakes: tuple[device.Mistake, ...]) -> list[messages.Mistake]:
    """Spell mistakes as messages carry them."""
    return [
        messages.Mistake(line(mistake.name), line(str(mistake.value)), mistake.unit, line(mistake.limit))
        for mistake in mistakes
    ]


def setting_info(setting: Setting) -> SettingInfo:
    """Describe a setting on the wire."""
    return SettingInfo(
        setting.name,
        setting.unit,
        setting.kind.value,
        setting.low,
        setting.high,
        setting.step,
        setting.default,
        setting.safe,
        setting.survives,
        list(setting.choices),
    )


def act_info(act: Act) -> ActInfo:
    """Describe an act on the wire."""
    return ActInfo(
        name=act.name,
        title=act.title,
        arguments=[ArgumentInfo(one.name, one.unit, one.low, one.high, one.decimals) for one in act.arguments],
        volume=list(act.volume),
        timed=act.timed,
    )


def describe_act(act: Act, arguments: Mapping[str, float]) -> str:
    """Say an act with its arguments in a line."""
    units = {one.name: one.unit for one in act.arguments}
    told = [f"{name} {value:g} {units.get(name, '')}".rstrip() for name, value in arguments.items()]
    return f"{act.name} ({', '.join(told)})" if told else act.name
