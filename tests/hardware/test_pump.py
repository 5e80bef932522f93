import pytest

from hardware.device import check_arguments, check_settings
from hardware.drivers.pump import Pump
from hardware.errors import BadConfiguration
from tests.hardware.simulators import Rig


@pytest.mark.parametrize("kind", ["pwm", "pca9685", "gpio"])
def test_a_pump_that_runs_is_stopped_when_it_is_opened(rig: Rig, kind: str) -> None:
    pump = rig.make(Pump, rig.address(kind), output=kind)
    pump.open()
    pump.apply({"on": True, "duty": 80.0, "flow": 1.0})
    assert rig.shown(kind) >= 79.9
    rig.restart()
    rig.make(Pump, rig.address(kind), output=kind).open()
    assert rig.shown(kind) == 0.0


def test_running_on_lapses_and_the_calibration_stays(rig: Rig) -> None:
    settings = rig.make(Pump, rig.address("pwm"), output="pwm").settings
    assert {each.name: each.survives for each in settings} == {"on": False, "duty": True, "flow": True}


def test_its_pulses_have_the_frequency_of_the_file(rig: Rig) -> None:
    pump = rig.make(Pump, rig.address("pwm"), output="pwm", frequency=200)
    pump.open()
    pump.apply({"on": True, "duty": 80.0, "flow": 1.0})
    assert rig.pwm.get(1, "period") == "5000000"
    assert pump.read_back() == {"on": True, "duty": 80.0}


@pytest.mark.parametrize("options", [{}, {"output": "relay"}, {"output": ["pwm"]}])
def test_its_output_has_to_be_named(rig: Rig, options: dict[str, object]) -> None:
    with pytest.raises(BadConfiguration, match="option output is one of pwm, pca9685, gpio, not "):
        rig.make(Pump, rig.address("pwm"), **options)


def test_a_line_has_no_frequency(rig: Rig) -> None:
    with pytest.raises(BadConfiguration, match="pump has no option 'frequency', only output, active_low"):
        rig.make(Pump, rig.address("gpio"), output="gpio", frequency=200)


def test_every_dose_says_how_much_it_is() -> None:
    acts = {act.name: act for act in Pump.descriptor.acts}
    assert acts["dose"].millilitres({"volume": 7.5}) == 7.5
    assert acts["dose_over_time"].millilitres({"volume": 7.5, "duration": 60.0}) == 7.5
    assert acts["dose_rate"].millilitres({"rate": 2.0, "duration": 60.0}) == 120.0
    assert acts["stop"].millilitres({}) == 0.0


@pytest.mark.parametrize("volume", [0.0, -1.0, 10_001.0])
def test_no_dose_runs_backwards_or_for_ever(volume: float) -> None:
    dose = Pump.descriptor.acts[0]
    assert len(check_arguments(dose, {"volume": volume})) == 1


@pytest.mark.parametrize("flow", [0.0, -1.0])
def test_a_flow_of_nothing_is_no_calibration(flow: float) -> None:
    assert len(check_settings(Pump.descriptor.settings, {"flow": flow})) == 1
