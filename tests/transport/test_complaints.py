"""A flood of faults is neither logged nor answered without bound."""

from transport.complaints import MAX_CULPRITS, MOST_LINES, PER_WINDOW, WINDOW_NS, Complaints


class Standing:
    """A clock that moves when told."""

    now_ns = 0

    def monotonic_ns(self) -> int:
        return self.now_ns

    def wall_us(self) -> int:
        return 0

    def sleep(self, seconds: float) -> None:
        raise NotImplementedError


def test_a_culprit_is_named_so_often_and_then_counted(said: list[str]) -> None:
    clock = Standing()
    complaints = Complaints(clock)
    assert sum(complaints.note("tank-1", "malformed") for _ in range(100)) == PER_WINDOW
    assert said == ["tank-1: malformed"] * PER_WINDOW
    clock.now_ns = WINDOW_NS
    assert complaints.note("tank-1", "malformed")
    assert said[PER_WINDOW:] == [f"tank-1: {100 - PER_WINDOW} more faults since", "tank-1: malformed"]


def test_one_culprit_does_not_silence_another() -> None:
    complaints = Complaints(Standing())
    for _ in range(100):
        complaints.note("tank-1", "malformed")
    assert complaints.note("tank-2", "malformed")


def test_culprits_are_remembered_up_to_a_limit_the_oldest_forgotten_first() -> None:
    complaints = Complaints(Standing())
    for _ in range(PER_WINDOW + 1):
        complaints.note("first", "malformed")
        complaints.note("second", "malformed")
    for number in range(MAX_CULPRITS - 1):
        complaints.note(f"stranger {number}", "malformed")
    assert complaints.note("first", "malformed")
    assert len(complaints._tallies) == MAX_CULPRITS


def test_however_many_they_are_so_many_lines_a_minute_and_no_more(said: list[str]) -> None:
    clock = Standing()
    complaints = Complaints(clock)
    for number in range(5 * MOST_LINES):
        assert complaints.note(f"stranger at {number}", "no key")  # each may still have its answer
    assert len(said) == MOST_LINES
    clock.now_ns = WINDOW_NS
    complaints.note("tank-1", "malformed")
    assert said[MOST_LINES:] == [f"{4 * MOST_LINES} more faults of others since", "tank-1: malformed"]


def test_faults_are_counted_for_a_minute() -> None:
    clock = Standing()
    complaints = Complaints(clock)
    for _ in range(100):
        complaints.note("tank-1", "malformed")
    assert (complaints.count("tank-1"), complaints.count("tank-2")) == (100, 0)
    clock.now_ns = WINDOW_NS
    assert complaints.count("tank-1") == 0
