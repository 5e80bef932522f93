"""What every process does first, and how it stays."""

import threading

import pykka
import pytest

from deploy import lifeline, logs, process, vessel
from deploy.errors import ConfigurationError, StartError
from hardware.vessel.main import VesselConfig
from tests.deploy.conftest import MakeSettings


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What was done to this very process, which stays as it is."""
    done: list[object] = []
    monkeypatch.setattr("setproctitle.setproctitle", done.append)
    monkeypatch.setattr(logs, "setup", lambda *given: done.append(given))
    monkeypatch.setattr(lifeline, "stop_on_signals", threading.Event)
    monkeypatch.setattr(lifeline, "hold", done.append)
    return done


def test_a_process_says_what_it_is_and_hides_its_secrets(begun: list[object], make_settings: MakeSettings) -> None:
    stop = process.begin(make_settings(LOG_FORMAT="json", PARENT=7), "reactor tank", "hunter2")
    assert not stop.is_set()
    assert begun == ["reactorium reactor tank", ("reactor tank", "info", "json", ("hunter2",)), 7]


class Root(pykka.ThreadingActor):
    """A process's root."""


def test_it_stays_until_it_is_told_and_stops_the_root() -> None:
    stop, root = threading.Event(), Root.start()
    stop.set()
    process.stay(stop, root, lambda: False)
    assert not root.is_alive()


def test_it_ends_when_what_it_stands_on_is_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "LOOK", 0.0)
    root = Root.start()
    lives = iter([True, True, False])
    with pytest.raises(StartError, match="has died"):
        process.stay(threading.Event(), root, lambda: True, lambda: next(lives))
    assert list(lives) == []
    assert not root.is_alive()


def test_it_ends_when_the_root_is_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "LOOK", 0.0)
    root = Root.start()
    root.stop()
    with pytest.raises(StartError, match="has died"):
        process.stay(threading.Event(), root)


def ran(monkeypatch: pytest.MonkeyPatch) -> list[VesselConfig]:
    configs: list[VesselConfig] = []
    monkeypatch.setattr(vessel, "run", lambda config, _stop: configs.append(config))
    return configs


@pytest.mark.usefixtures("begun")
def test_a_vessel_runs_in_the_state_folder(make_settings: MakeSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    configs = ran(monkeypatch)
    settings = make_settings(VESSEL_FILE="deploy/examples/vessels/aquarium.toml")
    vessel.run_vessel(settings)
    assert configs[0].run_dir == settings.state_dir / "vessels" / "aquarium"
    assert configs[0].running.pace == 1.0


@pytest.mark.usefixtures("begun")
def test_the_pace_of_the_environment_wins(make_settings: MakeSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    configs = ran(monkeypatch)
    vessel.run_vessel(make_settings(VESSEL_FILE="deploy/examples/vessels/aquarium.toml", PACE=60))
    assert configs[0].running.pace == 60.0


@pytest.mark.usefixtures("begun")
def test_a_vessel_without_a_good_file_is_a_line_a_mistake(make_settings: MakeSettings) -> None:
    with pytest.raises(ConfigurationError, match="VESSEL_FILE is not set"):
        vessel.run_vessel(make_settings())
    with pytest.raises(ConfigurationError, match="name"):
        vessel.run_vessel(make_settings(VESSEL_FILE="deploy/examples/aquarium.toml"))
