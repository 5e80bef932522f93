"""What each driver adds to the common base: its data, checked against what its circuit says."""

import random
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hardware.driver import Wiring
from hardware.drivers.ezo_co2 import EzoCo2
from hardware.drivers.ezo_do import EzoDo
from hardware.drivers.ezo_ec import EzoEc
from hardware.drivers.ezo_flo import EzoFlo
from hardware.drivers.ezo_hum import EzoHum
from hardware.drivers.ezo_o2 import EzoO2
from hardware.drivers.ezo_ph import EzoPh
from hardware.drivers.ezo_prs import EzoPrs
from hardware.drivers.ezo_rtd import EzoRtd
from hardware.errors import BadAnswer, BadConfiguration, HardwareError, NoAnswer, Refused
from hardware.ezo.sensor import EzoSensor
from hardware.values import Quality, is_name, judge
from tests.hardware.ezo_cases import CASES, Case
from tests.hardware.fakes import Answer, Bench, ScriptedCircuit

WIRES = pytest.mark.parametrize("wire", ["i2c", "uart"])


EVERY = pytest.mark.parametrize("case", CASES, ids=lambda case: case.driver.descriptor.driver)


@WIRES
@EVERY
def test_opens_and_reads(bench: Bench, case: Case, wire: str) -> None:
    driver, circuit = bench.driver(case.driver, wire, {**case.script, "R": case.text})
    driver.open()
    assert driver.read() == case.values
    start = 0 if wire == "i2c" else 3
    assert circuit.heard[start:] == ["i", *case.asked, "R"]


@WIRES
@EVERY
def test_a_reading_with_a_number_too_many_is_none(bench: Bench, case: Case, wire: str) -> None:
    driver, _ = bench.driver(case.driver, wire, {**case.script, "R": f"{case.text},1.0"})
    driver.open()
    with pytest.raises(BadAnswer, match=next(iter(case.values))):
        driver.read()


@EVERY
def test_the_descriptor_is_whole(case: Case) -> None:
    descriptor = case.driver.descriptor
    assert descriptor.driver == f"ezo-{case.driver.kind.lower()}"
    assert descriptor.buses == ("i2c", "uart")
    assert [quantity.name for quantity in descriptor.quantities] == list(case.values)
    for quantity in descriptor.quantities:
        assert is_name(quantity.name)
        assert quantity.low < quantity.high
        assert judge(quantity, case.values[quantity.name], 0).quality is Quality.OK


@EVERY
def test_the_right_circuit_is_asked_for(bench: Bench, case: Case) -> None:
    driver, _ = bench.driver(case.driver, "i2c", {**case.script, "I": "?i,RGB,2.0"})
    with pytest.raises(BadAnswer, match="'RGB' circuit"):
        driver.open()


@EVERY
def test_looking_for_a_circuit_sets_nothing(bench: Bench, case: Case) -> None:
    driver, circuit = bench.driver(case.driver, "i2c", {"I": case.script["I"]})
    driver.find()
    assert circuit.heard == ["i"]


@EVERY
def test_a_refused_setting_fails_the_opening(bench: Bench, case: Case) -> None:
    for command in case.asked:
        driver, _ = bench.driver(case.driver, "i2c", {**case.script, command.upper(): "*ER"})
        with pytest.raises(Refused):
            driver.open()


class Babbler(ScriptedCircuit):
    """Answers every command with something almost sensible."""

    def __init__(self, chance: random.Random, case: Case) -> None:
        super().__init__()
        self.chance = chance
        self.sensible = [
            *case.script.values(),
            case.text,
            "*ER",
            "*OK",
            "*WARM",
            "?",
            "?,",
            "?,O",
            "?S",
            "",
            "no output",
        ]

    def hear(self, command: bytes) -> Answer:
        self.heard.append(command.decode("ascii"))
        text = self.chance.choice(self.sensible)
        if self.chance.random() < 0.3:
            text = text[: self.chance.randrange(len(text) + 1)] + self.chance.choice(["", ",", "?", "\xb5", "9", "-"])
        return text


@WIRES
@EVERY
@given(chance=st.randoms(use_true_random=False))
@settings(max_examples=30)
def test_no_answer_ends_a_driver(case: Case, wire: str, chance: random.Random) -> None:
    bench = Bench()
    driver = bench.wire(case.driver, wire, Babbler(chance, case))
    for quantity in case.driver.compensations:
        driver.compensate(quantity.name, 30.0)
    for call in (driver.open, driver.read, driver.read):
        with suppress(HardwareError):
            call()


