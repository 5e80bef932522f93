"""Water's chemistry as plain functions: constants with their sources, solubilities, pH from the balance of charges.

Kelvin, mol/m³, Pa unless said otherwise. Activities are taken as concentrations (good below about 0.1 mol/L).
"""

import math
from dataclasses import dataclass

ZERO_CELSIUS = 273.15  # K
GAS_CONSTANT = 8.314462618  # J/(mol K)
FARADAY = 96485.33212  # C/mol
ATMOSPHERE = 101325.0  # Pa
AIR_OXYGEN = 0.20946  # mole fraction of dry air
OXYGEN_GRAMS = 31.998  # g/mol
SALT_GRAMS = 58.44  # g/mol, NaCl
LITRE = 1000.0  # a mol/L in mol/m³
PH_LOW, PH_HIGH = -2.0, 16.0
PH_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True)
class Equilibria:
    """Dissociation constants at one temperature, as mol/m³."""

    k1: float  # CO2 + H2O = H+ + HCO3-
    k2: float  # HCO3- = H+ + CO3--
    kw: float  # H2O = H+ + OH-, (mol/m³)²


def equilibria(temperature: float) -> Equilibria:
    """Constants of carbonic acid (Harned and Davis 1943, Harned and Scholes 1941) and water (Harned and Hamer 1933)."""
    pk1 = 3404.71 / temperature + 0.032786 * temperature - 14.8435
    pk2 = 2902.39 / temperature + 0.02379 * temperature - 6.4980
    pkw = 4470.99 / temperature + 0.01706 * temperature - 6.0875
    return Equilibria(LITRE * 10**-pk1, LITRE * 10**-pk2, LITRE**2 * 10**-pkw)


def carbonate(hydrogen: float, constants: Equilibria) -> tuple[float, float, float]:
    """Shares of CO2(aq), HCO3- and CO3-- in the inorganic carbon at a hydrogen ion concentration."""
    first = constants.k1 / hydrogen
    second = first * constants.k2 / hydrogen
    whole = 1.0 + first + second
    return 1.0 / whole, first / whole, second / whole


def charge(hydrogen: float, strong_ions: float, carbon: float, constants: Equilibria) -> float:
    """Net charge, mol/m³: strong ion difference (Na+ less Cl-) + H+ - OH- - HCO3- - 2 CO3--; 0 in real water."""
    _, bicarbonate, carbonate_ion = carbonate(hydrogen, constants)
    return strong_ions + hydrogen - constants.kw / hydrogen - carbon * (bicarbonate + 2.0 * carbonate_ion)


def acidity(strong_ions: float, carbon: float, temperature: float) -> float:
    """Find the pH at which the charges balance, by bisection: the charge falls strictly with pH."""
    constants = equilibria(temperature)
    low, high = PH_LOW, PH_HIGH
    while high - low > PH_TOLERANCE:
        middle = (low + high) / 2.0
        if charge(LITRE * 10**-middle, strong_ions, carbon, constants) > 0.0:
            low = middle
        else:
            high = middle
    return (low + high) / 2.0


def carbon_dioxide_solubility(temperature: float) -> float:
    """CO2 in water, mol/(m³ Pa) (Harned and Davis 1943)."""
    return LITRE * 10 ** (2385.73 / temperature + 0.0152642 * temperature - 14.0184) / ATMOSPHERE


def oxygen_saturation(celsius: float, salinity: float, pressure: float) -> float:
    """Oxygen in equilibrium with moist air, mg/L, at °C, PSU and Pa (Benson and Krause 1984, as USGS 11.03)."""
    kelvin = celsius + ZERO_CELSIUS
    fresh = -139.34411 + 1.575701e5 / kelvin - 6.642308e7 / kelvin**2 + 1.243800e10 / kelvin**3
    fresh -= 8.621949e11 / kelvin**4
    salt = salinity * (0.017674 - 10.754 / kelvin + 2140.7 / kelvin**2)
    vapour = math.exp(11.8571 - 3840.70 / kelvin - 216961 / kelvin**2)  # atm
    theta = 0.000975 - 1.426e-5 * celsius + 6.436e-8 * celsius**2
    atmospheres = pressure / ATMOSPHERE
    share = (atmospheres - vapour) * (1.0 - theta * atmospheres) / ((1.0 - vapour) * (1.0 - theta))
    return math.exp(fresh - salt) * share


def conductivity(salt: float) -> float:
    """µS/cm at 25 °C of `salt` mol/m³ NaCl: Kohlrausch's law, fitted at 0.1 mol/L (106.74 S cm²/mol)."""
    concentration = max(salt, 0.0) / LITRE
    return (126.45 - 62.3 * math.sqrt(concentration)) * concentration * 1000.0


def salinity_of(conductivity_25: float) -> float:
    """Practical salinity, PSU, of a conductivity in µS/cm at 25 °C (PSS-78 at 25 °C; 53,087 µS/cm is 35 PSU)."""
    root = math.sqrt(max(conductivity_25, 0.0) / 53087.0)
    main = (0.0080, -0.1692, 25.3851, 14.0941, -7.0261, 2.7081)
    correction = (0.0005, -0.0056, -0.0066, -0.0375, 0.0636, -0.0144)
    factor = (25.0 - 15.0) / (1.0 + 0.0162 * (25.0 - 15.0))
    total = sum((a + factor * b) * root**power for power, (a, b) in enumerate(zip(main, correction, strict=True)))
    return max(total, 0.0)


def vapour_pressure(celsius: float) -> float:
    """Saturated water vapour, Pa (Magnus, WMO 2008)."""
    return 611.2 * math.exp(17.62 * celsius / (243.12 + celsius))


def dew_point(celsius: float, humidity: float) -> float:
    """Dew point in °C of air at °C and % relative humidity: the inverse of `vapour_pressure`."""
    logarithm = math.log(max(humidity, 0.1) / 100.0) + 17.62 * celsius / (243.12 + celsius)
    return 243.12 * logarithm / (17.62 - logarithm)
