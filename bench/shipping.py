"""Shipping: a reactor's shipper, from spool to acknowledged, against the questdb client alone.

Both send the same rows in the same batches to the same server, in turns. Samples of reactors of their own, so that both
write what is new; the server has applied what the one sent before the other begins.
"""

import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from statistics import median

from questdb import Sender, TimestampNanos

from actors.live import Around, Faults, Live, Vitals
from actors.shipper import LogTo, Shipper
from actors.ticker import Ticker
from actors.timebase import Timebase
from bench.figures import Figure, ratio
from hardware.clock import SystemClock, boot_id
from storage.ilp import Ingest
from storage.questdb import QuestDB
from storage.rows import Sample
from storage.schema import ensure_schema
from storage.shipping import BATCH
from storage.spool import Anchor, Spool
from tests.conftest import Server, running_questdb
from transport.messages import Database

ROWS, ROUNDS = 30 * BATCH, 9
CLOCK = SystemClock()
PATIENCE = 120.0  # seconds for all rows
SECOND = 1_000_000_000


class Watched(Spool):
    """A spool that says when everything in it was confirmed."""

    def __init__(self, path: Path, rows: int) -> None:
        super().__init__(path, clock=CLOCK, boot=boot_id(), limit=10**9, retention=1e6)
        self._left = rows
        self.empty = threading.Event()

    def confirm(self, ids: Sequence[int]) -> None:
        """Count."""
        super().confirm(ids)
        self._left -= len(ids)
        if self._left == 0:
            self.empty.set()


def run() -> list[Figure]:
    """Measure both in turns."""
    rates: dict[str, list[float]] = {"reactor": [], "client": []}
    with (
        tempfile.TemporaryDirectory() as name,
        running_questdb(Path(name) / "questdb") as server,
        closing(server.client()) as database,
    ):
        ensure_schema(database)
        for number in range(ROUNDS):
            for who, ship in (("client", _ship_by_client), ("reactor", _ship_by_reactor)):
                rows = _rows(f"{who}{number}")
                _wait_until_applied(database)
                rates[who].append(len(rows) / ship(server, Path(name) / f"{who}{number}", rows))
    return [
        ratio(
            "Shipping: samples/s, spool to acknowledged against client alone", rates["reactor"], rates["client"], 0.5
        ),
        *(Figure(f"- {who}", median(values), "samples/s") for who, values in rates.items()),
    ]


def _rows(reactor: str) -> list[Sample]:
    """Make what ten sensors keep, one a second."""
    now_ns = CLOCK.monotonic_ns()
    return [
        Sample(reactor, f"s{number % 10}", "ph", 7 + number % 977 / 1000, "pH", "ok", now_ns + number // 10 * SECOND)
        for number in range(ROWS)
    ]


def _wait_until_applied(database: QuestDB) -> None:
    database.query("SELECT wait_wal_table('samples')")
    time.sleep(0.2)


def _ship_by_client(server: Server, _: Path, rows: Sequence[Sample]) -> float:
    ahead_ns = time.time_ns() - CLOCK.monotonic_ns()
    login = server.owner
    conf = (
        f"http::addr=127.0.0.1:{server.config.http_port};username={login.user};password={login.password};"
        "auto_flush=off;protocol_version=2;"
    )
    with Sender.from_conf(conf) as sender:
        began = time.perf_counter()
        for start in range(0, len(rows), BATCH):
            for seq, row in enumerate(rows[start : start + BATCH], start):
                sender.row(
                    "samples",
                    symbols={
                        "reactor": row.reactor,
                        "sensor": row.sensor,
                        "quantity": row.quantity,
                        "unit": row.unit,
                        "quality": row.quality,
                        "spool": "0123456789abcdef",
                    },
                    columns={"value": row.value, "seq": seq},
                    at=TimestampNanos(row.taken_ns + ahead_ns),
                )
            sender.flush()
        return time.perf_counter() - began


def _ship_by_reactor(server: Server, path: Path, rows: Sequence[Sample]) -> float:
    """Have the real actor ship; what it takes to fill the spool does not count, that is the recorder's."""
    with closing(Watched(path, len(rows))) as spool:
        spool.date(Anchor(boot_id(), CLOCK.monotonic_ns(), CLOCK.wall_us()))
        for start in range(0, len(rows), BATCH):
            spool.append(rows[start : start + BATCH])
        spool.sync()
        ticker = Ticker(CLOCK)
        shipper = Shipper.start(lambda _: None, spool, _around(ticker), lambda _: Ingest(server.client()))
        ticker.start()
        try:
            began = time.perf_counter()
            shipper.tell(
                LogTo(Database(address=server.address, identity="", incarnation=0, schema_major=1, schema_minor=0))
            )
            if not spool.empty.wait(PATIENCE):
                raise RuntimeError(f"not shipped within {PATIENCE:.0f} s")
            return time.perf_counter() - began
        finally:
            shipper.stop()
            ticker.stop()


def _around(ticker: Ticker) -> Around:
    """Make what a reactor's actors share."""
    return Around(
        reactor="reactor",
        began_ns=CLOCK.monotonic_ns(),
        clock=CLOCK,
        ticker=ticker,
        timebase=Timebase(boot_id(), lambda: True),
        live=Live(CLOCK, {}),
        vitals=Vitals(),
        faults=Faults("reactor", CLOCK, lambda _: None),
    )
