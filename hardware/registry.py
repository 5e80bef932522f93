"""Which drivers there are: every entry point of the group `reactorium.drivers`, ours and other packages'."""

from collections.abc import Callable, Mapping
from importlib.metadata import EntryPoint, entry_points

from hardware.driver import SensorDriver
from hardware.errors import BadConfiguration

GROUP = "reactorium.drivers"


def drivers() -> Mapping[str, Callable[[], object]]:
    """Give a loader for each registered name; nothing is imported before it is called."""
    return {name: point.load for name, point in _registered().items()}


def driver_class(name: str) -> type[SensorDriver]:
    """Import the driver of that name. `BadConfiguration` when there is none, or it cannot be used."""
    registered = _registered()
    if name not in registered:
        raise BadConfiguration(f"no driver {name!r}; there are {', '.join(sorted(registered)) or 'none'}")
    point = registered[name]
    try:
        found = point.load()
    except (ImportError, AttributeError) as error:
        raise BadConfiguration(f"driver {name} ({point.value}) cannot be imported: {error}") from error
    if not (isinstance(found, type) and issubclass(found, SensorDriver)):
        raise BadConfiguration(f"driver {name} ({point.value}) is not a SensorDriver")
    return found


def _registered() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}
