"""200 reactors at 50 a manager: the real coordinator and managers under the real supervisor, links over real sockets.

One of them is a whole reactor; the links of the others live in one process (fleet.py).
"""

import sys
from collections.abc import Iterator

import pytest

from tests.system.fleets import BOARD, CAPACITY, Fleet, running_fleet, wait_until_all_are_attached
from tests.system.whole import CLOCK, Whole, wait_for

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]
ELSEWHERE = 30.0  # seconds after the death of a manager
HEARTBEATS = 2 * 5.0  # that a new coordinator listens before it starts anything


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    """One whole reactor that reads its own board, and managers for fifty each."""
    folder = tmp_path_factory.mktemp("fleet")
    (folder / "board.toml").write_text(BOARD)
    whole = Whole(folder, MANAGER_CAPACITY=CAPACITY, REACTOR_FILE=folder / "board.toml")
    try:
        whole.start()
        yield whole
        assert whole.interrupt() == 0
    finally:
        whole.close()


@pytest.fixture(scope="module")
def fleet(system: Whole) -> Iterator[Fleet]:
    """All the others, attached."""
    with running_fleet(system) as fleet:
        yield fleet


def managers(system: Whole) -> list[str]:
    return [title for title in system.titles() if "manager" in title]


def test_they_are_spread_over_four_managers(system: Whole, fleet: Fleet) -> None:
    overview = wait_until_all_are_attached(system, fleet, "a look")
    assert [len(one.reactors) for one in overview.managers] == [CAPACITY] * 4
    assert len(managers(system)) == 4


def test_a_killed_managers_reactors_are_elsewhere_in_time(system: Whole, fleet: Fleet) -> None:
    before = wait_until_all_are_attached(system, fleet, "a look")
    victim = before.managers[1]
    theirs = {place.reactor for place in victim.reactors}
    others = {name: fleet.moved_ns[name] for name in fleet.attached if name not in theirs}
    killed_ns = CLOCK.monotonic_ns()
    system.kill(f"reactorium manager {victim.name.removeprefix('host-').zfill(2)}")
    wait_for(lambda: victim.endpoint not in fleet.attached.values(), "its reactors notice")
    after = wait_until_all_are_attached(system, fleet, "the death of a manager")

    seconds = sorted((fleet.moved_ns[name] - killed_ns) / 1e9 for name in theirs if name in fleet.moved_ns)
    sys.stdout.write(
        f"attached elsewhere: first {seconds[0]:.1f} s, half {seconds[25]:.1f} s, last {seconds[-1]:.1f} s\n"
    )
    assert seconds[0] > 0
    assert seconds[-1] <= ELSEWHERE
    assert victim.endpoint not in {one.endpoint for one in after.managers}
    assert {name: fleet.moved_ns[name] for name in others} == others
    assert all(epochs == sorted(set(epochs)) for epochs in fleet.epochs.values())


def test_a_killed_coordinator_moves_nobody_and_starts_nothing(system: Whole, fleet: Fleet) -> None:
    before = wait_until_all_are_attached(system, fleet, "a look")
    running, moved = managers(system), dict(fleet.moved_ns)
    pids = {process.pid for process in system.family()}
    old = system.process("reactorium coordinator")
    system.kill("reactorium coordinator")
    system.wait_for_another("reactorium coordinator", old)
    again_ns = CLOCK.monotonic_ns()
    after = wait_until_all_are_attached(system, fleet, "the death of the coordinator")
    wait_for(lambda: CLOCK.monotonic_ns() - again_ns > (HEARTBEATS + 2) * 1e9, "it has listened")
    assert [one.endpoint for one in after.managers] == [one.endpoint for one in before.managers]
    assert managers(system) == running
    assert len({process.pid for process in system.family()} - pids) == 1
    assert fleet.moved_ns == moved
