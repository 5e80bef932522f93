"""What `/api` shows, made from twins. Times are ISO 8601 in UTC by this server's clock.

The same records travel as answers and in the live stream; OpenAPI describes them from these types.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from transport.liveness import Life
from transport.messages import ActInfo, AppliedState, DeviceInfo, Grade, Outcome, QuantityInfo, SensorInfo, SettingInfo
from ui.fleet import Twin

Value = float | bool | str
OLD_BACKLOG = 300.0  # seconds that a row may wait before it is trouble
BAD_CLOCK = 1.0  # seconds that a reactor's clock may be off


@dataclass(frozen=True, slots=True)
class Quantity:
    """What a sensor measures, or a device reports."""

    name: str
    unit: str
    low: float
    high: float
    decimals: int


@dataclass(frozen=True, slots=True)
class Setting:
    """What of a device or sensor can be changed: a number from low to high, a switch, a choice, a text."""

    name: str
    unit: str
    kind: Literal["number", "switch", "choice", "text"]
    low: float
    high: float
    step: float
    default: Value
    safe: Value
    survives: bool
    choices: list[str]


@dataclass(frozen=True, slots=True)
class Argument:
    """A number that an act needs."""

    name: str
    unit: str
    low: float
    high: float
    decimals: int


@dataclass(frozen=True, slots=True)
class Act:
    """What a device or sensor can be asked to do once. `volume` names the arguments whose product is ml."""

    name: str
    title: str
    arguments: list[Argument]
    volume: list[str]


@dataclass(frozen=True, slots=True)
class Sensor:
    """A sensor as it is wired; intervals in seconds."""

    name: str
    label: str
    driver: str
    address: str
    quantities: list[Quantity]
    live_interval: float
    sample_interval: float
    settings: list[Setting]
    acts: list[Act]


@dataclass(frozen=True, slots=True)
class Limits:
    """The most ml that a device doses at once, within any hour, within any day; none where there is no limit.

    What it dosed so far stands in what it reports: `dosed_hour`, `dosed_day`, `dosed_total`.
    """

    dose: float | None
    hour: float | None
    day: float | None


@dataclass(frozen=True, slots=True)
class Device:
    """A device as it is wired. `looks` is what it is to people: heater, stirrer, pump ...

    `ramped` names the setting that is its level, `cycled` its switch; empty for none. `limits` are of one that doses.
    """

    name: str
    label: str
    looks: str
    driver: str
    address: str
    settings: list[Setting]
    acts: list[Act]
    reported: list[Quantity]
    rules: list[str]
    ramped: str
    cycled: str
    limits: Limits | None


@dataclass(frozen=True, slots=True)
class SensorBrief:
    """A sensor, as far as a tile shows it."""

    name: str
    label: str
    driver: str
    quantities: list[Quantity]


@dataclass(frozen=True, slots=True)
class DeviceBrief:
    """A device, as far as a tile shows it."""

    name: str
    label: str
    looks: str


@dataclass(frozen=True, slots=True)
class Reading:
    """The newest reading of a quantity; no value when there is none that can be believed."""

    sensor: str
    quantity: str
    value: float | None
    quality: Grade
    taken: str


@dataclass(frozen=True, slots=True)
class Wish:
    """The document that somebody wants a target to follow."""

    revision: int
    author: str
    values: dict[str, Value]


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the last document was not followed."""

    revision: int
    reason: str


@dataclass(frozen=True, slots=True)
class Target:
    """A device or sensor: what is desired of it, what it was told, what the hardware says.

    `pending`: the reactor does not follow the desired document yet. `revision` is of the one it follows, 0 for none.
    """

    name: str
    desired: Wish | None
    pending: bool
    rejected: Refusal | None
    revision: int
    author: str
    values: dict[str, Value]
    read_back: dict[str, Value]
    held_by: str
    fault: str
    doing: str


@dataclass(frozen=True, slots=True)
class Backlog:
    """Rows on their way to the database: how many, seconds that the oldest waits, how many were refused and lost."""

    waiting: int
    oldest: float
    refused: int
    dropped: int


@dataclass(frozen=True, slots=True)
class Done:
    """What became of an act."""

    act: str
    state: Outcome
    target: str
    kind: str
    text: str
    result: dict[str, Value]


@dataclass(frozen=True, slots=True)
class Live:
    """What moves. `heard` is when the newest status came, none before the first; `troubles` is what to look at."""

    name: str
    version: int
    life: Life
    manager: str
    heard: str | None
    readings: list[Reading]
    targets: list[Target]
    backlog: Backlog | None
    clock_offset: float | None
    database: str
    faults: list[str]
    troubles: list[str]
    acts: list[Done]


@dataclass(frozen=True, slots=True)
class Brief:
    """A reactor as a tile shows it."""

    name: str
    label: str
    software: str
    sensors: list[SensorBrief]
    devices: list[DeviceBrief]
    live: Live


@dataclass(frozen=True, slots=True)
class Reactor:
    """A reactor with everything that is wired to it."""

    name: str
    label: str
    software: str
    sensors: list[Sensor]
    devices: list[Device]
    live: Live


