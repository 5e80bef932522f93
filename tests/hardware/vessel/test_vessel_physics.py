"""Each balance against its closed form."""

import math
from dataclasses import replace

import pytest

from hardware.vessel import chemistry
from hardware.vessel.chemistry import AIR_OXYGEN, ATMOSPHERE, GAS_CONSTANT, LITRE, ZERO_CELSIUS
from hardware.vessel.tank import (
    CARBON_TRANSFER,
    DENSITY,
    HEAT_CAPACITY,
    OXYGEN_HALF,
    Actuators,
    Tank,
    TankConfig,
    acidity,
    breathe,
    dose,
    enrich,
    exchange,
    linear,
    oxygen_transfer,
    salt,
    saturation,
    stirrer_power,
    warm,
)

QUIET = Actuators(stirrer=0.0, air=0.0, circulation=0.0)


def moles_of_oxygen(tank: Tank) -> float:
    gas = tank.config.pressure * tank.config.gas_volume / (GAS_CONSTANT * tank.state.temperature)
    return tank.state.oxygen + gas * tank.state.gas_oxygen


def test_linear_is_the_same_in_one_step_and_in_many() -> None:
    value = 3.0
    for _ in range(1000):
        value = linear(value, 0.7, 0.2, 0.01)
    assert value == pytest.approx(linear(3.0, 0.7, 0.2, 10.0), rel=1e-12)
    assert linear(3.0, 0.7, 0.0, 10.0) == 10.0


def test_heat_approaches_its_end_exponentially() -> None:
    config = TankConfig()
    state = Tank(config, QUIET).state
    actuators = replace(QUIET, heater=30.0)
    for _ in range(600):
        state = warm(config, state, actuators, 1.0)
    end = config.ambient + 30.0 / config.heat_loss
    constant = DENSITY * HEAT_CAPACITY * config.volume / config.heat_loss
    expected = end + (config.temperature - end) * math.exp(-600.0 / constant)
    assert state.temperature - ZERO_CELSIUS == pytest.approx(expected, abs=1e-9)


def test_stirrer_and_light_warm_too() -> None:
    config = TankConfig(heat_loss=0.0)
    state = Tank(config, QUIET).state
    warmer = warm(config, state, replace(QUIET, stirrer=5.0, light=20.0), 100.0)
    joules = 100.0 * (stirrer_power(config, 5.0) + config.light_heat * 20.0)
    gained = (warmer.temperature - state.temperature) * DENSITY * HEAT_CAPACITY * config.volume
    assert gained == pytest.approx(joules)


def test_oxygen_approaches_saturation_with_kla() -> None:
    config = TankConfig(oxygen=0.0, gas_volume=100.0)
    actuators = Actuators(stirrer=5.0, air=1e-4)
    tank = Tank(config, actuators)
    state = tank.state
    transfer = oxygen_transfer(config, config.volume, 5.0, 1e-4)
    for _ in range(60):
        state = exchange(config, state, actuators, 1.0)
    expected = saturation(config, tank.state) * (1.0 - math.exp(-transfer * 60.0))
    assert state.oxygen / state.volume == pytest.approx(expected, rel=1e-4)


def test_carbon_dioxide_approaches_henrys_law() -> None:
    config = TankConfig(alkalinity=-5.0, carbon=1.0, gas_volume=100.0)  # acid: all of it is CO2(aq)
    actuators = Actuators(stirrer=5.0, air=1e-4)
    state = Tank(config, actuators).state
    rate = CARBON_TRANSFER * oxygen_transfer(config, config.volume, 5.0, 1e-4)
    end = chemistry.carbon_dioxide_solubility(state.temperature) * config.pressure * 420e-6
    for _ in range(60):
        state = exchange(config, state, actuators, 1.0)
    expected = end + (1.0 - end) * math.exp(-rate * 60.0)
    assert state.carbon / state.volume == pytest.approx(expected, rel=1e-3)


def test_kla_grows_with_stirrer_and_air() -> None:
    config = TankConfig()
    once = oxygen_transfer(config, 0.005, 5.0, 1e-5) - config.surface_transfer
    assert oxygen_transfer(config, 0.005, 0.0, 0.0) == config.surface_transfer
    assert oxygen_transfer(config, 0.005, 10.0, 1e-5) - config.surface_transfer == pytest.approx(once * 8**0.4)
    assert oxygen_transfer(config, 0.005, 5.0, 4e-5) - config.surface_transfer == pytest.approx(once * 2.0)


