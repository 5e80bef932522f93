"""What circuits reply, whatever the wire."""

import pytest

from hardware.vessel.circuits import KINDS
from hardware.vessel.circuits.base import Circuit
from hardware.vessel.circuits.ec import four_digits
from hardware.vessel.circuits.parts import After
from hardware.vessel.faults import Fault
from tests.hardware.vessel.conftest import Workbench

REFUSED = "*ER"


def say(circuit: Circuit, *commands: str) -> str | None:
    """Give the answer to the last of several commands."""
    text: str | None = None
    for command in commands:
        reply = circuit.execute(command, 0.0)
        text = REFUSED if reply.refused else reply.text
    return text


# A kind, commands, the answer to the last: the data sheets' own examples where they have one.
DIALOGUES = [
    ("ph", "R", "7.000"),
    ("ph", "r", "7.000"),
    ("ph", "i", "?i,pH,2.16"),
    ("ph", "Status", "?Status,P,5.038"),
    ("ph", "T,?", "?T,25"),
    ("ph", "T,19.5; T,?", "?T,19.5"),
    ("ph", "RT,19.5; T,?", "?T,19.5"),
    ("ph", "T,warm", REFUSED),
    ("ph", "T,nan", REFUSED),
    ("ph", "L,?", "?L,1"),
    ("ph", "L,0; L,?", "?L,0"),
    ("ph", "L,2", REFUSED),
    ("ph", "Name,Tank_1; Name,?", "?Name,Tank_1"),
    ("ph", "Name,x; Name,; Name,?", "?Name,"),
    ("ph", "Name,two words", REFUSED),
    ("ph", "Name,12345678901234567", REFUSED),
    ("ph", "Plock,1; Plock,?", "?Plock,1"),
    ("ph", "Cal,?", "?Cal,0"),
    ("ph", "Cal,low,4", REFUSED),
    ("ph", "Cal,mid,7; Cal,low,4; Cal,high,10; Cal,?", "?Cal,3"),
    ("ph", "Cal,mid,7; Cal,low,4; Cal,mid,7; Cal,?", "?Cal,1"),
    ("ph", "Cal,mid,7; Cal,clear; Cal,?", "?Cal,0"),
    ("ph", "Cal,mid,15", REFUSED),
    ("ph", "Slope,?", "?Slope,100.0,100.0,0.00"),
    ("ph", "pHext,1; pHext,?", "?pHext,1"),
    ("ph", "O,?", REFUSED),
    ("ph", "S,?", REFUSED),
    ("ph", "", REFUSED),
    ("ph", "R,1", REFUSED),
    ("ph", "C,0", REFUSED),  # I2C has no continuous mode
    ("ph", "*OK,?", REFUSED),
    ("orp", "R", "225.0"),
    ("orp", "i", "?i,ORP,2.13"),
    ("orp", "T,?", REFUSED),
    ("orp", "Cal,228; R", "228.0"),
    ("orp", "Cal,228; Cal,?", "?Cal,1"),
    ("orp", "ORPext,?", "?ORPext,0"),
    ("do", "R", "9.09"),
    ("do", "i", "?i,DO,2.16"),
    ("do", "T,?", "?T,20"),
    ("do", "O,?", "?,O,mg"),
    ("do", "O,%,1; R", "9.09,100.0"),
    ("do", "O,%,1; O,mg,0; O,?", "?,O,%"),
    ("do", "O,mg,0; R", "no output"),
    ("do", "S,?", "?S,0,µS"),
    ("do", "S,50000; S,?", "?S,50000,µS"),
    ("do", "S,37.5,ppt; S,?", "?S,37.5,ppt"),
    ("do", "S,2000; R", "9.09"),
    ("do", "P,?", "?,P,101.3"),
    ("do", "P,90.25; P,?", "?,P,90.25"),
    ("do", "Cal; Cal,0; Cal,?", "?Cal,2"),
    ("do", "Cal,5", REFUSED),
    ("ec", "R", "1413"),
    ("ec", "i", "?i,EC,2.16"),
    ("ec", "O,TDS,1; O,S,1; O,SG,1; R", "1413,763.0,0.71,1.001"),
    ("ec", "O,SG,1; O,TDS,1; O,?", "?,O,EC,TDS,SG"),
    ("ec", "K,?", "?K,1.0"),
    ("ec", "K,10; R", "14130"),
    ("ec", "K,0.05", REFUSED),
    ("ec", "TDS,?", "?TDS,0.54"),
    ("ec", "TDS,0.7; TDS,?", "?TDS,0.70"),
    ("ec", "Cal,0", REFUSED),
    ("ec", "Cal,dry; Cal,?", "?Cal,0"),
    ("ec", "Cal,dry; Cal,1420; Cal,?", "?Cal,1"),
    ("ec", "Cal,dry; Cal,1420; R", "1420"),
    ("ec", "Cal,low,1500; R", "1413"),
    ("ec", "Cal,low,1413; Cal,high,80000; Cal,?", "?Cal,2"),
    ("rtd", "R", "25.000"),
    ("rtd", "S,?", "?S,c"),
    ("rtd", "S,k; S,?", "?S,k"),
    ("rtd", "S,k; R", "298.150"),
    ("rtd", "S,f; R", "77.000"),
    ("rtd", "Cal,100; R", "100.000"),
    ("rtd", "Cal,100; Cal,?", "?Cal,1"),
    ("rtd", "D,6; D,?", "?D,6"),
    ("rtd", "M,?", "?M,0"),
    ("rtd", "M", REFUSED),
    ("rtd", "T,20", REFUSED),
    ("hum", "R", "48.15"),
    ("hum", "O,T,1; O,Dew,1; R", "48.15,25.0,Dew,13.3"),
    ("hum", "Tcal,26; O,HUM,0; O,T,1; R", "26.0"),
    ("hum", "Tcal,26; Tcal,?", "?Tcal,1"),
    ("hum", "Tcal,26; Tcal,clear; Tcal,?", "?Tcal,0"),
    ("hum", "Auto,en,2; Auto,50; Auto,tol,3; Auto,?", "?Auto,50,3,2"),
    ("hum", "Cal,?", REFUSED),
    ("co2", "R", "420"),
    ("co2", "O,t,1; R", "420,31.000"),
    ("co2", "Cal,4000; Cal,0; Cal,?", "?Cal,3"),
    ("co2", "Cal,2000", REFUSED),
    ("co2", "Alarm,en,1; Alarm,1200; Alarm,tol,100; Alarm,?", "?Alarm,1200,100,1"),
    ("co2", "Alarm,tol,500", REFUSED),
    ("o2", "R", "20.95"),
    ("o2", "O,PPT,1; R", "20.95,209.5"),
    ("o2", "O,PPT,1; O,?", "?,O,%,PPT"),
    ("o2", "T,30; T,?", "?T,30"),
    ("o2", "Cal,21; R", "21.00"),
    ("prs", "R", "1.000"),
    ("prs", "U,?", "?U,psi"),
    ("prs", "U,kPa; R", "6.895"),
    ("prs", "U,kpa; U,1; R", "6.895,kPa"),
    ("prs", "Dec,1; R", "1.0"),
    ("prs", "Dec,4", REFUSED),
    ("prs", "Cal,0; Cal,?", "?Cal,1"),
    ("prs", "Cal,2; R", "2.000"),
    ("prs", "Cal,2; U,kPa; R", "13.790"),
    ("prs", "Alarm,en,1; Alarm,?", "?Alarm,0,0,1"),
    ("flo", "R", "0.00"),
    ("flo", "O,FR,1; R", "0.00,0.60"),
    ("flo", "O,FR,1; Frp,h; R", "0.00,36.00"),
    ("flo", "Frp,?", "?Frp,m"),
    ("flo", "Set,1/4; Set,?", "?Set,1/4"),
    ("flo", "K,1,450; K,2,900; K,?", "?K,2"),
    ("flo", "K,1,450; K,all", "1,450"),
    ("flo", "K,1,450; K,clear; K,?", "?K,0"),
    ("flo", "P,-10; P,?", "?P,-10"),
    ("flo", "Vp,s; Vp,?", "?Vp,s"),
]


