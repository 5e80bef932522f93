"""Which drivers there are: every entry point of the group `reactorium.drivers`, ours and other packages'."""

from collections.abc import Callable, Mapping
from importlib.metadata import EntryPoint, entry_points

from hardware.device import DeviceDriver
from hardware.driver import SensorDriver
from hardware.errors import BadConfiguration

GROUP = "reactorium.drivers"


def drivers() -> Mapping[str, Callable[[], object]]:
    """Give a loader for each registered name; nothing is imported before it is called."""
    return {name: point.load for name, point in _registered().items()}


def driver_class(name: str) -> type[SensorDriver]:
    """Import the sensor driver of that name. `BadConfiguration` when there is none, or it cannot be used."""
    found, what = _load(name)
    if isinstance(found, type) and issubclass(found, SensorDriver):
        return found
    raise BadConfiguration(f"{what} is not a SensorDriver")


def device_class(name: str) -> type[DeviceDriver]:
    """Import the device driver of that name. `BadConfiguration` when there is none, or it cannot be used."""
    found, what = _load(name)
    if isinstance(found, type) and issubclass(found, DeviceDriver):
        return found
    raise BadConfiguration(f"{what} is not a DeviceDriver")


def _load(name: str) -> tuple[object, str]:
    """Give what is registered under that name, and how to speak of it."""
    registered = _registered()
    if name not in registered:
        raise BadConfiguration(f"no driver {name!r}; there are {', '.join(sorted(registered)) or 'none'}")
    what = f"driver {name} ({registered[name].value})"
    try:
        return registered[name].load(), what
    except (ImportError, AttributeError) as error:
        raise BadConfiguration(f"{what} cannot be imported: {error}") from error


def _registered() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}
