from pathlib import Path

from hardware.vessel.journal import Delivery, Entry, Journal, entries
from tests.hardware.vessel.conftest import HandClock


def test_it_goes_on_where_it_ended_and_survives_a_torn_line(tmp_path: Path, clock: HandClock) -> None:
    path = tmp_path / "journal.jsonl"
    first = Journal(path, clock, 10_000)
    first.write("ph", "R")
    first.close()
    with path.open("ab") as file:
        file.write(b'{"ns":1,"us"')
    clock.ns = 5_000
    second = Journal(path, clock, 10_000)
    second.read("ph", Delivery("R", b"7.0\xb5", 1, reading=True))
    second.close()
    assert list(entries(path)) == [
        Entry(1_000, 1_700_000_000_000_001, "ph", "write", "R"),
        Entry(5_000, 1_700_000_000_000_005, "ph", "read", "R", "7.0µ", 1, 0, reading=True),
    ]


def test_it_does_not_fill_the_disk(tmp_path: Path, clock: HandClock) -> None:
    path = tmp_path / "journal.jsonl"
    journal = Journal(path, clock, 10_000)
    for number in range(1_000):
        journal.write("ph", str(number))
    journal.close()
    older = path.with_name("journal.jsonl.1")
    assert path.stat().st_size < 11_000
    assert older.stat().st_size < 11_000
    kept = [int(each.command) for file in (older, path) for each in entries(file)]
    assert kept == list(range(kept[0], 1_000))