@pytest.mark.parametrize(("kind", "commands", "answer"), DIALOGUES)
def test_dialogue(workbench: Workbench, kind: str, commands: str, answer: str) -> None:
    assert say(workbench.circuit(kind), *commands.split("; ")) == answer


@pytest.mark.parametrize(
    ("kind", "commands", "answer"),
    [
        ("do", "i", "?I,DO,2.16"),
        ("do", "O,%,1; O,?", "?O,MG,%"),
        ("do", "P,?", "?P,101.3"),
        ("do", "S,?", "?S,0,µS"),
        ("ph", "Cal,?", "?CAL,0"),
        ("ph", "Slope,?", "?SLOPE,100.0,100.0,0.00"),
        ("ph", "Status", "?STATUS,P,5.038"),
        ("ph", "Name,Tank; Name,?", "?NAME,Tank"),
        ("ph", "R", "7.000"),
    ],
)
def test_dialogue_in_the_capitals_of_real_firmware(workbench: Workbench, kind: str, commands: str, answer: str) -> None:
    assert say(workbench.circuit(kind, capitals=True), *commands.split("; ")) == answer


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_the_common_commands(workbench: Workbench, kind: str) -> None:
    circuit = workbench.circuit(kind)
    assert say(circuit, "i") == f"?i,{circuit.data.device},{circuit.data.firmware}"
    for command in ("Status", "L,?", "Name,?", "Plock,?", "Find", "R"):
        assert say(circuit, command) != REFUSED


