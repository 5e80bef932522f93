import pytest

from actors.ticker import SECOND
from actors.timebase import EARLIEST_US, Timebase, disciplined
from storage.spool import Anchor
from tests.actors.conftest import Kernel

NOW = 100 * SECOND
WALL = EARLIEST_US + 10**12


@pytest.fixture
def timebase(kernel: Kernel) -> Timebase:
    return Timebase("boot", kernel)


def test_an_undisciplined_clock_is_not_believed(kernel: Kernel, timebase: Timebase) -> None:
    kernel.disciplined = False
    assert timebase.kernel(NOW, WALL) is None
    assert timebase.anchor is None
    assert timebase.offset(NOW, WALL) is None


def test_a_disciplined_clock_is(timebase: Timebase) -> None:
    assert timebase.kernel(NOW, WALL) == Anchor("boot", NOW, WALL)
    assert timebase.offset(NOW, WALL) == 0


def test_the_servers_time_serves_where_there_is_no_ntp_and_shows_how_wrong_the_clock_is(
    kernel: Kernel, timebase: Timebase
) -> None:
    kernel.disciplined = False
    timebase.kernel(NOW, 12_000_000)
    assert timebase.server(NOW - SECOND, NOW - SECOND, WALL) == Anchor("boot", NOW - SECOND, WALL)
    assert timebase.offset(NOW, WALL + 1_000_000 - 3_600_000_000) == -3600


def test_ntp_outranks_the_server(kernel: Kernel, timebase: Timebase) -> None:
    timebase.kernel(NOW, WALL)
    assert timebase.server(NOW, NOW, WALL + 10**9) is None
    kernel.disciplined = False
    assert timebase.server(NOW, NOW, WALL + 10**9) == Anchor("boot", NOW, WALL + 10**9)


def test_small_drift_moves_nothing_and_large_drift_does(timebase: Timebase) -> None:
    timebase.kernel(NOW, WALL)
    later = NOW + 10 * SECOND
    assert timebase.kernel(later, WALL + 10_000_000 + 500_000) is None
    assert timebase.kernel(later, WALL + 10_000_000 - 500_001) == Anchor("boot", later, WALL + 9_499_999)


def test_an_answer_that_was_long_on_its_way_moves_nothing_that_it_does_not_contradict(
    kernel: Kernel, timebase: Timebase
) -> None:
    kernel.disciplined = False
    assert timebase.server(NOW, NOW, WALL) is not None
    asked, heard = NOW + 10 * SECOND, NOW + 13 * SECOND
    for ahead in (9_500_000, 10_000_000, 13_000_000, 13_500_000):
        assert timebase.server(asked, heard, WALL + ahead) is None
    assert timebase.server(asked, heard, WALL + 9_400_000) == Anchor("boot", heard, WALL + 9_400_000)
    timebase.server(NOW, NOW, WALL)
    assert timebase.server(asked, heard, WALL + 13_600_000) == Anchor("boot", heard, WALL + 13_600_000)


def test_a_witness_without_a_clock_is_refused(kernel: Kernel, timebase: Timebase) -> None:
    assert timebase.kernel(NOW, 1000) is None
    kernel.disciplined = False
    assert timebase.server(NOW, NOW, 1000) is None


def test_the_kernel_can_be_asked() -> None:
    assert disciplined() in {True, False}
