"""The tank: balances of volume, ions, heat, gases and carbon, each a plain function with a closed form.

SI units inside. Within a step each linear balance is solved exactly, so that a step may be long.
"""

import math
from dataclasses import dataclass, replace

from hardware.vessel import chemistry
from hardware.vessel.chemistry import AIR_OXYGEN, ATMOSPHERE, GAS_CONSTANT, ZERO_CELSIUS
from hardware.vessel.options import number

DENSITY = 998.0  # kg/m³
HEAT_CAPACITY = 4182.0  # J/(kg K)
GRAVITY = 9.80665  # m/s²
POWER_NUMBER = 5.0  # Rushton turbine, turbulent
CARBON_HALF = 0.005  # mol/m³: CO2(aq) at which photosynthesis runs at half its rate; algae stop near pH 10
OXYGEN_HALF = 0.01  # mol/m³: oxygen at which respiration runs at half its rate
CARBON_TRANSFER = 0.91  # kLa of CO2 over that of O2: square root of their diffusivities in water
STEP = 1.0  # s, longest step of ordinary running
STEPS = 20  # most steps of one advance: a vessel far ahead of life takes longer ones


@dataclass(frozen=True, slots=True)
class TankConfig:
    """What the tank is made of and filled with when it starts; temperatures in °C for people."""

    volume: float = number(0.005, "m³", 1e-5, 10.0)
    capacity: float = number(0.006, "m³", 1e-5, 10.0)
    cross_section: float = number(0.0227, "m²", 1e-4, 100.0)
    gas_volume: float = number(0.002, "m³", 1e-5, 100.0)
    temperature: float = number(22.0, "°C", 0.0, 60.0)
    ambient: float = number(21.0, "°C", -20.0, 60.0)
    heat_loss: float = number(1.5, "W/K", 0.0, 1e4)
    pressure: float = number(ATMOSPHERE, "Pa", 5e4, 1.2e5)
    salt: float = number(20.0, "mol/m³ NaCl", 0.0, 700.0)
    alkalinity: float = number(2.0, "mol/m³", -100.0, 200.0)
    carbon: float = number(2.05, "mol/m³", 0.0, 200.0)
    oxygen: float = number(0.25, "mol/m³", 0.0, 2.0)
    impeller: float = number(0.06, "m", 0.0, 2.0)
    surface_transfer: float = number(2e-5, "1/s", 0.0, 0.1)
    acid_strength: float = number(100.0, "mol/m³ HCl", 0.0, 12000.0)
    base_strength: float = number(100.0, "mol/m³ NaOH", 0.0, 19000.0)
    nutrients_strength: float = number(1000.0, "mol/m³ NaCl", 0.0, 6000.0)
    evaporation: float = number(0.0, "m³/s", 0.0, 1e-5)
    leak: float = number(1e-6, "m³/s", 0.0, 1e-2)
    ambient_humidity: float = number(45.0, "%", 1.0, 100.0)
    ambient_carbon_dioxide: float = number(420.0, "ppm", 0.0, 1e5)
    photosynthesis: float = number(1e-7, "mol/J O2 per light", 0.0, 1e-6)
    respiration: float = number(2e-6, "mol/(m³ s) O2", 0.0, 1e-2)
    light_heat: float = number(0.5, "share of light that warms", 0.0, 1.0)


@dataclass(frozen=True, slots=True)
class Actuators:
    """What acts on the tank. A pump that runs in reverse has a rate below 0, which no file can ask for."""

    heater: float = number(0.0, "W", 0.0, 5000.0)
    stirrer: float = number(3.0, "1/s", 0.0, 50.0)
    light: float = number(0.0, "W", 0.0, 5000.0)
    air: float = number(1e-5, "m³/s", 0.0, 0.05)
    acid: float = number(0.0, "m³/s", 0.0, 1e-3)
    base: float = number(0.0, "m³/s", 0.0, 1e-3)
    nutrients: float = number(0.0, "m³/s", 0.0, 1e-3)
    carbon_dioxide: float = number(0.0, "m³/s of gas", 0.0, 1e-3)
    circulation: float = number(1e-5, "m³/s", 0.0, 0.01)


