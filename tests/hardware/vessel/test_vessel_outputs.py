"""Outputs wired to the tank: the file that says so, exact doses, what a person may do."""

from pathlib import Path

import pytest

from hardware.vessel.config import BadVesselFile, VesselConfig, load
from hardware.vessel.frames import Write
from hardware.vessel.journal import Entry, Journal, entries
from hardware.vessel.vessel import Declined, Vessel

FILE = """
[tank]
evaporation = 0
respiration = 0
[circuits.acid-pump]
kind = "pmp"
drives = "acid"
gain = 0.5
[outputs.warmth]
wire = "pca9685"
channel = 3
drives = "heater"
full = 60
[outputs.lamp]
wire = "pwm"
channel = 1
drives = "light"
full = 40
[outputs.bubbles]
wire = "gpio"
line = 17
active_low = true
drives = "air"
full = 2e-5
"""


def read(folder: Path, text: str) -> VesselConfig:
    path = folder / "pond.toml"
    path.write_text(text)
    return load(path)


class Running:
    def __init__(self, folder: Path, journal: Journal) -> None:
        self.vessel = Vessel(read(folder, FILE), journal, {})
        self._journal = folder / "journal.jsonl"

    def drives(self) -> list[Entry]:
        return [each for each in entries(self._journal) if each.do == "drive"]

    def write(self, address: int, data: bytes) -> None:
        self.vessel.bus.transfer([Write(address, data)], self.vessel.now)

    @property
    def actuators(self) -> dict[str, float]:
        return self.vessel.control(b'{"do": "state"}')["actuators"]  # type: ignore[return-value]


@pytest.fixture
def running(tmp_path: Path, journal: Journal) -> Running:
    return Running(tmp_path, journal)


def test_the_file(tmp_path: Path) -> None:
    warmth, lamp, bubbles = read(tmp_path, FILE).outputs
    assert (warmth.wire, warmth.address, warmth.pin, warmth.drives, warmth.full) == ("pca9685", 0x40, 3, "heater", 60.0)
    assert (lamp.wire, lamp.pin, lamp.active_low) == ("pwm", 1, False)
    assert (bubbles.pin, bubbles.amount(0.0), bubbles.amount(1.0)) == (17, 2e-5, 0.0)


LEAST = "[circuits.ph]\nkind = 'ph'\n"
HEATER = "[outputs.a]\nwire = 'gpio'\nline = 4\ndrives = 'heater'\nfull = 9\n"


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("[outputs]\na = 3", "outputs.a: 3 is not a table"),
        ("[outputs.a]\nwire = 'spi'\ndrives = 'heater'", "outputs.a.wire: 'spi' is none of pca9685, pwm, gpio"),
        ("[outputs.a]\nwire = 'gpio'\ndrives = 'wind'", "outputs.a.drives: 'wind' is none of heater, "),
        (HEATER.replace("4", "54"), "outputs.a.line: 54 is not a whole number from 0 to 53"),
        (HEATER.replace("4", "true"), "outputs.a.line: True is not"),
        (HEATER.replace("9", "5001"), "outputs.a.full: 5001 is not a number above 0, to 5000 W"),
        (HEATER.replace("9", "0"), "outputs.a.full: 0 is not"),
        (HEATER.replace("full = 9", ""), "outputs.a.full: None is not"),
        (HEATER + "channel = 3", "outputs.a.channel: an output on gpio has no such key"),
        (HEATER + "active_low = 1", "outputs.a.active_low: 1 is neither true nor false"),
        (HEATER.replace("gpio", "pca9685").replace("line", "channel") + "address = 3", "outputs.a.address: 3 is not"),
        (
            HEATER.replace("gpio", "pca9685").replace("line", "channel") + "active_low = true",
            "outputs.a.active_low: an output on pca9685 has no such key",
        ),
        (HEATER + HEATER.replace("outputs.a", "outputs.b").replace("heater", "light"), "outputs.b.line: 4 is taken"),
        (
            HEATER + HEATER.replace("outputs.a", "outputs.b").replace("4", "5"),
            "outputs.b.drives: heater is already set by outputs.a",
        ),
        (HEATER + "[actuators]\nheater = 3", "outputs.a.drives: heater is already set by actuators.heater"),
        (HEATER.replace("outputs.a", "outputs.ph"), "outputs.ph: the name is a circuit's"),
        (
            HEATER.replace("gpio", "pca9685").replace("line", "channel") + "address = 0x63",
            "circuits.ph.address: 99 is taken by a PCA9685",
        ),
        ("[circuits.x]\nkind = 'rtd'\ndrives = 'acid'", "circuits.x.drives: only pumps (pmp) drive something"),
        ("[circuits.x]\nkind = 'pmp'\ndrives = 'wind'", "circuits.x.drives: 'wind' is none of heater, "),
    ],
)
def test_one_mistake(tmp_path: Path, text: str, mistake: str) -> None:
    with pytest.raises(BadVesselFile) as caught:
        read(tmp_path, LEAST + text)
    (line,) = str(caught.value).splitlines()
    assert line.removeprefix(f"{tmp_path / 'pond.toml'}: ").startswith(mistake)


