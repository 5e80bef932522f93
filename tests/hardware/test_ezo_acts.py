"""What can be asked of a sensor once: the commands that it becomes, and what is said of it afterwards."""

from collections.abc import Mapping

import pytest

from hardware.device import check_arguments
from hardware.drivers.ezo_co2 import EzoCo2
from hardware.drivers.ezo_do import EzoDo
from hardware.drivers.ezo_ec import EzoEc
from hardware.drivers.ezo_flo import EzoFlo
from hardware.drivers.ezo_hum import EzoHum
from hardware.drivers.ezo_o2 import EzoO2
from hardware.drivers.ezo_orp import EzoOrp
from hardware.drivers.ezo_ph import EzoPh
from hardware.drivers.ezo_prs import EzoPrs
from hardware.drivers.ezo_rtd import EzoRtd
from hardware.drivers.host import Host
from hardware.errors import BadAnswer, NoAnswer, Refused
from hardware.ezo.sensor import EzoSensor
from hardware.values import is_name
from tests.hardware.fakes import Answer, Bench

WIRES = pytest.mark.parametrize("wire", ["i2c", "uart"])
DRIVERS = (EzoPh, EzoOrp, EzoDo, EzoEc, EzoRtd, EzoHum, EzoCo2, EzoO2, EzoPrs, EzoFlo)
SLOPE = {"SLOPE,?": "?Slope,99.7,100.3,-0.89"}

ACTS: list[tuple[type[EzoSensor], str, Mapping[str, float], str]] = [
    (EzoPh, "calibrate_mid", {"ph": 7.0}, "Cal,mid,7"),
    (EzoPh, "calibrate_low", {"ph": 4.01}, "Cal,low,4.01"),
    (EzoPh, "calibrate_high", {"ph": 10.0}, "Cal,high,10"),
    (EzoPh, "clear_calibration", {}, "Cal,clear"),
    (EzoOrp, "calibrate", {"orp": 225.0}, "Cal,225"),
    (EzoDo, "calibrate_air", {}, "Cal"),
    (EzoDo, "calibrate_zero", {}, "Cal,0"),
    (EzoEc, "calibrate_dry", {}, "Cal,dry"),
    (EzoEc, "calibrate", {"conductivity": 12_880.0}, "Cal,12880"),
    (EzoEc, "calibrate_low", {"conductivity": 84.0}, "Cal,low,84"),
    (EzoEc, "calibrate_high", {"conductivity": 150_000.0}, "Cal,high,150000"),
    (EzoRtd, "calibrate", {"temperature": 99.97}, "Cal,99.97"),
    (EzoHum, "calibrate", {"temperature": 21.5}, "Tcal,21.5"),
    (EzoHum, "clear_calibration", {}, "Tcal,clear"),
    (EzoCo2, "calibrate", {"co2": 3500.0}, "Cal,3500"),
    (EzoCo2, "calibrate_zero", {}, "Cal,0"),
    (EzoO2, "calibrate", {"oxygen": 20.95}, "Cal,20.95"),
    (EzoO2, "calibrate_zero", {}, "Cal,0"),
    (EzoPrs, "calibrate", {"gauge_pressure": 50.5}, "Cal,50.5"),
    (EzoPrs, "calibrate_zero", {}, "Cal,0"),
]


@WIRES
@pytest.mark.parametrize("asked", ACTS, ids=lambda found: f"{found[0].kind}-{found[3]}")
def test_a_point_is_one_command_and_its_state_is_told(
    bench: Bench, wire: str, asked: tuple[type[EzoSensor], str, Mapping[str, float], str]
) -> None:
    kind, name, arguments, command = asked
    query = f"{command.partition(',')[0]},?"
    driver, circuit = bench.driver(kind, wire, {command.upper(): "", query.upper(): f"?{query[:-2]},2", **SLOPE})
    (act,) = (act for act in kind.descriptor.acts if act.name == name)
    assert check_arguments(act, arguments) == ()
    said = driver.act(name, arguments)
    assert said["points"] == 2
    assert circuit.heard[:2] == [command, query]


def test_every_point_is_tried_here() -> None:
    points = {(kind, point.name) for kind in DRIVERS for point in kind.points}
    assert points == {(kind, name) for kind, name, _, _ in ACTS} - {
        (EzoPh, "clear_calibration"),
        (EzoHum, "clear_calibration"),
    }


