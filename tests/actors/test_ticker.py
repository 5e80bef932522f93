import threading

from actors.ticker import SECOND, Ticker
from hardware.clock import SystemClock
from tests.actors.conftest import FakeClock


def test_alarms_ring_once_at_their_time_and_in_its_order(clock: FakeClock, ticker: Ticker) -> None:
    rung: list[str] = []
    ticker.alarm(lambda: rung.append("late")).set(clock.now_ns + 2 * SECOND)
    ticker.alarm(lambda: rung.append("early")).set(clock.now_ns + SECOND)
    ticker.ring()
    assert rung == []
    clock.advance(1)
    ticker.ring()
    assert rung == ["early"]
    clock.advance(5)
    ticker.ring()
    ticker.ring()
    assert rung == ["early", "late"]


def test_setting_again_replaces_and_cancel_forgets(clock: FakeClock, ticker: Ticker) -> None:
    rung: list[int] = []
    alarm = ticker.alarm(lambda: rung.append(clock.now_ns))
    first = clock.now_ns
    alarm.set(first + SECOND)
    alarm.set(first + 3 * SECOND)
    alarm.set(first + 3 * SECOND)
    clock.advance(2)
    ticker.ring()
    assert rung == []
    clock.advance(1)
    ticker.ring()
    assert rung == [first + 3 * SECOND]
    alarm.set(clock.now_ns + SECOND)
    alarm.cancel()
    clock.advance(2)
    ticker.ring()
    assert len(rung) == 1


def test_an_owner_may_set_its_alarm_while_it_rings(clock: FakeClock, ticker: Ticker) -> None:
    rung: list[int] = []

    def ring() -> None:
        rung.append(clock.now_ns)
        alarm.set(clock.now_ns + SECOND)

    alarm = ticker.alarm(ring)
    alarm.set(clock.now_ns)
    for _ in range(3):
        ticker.ring()
        clock.advance(1)
    assert len(rung) == 3


def test_the_thread_rings_an_alarm_that_was_set_while_it_waited_for_a_later_one() -> None:
    ticker = Ticker(SystemClock())
    rung = threading.Event()
    ticker.start()
    now = SystemClock().monotonic_ns()
    ticker.alarm(lambda: None).set(now + 3600 * SECOND)
    ticker.alarm(rung.set).set(now)
    assert rung.wait(5)
    ticker.stop()
