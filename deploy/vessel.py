"""The simulated vessel's process."""

import dataclasses

from deploy import process
from deploy.errors import ConfigurationError, StartError
from deploy.settings import PREFIX, Settings
from hardware.vessel.main import BadVesselFile, VesselConfig, VesselRuns, load, run


def run_vessel(settings: Settings) -> None:
    """Run the simulated vessel of REACTORIUM_VESSEL_FILE until told to stop."""
    if settings.vessel_file is None:
        raise ConfigurationError(f"{PREFIX}VESSEL_FILE is not set: it names the vessel's file")
    name = settings.vessel_file.stem
    stop = process.begin(settings, f"vessel {name}")
    try:
        run(_vessel_config(settings, name), stop)
    except (VesselRuns, OSError) as error:
        raise StartError(f"vessel {name}: {error}") from error


def _vessel_config(settings: Settings, name: str) -> VesselConfig:
    assert settings.vessel_file is not None
    try:
        config = load(settings.vessel_file, settings.state_dir / "vessels" / name)
    except BadVesselFile as error:
        raise ConfigurationError(*str(error).splitlines()) from error
    if settings.pace is None:
        return config
    return dataclasses.replace(config, running=dataclasses.replace(config.running, pace=settings.pace))