@pytest.mark.parametrize(
    ("slope", "said"),
    [
        ("?Slope,99.7,100.3,-0.89", {"acid_slope": 99.7, "base_slope": 100.3, "zero_offset": -0.89}),
        ("?SLOPE,99.7,100.3", {"acid_slope": 99.7, "base_slope": 100.3}),
    ],
)
def test_a_ph_probe_has_a_slope(bench: Bench, slope: str, said: Mapping[str, float]) -> None:
    driver, circuit = bench.driver(EzoPh, "i2c", {"CAL,?": "?Cal,3", "SLOPE,?": slope})
    assert driver.act("calibration", {}) == {"points": 3, **said}
    assert not [text for text in circuit.heard if not text.endswith(",?")]


@WIRES
def test_a_point_that_is_refused_says_so(bench: Bench, wire: str) -> None:
    driver, circuit = bench.driver(EzoPh, wire, {})
    with pytest.raises(Refused, match=r"Cal,low,4"):
        driver.act("calibrate_low", {"ph": 4.0})
    assert circuit.heard == ["Cal,low,4"]


@WIRES
@pytest.mark.parametrize("kind", DRIVERS)
def test_every_circuit_blinks(bench: Bench, wire: str, kind: type[EzoSensor]) -> None:
    driver, circuit = bench.driver(kind, wire, {"FIND": ""})
    assert driver.act("find", {}) == {}
    assert circuit.heard == ["Find"]


@pytest.mark.parametrize("kind", DRIVERS)
def test_acts_are_named_and_told_apart(kind: type[EzoSensor]) -> None:
    names = [act.name for act in kind.descriptor.acts]
    assert len(set(names)) == len(names)
    assert all(is_name(name) for name in names)
    assert not any(act.timed or act.volume for act in kind.descriptor.acts)


def test_a_flow_meter_counts_from_nothing(bench: Bench) -> None:
    driver, circuit = bench.driver(EzoFlo, "i2c", {"CLEAR": ""})
    assert driver.act("clear_total", {}) == {}
    assert circuit.heard == ["Clear"]
    assert {act.name for act in EzoFlo.descriptor.acts} == {"clear_total", "find", "reset"}


@WIRES
def test_what_was_reset_is_set_up_again_before_it_is_believed(bench: Bench, wire: str) -> None:
    """A conductivity with another probe's constant looks like any other."""
    script: dict[str, Answer | list[Answer]] = {
        "I": "?i,EC,2.16",
        "K,?": ["?K,10", "?K,1.0"],
        "K,10": "",
        "O,?": "?,O,EC,TDS,S,SG",
        "R": "50000,27000,32.71,1.024",
        "FACTORY": "" if wire == "uart" else b"",
    }
    driver, circuit = bench.driver(EzoEc, wire, script, k=10)
    driver.open()
    driver.read()
    circuit.heard.clear()
    assert driver.act("reset", {}) == {}
    assert circuit.heard == ["Factory"]
    driver.read()
    assert [text for text in circuit.heard if text.startswith(("K", "R"))] == ["K,?", "K,10", "R"]
    circuit.heard.clear()
    driver.read()
    assert circuit.heard == ["R"]


def test_a_reset_whose_answer_is_lost_counts_as_one(bench: Bench) -> None:
    driver, circuit = bench.driver(EzoPh, "uart", {"FACTORY": None, "I": "?i,pH,1.98", "R": "7.0"})
    with pytest.raises(NoAnswer):
        driver.act("reset", {})
    circuit.heard.clear()
    driver.read()
    assert circuit.heard[-2:] == ["i", "R"]


def test_an_odd_state_is_no_answer(bench: Bench) -> None:
    driver, _ = bench.driver(EzoDo, "i2c", {"CAL,?": "?Cal,many"})
    with pytest.raises(BadAnswer):
        driver.act("calibration", {})


@pytest.mark.parametrize("kind", [EzoRtd, EzoFlo])
def test_an_act_that_it_has_not_is_none(bench: Bench, kind: type[EzoSensor]) -> None:
    driver, circuit = bench.driver(kind, "i2c", {})
    with pytest.raises(NotImplementedError, match="calibrate_mid"):
        driver.act("calibrate_mid", {"ph": 7.0})
    assert circuit.heard == []
    assert Host.descriptor.acts == ()
