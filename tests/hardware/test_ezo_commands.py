from collections.abc import Callable

import pytest

from hardware.errors import BadAnswer, Refused
from hardware.ezo import commands
from hardware.ezo.circuit import Circuit, Delays
from hardware.ezo.commands import Information, RestartReason, Salinity, Slope, Status
from hardware.ezo.i2c import I2cCircuit
from hardware.ezo.uart import UartCircuit
from tests.hardware.fakes import Bench, ScriptedCircuit

Command = Callable[[Circuit], object]


@pytest.fixture(params=["i2c", "uart"])
def circuit(request: pytest.FixtureRequest, bench: Bench) -> Circuit:
    delays = Delays(read=0.6, calibrate=1.3)
    bench.circuits[99] = bench.on_uart
    if request.param == "i2c":
        return I2cCircuit(bench.buses.i2c("/bus"), 99, "circuit", delays, bench.clock)
    return UartCircuit(bench.buses.uart("/port"), "circuit", delays, bench.clock)


@pytest.fixture
def script(bench: Bench) -> ScriptedCircuit:
    return bench.on_uart


QUERIES: list[tuple[str, str, Command, object]] = [
    ("i", "?i,pH,1.98", commands.information, Information("PH", "1.98")),
    ("i", "?I,DO,2.16", commands.information, Information("DO", "2.16")),
    ("i", "?i,D.O.,1.98", commands.information, Information("DO", "1.98")),
    ("Status", "?Status,P,5.038", commands.status, Status(RestartReason.POWER, 5.038)),
    ("Status", "?STATUS,B,4.91", commands.status, Status(RestartReason.BROWN_OUT, 4.91)),
    ("L,?", "?L,1", commands.led, True),
    ("L,?", "?L,0", commands.led, False),
    ("Name,?", "?Name,tank-1", commands.name, "tank-1"),
    ("Name,?", "?NAME,", commands.name, ""),
    ("Cal,?", "?Cal,3", commands.calibration_points, 3),
    ("Cal,?", "?CAL,0", commands.calibration_points, 0),
    ("Tcal,?", "?Tcal,1", lambda circuit: commands.calibration_points(circuit, "Tcal"), 1),
    ("Slope,?", "?Slope,99.7,100.3,-0.89", commands.slope, Slope(99.7, 100.3, -0.89)),
    ("Slope,?", "?SLOPE,100.0,100.0", commands.slope, Slope(100.0, 100.0, None)),
    ("T,?", "?T,19.5", commands.temperature, 19.5),
    ("S,?", "?S,37.5,ppt", commands.salinity, Salinity(37.5, "ppt")),
    ("S,?", "?S,50000,\xb5S", commands.salinity, Salinity(50000.0, "µS")),
    ("P,?", "?,P,90.25", commands.pressure, 90.25),
    ("P,?", "?P,90.25", commands.pressure, 90.25),
    ("K,?", "?K,1.0", commands.probe_constant, 1.0),
    ("O,?", "?,O,EC,TDS,S,SG", commands.outputs, {"EC", "TDS", "S", "SG"}),
    ("O,?", "?O,MG", commands.outputs, {"MG"}),
    ("O,?", "?O,MG,1,%,0", commands.outputs, {"MG"}),
    ("O,?", "?O,MG,0,%,1", commands.outputs, {"%"}),
    ("O,?", "?,O,", commands.outputs, set()),
    ("O,?", "?,O", commands.outputs, set()),
]


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query[1])
def test_queries(circuit: Circuit, script: ScriptedCircuit, query: tuple[str, str, Command, object]) -> None:
    command, reply, ask, meaning = query
    script.answers[command.upper()] = reply
    assert ask(circuit) == meaning
    assert script.heard == [command]