@pytest.mark.parametrize(
    ("kind", "command", "delay"),
    [
        ("ph", "R", 0.9),
        ("ph", "RT,20", 0.9),
        ("ph", "Cal,mid,7", 0.9),
        ("ph", "i", 0.3),
        ("do", "R", 0.6),
        ("do", "RT,20", 0.9),
        ("do", "Cal", 1.3),
        ("ec", "R", 0.6),
        ("rtd", "R", 0.6),
        ("hum", "R", 0.3),
        ("flo", "R", 0.3),
        ("co2", "R", 0.9),
        ("o2", "R", 0.9),
        ("prs", "R", 0.9),
        ("orp", "R", 0.9),
    ],
)
def test_delay_is_the_data_sheets(workbench: Workbench, kind: str, command: str, delay: float) -> None:
    assert workbench.circuit(kind).execute(command, 0.0).delay == delay


@pytest.mark.parametrize(
    ("conductivity", "shown"),
    [(0.0, "0.00"), (99.994, "99.99"), (99.996, "100.0"), (1413.4, "1413"), (46144.0, "46140"), (123456.0, "123500")],
)
def test_conductivity_has_four_digits(conductivity: float, shown: str) -> None:
    assert four_digits(conductivity) == shown


@pytest.mark.parametrize(("ph", "extended", "shown"), [(14.5, 0, "14.000"), (14.5, 1, "14.500"), (-1.0, 0, "0.001")])
def test_range_of_ph(workbench: Workbench, ph: float, extended: int, shown: str) -> None:
    workbench.see(ph=ph)
    assert say(workbench.circuit("ph"), f"pHext,{extended}", "R") == shown


def test_ph_reads_right_once_it_knows_the_temperature(workbench: Workbench) -> None:
    workbench.see(ph=4.0, temperature=10.0)
    circuit = workbench.circuit("ph")
    assert say(circuit, "R") == "4.151"
    assert say(circuit, "T,10", "R") == "4.000"


def test_conductivity_is_brought_to_25_degrees_once_it_knows_the_temperature(workbench: Workbench) -> None:
    workbench.see(temperature=20.0)
    circuit = workbench.circuit("ec")
    assert say(circuit, "R") == "1272"
    assert say(circuit, "RT,20") == "1413"


def test_oxygen_follows_temperature_salinity_and_pressure(workbench: Workbench) -> None:
    circuit = workbench.circuit("do")
    assert say(circuit, "T,25", "R") == "8.26"
    assert say(circuit, "S,35,ppt", "R") == "6.77"
    assert say(circuit, "S,0", "T,20", "P,90", "R") == "8.05"


