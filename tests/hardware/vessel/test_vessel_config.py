from pathlib import Path

import pytest

from hardware.vessel.circuits import KINDS
from hardware.vessel.config import BadVesselFile, VesselConfig, load


def file(folder: Path, text: str) -> Path:
    path = folder / "pond.toml"
    path.write_text(text)
    return path


def mistakes(folder: Path, text: str) -> list[str]:
    with pytest.raises(BadVesselFile) as caught:
        load(file(folder, text))
    return [line.removeprefix(f"{folder / 'pond.toml'}: ") for line in str(caught.value).splitlines()]


def test_the_least_that_a_vessel_needs(tmp_path: Path) -> None:
    config = load(file(tmp_path, '[circuits.ph]\nkind = "ph"\n'))
    assert config.run_dir == tmp_path / "pond.run"
    (circuit,) = config.circuits
    assert (circuit.name, circuit.wire, circuit.address) == ("ph", "i2c", 99)
    assert config.running.pace == 1.0
    assert config.trace is None


def test_everything(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("when,a\n0,7\n1,8\n")
    config = load(
        file(
            tmp_path,
            """
            run_dir = "state"
            seed = 7
            pace = 60
            journal_limit = 1e5
            [tank]
            volume = 0.004
            temperature = 30
            [actuators]
            heater = 12.5
            [circuits.acid]
            kind = "ph"
            wire = "uart"
            capitals = true
            noise = 0.5
            drift = 0.1
            offset = -0.2
            gain = 0.9
            slower = 1.5
            [circuits.water]
            kind = "rtd"
            address = 0x55
            [trace]
            file = "t.csv"
            follow = "reading"
            interpolation = "step"
            time = "when"
            columns = { acid = "a" }
            """,
        )
    )
    assert isinstance(config, VesselConfig)
    assert config.run_dir == tmp_path / "state"
    assert (config.running.seed, config.running.pace, config.tank.volume) == (7.0, 60.0, 0.004)
    assert config.actuators.heater == 12.5
    acid, water = config.circuits
    assert (acid.wire, acid.capitals, acid.noise, acid.slower) == ("uart", True, 0.5, 1.5)
    assert water.address == 0x55
    assert config.trace is not None
    assert config.trace.columns["acid"].values == (7.0, 8.0)


def test_every_mistake_at_once(tmp_path: Path) -> None:
    text = """
    pace = 0
    colour = "red"
    trace = 3
    [tank]
    volume = "big"
    depth = 3
    [circuits.a]
    kind = "radar"
    [circuits.b]
    kind = "ph"
    wire = "spi"
    address = 200
    capitals = 1
    gain = true
    smell = 2
    [circuits.c]
    kind = "ph"
    [circuits.d]
    kind = "rtd"
    address = 99
    """
    found = mistakes(tmp_path, text)
    assert "vessel.pace: 0 is not a number from 0.01 to 100000 times as fast as life" in found
    assert "tank.volume: 'big' is not a number from 1e-05 to 10 m³" in found
    assert f"circuits.a.kind: 'radar' is none of {', '.join(sorted(KINDS))}" in found
    assert "circuits.d.address: 99 is taken by c" in found
    for start in (
        "vessel.colour: unknown key",
        "trace: 3 is not a table",
        "tank.depth: unknown key",
        "circuits.b.wire: 'spi'",
        "circuits.b.address: 200",
        "circuits.b.capitals: 1",
        "circuits.b.gain: True",
        "circuits.b.smell: unknown key",
    ):
        assert [line for line in found if line.startswith(start)], start
    assert len(found) == 12


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("", "circuits: a vessel needs at least one"),
        ("run_dir = 3\n[circuits.ph]\nkind = 'ph'", "run_dir: 3"),
        ("[circuits.bus]\nkind = 'ph'", "circuits.bus: a circuit's name"),
        ("[circuits.'../x']\nkind = 'ph'", "circuits.../x: a circuit's name"),
        ("[circuits]\nph = 3", "circuits.ph: 3 is not a table"),
        ("[circuits.ph]\nkind = 'ph'\n[tank]\nvolume = 0.5", "tank.volume: 0.5 m³ is more than capacity"),
        ("[circuits.ph]\nkind = 'ph'\n[trace]\nfollow = 'time'", "trace.file, trace.time"),
        ("[circuits.ph]\nkind = 'ph'\n[trace]\nfile = 't'\nfollow = 'x'", "trace.follow: 'x'"),
        ("[circuits.ph]\nkind = 'ph'\n[trace]\nfile = 't'\ninterpolation = 'x'", "trace.interpolation: 'x'"),
        ("[circuits.ph]\nkind = 'ph'\n[trace]\nfile = 't'\nspeed = 2", "trace.speed: unknown key"),
        ("[circuits.ph]\nkind = 'ph'\n[trace]\nfile = 't'\ncolumns.do = 'x'", "trace.columns.do"),
        ("[circuits.ph]\nkind = 'ph'\n[trace]\nfile = 't.csv'", "trace.file: "),
        ("[circuits", "Expected"),
    ],
)
def test_one_mistake(tmp_path: Path, text: str, mistake: str) -> None:
    assert mistakes(tmp_path, text)[0].startswith(mistake)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BadVesselFile, match="No such file"):
        load(tmp_path / "none.toml")
