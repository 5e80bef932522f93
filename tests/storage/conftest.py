"""A clock that stands still until told, and rows."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from storage.questdb import QuestDB
from storage.reader import Reader
from storage.rows import Event, Sample, SettingRow
from storage.schema import TABLES, ensure_schema
from storage.spool import Anchor, Spool
from tests.conftest import Server

SECOND = 1_000_000_000
BOOT = "11111111-boot"
NOON = 1_790_000_000_000_000  # some wall time, us


@dataclass
class ManualClock:
    now_ns: int = 100 * SECOND
    now_us: int = 0  # 1970: not to be believed

    def monotonic_ns(self) -> int:
        return self.now_ns

    def wall_us(self) -> int:
        return self.now_us

    def sleep(self, seconds: float) -> None:
        self.forward(seconds)

    def forward(self, seconds: float) -> None:
        self.now_ns += round(seconds * SECOND)
        self.now_us += round(seconds * 1_000_000)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def sample(second: float, value: float | None = 7.0, *, sensor: str = "ph1", quantity: str = "ph") -> Sample:
    quality = "fault" if value is None else "ok"
    return Sample("r1", sensor, quantity, value, "pH", quality, round(second * SECOND))


def event(second: float, text: str = "", kind: str = "started") -> Event:
    return Event("r1", "reactor", kind, text, round(second * SECOND))


def setting(second: float, value: str = "40", number: float | None = 40.0, state: str = "applied") -> SettingRow:
    return SettingRow("r1", "heater", "duty", value, number, 7, state, "ada", round(second * SECOND))


def anchor(boot: str = BOOT, second: float = 100.0) -> Anchor:
    return Anchor(boot, round(second * SECOND), NOON)


MakeSpool = Callable[..., Spool]


@pytest.fixture
def make_spool(tmp_path: Path, clock: ManualClock) -> Iterator[MakeSpool]:
    """Open the test's spool file, again and again as a process that starts again would; `boot` as the kernel's."""
    opened: list[Spool] = []

    def make(
        *,
        boot: str = BOOT,
        limit: int = 100_000_000,
        retention: float = 7 * 86_400.0,
        told: Callable[[str], None] = lambda _: None,
    ) -> Spool:
        spool = Spool(tmp_path / "spool.db", clock=clock, boot=boot, limit=limit, retention=retention, told=told)
        opened.append(spool)
        return spool

    yield make
    for spool in opened:
        spool.close()


@pytest.fixture
def database(questdb: Server) -> Iterator[QuestDB]:
    """The real server with empty tables."""
    client = questdb.client()
    ensure_schema(client)
    for table in TABLES:
        if table.name != "meta":
            client.execute(f"TRUNCATE TABLE {table.name}")
    yield client
    client.close()


@pytest.fixture
def reader(questdb: Server) -> Reader:
    """As who looks at them."""
    return Reader("127.0.0.1", questdb.pg_port, questdb.viewer.user, questdb.viewer.password)


def insert(database: QuestDB, table: str, columns: str, *rows: str) -> None:
    """Put rows in, and wait until they are seen."""
    values = ", ".join(f"({row})" for row in rows)
    database.execute(f"INSERT INTO {table} ({columns}) VALUES {values}")
    database.query(f"SELECT wait_wal_table('{table}')")