def test_calibration_of_ph_makes_up_for_a_worn_probe(workbench: Workbench) -> None:
    circuit = workbench.circuit("ph", gain=0.95, offset=0.5)
    for name, buffer in (("mid", 7.0), ("low", 4.0), ("high", 10.0)):
        workbench.see(ph=buffer)
        assert say(circuit, f"Cal,{name},{buffer:g}") is None
    workbench.see(ph=5.5)
    assert say(circuit, "R") == "5.500"
    workbench.see(ph=8.5)
    assert say(circuit, "R") == "8.500"
    assert say(circuit, "Slope,?") == "?Slope,95.0,95.0,-8.87"
    assert say(circuit, "Cal,clear", "R") == "8.575"


def test_calibration_of_oxygen_makes_up_for_a_worn_probe(workbench: Workbench) -> None:
    circuit = workbench.circuit("do", gain=0.8, offset=0.2)
    assert say(circuit, "Cal", "R") == "9.09"
    workbench.see(oxygen_share=0.0)
    assert say(circuit, "Cal,0", "R") == "0.00"
    workbench.see(oxygen_share=0.5)
    assert say(circuit, "R") == "4.55"


def test_two_points_of_conductivity(workbench: Workbench) -> None:
    circuit = workbench.circuit("ec", gain=1.1)
    say(circuit, "Cal,low,1413")
    workbench.see(conductivity=12880.0)
    assert say(circuit, "Cal,high,12880", "R") == "12880"


def test_drift_grows_with_the_days(workbench: Workbench) -> None:
    circuit = workbench.circuit("orp", drift=2.0)
    assert circuit.take_reading(0.0) == "225.0"
    assert circuit.take_reading(3 * 86400.0) == "231.0"


def test_noise_is_that_of_the_seed(workbench: Workbench) -> None:
    first = [workbench.circuit("ph", noise=0.01).take_reading(0.0) for _ in range(2)]
    noisy = workbench.circuit("ph", noise=0.01)
    spread = {noisy.take_reading(0.0) for _ in range(20)}
    assert first[0] == first[1]
    assert len(spread) > 5


def test_power_lost_is_compensation_lost_and_settings_kept(workbench: Workbench) -> None:
    circuit = workbench.circuit("do")
    say(circuit, "T,30", "S,35,ppt", "P,90", "Name,x", "O,%,1", "Cal")
    circuit.restart(10.0, "S")
    assert [say(circuit, query) for query in ("T,?", "S,?", "P,?")] == ["?T,20", "?S,0,µS", "?,P,101.3"]
    assert [say(circuit, query) for query in ("Name,?", "O,?", "Cal,?")] == ["?Name,x", "?,O,mg,%", "?Cal,1"]
    assert say(circuit, "Status") == "?Status,S,5.038"
    assert circuit.ready_at == pytest.approx(10.8)


def test_factory_clears_but_leaves_the_address(workbench: Workbench) -> None:
    circuit = workbench.circuit("ph")
    say(circuit, "I2C,55", "Name,x", "L,0", "Cal,mid,7")
    assert circuit.execute("Factory", 0.0).after is After.RESTART
    assert [say(circuit, query) for query in ("Name,?", "L,?", "Cal,?")] == ["?Name,", "?L,1", "?Cal,0"]
    assert circuit.kept.numbers["ADDRESS"] == 55.0


def test_what_was_kept_comes_back_except_the_address(workbench: Workbench) -> None:
    before = workbench.circuit("ph")
    say(before, "Name,x", "Cal,mid,7.1", "I2C,55")
    assert before.changed
    after = workbench.circuit("ph", kept=before.kept, address=66)
    assert say(after, "Name,?") == "?Name,x"
    assert say(after, "R") == "7.100"
    assert after.kept.numbers["ADDRESS"] == 66.0
    assert say(workbench.circuit("rtd", kept=before.kept), "Name,?") == "?Name,"


@pytest.mark.parametrize("address", ["0", "128", "x", "1.5", "-1"])
def test_addresses_that_do_not_exist(workbench: Workbench, address: str) -> None:
    assert say(workbench.circuit("ph"), f"I2C,{address}") == REFUSED