def test_outputs_are_switched_only_where_they_differ(bench: Bench) -> None:
    script = {"I": "?i,EC,2.16", "O,?": "?,O,EC,TDS", "O,TDS,0": "", "O,S,1": "", "R": "50000,32.71"}
    driver, circuit = bench.driver(EzoEc, "i2c", script, outputs=["salinity", "conductivity"])
    driver.open()
    assert circuit.heard == ["i", "O,?", "O,TDS,0", "O,S,1"]
    assert [quantity.name for quantity in driver.quantities] == ["conductivity", "salinity"]
    assert driver.read() == {"conductivity": 50000, "salinity": 32.71}


def test_hum_reads_without_its_dew_point(bench: Bench) -> None:
    script = {"I": "?i,HUM,1.0", "O,?": "?,O,HUM", "R": "48.15"}
    driver, _ = bench.driver(EzoHum, "i2c", script, outputs=["humidity"])
    driver.open()
    assert driver.read() == {"humidity": 48.15}


def test_options_become_settings(bench: Bench) -> None:
    script = {"I": "?i,EC,2.16", "K,?": "?K,1.0", "K,0.1": "", "TDS,?": "?TDS,0.54", "O,?": "?,O,EC,TDS,S,SG"}
    driver, circuit = bench.driver(EzoEc, "i2c", script, k=0.1, tds=0.54)
    driver.open()
    assert circuit.heard == ["i", "K,?", "K,0.1", "TDS,?", "O,?"]


def test_flo_is_told_its_meter(bench: Bench) -> None:
    script = {"I": "?i,FLO,1.0", "FRP,?": "?Frp,s", "FRP,M": "", "SET,?": "?Set,1/4", "SET,3/8": "", "O,?": "?,O,TV,FR"}
    driver, circuit = bench.driver(EzoFlo, "i2c", script, meter="3/8")
    driver.open()
    assert circuit.heard == ["i", "Frp,?", "Frp,m", "Set,?", "Set,3/8", "O,?"]


def test_rtd_is_switched_to_celsius(bench: Bench) -> None:
    driver, circuit = bench.driver(EzoRtd, "i2c", {"I": "?i,RTD,2.01", "S,?": "?S,k", "S,C": ""})
    driver.open()
    assert circuit.heard == ["i", "S,?", "S,c"]


@WIRES
def test_rtd_without_a_probe(bench: Bench, wire: str) -> None:
    driver, _ = bench.driver(EzoRtd, wire, {"R": "-1023.000"})
    with pytest.raises(BadAnswer, match="no probe"):
        driver.read()


@WIRES
def test_co2_warming_up(bench: Bench, wire: str) -> None:
    driver, _ = bench.driver(EzoCo2, wire, {"R": ["*WARM", "512,27.31"]})
    with pytest.raises(NoAnswer, match="warming up"):
        driver.read()
    assert driver.read() == {"co2": 512, "temperature": 27.31}


def test_prs_may_show_its_unit(bench: Bench) -> None:
    driver, _ = bench.driver(EzoPrs, "i2c", {"R": ["12.345,kPa", "1.790,psi"]})
    assert driver.read() == {"gauge_pressure": 12.345}
    with pytest.raises(BadAnswer, match="psi"):
        driver.read()


@pytest.mark.parametrize(
    ("kind", "text"), [(EzoPh, "7.1"), (EzoDo, "7.82,98.4"), (EzoEc, "1,2,3,1.0"), (EzoO2, "20,200")]
)
def test_temperature_goes_with_every_reading(bench: Bench, kind: type[EzoSensor], text: str) -> None:
    driver, circuit = bench.driver(kind, "i2c", {"R": text, "RT,19.50": text, "RT,21.26": text})
    driver.read()
    driver.compensate("temperature", 19.5)
    driver.read()
    driver.read()
    driver.compensate("temperature", 21.257)
    driver.read()
    assert circuit.heard == ["R", "RT,19.50", "RT,19.50", "RT,21.26"]


@WIRES
def test_older_firmware_is_told_the_temperature_apart(bench: Bench, wire: str) -> None:
    driver, circuit = bench.driver(EzoPh, wire, {"I": "?i,pH,1.98", "T,19.50": "", "R": "7.1"})
    driver.compensate("temperature", 19.5)
    assert [driver.read(), driver.read()] == [{"ph": 7.1}] * 2
    assert circuit.heard == ["RT,19.50", "T,19.50", "R", "T,19.50", "R"]
    driver.open()
    driver.read()
    assert circuit.heard[-3:] == ["RT,19.50", "T,19.50", "R"]


class ForgetfulDo:
    """What a DO circuit knows of salinity and pressure, and forgets when it restarts."""

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        self.answers: dict[str, Answer | list[Answer]] = {
            "R": "7.82,98.4",
            "S,?": ["?S,0,\xb5S", "?S,33.5,ppt"],
            "S,33.5,PPT": "",
            "P,?": ["?,P,101.3", "?,P,99.21"],
            "P,99.21": "",
        }


