"""A vessel's file: what stands in it, checked at the door, every mistake at once."""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from hardware.vessel.circuits import KINDS
from hardware.vessel.circuits.base import I2C_ADDRESSES
from hardware.vessel.circuits.parts import CircuitConfig
from hardware.vessel.options import checked, number, numbers_of
from hardware.vessel.outputs import OutputConfig, read_outputs
from hardware.vessel.tank import Actuators, TankConfig
from hardware.vessel.trace import TraceConfig, read_columns

BUS = "bus"  # what the control socket calls the whole I2C bus
PUMPS = {"pmp"}  # kinds of circuits that drive something
CIRCUIT_TEXTS = {"kind", "wire", "address", "capitals", "drives"}
TRACE_KEYS = {"file", "follow", "interpolation", "time", "columns"}
TABLES = {"tank", "actuators", "circuits", "outputs", "trace"}
NAME_LENGTH = 32


class BadVesselFile(ValueError):  # noqa: N818 - what it is
    """A vessel's file with mistakes; the text has one line for each."""


@dataclass(frozen=True, slots=True)
class Running:
    """How the vessel runs. `pace` 60: an hour of the vessel passes in a minute, circuits' delays included."""

    seed: float = number(1, "whole number", 0, 2**53)
    pace: float = number(1.0, "times as fast as life", 0.01, 1e5)
    journal_limit: float = number(64e6, "bytes, twice on disk", 1e4, 1e12)


@dataclass(frozen=True, slots=True)
class VesselConfig:
    """One vessel. `run_dir` gets its sockets, ports' links, PWM chip, journal and what its circuits keep.

    What an output or a pump drives is off until it does; the `actuators` are the others.
    """

    run_dir: Path
    circuits: tuple[CircuitConfig, ...]
    outputs: tuple[OutputConfig, ...] = ()
    tank: TankConfig = field(default_factory=TankConfig)
    actuators: Actuators = field(default_factory=Actuators)
    running: Running = field(default_factory=Running)
    trace: TraceConfig | None = None


def load(path: Path, run_dir: Path | None = None) -> VesselConfig:
    """Read a vessel's TOML file; raises `BadVesselFile`.

    Relative paths in it start at its own folder. A file without `run_dir` runs in the one given here, or in `NAME.run`
    beside the file.
    """
    mistakes: list[str] = []
    try:
        document: dict[str, object] = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadVesselFile(f"{path}: {error}") from error
    tables = {name: _table(document.pop(name, {}), name, mistakes) for name in TABLES}
    named = document.pop("run_dir", str(run_dir or f"{path.stem}.run"))
    if not isinstance(named, str):
        mistakes.append(f"run_dir: {named!r} is not a path")
        named = ""
    circuits = _circuits(tables["circuits"], mistakes)
    outputs = read_outputs(tables["outputs"], mistakes)
    mistakes.extend(_conflicts(circuits, outputs, tables["actuators"]))
    config = VesselConfig(
        run_dir=path.parent / named,
        circuits=circuits,
        outputs=outputs,
        tank=TankConfig(**checked(TankConfig, tables["tank"], "tank", mistakes)),
        actuators=Actuators(**checked(Actuators, tables["actuators"], "actuators", mistakes)),
        running=Running(**checked(Running, document, "vessel", mistakes)),
        trace=_trace(tables["trace"], path.parent, {each.name for each in circuits}, mistakes),
    )
    if config.tank.volume > config.tank.capacity:
        mistakes.append(f"tank.volume: {config.tank.volume:g} m³ is more than capacity {config.tank.capacity:g} m³")
    if mistakes:
        raise BadVesselFile("\n".join(f"{path}: {mistake}" for mistake in mistakes))
    return config


def _table(value: object, where: str, mistakes: list[str]) -> dict[str, object]:
    if isinstance(value, dict):
        return cast("dict[str, object]", value)
    mistakes.append(f"{where}: {value!r} is not a table")
    return {}


def _circuits(tables: Mapping[str, object], mistakes: list[str]) -> tuple[CircuitConfig, ...]:
    if not tables:
        mistakes.append("circuits: a vessel needs at least one [circuits.NAME]")
    found = [_circuit(name, _table(table, f"circuits.{name}", mistakes), mistakes) for name, table in tables.items()]
    return tuple(circuit for circuit in found if circuit is not None)