def moment(wall_us: int) -> str:
    """Spell a wall time."""
    return datetime.fromtimestamp(wall_us / 1e6, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def brief(twin: Twin) -> Brief:
    """Show a reactor in a list."""
    sensors: Sequence[SensorInfo] = twin.attach.sensors if twin.attach else ()
    devices: Sequence[DeviceInfo] = twin.attach.devices if twin.attach else ()
    return Brief(
        twin.name,
        _label(twin),
        twin.attach.software if twin.attach else "",
        [SensorBrief(one.name, one.label, one.driver, _quantities(one.quantities)) for one in sensors],
        [DeviceBrief(one.name, one.label, one.looks) for one in devices],
        live(twin),
    )


def reactor(twin: Twin) -> Reactor:
    """Show all of a reactor."""
    sensors: Sequence[SensorInfo] = twin.attach.sensors if twin.attach else ()
    devices: Sequence[DeviceInfo] = twin.attach.devices if twin.attach else ()
    return Reactor(
        twin.name,
        _label(twin),
        twin.attach.software if twin.attach else "",
        [sensor(one) for one in sensors],
        [device(one) for one in devices],
        live(twin),
    )


def sensor(info: SensorInfo) -> Sensor:
    """Show a sensor."""
    return Sensor(
        info.name,
        info.label,
        info.driver,
        info.address,
        _quantities(info.quantities),
        info.live_interval,
        info.sample_interval,
        [_setting(one) for one in info.settings],
        [_act(one) for one in info.acts],
    )


def device(info: DeviceInfo) -> Device:
    """Show a device."""
    return Device(
        info.name,
        info.label,
        info.looks,
        info.driver,
        info.address,
        [_setting(one) for one in info.settings],
        [_act(one) for one in info.acts],
        _quantities(info.reported),
        list(info.rules),
        info.ramped,
        info.cycled,
        Limits(info.limits.dose, info.limits.hour, info.limits.day) if info.limits else None,
    )


def live(twin: Twin) -> Live:
    """Show what moves of a reactor."""
    status = twin.status
    readings = [
        Reading(one.sensor, one.quantity, one.value, one.quality, moment(twin.boot_us + one.taken_us))
        for one in (status.readings if status else ())
    ]
    waiting = status.backlog if status else None
    targets = [found for name in _target_names(twin) if (found := target(twin, name))]
    return Live(
        twin.name,
        twin.version,
        twin.life,
        twin.manager,
        moment(twin.heard_us) if twin.heard_us else None,
        readings,
        targets,
        Backlog(waiting.waiting, waiting.oldest, waiting.refused, waiting.dropped) if waiting else None,
        status.clock_offset if status else None,
        status.database if status else "",
        list(status.faults) if status else [],
        _troubles(twin, readings, targets),
        [Done(one.act, one.state, one.target, one.kind, one.text, dict(one.result)) for one in twin.done],
    )


def target(twin: Twin, name: str) -> Target:
    """Show how far a target is; the newest word of it counts."""
    wish, refused = twin.desired.get(name), twin.rejected.get(name)
    state = twin.state(name) or AppliedState(name, 0, "", {}, {})
    return Target(
        name,
        Wish(wish.revision, wish.author, dict(wish.values)) if wish else None,
        wish is not None and wish.revision > state.revision and refused is None,
        Refusal(refused.revision, refused.reason) if refused else None,
        state.revision,
        state.author,
        dict(state.values),
        dict(state.read_back),
        state.held_by,
        state.fault,
        state.doing,
    )


def _target_names(twin: Twin) -> list[str]:
    """Every device, and the sensors of which something was asked."""
    devices = [one.name for one in twin.attach.devices] if twin.attach else []
    sensors = [one.name for one in twin.attach.sensors] if twin.attach else []
    states = twin.status.devices if twin.status else twin.attach.applied if twin.attach else ()
    spoken = {one.target for one in states} | twin.desired.keys() | twin.applied.keys() | twin.rejected.keys()
    return [*devices, *(name for name in sensors if name in spoken)]


def _troubles(twin: Twin, readings: Sequence[Reading], targets: Sequence[Target]) -> list[str]:
    """Say in short lines what somebody should look at."""
    if twin.life != "ok":
        return [twin.life]
    status = twin.status
    found = list(status.faults) if status else []
    unwell = (one for one in readings if one.quality not in {"ok", "calibrating"})
    found += [f"{one.sensor} {one.quality.replace('_', ' ')}" for one in unwell]
    found += [f"{one.name}: {one.fault}" for one in targets if one.fault]
    found += [f"{one.name} held by {one.held_by}" for one in targets if one.held_by]
    found += [f"{one.name} rejected" for one in targets if one.rejected]
    if status and status.backlog.oldest > OLD_BACKLOG:
        found.append(f"{status.backlog.waiting} rows wait")
    if status and status.backlog.refused:
        found.append(f"{status.backlog.refused} rows refused")
    if status and status.clock_offset is not None and abs(status.clock_offset) > BAD_CLOCK:
        found.append(f"clock is off by {status.clock_offset:.1f} s")
    return list(dict.fromkeys(found))


def _label(twin: Twin) -> str:
    return (twin.attach.label if twin.attach else "") or twin.name


def _quantities(infos: Sequence[QuantityInfo]) -> list[Quantity]:
    return [Quantity(one.name, one.unit, one.low, one.high, one.decimals) for one in infos]


def _setting(info: SettingInfo) -> Setting:
    return Setting(
        info.name,
        info.unit,
        info.kind,
        info.low,
        info.high,
        info.step,
        info.default,
        info.safe,
        info.survives,
        list(info.choices),
    )


def _act(info: ActInfo) -> Act:
    arguments = [Argument(one.name, one.unit, one.low, one.high, one.decimals) for one in info.arguments]
    return Act(info.name, info.title, arguments, list(info.volume))
