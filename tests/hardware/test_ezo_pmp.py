from dataclasses import dataclass

import pytest

from hardware.device import Act, check_arguments
from hardware.driver import Wiring
from hardware.drivers.ezo_pmp import EzoPmp
from hardware.errors import BadAnswer, BadConfiguration, HardwareError, NoAnswer, Refused
from hardware.safe import I2cWrite, UartWrite
from tests.hardware.fakes import Answer, Bench, ScriptedCircuit

ACTS = {act.name: act for act in EzoPmp.descriptor.acts}
WIRES = pytest.mark.parametrize("wire", ["i2c", "uart"])


@dataclass
class SimulatedPump(ScriptedCircuit):
    """A pump as its data sheet has it; what it moves, a test moves. `*DONE` stands instead of a response code."""

    uart: bool = False
    kind: str = "PMP"
    outputs: str = "V"
    dosed: float = 0.0
    asked: str = "0.00"
    running: bool = False
    inverted: bool = False
    rate: float = 58.5

    def hear(self, command: bytes) -> Answer:
        text = command.decode("ascii").upper()
        if text in self.answers:
            return super().hear(command)
        self.heard.append(text)
        if (told := self._told().get(text)) is not None:
            return told
        head, _, rest = text.partition(",")
        match head, rest:
            case "O", _:
                self.outputs += f",{rest.removesuffix(',1')}"
            case "INVERT", "":
                self.inverted = not self.inverted
            case "X", "":
                self.running = False
                done = f"*DONE,{self.dosed:.2f}"
                return f"{done}\r".encode() if self.uart else done
            case (("D" | "DC"), _):
                self.running, self.asked = True, rest.split(",")[0]
            case _ if head not in {"", "C", "*OK", "CAL", "CLEAR", "FIND"}:
                return "*ER"
        return ""

    def _told(self) -> dict[str, str]:
        return {
            "I": f"?I,{self.kind},1.06",
            "O,?": f"?,O,{self.outputs}",
            "R": ",".join(f"{self.dosed:.2f}" for _ in self.outputs.split(",")),
            "D,?": f"?D,{self.asked},{self.running:d}",
            "DC,?": f"?MAXRATE,{self.rate}",
            "INVERT,?": f"?Invert,{self.inverted:d}",
        }


def make(bench: Bench, wire: str, **options: object) -> tuple[EzoPmp, SimulatedPump]:
    circuit = SimulatedPump(uart=wire == "uart")
    return bench.wire(EzoPmp, wire, circuit, **options), circuit


@pytest.fixture(params=["i2c", "uart"])
def pair(request: pytest.FixtureRequest, bench: Bench) -> tuple[EzoPmp, SimulatedPump]:
    driver, circuit = make(bench, request.param)
    driver.open()
    circuit.heard.clear()
    return driver, circuit


@WIRES
def test_opens_by_asking_for_every_total(bench: Bench, wire: str) -> None:
    driver, circuit = make(bench, wire)
    driver.open()
    assert set(circuit.outputs.split(",")) == {"V", "TV", "ATV"}
    circuit.heard.clear()
    driver.open()
    assert [text for text in circuit.heard if text.startswith("O,")] == ["O,?"]  # its memory wears


@WIRES
def test_another_circuit_is_no_pump(bench: Bench, wire: str) -> None:
    driver, circuit = make(bench, wire)
    circuit.kind = "pH"
    with pytest.raises(BadAnswer, match=r"ezo-pmp at .* is a 'PH' circuit, not PMP"):
        driver.open()


def test_a_dose_goes_on_when_it_is_opened_again(pair: tuple[EzoPmp, SimulatedPump]) -> None:
    driver, circuit = pair
    driver.act("dose", {"volume": 10.0})
    driver.open()
    assert circuit.running


def test_reads_back_what_the_circuit_says(pair: tuple[EzoPmp, SimulatedPump]) -> None:
    driver, circuit = pair
    circuit.answers["R"] = "3.50,-1.25,434.50"
    circuit.running = circuit.inverted = True
    assert driver.read_back() == {
        "inverted": True,
        "running": True,
        "dispensed": 3.5,
        "net_total": -1.25,
        "total": 434.5,
    }


