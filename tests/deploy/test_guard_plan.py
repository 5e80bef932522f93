"""What a guard is told, from the program that reads to the one that guards."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.guard_plan import Plan, stamp
from hardware.safe import FileWrite, I2cWrite, LineWrite, SafeWrite, UartWrite

WRITES: st.SearchStrategy[SafeWrite] = st.one_of(
    st.builds(FileWrite), st.builds(I2cWrite), st.builds(LineWrite), st.builds(UartWrite)
)


def plan(outputs: dict[str, tuple[SafeWrite, ...]]) -> Plan:
    return Plan(
        name="tank",
        outputs=outputs,
        child=["python", "reactor"],
        variables={"REACTORIUM_PARENT": "7"},
        again=["python", "guard"],
        file="/etc/reactorium/tank.toml",
        stamp=[1, 2, 3],
        pace=1.0,
        log_level="info",
        log_format="text",
        lock=5,
        patience=15.0,
        folder="/var/lib/guard",
        safe_mode="/var/lib/safe-mode",
        failures=5,
        watchdog="/dev/watchdog",
    )


@given(st.dictionaries(st.text(), st.lists(WRITES).map(tuple)))
def test_every_write_arrives_as_it_was(outputs: dict[str, tuple[SafeWrite, ...]]) -> None:
    assert Plan.receive(plan(outputs).hand_over()) == plan(outputs)


def test_a_plan_outlives_an_exec() -> None:
    descriptor = plan({}).hand_over()
    assert os.get_inheritable(descriptor)
    os.close(descriptor)


def test_receiving_closes_the_file() -> None:
    descriptor = plan({}).hand_over()
    Plan.receive(descriptor)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


def test_a_file_that_was_written_anew_has_another_stamp(tmp_path: Path) -> None:
    file = tmp_path / "tank.toml"
    stamps = [stamp(str(file))]
    for step in ("a", "b", "longer"):
        file.write_text(step, encoding="utf-8")
        os.utime(file, ns=(0, len(stamps)))
        stamps.append(stamp(str(file)))
    (tmp_path / "new").write_text("longer", encoding="utf-8")
    os.utime(tmp_path / "new", ns=(0, 3))
    (tmp_path / "new").replace(file)
    stamps.append(stamp(str(file)))
    assert len({tuple(one) for one in stamps}) == len(stamps)
    assert stamps[0] == []
    assert stamp(str(file)) == stamps[-1]