ORDERS: list[tuple[str, Command]] = [
    ("L,1", lambda circuit: commands.set_led(circuit, on=True)),
    ("L,0", lambda circuit: commands.set_led(circuit, on=False)),
    ("Find", commands.find),
    ("Name,tank-1", lambda circuit: commands.set_name(circuit, "tank-1")),
    ("Name,", lambda circuit: commands.set_name(circuit, "")),
    ("Cal", commands.calibrate),
    ("Cal,0", lambda circuit: commands.calibrate(circuit, 0)),
    ("Cal,225", lambda circuit: commands.calibrate(circuit, 225.0)),
    ("Cal,mid,7", lambda circuit: commands.calibrate(circuit, "mid", 7.0)),
    ("Cal,high,150000", lambda circuit: commands.calibrate(circuit, "high", 150_000.0)),
    ("Cal,low,12.345", lambda circuit: commands.calibrate(circuit, "low", 12.345)),
    ("Cal,dry", lambda circuit: commands.calibrate(circuit, "dry")),
    ("Cal,clear", commands.clear_calibration),
    ("Tcal,25.5", lambda circuit: commands.calibrate(circuit, 25.5, command="Tcal")),
    ("Tcal,clear", lambda circuit: commands.clear_calibration(circuit, "Tcal")),
    ("T,19.50", lambda circuit: commands.set_temperature(circuit, 19.5)),
    ("S,37.5,ppt", lambda circuit: commands.set_salinity(circuit, 37.5)),
    ("P,90.25", lambda circuit: commands.set_pressure(circuit, 90.25)),
    ("O,%,1", lambda circuit: commands.set_output(circuit, "%", on=True)),
    ("O,TDS,0", lambda circuit: commands.set_output(circuit, "TDS", on=False)),
    ("K,0.1", lambda circuit: commands.set_probe_constant(circuit, 0.1)),
]


@pytest.mark.parametrize(("command", "give"), ORDERS)
def test_orders(circuit: Circuit, script: ScriptedCircuit, command: str, give: Command) -> None:
    script.answers[command.upper()] = ""
    assert give(circuit) is None
    assert script.heard == [command]


@pytest.mark.parametrize(("command", "give"), ORDERS)
def test_orders_refused(circuit: Circuit, command: str, give: Command) -> None:
    with pytest.raises(Refused, match=f"circuit does not accept {command}"):
        give(circuit)


@pytest.mark.parametrize(
    ("command", "reply", "ask"),
    [
        ("i", "?i,pH", commands.information),
        ("i", "pH", commands.information),
        ("Status", "?Status,X,5.0", commands.status),
        ("Status", "?Status,P,five", commands.status),
        ("L,?", "?L,", commands.led),
        ("Cal,?", "?T,1", commands.calibration_points),
        ("Slope,?", "?Slope,99.7", commands.slope),
        ("Slope,?", "?Slope,99.7,x", commands.slope),
        ("S,?", "?S", commands.salinity),
        ("T,?", "?T,nan", commands.temperature),
    ],
)
def test_odd_answers(circuit: Circuit, script: ScriptedCircuit, command: str, reply: str, ask: Command) -> None:
    script.answers[command.upper()] = reply
    with pytest.raises(BadAnswer, match=r"circuit (answered|did not answer)"):
        ask(circuit)


@pytest.mark.parametrize("text", ["a" * 17, "two words", "a,b", "tank\rFactory", "grün"])
def test_a_name_cannot_carry_another_command(circuit: Circuit, script: ScriptedCircuit, text: str) -> None:
    with pytest.raises(Refused, match="up to 16"):
        commands.set_name(circuit, text)
    assert not script.heard


def test_ensure_writes_only_what_differs(circuit: Circuit, script: ScriptedCircuit) -> None:
    script.answers |= {
        "K,?": "?K,1.0",
        "S,?": "?S,C",
        "U,?": "?U,psi",
        "K,0.1": "",
        "U,KPA": "",
        "FRP,?": "?FRP",
        "FRP,M": "",
    }
    commands.ensure(circuit, "K", "1")
    commands.ensure(circuit, "S", "c")
    assert script.heard == ["K,?", "S,?"]
    commands.ensure(circuit, "K", "0.1")
    commands.ensure(circuit, "U", "kPa")
    commands.ensure(circuit, "Frp", "m")
    assert script.heard[2:] == ["K,?", "K,0.1", "U,?", "U,kPa", "Frp,?", "Frp,m"]


def test_each_command_has_its_delay(bench: Bench) -> None:
    circuit = I2cCircuit(bench.buses.i2c("/bus"), 99, "circuit", Delays(read=0.6, calibrate=1.3), bench.clock)
    bench.circuits[99] = ScriptedCircuit({"R": "7", "RT,20.00": "7", "CAL": "", "FIND": ""})
    commands.reading(circuit)
    commands.compensated_reading(circuit, 20.0)
    commands.calibrate(circuit)
    commands.find(circuit)
    assert bench.clock.slept == [0.6, 0.9, 1.3, 0.3]