def test_all_that_it_reads_back_is_described(pair: tuple[EzoPmp, SimulatedPump]) -> None:
    driver, _ = pair
    reported = {each.name for each in driver.descriptor.reported}
    assert set(driver.read_back()) == reported | {each.name for each in driver.settings}


@pytest.mark.parametrize(
    ("command", "answer"),
    [("R", "3.50"), ("R", "1,2,3,4"), ("R", "1,x,3"), ("D,?", "?D,1.00"), ("Invert,?", "?Invert,")],
)
def test_half_an_answer_is_none(pair: tuple[EzoPmp, SimulatedPump], command: str, answer: str) -> None:
    driver, circuit = pair
    circuit.answers[command.upper()] = answer
    with pytest.raises(BadAnswer):
        driver.read_back()


def test_runs_without_end_by_somebody_elses_hand(pair: tuple[EzoPmp, SimulatedPump]) -> None:
    driver, circuit = pair
    circuit.answers["D,?"] = "?D,*,1"
    assert driver.read_back()["running"] is True


@pytest.mark.parametrize("wanted", [True, False])
def test_turns_round_only_when_it_has_to(pair: tuple[EzoPmp, SimulatedPump], wanted: bool) -> None:
    driver, circuit = pair
    driver.apply({"inverted": wanted})
    driver.apply({"inverted": wanted})
    assert circuit.inverted is wanted
    assert circuit.heard.count("INVERT") == wanted


def test_an_answer_that_was_lost_turns_it_once(pair: tuple[EzoPmp, SimulatedPump]) -> None:
    driver, circuit = pair
    turn = circuit.hear

    def lost(command: bytes) -> Answer:
        answer = turn(command)
        return None if command == b"Invert" else answer

    circuit.hear = lost  # type: ignore[method-assign]
    with pytest.raises(NoAnswer):
        driver.apply({"inverted": True})
    driver.apply({"inverted": True})
    assert circuit.inverted is True


@pytest.mark.parametrize(
    ("name", "arguments", "command"),
    [
        ("dose", {"volume": 0.5}, "D,0.5"),
        ("dose", {"volume": 1234.567}, "D,1234.567"),
        ("dose_over_time", {"duration": 60.0, "volume": 15.0}, "D,15,60"),
        ("dose_rate", {"rate": 2.25, "duration": 1440.0}, "DC,2.25,1440"),
        ("clear_calibration", {}, "CAL,CLEAR"),
        ("clear_totals", {}, "CLEAR"),
        ("find", {}, "FIND"),
    ],
)
def test_an_act_is_one_command(
    pair: tuple[EzoPmp, SimulatedPump], name: str, arguments: dict[str, float], command: str
) -> None:
    driver, circuit = pair
    assert check_arguments(ACTS[name], arguments) == ()
    assert driver.act(name, arguments) == {}
    assert circuit.heard == [command]


@pytest.mark.parametrize("name", ACTS)
def test_every_act_that_it_names_it_does(pair: tuple[EzoPmp, SimulatedPump], name: str) -> None:
    driver, _ = pair
    assert not ACTS[name].timed
    driver.act(name, {each.name: each.high for each in ACTS[name].arguments})


def test_what_it_does_not_name_it_does_not_do(pair: tuple[EzoPmp, SimulatedPump]) -> None:
    driver, circuit = pair
    with pytest.raises(NotImplementedError, match="factory"):
        driver.act("factory", {})
    assert circuit.heard == []


def test_calibrating_tells_how_fast_it_can_now(pair: tuple[EzoPmp, SimulatedPump]) -> None:
    driver, circuit = pair
    circuit.rate = 45.36
    assert driver.act("calibrate", {"volume": 8.3}) == {"highest_rate": 45.36}
    assert circuit.heard[0] == "CAL,8.3"