def test_air_washes_the_gas_above_out() -> None:
    config = TankConfig(surface_transfer=0.0)
    actuators = Actuators(stirrer=0.0, air=1e-5)
    state = replace(Tank(config, actuators).state, gas_oxygen=0.5)
    for _ in range(100):
        state = exchange(config, state, actuators, 1.0)
    flush = (1e-5 + config.leak) / config.gas_volume
    assert state.gas_oxygen == pytest.approx(AIR_OXYGEN + (0.5 - AIR_OXYGEN) * math.exp(-flush * 100.0))


def test_gas_leaves_one_side_and_enters_the_other() -> None:
    tank = Tank(TankConfig(leak=0.0, oxygen=0.5, heat_loss=0.0, respiration=0.0), replace(QUIET, stirrer=0.0))
    tank.config = replace(tank.config, surface_transfer=0.01)
    before = moles_of_oxygen(tank)
    tank.advance(300.0)
    assert tank.state.oxygen < 0.5 * tank.config.volume
    assert moles_of_oxygen(tank) == pytest.approx(before, rel=1e-12)


def test_respiration_turns_oxygen_into_carbon() -> None:
    config = TankConfig()
    state = Tank(config, QUIET).state
    after = breathe(config, state, QUIET, 10.0)
    used = state.oxygen - after.oxygen
    share = config.oxygen / (config.oxygen + OXYGEN_HALF)
    assert used == pytest.approx(config.respiration * config.volume * 10.0 * share)
    assert after.carbon - state.carbon == pytest.approx(used)


def test_light_turns_carbon_into_oxygen() -> None:
    config = TankConfig()
    state = Tank(config, QUIET).state
    after = breathe(config, state, replace(QUIET, light=50.0), 10.0)
    assert after.oxygen > state.oxygen
    assert after.oxygen + after.carbon == pytest.approx(state.oxygen + state.carbon)


@pytest.mark.parametrize("seconds", [1.0, 1e9])
def test_life_uses_no_more_than_there_is(seconds: float) -> None:
    config = TankConfig(respiration=1e-2)
    state = breathe(config, Tank(config, QUIET).state, QUIET, seconds)
    assert state.oxygen >= 0.0


def test_pure_water_is_neutral() -> None:
    assert chemistry.acidity(0.0, 0.0, 25.0 + ZERO_CELSIUS) == pytest.approx(7.0, abs=0.01)


def test_strong_acid_and_base_are_their_logarithms() -> None:
    assert chemistry.acidity(-10.0, 0.0, 298.15) == pytest.approx(2.0, abs=1e-6)
    assert chemistry.acidity(10.0, 0.0, 298.15) == pytest.approx(12.0, abs=0.01)


def test_bicarbonate_sits_between_the_two_constants() -> None:
    constants = chemistry.equilibria(298.15)
    expected = -0.5 * (math.log10(constants.k1 / LITRE) + math.log10(constants.k2 / LITRE))
    assert chemistry.acidity(100.0, 100.0, 298.15) == pytest.approx(expected, abs=0.01)


def test_water_open_to_air_is_a_little_acid() -> None:
    dissolved = chemistry.carbon_dioxide_solubility(298.15) * ATMOSPHERE * 420e-6
    assert chemistry.acidity(0.0, dissolved, 298.15) == pytest.approx(5.6, abs=0.05)


def test_constants_at_25_degrees() -> None:
    constants = chemistry.equilibria(298.15)
    assert -math.log10(constants.k1 / LITRE) == pytest.approx(6.35, abs=0.01)
    assert -math.log10(constants.k2 / LITRE) == pytest.approx(10.33, abs=0.01)
    assert -math.log10(constants.kw / LITRE**2) == pytest.approx(14.0, abs=0.01)


@pytest.mark.parametrize(
    ("celsius", "salinity", "pressure", "expected"),
    [(20.0, 0.0, 101325.0, 9.09), (0.0, 0.0, 101325.0, 14.62), (25.0, 35.0, 101325.0, 6.75), (20.0, 0.0, 9e4, 8.05)],
)
def test_oxygen_saturation_as_tabulated(celsius: float, salinity: float, pressure: float, expected: float) -> None:
    assert chemistry.oxygen_saturation(celsius, salinity, pressure) == pytest.approx(expected, rel=0.004)


def test_salinity_and_conductivity_as_tabulated() -> None:
    assert chemistry.salinity_of(53087.0) == pytest.approx(35.0, abs=0.001)
    assert chemistry.conductivity(100.0) == pytest.approx(10674.0, abs=5.0)
    assert chemistry.conductivity(10.0) == pytest.approx(1200.0, abs=10.0)


def test_dew_point_is_the_inverse_of_vapour_pressure() -> None:
    dew = chemistry.dew_point(25.0, 50.0)
    assert chemistry.vapour_pressure(dew) == pytest.approx(0.5 * chemistry.vapour_pressure(25.0))


