"""What of a reactor's file takes the drivers, and all that is wired, to be checked. Touches no hardware."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from actors.config import Above, Apart, DeviceConfig, Interlock, Needs, SensorConfig
from actors.device_core import Shape, shape_of
from actors.interlocks import describe, rules_of
from hardware.buses import Buses
from hardware.buses.address import HostAddress, parse
from hardware.clock import SystemClock
from hardware.device import DeviceDriver, check_settings
from hardware.driver import SensorDriver, Wiring
from hardware.errors import BadConfiguration
from hardware.values import is_name

RESERVED = frozenset({"self"})  # the reactor's own sensor

FindDriver = Callable[[str], type[SensorDriver]]
FindDevice = Callable[[str], type[DeviceDriver]]


@dataclass(frozen=True, slots=True)
class Drivers:
    """How drivers are found by their names; both raise `BadConfiguration`."""

    sensor: FindDriver
    device: FindDevice


def check_wiring(
    where: str,
    sensors: Sequence[SensorConfig],
    devices: Sequence[DeviceConfig],
    interlocks: Sequence[Interlock],
    find: Drivers,
) -> Iterable[str]:
    """Give one line for each mistake; `where` is the file."""
    wired = _Wired(find)
    for sensor in sensors:
        yield from (f"{where}: [[sensors]] {sensor.name}: {mistake}" for mistake in wired.sensor(sensor))
    for sensor in sensors:
        if sensor.name in wired.sensors:
            told = _check_compensation(sensor, wired.sensors)
            yield from (f"{where}: [[sensors]] {sensor.name}: {mistake}" for mistake in told)
    for device in devices:
        yield from (f"{where}: [[devices]] {device.name}: {mistake}" for mistake in wired.device(device, interlocks))
    names = [interlock.name for interlock in interlocks]
    for interlock in interlocks:
        place = f"{where}: [[interlocks]] {interlock.name}"
        if names.count(interlock.name) > 1:
            yield f"{place}: the name is taken"
        yield from (f"{place}: {mistake}" for mistake in _check_interlock(interlock, wired))


class _Wired:
    """What is wired so far: names, addresses, drivers."""

    def __init__(self, find: Drivers) -> None:
        self.sensors: dict[str, SensorDriver] = {}
        self.devices: dict[str, DeviceDriver] = {}
        self.shapes: dict[str, Shape] = {}
        self.on: set[str] = set()  # devices that the file switches on
        self._find = find
        self._buses = Buses()  # opens nothing
        self._clock = SystemClock()
        self._names = set(RESERVED)
        self._addresses: dict[object, str] = {}

    def sensor(self, sensor: SensorConfig) -> Iterable[str]:
        yield from self._name(sensor.name)
        try:
            driver = self._find.sensor(sensor.driver)(self._wiring(sensor))
            address = parse(sensor.address)
        except BadConfiguration as error:
            yield str(error)
            return
        self.sensors[sensor.name] = driver
        if not isinstance(address, HostAddress):
            yield from self._address(address, sensor)

    def device(self, device: DeviceConfig, interlocks: Sequence[Interlock]) -> Iterable[str]:
        yield from self._name(device.name)
        if not is_name(device.looks):
            yield f"looks = {device.looks!r} must be a-z, then up to 31 of a-z 0-9 _ -"
        try:
            driver = self._find.device(device.driver)(self._wiring(device))
        except BadConfiguration as error:
            yield str(error)
            return
        shape = shape_of(driver.descriptor, driver.settings, rules_of(device.name, interlocks))
        self.devices[device.name], self.shapes[device.name] = driver, shape
        if device.lease is None and shape.rules.max_on is None and not all(one.survives for one in driver.settings):
            yield "runs until somebody says otherwise: it must have a lease (s without contact), or an interlock max_on"
        yield from self._address(driver.address, device)
        mistakes = check_settings(shape.all(), device.settings)
        yield from (f"settings: {mistake}" for mistake in mistakes)
        if not mistakes:
            values = {setting.name: setting.default for setting in shape.all()} | dict(device.settings)
            if (rule := shape.against(values)) is not None:
                yield f"settings: {rule}"
            if shape.is_on(values):
                self.on.add(device.name)

    def _wiring(self, one: SensorConfig | DeviceConfig) -> Wiring:
        return Wiring(one.address, self._buses, self._clock, one.options)

    def _name(self, name: str) -> Iterable[str]:
        if name in self._names:
            yield "the name is taken"
        self._names.add(name)

    def _address(self, address: object, one: SensorConfig | DeviceConfig) -> Iterable[str]:
        other = self._addresses.setdefault(address, one.name)
        if other != one.name:
            yield f"address {one.address} is that of {other} too"


def _check_compensation(sensor: SensorConfig, drivers: Mapping[str, SensorDriver]) -> Iterable[str]:
    possible = drivers[sensor.name].descriptor.compensations
    for what, (source, quantity) in sensor.compensation.items():
        if what not in possible:
            takes = f"takes {', '.join(possible)}" if possible else "takes none"
            yield f"compensation {what}: {sensor.driver} {takes}"
        elif source not in drivers or source == sensor.name:
            yield f"compensation {what}: there is no other sensor {source!r} (write sensor.quantity)"
        elif quantity not in (names := [one.name for one in drivers[source].quantities]):
            yield f"compensation {what}: {source} has no {quantity!r}, but {', '.join(names)}"


def _check_interlock(interlock: Interlock, wired: _Wired) -> Iterable[str]:
    devices = interlock.devices if isinstance(interlock, Apart) else (interlock.device,)
    for device in devices:
        if device not in wired.shapes:
            yield f"there is no device {device!r}, but {', '.join(wired.devices) or 'none'}"
        else:
            yield from _check_off(device, wired.shapes[device])
    match interlock:
        case Apart() if len(set(devices)) < 2 or len(set(devices)) < len(devices):  # noqa: PLR2004 - a pair
            yield "apart must name two devices or more, each once"
        case Apart() if len(on := wired.on.intersection(devices)) > 1:
            yield f"{describe(interlock)}, but their settings switch {' and '.join(sorted(on))} on"
        case Needs(_, _, sensor, quantity):
            yield from _check_reading("needs", sensor, quantity, wired.sensors)
        case Above(_, _, sensor, quantity, limit):
            yield from _check_reading("above", sensor, quantity, wired.sensors, limit)


def _check_off(device: str, shape: Shape) -> Iterable[str]:
    """An interlock switches off by making safe."""
    if shape.is_on({setting.name: setting.safe for setting in shape.settings}):
        yield f"{device} is on when it is safe: no interlock can switch it off"


def _check_reading(
    rule: str, sensor: str, name: str, drivers: Mapping[str, SensorDriver], limit: float | None = None
) -> Iterable[str]:
    if sensor not in drivers:
        yield f"{rule}: there is no sensor {sensor!r} (write sensor.quantity)"
        return
    quantities = {one.name: one for one in drivers[sensor].quantities}
    quantity = quantities.get(name)
    if quantity is None:
        yield f"{rule}: {sensor} has no {name!r}, but {', '.join(quantities)}"
    elif limit is not None and not quantity.low <= limit < quantity.high:
        yield f"limit = {limit:g} must be {quantity.low:g} to below {quantity.high:g} {quantity.unit}".rstrip()
