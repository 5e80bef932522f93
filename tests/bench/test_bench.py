"""The benchmarks' building blocks, small: that they still measure what they say."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import zmq

from bench import changing, shipping, tank
from bench.children import child, used
from bench.figures import Figure, ratio, table
from deploy import reactor_file, settings
from hardware.registry import driver_class
from hardware.vessel.journal import Entry
from hardware.vessel.main import load
from storage import queries
from storage.schema import ensure_schema
from tests.conftest import Server


def test_a_promise_is_kept_or_not() -> None:
    figures = [
        Figure("rate", 0.7, "", at_least=0.5),
        Figure("slow", 0.4, "", at_least=0.5),
        Figure("small", 59, "MiB", at_most=60),
        Figure("large", 12_345, "MiB", at_most=60),
        Figure("- because", 1, "s"),
    ]
    assert [figure.verdict for figure in figures] == ["met", "NOT MET", "met", "NOT MET", ""]
    assert "| large | 12,345 MiB | at most 60 | NOT MET |  |" in table(figures)


def test_a_ratio_is_the_median_of_pairs() -> None:
    figure = ratio("shipping", [1.0, 6.0, 3.0], [2.0, 2.0, 3.0], 0.5)
    assert (figure.value, figure.remark) == (1.0, "3 pairs, 0.50 to 3.00")


def test_the_tank_has_ten_sensors_and_their_circuits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REACTORIUM_STATE_DIR", str(tmp_path))
    reactor, vessel = tmp_path / "reactor.toml", tmp_path / "vessel.toml"
    reactor.write_text(tank.reactor_file())
    vessel.write_text(tank.vessel_file())
    wired = reactor_file.load(reactor, settings.load(), driver_class).sensors
    assert len(wired) == 10
    addresses = {int(sensor.address.rpartition(":")[2]) for sensor in wired}
    assert addresses == {circuit.address for circuit in load(vessel, tmp_path).circuits}


@pytest.mark.system
def test_a_crowd_is_answered_by_the_bare_router(tmp_path: Path) -> None:
    secrets = tmp_path / "secrets"
    secrets.write_text("".join(f"r{number} {zmq.curve_keypair()[1].decode()}\n" for number in range(3)))
    with child("bench.bare") as bare, child("bench.clients", bare.line(), bare.line(), str(secrets)) as crowd:
        assert crowd.ask(do="connect") == {"connected": 3}
        told = crowd.ask(do="flood", count=90)
        assert told["acked"] == 90
        assert told["seconds"] > 0
        assert len(crowd.ask(do="pace", interval=0.1, seconds=0.25)["latencies"]) >= 6
        assert used(bare.pid) > 0


def test_a_reading_is_matched_with_its_probes_answer() -> None:
    def told(circuit: str, at: float) -> Entry:
        return Entry(round(at * 1e9), round(at * 1e6), circuit, "read", "R", reading=True)

    def heard(at: float, **taken: float) -> tuple[int, Any]:
        readings = [
            {"sensor": name, "taken": datetime.fromtimestamp(when, UTC).isoformat()} for name, when in taken.items()
        ]
        return round(at * 1e9), {"readings": readings}

    answers = [told("ph", 1000.9), told("acid", 1001.0), told("ph", 1005.9)]
    said = [
        heard(1000.5, ph=995.0),
        heard(1001.0, ph=1000.0),
        heard(1004.0, ph=1000.01, self=1003.0),
        heard(1006.1, ph=1005.0),
    ]
    assert changing.arrivals(said, answers) == pytest.approx([100.0, 200.0])


@pytest.mark.system
def test_both_ways_of_shipping_store_every_row(
    own_questdb: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shipping, "ROWS", 30)
    monkeypatch.setattr(shipping, "BATCH", 10)
    database = own_questdb.client()
    ensure_schema(database)
    assert shipping._ship_by_client(own_questdb, tmp_path, shipping._rows("client")) > 0
    assert shipping._ship_by_reactor(own_questdb, tmp_path / "spool", shipping._rows("reactor")) > 0
    database.query("SELECT wait_wal_table('samples')")
    assert queries.count_samples(database) == {"client": 30, "reactor": 30}
    database.close()