def test_pumps_add_volume_and_ions() -> None:
    config = TankConfig(capacity=1.0)
    state = Tank(config, QUIET).state
    for _ in range(100):
        state = dose(config, state, replace(QUIET, acid=1e-7, base=2e-7), 1.0)
    assert state.volume == pytest.approx(config.volume + 3e-5)
    assert state.chloride == pytest.approx(config.salt * config.volume + 1e-5 * config.acid_strength)
    base = (config.salt + config.alkalinity) * config.volume + 2e-5 * config.base_strength
    assert state.sodium == pytest.approx(base)


def test_inflow_mixes_in_at_ambient_temperature() -> None:
    config = TankConfig(temperature=40.0, ambient=20.0, capacity=1.0)
    state = dose(config, Tank(config, QUIET).state, replace(QUIET, base=config.volume / 10.0), 10.0)
    assert state.temperature - ZERO_CELSIUS == pytest.approx(30.0)


def test_evaporation_leaves_the_salt_behind() -> None:
    config = TankConfig(evaporation=1e-6)
    state = Tank(config, QUIET).state
    after = dose(config, state, QUIET, config.volume / 2.0 / 1e-6)
    assert salt(after) == pytest.approx(2.0 * salt(state))


def test_a_full_tank_overflows_with_what_is_in_it() -> None:
    config = TankConfig(capacity=0.005)
    state = Tank(config, QUIET).state
    after = dose(config, state, replace(QUIET, base=5e-4), 10.0)
    assert after.volume == pytest.approx(config.capacity)
    assert after.oxygen == pytest.approx(state.oxygen / 2.0)


def test_base_raises_ph_and_acid_lowers_it() -> None:
    config = TankConfig()
    still = Tank(config, QUIET)
    state = still.state
    assert acidity(dose(config, state, replace(QUIET, base=1e-6), 10.0)) > acidity(state)
    assert acidity(dose(config, state, replace(QUIET, acid=1e-6), 10.0)) < acidity(state)


def test_probes_see_the_tank() -> None:
    tank = Tank(TankConfig(), Actuators())
    tank.advance(2.5)
    seen = tank.surroundings()
    assert seen.temperature == pytest.approx(tank.state.temperature - ZERO_CELSIUS)
    assert seen.circulated == pytest.approx(2.5e-5)
    assert seen.gauge_pressure == pytest.approx(998.0 * 9.80665 * 0.005 / 0.0227)
    assert 45.0 < seen.humidity < 100.0


def test_a_vessel_far_ahead_of_life_stays_physical() -> None:
    tank = Tank(TankConfig(), Actuators(heater=30.0, light=40.0, air=1e-4, base=1e-9))
    for _ in range(50):
        tank.advance(5000.0)
    seen = tank.surroundings()
    assert 30.0 < seen.temperature < 60.0
    assert 0.0 < seen.oxygen_share < 5.0
    assert 0.0 < seen.carbon_dioxide < 1e4
    assert 5.0 < seen.ph < 12.0


def test_nutrients_bring_salt_and_a_reversed_pump_takes_all_alike() -> None:
    config = TankConfig()
    tank = Tank(config, QUIET)
    richer = dose(config, tank.state, replace(QUIET, nutrients=1e-6), 100.0)
    brought = 1e-4 * config.nutrients_strength
    assert richer.volume == pytest.approx(config.volume + 1e-4)
    assert richer.sodium - tank.state.sodium == pytest.approx(brought)
    assert richer.chloride - tank.state.chloride == pytest.approx(brought)
    poorer = dose(config, richer, replace(QUIET, acid=-2e-6, base=-1e-6), 100.0)
    share = 1.0 - 3e-4 / richer.volume
    assert poorer.volume == pytest.approx(richer.volume * share)
    for name in ("oxygen", "carbon", "sodium", "chloride"):
        assert getattr(poorer, name) == pytest.approx(getattr(richer, name) * share)
    assert poorer.temperature == pytest.approx(richer.temperature)


def test_a_tank_is_never_pumped_dry() -> None:
    config = TankConfig()
    state = dose(config, Tank(config, QUIET).state, replace(QUIET, acid=-1e-3), 1e6)
    assert state.volume == pytest.approx(config.volume / 100.0)


def test_bottled_carbon_dioxide_dissolves_by_the_gas_law() -> None:
    config = TankConfig()
    tank = Tank(config, QUIET)
    state = enrich(config, tank.state, replace(QUIET, carbon_dioxide=1e-6), 600.0)
    moles = config.pressure * 6e-4 / (GAS_CONSTANT * (config.ambient + ZERO_CELSIUS))
    assert state.carbon - tank.state.carbon == pytest.approx(moles)
    assert acidity(state) < acidity(tank.state)
