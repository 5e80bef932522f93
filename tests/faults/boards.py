"""Reactors and their vessels for a harness: as many as one likes, wired in three ways in turn.

Each has three probes and four devices, so that every kind of bus and of output is on some board, and a pump that doses.
"""

from dataclasses import dataclass
from pathlib import Path

DOSING = "acid"  # the circuit of every vessel that doses by itself

CHIP = """
[[devices]]
name = "heater"
driver = "pca9685"
address = "vessels/{name}/i2c.sock:0x40:1"
settings = {{ on = true, duty = 20 }}

[[devices]]
name = "stirrer"
driver = "pca9685"
address = "vessels/{name}/i2c.sock:0x40:0"
settings = {{ on = true, duty = 40 }}

[[devices]]
name = "air"
driver = "switch"
address = "vessels/{name}/gpio.sock:17"
options = {{ active_low = true }}
settings = {{ on = true }}
"""
CHIP_VESSEL = """
[outputs.heater]
wire = "pca9685"
channel = 1
drives = "heater"
full = 10

[outputs.stirrer]
wire = "pca9685"
channel = 0
drives = "stirrer"
full = 10

[outputs.air]
wire = "gpio"
line = 17
active_low = true
drives = "air"
full = 3e-5
"""
PWM = """
[[devices]]
name = "heater"
driver = "pwm"
address = "vessels/{name}/pwmchip0:0"
settings = {{ on = true, duty = 20 }}

[[devices]]
name = "light"
driver = "pwm"
address = "vessels/{name}/pwmchip0:1"
options = {{ active_low = true }}
settings = {{ on = true, duty = 50 }}
lease = 20

[[devices]]
name = "air"
driver = "switch"
address = "vessels/{name}/gpio.sock:5"
settings = {{ on = true }}
"""
PWM_VESSEL = """
[outputs.heater]
wire = "pwm"
channel = 0
drives = "heater"
full = 10

[outputs.light]
wire = "pwm"
channel = 1
active_low = true
drives = "light"
full = 12

[outputs.air]
wire = "gpio"
line = 5
drives = "air"
full = 2e-5
"""
I2C_PUMP = '\n[[devices]]\nname = "acid"\ndriver = "ezo-pmp"\naddress = "vessels/{name}/i2c.sock:0x67"\n'
UART_PUMP = '\n[[devices]]\nname = "acid"\ndriver = "ezo-pmp"\naddress = "vessels/{name}/uart-acid"\n'
SENSOR = '\n[[sensors]]\nname = "{kind}"\ndriver = "ezo-{kind}"\naddress = "vessels/{name}/{place}"\n'
CIRCUIT = '\n[circuits.{kind}]\nkind = "{kind}"\nwire = "{wire}"\n'
PLACES = {"rtd": "i2c.sock:0x66", "ph": "i2c.sock:0x63", "do": "i2c.sock:0x61", "orp": "i2c.sock:0x62"}
PLACES |= {"ec": "i2c.sock:0x64", "hum": "i2c.sock:0x6f"}


@dataclass(frozen=True, slots=True)
class Wiring:
    """One way to wire a board: which probes on I2C and on serial ports, its outputs, its pump's wire."""

    i2c: tuple[str, ...]
    uart: tuple[str, ...]
    outputs: tuple[str, str]  # of the reactor's file, of the vessel's
    pump: str


WIRINGS = (
    Wiring(("rtd", "ph", "do"), (), (CHIP, CHIP_VESSEL), "i2c"),
    Wiring(("hum",), ("rtd", "ph"), (PWM, PWM_VESSEL), "uart"),
    Wiring(("ec", "rtd"), ("orp",), (CHIP, CHIP_VESSEL), "uart"),
)


@dataclass(frozen=True, slots=True)
class Board:
    """One reactor and its vessel: their files, its vessel's circuits, the devices with a level and those without."""

    name: str
    reactor: Path
    vessel: Path
    circuits: tuple[str, ...]
    modulated: tuple[str, ...]
    switched: tuple[str, ...] = ("air",)

    @property
    def outputs(self) -> tuple[str, ...]:
        return (*self.modulated, *self.switched)


def make(folder: Path, count: int) -> list[Board]:
    """Write the files of so many."""
    folder.mkdir()
    return [_make(folder, f"tank-{number + 1}", WIRINGS[number % len(WIRINGS)], number) for number in range(count)]


def _make(folder: Path, name: str, wiring: Wiring, number: int) -> Board:
    sensors = [SENSOR.format(kind=kind, name=name, place=PLACES[kind]) for kind in wiring.i2c]
    sensors += [SENSOR.format(kind=kind, name=name, place=f"uart-{kind}") for kind in wiring.uart]
    outputs, vessel_outputs = wiring.outputs
    pump = (I2C_PUMP if wiring.pump == "i2c" else UART_PUMP) + "limits = {{ dose = 20, hour = 1e5, day = 1e5 }}\n"
    devices = (outputs + pump).format(name=name)
    reactor, vessel = folder / f"{name}.reactor.toml", folder / f"{name}.toml"
    reactor.write_text(f'name = "{name}"\n' + "".join(sensors) + devices, encoding="utf-8")
    circuits = [CIRCUIT.format(kind=kind, wire="i2c") for kind in wiring.i2c]
    circuits += [CIRCUIT.format(kind=kind, wire="uart") for kind in wiring.uart]
    circuits.append(f'\n[circuits.{DOSING}]\nkind = "pmp"\nwire = "{wiring.pump}"\ndrives = "acid"\n')
    vessel.write_text(
        f"seed = {number + 1}\njournal_limit = 1e9\n{vessel_outputs}{''.join(circuits)}", encoding="utf-8"
    )
    modulated = ("heater", "light") if outputs is PWM else ("heater", "stirrer")
    return Board(name, reactor, vessel, (*wiring.i2c, *wiring.uart, DOSING), modulated)
