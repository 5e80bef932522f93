"""`reactorium check` finds what is wrong and changes nothing."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from actors.documents import Kept
from actors.targets import kept_file
from deploy import check, keyring, logs
from deploy.folders import Folder
from deploy.settings import Settings
from hardware.clock import SystemClock
from hardware.driver import Descriptor, SensorDriver
from hardware.drivers.switch import Switch
from hardware.errors import BadConfiguration, NoAnswer
from hardware.values import Quantity
from tests.deploy.conftest import MakeSettings
from transport.keys import load_or_make, read_allow_list
from transport.messages import Hello
from transport.wire import Listener, Wire


class Probe(SensorDriver):
    descriptor = Descriptor("probe", "Probe", (Quantity("ph", "pH", 0, 14, 3),), ("i2c",), 1.0)

    def find(self) -> None:
        if self.wiring.address.endswith("0x64"):
            raise NoAnswer(f"nothing answers at {self.wiring.address}")

    def open(self) -> None:
        raise AssertionError("check changes nothing")

    def read(self) -> Mapping[str, float]:
        raise AssertionError("check changes nothing")


class Valve(Switch):
    def find(self) -> None:
        raise NoAnswer(f"no line {self.address}")

    def open(self) -> None:
        raise AssertionError("check changes nothing")


def find(name: str) -> type[SensorDriver]:
    if name != "probe":
        raise BadConfiguration(f"no driver {name}")
    return Probe


FILE = """
name = "tank"
[[sensors]]
name = "ph"
driver = "probe"
address = "/dev/i2c-1:0x63"
[[sensors]]
name = "salt"
driver = "probe"
address = "/dev/i2c-1:0x64"
[[devices]]
name = "valve"
driver = "valve"
address = "/dev/gpiochip9:4"
"""


@pytest.fixture
def settings(make_settings: MakeSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A node with one reactor, keys made, nothing running."""
    monkeypatch.setattr(check, "driver_class", find)
    monkeypatch.setattr(check, "device_class", {"valve": Valve}.__getitem__)
    monkeypatch.setattr(logs, "setup", lambda *_: None)
    path = tmp_path / "tank.toml"
    path.write_text(FILE, encoding="utf-8")
    settings = make_settings(REACTOR_FILE=path, COORDINATOR="tcp://127.0.0.1:9", QUESTDB_HTTP_PORT=9)
    keyring.make(settings, ["tank"])
    return settings


@pytest.fixture
def coordinator(settings: Settings) -> Iterator[Listener]:
    """Something that has the coordinator's key and lets in whom the allow-list names."""
    wire = Wire(load_or_make(keyring.coordinator_key_file(settings)), SystemClock())
    allowed, _ = read_allow_list(keyring.allow_folder(settings))
    yield wire.listen("tcp://127.0.0.1:*", allow=allowed.peer_of, accept={"reactor": {Hello}}, deliver=lambda _: None)
    wire.close()


def lines(settings: Settings, capsys: pytest.CaptureFixture[str], status: int) -> list[str]:
    assert check.check(settings) == status
    return capsys.readouterr().out.splitlines()


def test_each_sensor_is_looked_for(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    found = lines(settings, capsys, 1)
    assert "ok    sensor ph: probe at /dev/i2c-1:0x63 answers" in found
    assert "WRONG sensor salt: nothing answers at /dev/i2c-1:0x64" in found
    assert "WRONG device valve: no line /dev/gpiochip9:4" in found


def test_changes_from_outside_are_listed(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    folder = keyring.reactor_folder(settings, "tank")
    kept_file(folder, "valve").write(
        Kept(revision=7, author="ada", values={"on": True, "ramp": 0.0}, replaced={"on": False, "ramp": 0.0})
    )
    found = [line for line in lines(settings, capsys, 1) if "change of" in line]
    assert found == ["ok    change of valve: on is true, set by ada: it ends when the file's false is edited"]


def test_a_running_reactor_keeps_its_buses(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    with Folder(keyring.reactor_folder(settings, "tank")):
        found = lines(settings, capsys, 1)
    assert not [line for line in found if "sensor" in line and "answers" in line]
    assert any("its buses are not tried" in line for line in found)


def test_the_nodes_key_is_shown_with_what_lets_it_in(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    key = load_or_make(keyring.reactor_folder(settings, "tank") / "key")
    found = "\n".join(lines(settings, capsys, 1))
    assert f"public_key = '{key.public}'" in found
    assert key.secret not in found


def test_the_coordinator_is_shaken_hands_with(
    settings: Settings, coordinator: Listener, make_settings: MakeSettings, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = make_settings(COORDINATOR=coordinator.endpoint)
    assert f"ok    coordinator: {coordinator.endpoint} answers and lets this node in" in lines(settings, capsys, 1)


def test_a_node_that_is_not_let_in_is_told(
    settings: Settings, coordinator: Listener, make_settings: MakeSettings, capsys: pytest.CaptureFixture[str]
) -> None:
    key = keyring.reactor_folder(settings, "tank") / "key"
    key.unlink()
    load_or_make(key)
    settings = make_settings(COORDINATOR=coordinator.endpoint)
    (line,) = (line for line in lines(settings, capsys, 1) if "coordinator" in line)
    assert line.startswith(f"WRONG coordinator: {coordinator.endpoint}: ")


def test_a_file_with_mistakes_is_told_and_the_rest_goes_on(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.reactor_file[0].write_text(FILE.replace('"probe"', '"prob"', 1), encoding="utf-8")
    found = lines(settings, capsys, 1)
    assert any(line.startswith("WRONG reactor file: ") and line.endswith("ph: no driver prob") for line in found)
    assert any(line.startswith("WRONG database: ") for line in found)


def test_nothing_is_made(make_settings: MakeSettings, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = make_settings(STATE_DIR=tmp_path / "none")
    found = lines(settings, capsys, 1)
    assert "ok    state folder: " + str(tmp_path / "none") + " is not made yet" in found
    assert not (tmp_path / "none").exists()