def _conflicts(
    circuits: Sequence[CircuitConfig], outputs: Sequence[OutputConfig], actuators: Mapping[str, object]
) -> Iterator[str]:
    """Find what two want: an address on the bus, a name, an actuator."""
    taken: dict[int, str] = {output.address: "a PCA9685" for output in outputs if output.wire == "pca9685"}
    for circuit in circuits:
        if circuit.wire == "i2c" and taken.setdefault(circuit.address, circuit.name) != circuit.name:
            yield f"circuits.{circuit.name}.address: {circuit.address} is taken by {taken[circuit.address]}"
    names = {circuit.name for circuit in circuits}
    yield from (f"outputs.{output.name}: the name is a circuit's" for output in outputs if output.name in names)
    drivers = {name: f"actuators.{name}" for name in actuators}
    driven = [(f"circuits.{circuit.name}", circuit.drives) for circuit in circuits if circuit.drives]
    for where, drives in [*driven, *((f"outputs.{output.name}", output.drives) for output in outputs)]:
        if drivers.setdefault(drives, where) != where:
            yield f"{where}.drives: {drives} is already set by {drivers[drives]}"


def _circuit(name: str, table: Mapping[str, object], mistakes: list[str]) -> CircuitConfig | None:
    where = f"circuits.{name}"
    before = len(mistakes)
    if name == BUS or not name.isascii() or not name.replace("-", "").replace("_", "").isalnum():
        mistakes.append(f"{where}: a circuit's name is letters, digits, - and _, and not {BUS}")
    kind, wire = table.get("kind"), table.get("wire", "i2c")
    if not isinstance(kind, str) or kind not in KINDS:
        mistakes.append(f"{where}.kind: {kind!r} is none of {', '.join(sorted(KINDS))}")
    if wire not in {"i2c", "uart"}:
        mistakes.append(f"{where}.wire: {wire!r} is neither i2c nor uart")
    address = table.get("address")
    if address is not None and (type(address) is not int or address not in I2C_ADDRESSES):
        mistakes.append(f"{where}.address: {address!r} is not a whole number from 1 to 127")
    capitals = table.get("capitals", False)
    if not isinstance(capitals, bool):
        mistakes.append(f"{where}.capitals: {capitals!r} is neither true nor false")
    drives = table.get("drives", "")
    if drives and kind not in PUMPS:
        mistakes.append(f"{where}.drives: only pumps ({', '.join(sorted(PUMPS))}) drive something")
    elif drives and drives not in numbers_of(Actuators):
        mistakes.append(f"{where}.drives: {drives!r} is none of {', '.join(numbers_of(Actuators))}")
    rest = {key: value for key, value in table.items() if key not in CIRCUIT_TEXTS}
    for key in rest.keys() - numbers_of(CircuitConfig).keys():
        known = sorted(CIRCUIT_TEXTS | numbers_of(CircuitConfig).keys())
        mistakes.append(f"{where}.{key}: unknown key; known are {', '.join(known)}")
        del rest[key]
    numbers = checked(CircuitConfig, rest, where, mistakes)
    if len(mistakes) > before:
        return None
    kind = str(kind)
    address = KINDS[kind].data.address if address is None else cast("int", address)
    return CircuitConfig(name, kind, str(wire), address, bool(capitals), str(drives), **numbers)


def _trace(table: Mapping[str, object], folder: Path, circuits: set[str], mistakes: list[str]) -> TraceConfig | None:
    if not table:
        return None
    before = len(mistakes)
    mistakes.extend(
        f"trace.{key}: unknown key; known are {', '.join(sorted(TRACE_KEYS))}" for key in table.keys() - TRACE_KEYS
    )
    file, time = table.get("file"), table.get("time", "seconds")
    follow, interpolation = table.get("follow", "time"), table.get("interpolation", "linear")
    if not isinstance(file, str) or not isinstance(time, str):
        mistakes.append("trace.file, trace.time: the path of a CSV file and the name of its column of seconds")
    if follow not in {"time", "reading"}:
        mistakes.append(f"trace.follow: {follow!r} is neither time nor reading")
    if interpolation not in {"linear", "step"}:
        mistakes.append(f"trace.interpolation: {interpolation!r} is neither linear nor step")
    columns = _table(table.get("columns", {}), "trace.columns", mistakes)
    for name, column in columns.items():
        if name not in circuits or not isinstance(column, str):
            mistakes.append(f"trace.columns.{name}: not the column of a circuit")
    if len(mistakes) > before:
        return None
    wanted = cast("dict[str, str]", columns)
    read = read_columns(folder / str(file), str(time), wanted, mistakes)
    return TraceConfig(str(follow), str(interpolation), read)
