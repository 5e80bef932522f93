"""What the person in front of `up` is told."""

import pytest

from deploy.watch import Changes, FirstSamples, Progress


def process(group: str, name: str, state: str, pid: int = 0) -> dict[str, object]:
    return {
        "group": group, "name": name, "statename": state, "pid": pid, "exitstatus": 9, "logfile": f"/logs/{name}.log",
    }  # fmt: skip


def test_each_change_is_told_once() -> None:
    changes = Changes()
    up = process("reactors", "tank", "RUNNING", 7)
    assert changes.since_last([up]) == ["reactor tank runs (process 7)"]
    assert changes.since_last([up]) == []
    assert changes.since_last([process("reactors", "tank", "EXITED")]) == ["reactor tank ended with status 9"]
    assert changes.since_last([process("reactors", "tank", "STARTING", 8)]) == []
    assert changes.since_last([process("reactors", "tank", "RUNNING", 8)]) == ["reactor tank runs (process 8)"]


def test_a_process_that_came_back_between_two_looks_is_told() -> None:
    changes = Changes()
    changes.since_last([process("manager", "manager_01", "RUNNING", 7)])
    assert changes.since_last([process("manager", "manager_01", "RUNNING", 8)]) == ["manager_01 runs (process 8)"]


def test_a_killed_process_is_told() -> None:
    killed = {**process("manager", "manager_01", "EXITED"), "exitstatus": -1}
    assert Changes().since_last([killed]) == ["manager_01 was killed"]


def test_what_does_not_start_names_its_log_once() -> None:
    changes = Changes()
    for state, told in (("BACKOFF", 1), ("STARTING", 0), ("BACKOFF", 0), ("RUNNING", 1), ("BACKOFF", 1)):
        lines = changes.since_last([process("questdb", "questdb", state)])
        assert len(lines) == told
    assert lines == ["questdb does not start: see /logs/questdb.log"]


def test_managers_that_nobody_needs_are_not_told() -> None:
    assert Changes().since_last([process("manager", "manager_05", "STOPPED")]) == []


def test_a_download_is_told_in_steps(capsys: pytest.CaptureFixture[str]) -> None:
    told = Progress("QuestDB")
    for done in range(0, 30_000_001, 10_000):
        told(done, 30_000_000)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 11
    assert lines[-1] == "downloading QuestDB: 30 of 30 MB"


def test_a_download_of_unknown_size_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    told = Progress("QuestDB")
    told(10, 0)
    told(20, 0)
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_the_first_samples_of_this_start_are_told_once() -> None:
    first = FirstSamples()
    assert first.look(None, 1) == []
    assert first.look(700, 2) == []  # of earlier starts
    assert first.look(700, 3) == []
    assert first.look(703, 4) == ["first samples are stored, 4 s after the start"]
    assert first.told
