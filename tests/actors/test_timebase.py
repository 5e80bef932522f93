from actors.ticker import SECOND
from actors.timebase import EARLIEST_US, Base, Timebase, synchronised

NOW = 100 * SECOND
WALL = EARLIEST_US + 10**12


def test_an_undisciplined_clock_is_not_believed() -> None:
    timebase = Timebase()
    assert timebase.kernel(NOW, WALL, synchronised=False) is None
    assert timebase.base is None
    assert timebase.offset(NOW, WALL) is None


def test_a_disciplined_clock_is() -> None:
    timebase = Timebase()
    assert timebase.kernel(NOW, WALL, synchronised=True) == Base(NOW, WALL)
    assert timebase.base is not None
    assert timebase.base.date(NOW - 1_500_000) == WALL - 1500
    assert timebase.offset(NOW, WALL) == 0


def test_the_servers_time_serves_where_there_is_no_ntp_and_shows_how_wrong_the_clock_is() -> None:
    timebase = Timebase()
    timebase.kernel(NOW, 12_000_000, synchronised=False)
    assert timebase.server(NOW - SECOND, WALL) == Base(NOW - SECOND, WALL)
    assert timebase.offset(NOW, WALL + 1_000_000 - 3_600_000_000) == -3600


def test_ntp_outranks_the_server() -> None:
    timebase = Timebase()
    timebase.kernel(NOW, WALL, synchronised=True)
    assert timebase.server(NOW, WALL + 10**9) is None
    timebase.kernel(NOW, WALL, synchronised=False)
    assert timebase.server(NOW, WALL + 10**9) == Base(NOW, WALL + 10**9)


def test_small_drift_moves_nothing_and_large_drift_does() -> None:
    timebase = Timebase()
    timebase.kernel(NOW, WALL, synchronised=True)
    later = NOW + 10 * SECOND
    assert timebase.kernel(later, WALL + 10_000_000 + 500_000, synchronised=True) is None
    assert timebase.kernel(later, WALL + 10_000_000 - 500_001, synchronised=True) == Base(later, WALL + 9_499_999)


def test_a_witness_without_a_clock_is_refused() -> None:
    timebase = Timebase()
    assert timebase.server(NOW, 1000) is None
    assert timebase.kernel(NOW, 1000, synchronised=True) is None


def test_the_kernel_can_be_asked() -> None:
    assert synchronised() in {True, False}