@dataclass(frozen=True, slots=True)
class TankState:
    """The tank at one moment: K, m³, mol; gases as mole fractions of the space above the water."""

    temperature: float
    volume: float
    oxygen: float
    carbon: float
    sodium: float
    chloride: float
    gas_oxygen: float
    gas_carbon_dioxide: float
    circulated: float = 0.0  # m³ that passed the flow meter


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What probes in the tank and above it are exposed to."""

    temperature: float  # °C
    ph: float
    oxygen_share: float  # of saturation with air
    conductivity: float  # µS/cm at 25 °C
    redox: float  # mV
    gauge_pressure: float  # Pa, at the bottom
    flow: float  # m³/s
    circulated: float  # m³
    gas_temperature: float  # °C
    humidity: float  # %
    carbon_dioxide: float  # ppm
    gas_oxygen: float  # %


def linear(value: float, source: float, rate: float, duration: float) -> float:
    """Solve dv/dt = source - rate·v exactly: v·exp(-rate·t) + source·(1 - exp(-rate·t))/rate, also for rate 0."""
    exponent = rate * duration
    mean = -math.expm1(-exponent) / exponent if exponent else 1.0
    return value * math.exp(-exponent) + source * duration * mean


def stirrer_power(config: TankConfig, speed: float) -> float:
    """Shaft power in W of the impeller at `speed` 1/s."""
    return POWER_NUMBER * DENSITY * speed**3 * config.impeller**5


def oxygen_transfer(config: TankConfig, volume: float, speed: float, air: float) -> float:
    """Give kLa of O2, 1/s: that of the quiet surface and that of bubbles (van 't Riet 1979, coalescing)."""
    power = stirrer_power(config, speed) / volume
    return float(config.surface_transfer + 0.026 * power**0.4 * (air / config.cross_section) ** 0.5)


def dose(config: TankConfig, state: TankState, actuators: Actuators, duration: float) -> TankState:
    """Volume and ions: acid (HCl), base (NaOH) and nutrients (as NaCl) come in at ambient temperature.

    Water evaporates or overflows; a pump in reverse takes the tank's own water away.
    """
    rates = (actuators.acid, actuators.base, actuators.nutrients)
    acid, base, nutrients = (max(rate, 0.0) * duration for rate in rates)
    least = config.volume / 100.0
    left = max(state.volume + sum(min(rate, 0.0) for rate in rates) * duration, least)
    inflow = acid + base + nutrients
    warmth = (state.temperature * left + (config.ambient + ZERO_CELSIUS) * inflow) / (left + inflow)
    volume = max(left + inflow - config.evaporation * duration, least)
    kept = min(1.0, config.capacity / volume)
    share = kept * left / state.volume
    salts = nutrients * config.nutrients_strength
    return replace(
        state,
        temperature=warmth,
        volume=volume * kept,
        oxygen=state.oxygen * share,
        carbon=state.carbon * share,
        sodium=state.sodium * share + (base * config.base_strength + salts) * kept,
        chloride=state.chloride * share + (acid * config.acid_strength + salts) * kept,
        circulated=state.circulated + actuators.circulation * duration,
    )


def warm(config: TankConfig, state: TankState, actuators: Actuators, duration: float) -> TankState:
    """Heat: heater, stirrer and light in, loss to ambient out."""
    capacity = DENSITY * HEAT_CAPACITY * state.volume
    power = actuators.heater + stirrer_power(config, actuators.stirrer) + config.light_heat * actuators.light
    ambient = config.ambient + ZERO_CELSIUS
    excess = linear(state.temperature - ambient, power / capacity, config.heat_loss / capacity, duration)
    return replace(state, temperature=ambient + excess)


def enrich(config: TankConfig, state: TankState, actuators: Actuators, duration: float) -> TankState:
    """CO2 from a bottle, measured as gas at ambient temperature: all of it dissolves, as in a good diffuser."""
    ambient = config.ambient + ZERO_CELSIUS
    moles = config.pressure * actuators.carbon_dioxide * duration / (GAS_CONSTANT * ambient)
    return replace(state, carbon=state.carbon + moles)


def breathe(config: TankConfig, state: TankState, actuators: Actuators, duration: float) -> TankState:
    """Life: light turns CO2 into O2, respiration the reverse, one mole for one."""
    free = free_share(state) * state.carbon / state.volume
    oxygen = state.oxygen / state.volume
    made = config.photosynthesis * actuators.light * free / (free + CARBON_HALF)
    used = config.respiration * state.volume * oxygen / (oxygen + OXYGEN_HALF)
    moles = min(max((made - used) * duration, -state.oxygen), state.carbon)
    return replace(state, oxygen=state.oxygen + moles, carbon=state.carbon - moles)


def exchange(config: TankConfig, state: TankState, actuators: Actuators, duration: float) -> TankState:
    """Gas: O2 and CO2 between water and the gas above, which fresh air flushes; what leaves one enters the other."""
    transfer = oxygen_transfer(config, state.volume, actuators.stirrer, actuators.air)
    oxygen_target = saturation(config, state) * state.gas_oxygen / AIR_OXYGEN
    carbon_rate = CARBON_TRANSFER * transfer
    solubility = chemistry.carbon_dioxide_solubility(state.temperature)
    carbon_target = solubility * config.pressure * state.gas_carbon_dioxide
    gas = config.pressure * config.gas_volume / (GAS_CONSTANT * state.temperature)  # mol above the water

    oxygen = linear(state.oxygen, transfer * oxygen_target * state.volume, transfer, duration)
    oxygen = min(oxygen, state.oxygen + gas * state.gas_oxygen)
    carbon = linear(state.carbon, carbon_rate * carbon_target * state.volume, carbon_rate * free_share(state), duration)
    carbon = min(carbon, state.carbon + gas * state.gas_carbon_dioxide)
    flush = (actuators.air + config.leak) / config.gas_volume
    fresh = config.ambient_carbon_dioxide * 1e-6
    return replace(
        state,
        oxygen=oxygen,
        carbon=carbon,
        gas_oxygen=linear(state.gas_oxygen + (state.oxygen - oxygen) / gas, flush * AIR_OXYGEN, flush, duration),
        gas_carbon_dioxide=linear(
            state.gas_carbon_dioxide + (state.carbon - carbon) / gas, flush * fresh, flush, duration
        ),
    )


def acidity(state: TankState) -> float:
    """Give the pH of the water."""
    strong_ions = (state.sodium - state.chloride) / state.volume
    return chemistry.acidity(strong_ions, state.carbon / state.volume, state.temperature)


def free_share(state: TankState) -> float:
    """Share of the inorganic carbon that is CO2(aq): what algae take and what leaves as gas."""
    hydrogen = chemistry.LITRE * 10 ** -acidity(state)
    return chemistry.carbonate(hydrogen, chemistry.equilibria(state.temperature))[0]


def salt(state: TankState) -> float:
    """Salt as mol/m³ NaCl: half of all strong ions."""
    return (state.sodium + state.chloride) / 2.0 / state.volume


def saturation(config: TankConfig, state: TankState) -> float:
    """Oxygen in equilibrium with air, mol/m³."""
    salinity = chemistry.salinity_of(chemistry.conductivity(salt(state)))
    grams = chemistry.oxygen_saturation(state.temperature - ZERO_CELSIUS, salinity, config.pressure)
    return grams / chemistry.OXYGEN_GRAMS


class Tank:
    """A tank that runs: its state, and what acts on it. One thread."""

    def __init__(self, config: TankConfig, actuators: Actuators) -> None:
        self.config = config
        self.actuators = actuators
        self.state = TankState(
            temperature=config.temperature + ZERO_CELSIUS,
            volume=config.volume,
            oxygen=config.oxygen * config.volume,
            carbon=config.carbon * config.volume,
            sodium=(config.salt + max(config.alkalinity, 0.0)) * config.volume,
            chloride=(config.salt + max(-config.alkalinity, 0.0)) * config.volume,
            gas_oxygen=AIR_OXYGEN,
            gas_carbon_dioxide=config.ambient_carbon_dioxide * 1e-6,
        )

    def advance(self, duration: float) -> None:
        """Let `duration` seconds of the vessel's time pass."""
        count = min(math.ceil(duration / STEP), STEPS)
        for _ in range(count):
            for balance in (dose, warm, enrich, breathe, exchange):
                self.state = balance(self.config, self.state, self.actuators, duration / count)

    def surroundings(self) -> Surroundings:
        """Give what the probes are exposed to now."""
        config, state = self.config, self.state
        celsius = state.temperature - ZERO_CELSIUS
        ph = acidity(state)
        share = state.oxygen / state.volume / saturation(config, state)
        return Surroundings(
            temperature=celsius,
            ph=ph,
            oxygen_share=share,
            conductivity=chemistry.conductivity(salt(state)),
            redox=redox(ph, share),
            gauge_pressure=DENSITY * GRAVITY * state.volume / config.cross_section,
            flow=self.actuators.circulation,
            circulated=state.circulated,
            gas_temperature=(celsius + config.ambient) / 2.0,
            humidity=humidity(config, self.actuators, celsius),
            carbon_dioxide=state.gas_carbon_dioxide * 1e6,
            gas_oxygen=state.gas_oxygen * 100.0,
        )


def redox(ph: float, oxygen_share: float) -> float:
    """Redox potential in mV against Ag/AgCl as an electrode in living water shows it: an empirical, not a balance."""
    return 250.0 - 59.2 * (ph - 7.0) + 14.8 * math.log10(max(oxygen_share, 1e-3))


def humidity(config: TankConfig, actuators: Actuators, celsius: float) -> float:
    """Relative humidity in % above the water: moist as its surface, thinned by fresh air; follows without delay."""
    gas_temperature = (celsius + config.ambient) / 2.0
    surface = 1e-3 * config.cross_section  # m³/s of saturated air that leaves the surface
    fresh = actuators.air + config.leak
    vapour = surface * chemistry.vapour_pressure(celsius)
    vapour += fresh * chemistry.vapour_pressure(config.ambient) * config.ambient_humidity / 100.0
    return min(100.0 * vapour / (surface + fresh) / chemistry.vapour_pressure(gas_temperature), 100.0)