def test_what_is_driven_is_off_until_it_is(running: Running) -> None:
    actuators = running.actuators
    assert [actuators[name] for name in ("heater", "light", "air", "acid")] == [0.0] * 4
    assert actuators["stirrer"] == 3.0
    assert {(each.circuit, each.command, each.level) for each in running.drives()} == {
        ("warmth", "heater", 0.0), ("lamp", "light", 0.0), ("bubbles", "air", 0.0), ("acid-pump", "acid", 0.0),
    }  # fmt: skip


def test_pins_drive_the_tank(running: Running) -> None:
    running.vessel.set_pin("pwm", 1, 0.25)
    running.vessel.set_pin("gpio", 17, 0.0)
    running.write(0x40, b"\x00\x20")
    running.write(0x40, bytes([6 + 12, 0, 0, 0, 8]))
    actuators = running.actuators
    assert [actuators[name] for name in ("light", "air", "heater")] == [10.0, 2e-5, 30.0]


def test_pins_without_an_output_drive_nothing(running: Running) -> None:
    before = running.actuators
    running.vessel.set_pin("pwm", 0, 1.0)
    running.vessel.set_pin("gpio", 1, 1.0)
    running.vessel.set_pin("pca9685", 3, 1.0, 0x41)
    assert running.actuators == before


def test_every_change_of_an_output_is_in_the_journal_once(running: Running) -> None:
    for high in (0.5, 0.5, 0.0):
        running.vessel.set_pin("pwm", 1, high)
    found = [(each.circuit, each.command, each.level) for each in running.drives()[4:]]
    assert found == [("lamp", "light", 20.0), ("lamp", "light", 0.0)]


def test_heat_counts_from_the_moment_of_switching(running: Running) -> None:
    vessel = running.vessel
    vessel.advance(10.0)
    start = vessel.tank.state.temperature
    vessel.advance(10.02)  # too short for the tank to be looked at
    vessel.set_pin("pwm", 1, 1.0)
    vessel.advance(10.04)
    vessel.set_pin("pwm", 1, 0.0)
    vessel.advance(10.2)
    gained = vessel.tank.state.temperature - start
    off = Vessel(vessel.config, vessel._journal, {})
    off.advance(10.0)
    start = off.tank.state.temperature
    off.advance(10.2)
    joules = 0.02 * 40.0 * vessel.config.tank.light_heat
    expected = joules / (998.0 * 4182.0 * vessel.config.tank.volume)
    assert gained - (off.tank.state.temperature - start) == pytest.approx(expected, rel=1e-3)


def test_a_pump_doses_what_really_flows_to_the_drop(running: Running) -> None:
    vessel = running.vessel
    before = vessel.tank.state
    vessel.advance(1.0)
    running.write(103, b"D,7")
    for tenth in range(11, 100):
        vessel.advance(tenth / 10)
    vessel.advance(1000.0)
    after = vessel.tank.state
    assert after.volume - before.volume == pytest.approx(3.5e-6, rel=1e-6)
    assert after.chloride - before.chloride == pytest.approx(3.5e-6 * 100.0, rel=1e-6)
    assert [each.level for each in running.drives() if each.circuit == "acid-pump"] == [
        0.0, pytest.approx(0.5 * 105e-6 / 60), 0.0,
    ]  # fmt: skip


def test_a_pump_in_reverse_takes_water_away(running: Running) -> None:
    vessel = running.vessel
    before = vessel.tank.state
    vessel.advance(1.0)
    running.write(103, b"D,-7")
    vessel.advance(1000.0)
    after = vessel.tank.state
    assert after.volume - before.volume == pytest.approx(-3.5e-6, rel=1e-6)
    assert after.chloride / after.volume == pytest.approx(before.chloride / before.volume)


def test_a_person_cannot_turn_what_is_driven(running: Running) -> None:
    with pytest.raises(Declined, match=r"actuators.heater: warmth drives it"):
        running.vessel.control(b'{"do": "actuate", "values": {"heater": 3}}')
    running.vessel.control(b'{"do": "actuate", "values": {"stirrer": 2}}')
    assert running.actuators["stirrer"] == 2.0


def test_state_shows_outputs_and_chips(running: Running) -> None:
    running.vessel.set_pin("pwm", 1, 0.5)
    running.vessel.control(b'{"do": "fault", "circuit": "pca9685-0x40", "fault": "absent"}')
    state = running.vessel.control(b'{"do": "state"}')
    assert state["outputs"]["lamp"] == {"drives": "light", "level": 20.0}  # type: ignore[index]
    assert state["chips"] == {"pca9685-0x40": {"faults": {"absent": 0.0}}}
    running.vessel.control(b'{"do": "clear"}')
    assert running.vessel.control(b'{"do": "state"}')["chips"] == {"pca9685-0x40": {"faults": {}}}


def test_a_chip_without_power_for_a_moment(running: Running) -> None:
    running.write(0x40, b"\x00\x20")
    running.write(0x40, bytes([6 + 12, 0, 0x10, 0, 0]))
    assert running.actuators["heater"] == 60.0
    running.vessel.control(b'{"do": "restart", "circuit": "pca9685-0x40"}')
    assert running.actuators["heater"] == 0.0