@WIRES
def test_do_renews_salinity_and_pressure_after_a_restart_only(bench: Bench, wire: str) -> None:
    forgetful = ForgetfulDo()
    driver, circuit = bench.driver(EzoDo, wire, forgetful.answers)
    driver.compensate("salinity", 33.5)
    driver.compensate("pressure", 99.21)
    driver.read()
    assert circuit.heard == ["S,?", "S,33.5,ppt", "P,?", "P,99.21", "R"]
    driver.compensate("salinity", 33.57)  # not worth a write
    driver.read()
    assert circuit.heard[5:] == ["S,?", "P,?", "R"]
    driver.compensate("salinity", 33.5)
    forgetful.restart()
    circuit.answers |= forgetful.answers
    driver.read()
    assert circuit.heard[8:] == ["S,?", "S,33.5,ppt", "P,?", "P,99.21", "R"]


def test_do_does_not_take_microsiemens_for_ppt(bench: Bench) -> None:
    driver, circuit = bench.driver(EzoDo, "i2c", {"R": "7.82,98.4", "S,?": "?S,33.5,\xb5S", "S,33.5,PPT": ""})
    driver.compensate("salinity", 33.5)
    driver.read()
    assert circuit.heard == ["S,?", "S,33.5,ppt", "R"]


@pytest.mark.parametrize(
    ("quantity", "value", "error", "text"),
    [
        ("temperature", 200.0, Refused, "temperature 200 °C is outside -20 to 130 °C"),
        ("temperature", float("nan"), Refused, "nan"),
        ("salinity", -1.0, Refused, "PSU"),
        ("pressure", 0.4, Refused, "pressure 0.4 kPa is outside 20 to 600 kPa"),
        ("humidity", 50.0, BadConfiguration, "temperature, salinity, pressure, not humidity"),
    ],
)
def test_impossible_compensation(
    bench: Bench, quantity: str, value: float, error: type[HardwareError], text: str
) -> None:
    driver, circuit = bench.driver(EzoDo, "i2c", {"R": "7.82,98.4"})
    with pytest.raises(error, match=text):
        driver.compensate(quantity, value)
    driver.read()
    assert circuit.heard == ["R"]


@pytest.mark.parametrize(
    ("kind", "options", "text"),
    [
        (EzoPh, {"k": 1.0}, "ezo-ph has no option 'k', only none at all"),
        (EzoPh, {"outputs": ["ph"]}, "no option 'outputs'"),
        (EzoPh, {"baud": 9600}, "no option 'baud'"),
        (EzoEc, {"kk": 1.0}, "has no option 'kk', only k, tds, outputs"),
        (EzoEc, {"k": 11}, "option k is a number from 0.1 to 10, not 11"),
        (EzoEc, {"k": "1"}, "option k is a number from 0.1 to 10, not '1'"),
        (EzoEc, {"k": True}, "not True"),
        (EzoEc, {"k": float("nan")}, "not nan"),
        (EzoEc, {"outputs": []}, "option outputs is a list of some of conductivity, .*, not \\[\\]"),
        (EzoEc, {"outputs": ["turbidity"]}, "not \\['turbidity'\\]"),
        (EzoEc, {"outputs": ["salinity", "salinity"]}, "option outputs"),
        (EzoEc, {"outputs": "salinity"}, "not 'salinity'"),
        (EzoEc, {"outputs": [1, {}]}, "option outputs"),
        (EzoFlo, {"meter": "1/8"}, "option meter is one of 1/4, 3/8, 1/2, 3/4, not '1/8'"),
        (EzoEc, {"k": 11, "x": 1, "outputs": []}, "option k .*; .*option 'x'.*; option outputs"),
    ],
)
def test_bad_options(bench: Bench, kind: type[EzoSensor], options: dict[str, object], text: str) -> None:
    with pytest.raises(BadConfiguration, match=text):
        kind(Wiring("/bus:99", bench.buses, bench.clock, options))


def test_uart_takes_a_rate(bench: Bench) -> None:
    EzoPh(Wiring("/port", bench.buses, bench.clock, {"baud": 38400}))
    assert bench.buses.uart("/port", 38400).baud == 38400
    with pytest.raises(BadConfiguration, match=r"option baud is one of 300, .*, not 9601"):
        EzoPh(Wiring("/port", bench.buses, bench.clock, {"baud": 9601}))


def test_a_driver_touches_nothing_before_it_is_opened(bench: Bench) -> None:
    EzoPh(Wiring("/bus:99", bench.buses, bench.clock))
    EzoPh(Wiring("/port", bench.buses, bench.clock))
    assert not bench.adapters
    assert not bench.ports