def test_a_locked_circuit_does_not_change_wires(workbench: Workbench) -> None:
    circuit = workbench.circuit("ph")
    assert circuit.execute("Baud,9600", 0.0).after is After.LEAVE
    assert say(circuit, "Plock,1", "Baud,9600") == REFUSED


def test_a_calibration_travels_to_another_circuit(workbench: Workbench) -> None:
    source, target = workbench.circuit("ph"), workbench.circuit("ph")
    say(source, "Cal,mid,7.2", "Cal,low,4")
    announced = say(source, "Export,?")
    strings = []
    while (string := say(source, "Export")) != "*DONE":
        assert string is not None
        strings.append(string)
    assert announced == f"?Export,{len(strings)},{sum(map(len, strings))}"
    assert max(map(len, strings)) == 12
    assert [say(target, f"Import,{string}") for string in strings] == [None] * (len(strings) - 1) + ["*Pending"]
    assert target.kept.points == source.kept.points
    assert say(target, "Import,nonsense") is None
    assert target.kept.points == source.kept.points


def test_logger_of_the_thermometer(workbench: Workbench) -> None:
    circuit = workbench.circuit("rtd")
    say(circuit, "D,1")
    for second in range(36):
        workbench.see(temperature=20.0 + second)
        circuit.tick(float(second))
    assert say(circuit, "M,?") == "?M,3"
    assert [say(circuit, "M") for _ in range(4)] == ["1,30.000", "2,40.000", "3,50.000", "1,30.000"]
    assert say(circuit, "M,all") == "30.000,40.000,50.000"
    assert say(circuit, "M,clear", "M,?") == "?M,0"


def test_flow_counts_from_clear_and_from_power(workbench: Workbench) -> None:
    circuit = workbench.circuit("flo")
    workbench.see(circulated=0.002)
    assert say(circuit, "R") == "2.00"
    assert say(circuit, "Clear", "R") == "0.00"
    workbench.see(circulated=0.003)
    assert say(circuit, "R") == "1.00"
    circuit.restart(0.0, "P")
    assert say(circuit, "R") == "0.00"


def test_carbon_dioxide_warms_up(workbench: Workbench) -> None:
    circuit = workbench.circuit("co2")
    circuit.restart(100.0, "P")
    assert circuit.take_reading(109.0) == "*WARM"
    assert circuit.take_reading(110.0) == "420"


@pytest.mark.parametrize(("kind", "shown"), [("rtd", "-1023.000"), ("do", "0.00"), ("ec", "0.00")])
def test_a_circuit_without_its_probe(workbench: Workbench, kind: str, shown: str) -> None:
    circuit = workbench.circuit(kind, offset=1.0)
    circuit.faults.switch_on(Fault.DISCONNECTED)
    assert circuit.take_reading(0.0) == shown


def test_a_ph_circuit_without_its_probe_wanders(workbench: Workbench) -> None:
    circuit = workbench.circuit("ph")
    circuit.faults.switch_on(Fault.DISCONNECTED)
    assert len({circuit.take_reading(0.0) for _ in range(10)}) > 5


def test_no_probe_reads_the_same_in_every_scale(workbench: Workbench) -> None:
    circuit = workbench.circuit("rtd")
    circuit.faults.switch_on(Fault.DISCONNECTED)
    assert say(circuit, "S,k", "R") == "-1023.000"


def test_stuck_repeats_and_value_dictates(workbench: Workbench) -> None:
    circuit = workbench.circuit("ph")
    circuit.take_reading(0.0)
    circuit.faults.switch_on(Fault.STUCK)
    workbench.see(ph=9.0)
    assert circuit.take_reading(0.0) == "7.000"
    circuit.faults.switch_off(Fault.STUCK)
    assert circuit.take_reading(0.0) == "9.000"
    circuit.faults.switch_on(Fault.VALUE, 3.25)
    assert circuit.take_reading(0.0) == "3.250"
    circuit.faults.switch_off()
    assert circuit.take_reading(0.0) == "9.000"