@pytest.mark.parametrize("answer", ["?MAXRATE,", "?MAXRATE,fast", "?DC,58.5"])
def test_an_odd_highest_rate_is_no_answer(pair: tuple[EzoPmp, SimulatedPump], answer: str) -> None:
    driver, circuit = pair
    circuit.answers["DC,?"] = answer
    with pytest.raises(BadAnswer):
        driver.act("calibrate", {"volume": 8.3})


def test_a_stop_says_what_was_dosed(pair: tuple[EzoPmp, SimulatedPump]) -> None:
    driver, circuit = pair
    driver.act("dose", {"volume": 10.0})
    circuit.dosed = 4.25
    assert driver.act("stop", {}) == {"dispensed": 4.25}
    assert not circuit.running


@WIRES
def test_a_stop_may_say_nothing(bench: Bench, wire: str) -> None:
    driver, circuit = make(bench, wire)
    circuit.answers["X"] = ""  # an accepted command, and no more
    assert driver.act("stop", {}) == {}


def test_safe_is_stopped_and_the_direction_stays(pair: tuple[EzoPmp, SimulatedPump]) -> None:
    driver, circuit = pair
    driver.apply({"inverted": True})
    driver.act("dose", {"volume": 10.0})
    driver.make_safe()
    assert (circuit.running, circuit.inverted) == (False, True)


def test_a_stop_waits_for_no_reading(bench: Bench) -> None:
    """Over UART readings and an older dose's end come between; they do not answer the next question."""
    driver, circuit = make(bench, "uart")
    driver.open()
    circuit.answers["X"] = b"1.00,2.00,3.00\r*DONE,5.50\r"
    assert driver.act("stop", {}) == {"dispensed": 5.5}
    circuit.answers["R"] = b"*DONE,5.50\r5.50,5.50,5.50\r*OK\r"
    assert driver.read_back()["dispensed"] == 5.5


def test_a_dose_that_is_refused_says_why(bench: Bench) -> None:
    driver, circuit = make(bench, "uart")
    driver.open()
    circuit.answers["D,0.5"] = b"*MINVOL\r*ER\r"
    with pytest.raises(Refused, match=r"does not accept D,0\.5, only '\*MINVOL'"):
        driver.act("dose", {"volume": 0.5})


@WIRES
def test_a_dose_without_an_answer_is_not_refused(bench: Bench, wire: str) -> None:
    """Nobody knows then whether it has begun."""
    driver, circuit = make(bench, wire)
    driver.open()
    circuit.answers["D,5"] = None
    with pytest.raises(HardwareError) as caught:
        driver.act("dose", {"volume": 5.0})
    assert not isinstance(caught.value, Refused)


def test_safe_writes_stop_it(bench: Bench) -> None:
    assert make(bench, "i2c")[0].safe_writes() == (I2cWrite("/bus", 99, b"X"),)
    assert make(bench, "uart")[0].safe_writes() == (UartWrite("/port", 9600, b"\rX\r"),)
    fast = EzoPmp(Wiring("/other", bench.buses, bench.clock, {"baud": 38400}))
    assert fast.safe_writes() == (UartWrite("/other", 38400, b"\rX\r"),)


@pytest.mark.parametrize("volume", [0.0, 0.49, -5.0, 10_001.0])
def test_no_dose_is_too_small_or_backwards(volume: float) -> None:
    assert len(check_arguments(ACTS["dose"], {"volume": volume})) == 1


def test_only_doses_count_against_limits() -> None:
    def millilitres(act: Act) -> float:
        return act.millilitres({each.name: 2.0 for each in act.arguments})

    assert {name: millilitres(act) for name, act in ACTS.items() if millilitres(act)} == {
        "dose": 2.0,
        "dose_over_time": 2.0,
        "dose_rate": 4.0,
    }


@pytest.mark.parametrize(("address", "options"), [("host", {}), ("/dev/i2c-1:0x67", {"colour": 1}), ("x", {})])
def test_bad_wiring_is_told(bench: Bench, address: str, options: dict[str, object]) -> None:
    with pytest.raises(BadConfiguration, match=r"ezo-pmp takes|ezo-pmp has no option 'colour'|is not a bus"):
        EzoPmp(Wiring(address, bench.buses, bench.clock, options))
