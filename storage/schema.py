"""The database's tables, made and migrated in numbered steps by the server side. docs/database.md shows them.

Every statement may run again: a step that was interrupted, or a table that someone dropped, is made good by running
the steps once more. Only the coordinator calls this, so no two run at once.
"""

import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from loguru import logger

from storage.questdb import DatabaseError, QuestDB, SqlError, literal, literals
from storage.views import make_views


@dataclass(frozen=True, slots=True)
class Table:
    """One table: columns with their types, the key that makes sending twice harmless (beside `ts`)."""

    name: str
    columns: tuple[tuple[str, str], ...]
    key: tuple[str, ...]
    partition: str = "DAY"
    keep: str = ""  # QuestDB's TTL; empty keeps for ever


@dataclass(frozen=True, slots=True)
class Step:
    """One migration. A step that only adds raises the minor; one that old reactors cannot write to, the major."""

    major: int
    minor: int
    statements: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DatabaseIdentity:
    """Which database this is, how often it lost rows and started again from a backup, and its schema."""

    identity: str
    incarnation: int
    schema_major: int
    schema_minor: int


@dataclass(frozen=True, slots=True)
class Keeping:
    """How long rows are kept, in whole days by table: 0 is for ever; of a table that is not named nothing is changed.

    `partition` is how new tables of samples are cut into files: HOUR, DAY or WEEK. One that is there stays as it is.
    """

    days: Mapping[str, int] = field(default_factory=dict)
    partition: str = "DAY"


AS_IT_IS = Keeping()


class SchemaDrift(DatabaseError):  # noqa: N818 - what happened
    """A table is not what this version writes, and only a person knows why; the text lists the differences.

    `identity` is which database it is all the same; none when nobody has ever written to it.
    """

    def __init__(self, text: str, identity: DatabaseIdentity | None) -> None:
        super().__init__(text)
        self.identity = identity


_ORIGIN = (("spool", "SYMBOL"), ("seq", "LONG"))
_VALUE = (("value", "DOUBLE"), ("unit", "SYMBOL"), ("quality", "SYMBOL"))
_SERIES = (("reactor", "SYMBOL"), ("sensor", "SYMBOL"), ("quantity", "SYMBOL"))

TABLES = (
    Table("samples", (*_SERIES, *_VALUE, *_ORIGIN), ("reactor", "sensor", "quantity")),
    Table(
        "events",
        (("reactor", "SYMBOL"), ("source", "SYMBOL"), ("kind", "SYMBOL"), ("text", "VARCHAR"), *_ORIGIN),
        ("reactor", "source", "kind"),
    ),
    Table(
        "settings",
        (
            *(("reactor", "SYMBOL"), ("device", "SYMBOL"), ("setting", "SYMBOL"), ("value", "VARCHAR")),
            *(("number", "DOUBLE"), ("revision", "LONG"), ("state", "SYMBOL"), ("author", "VARCHAR"), *_ORIGIN),
        ),
        ("reactor", "device", "setting", "state"),
    ),
    Table(
        "desired",
        (
            *(("reactor", "SYMBOL"), ("device", "SYMBOL"), ("document", "VARCHAR")),
            *(("revision", "LONG"), ("author", "VARCHAR")),
        ),
        ("reactor", "device"),
    ),
    Table("readings", (*_SERIES, *_VALUE), ("reactor", "sensor", "quantity"), partition="HOUR", keep="1 DAY"),
    Table(
        "inventory",
        (
            *(("reactor", "SYMBOL"), ("kind", "SYMBOL"), ("name", "SYMBOL"), ("label", "VARCHAR")),
            *(("driver", "SYMBOL"), ("address", "VARCHAR"), ("descriptor", "VARCHAR")),
        ),
        ("reactor", "name"),
    ),
    Table(
        "meta",
        (("identity", "VARCHAR"), ("incarnation", "LONG"), ("schema_major", "LONG"), ("schema_minor", "LONG")),
        (),
    ),
)
KEPT = frozenset({"samples", "events", "settings"})  # what spools send: losing one is losing history

STEPS = (
    Step(1, 0, ()),  # the tables as they are made
    Step(1, 1, ()),  # the views, which are made as the tables are
)


def ensure_schema(database: QuestDB, keeping: Keeping = Keeping()) -> DatabaseIdentity:
    """Make what is missing, migrate what is old, check what is there; return which database this is.

    A new database gets an identity. One whose history was dropped by the table or the column gets another incarnation,
    so that the spools send again what they retain. One with a newer schema is left alone. Blocks for some seconds at
    most. Raises `DatabaseError`, and of those `SchemaDrift` when tables differ from what this version writes.
    """
    known = read_identity(database)
    newest = STEPS[-1]
    if known is not None and (known.schema_major, known.schema_minor) > (newest.major, newest.minor):
        return known
    reached = (0, 0) if known is None else (known.schema_major, known.schema_minor)
    tables = table_names(database)
    dropped = _dropped(database, tables) if reached == (newest.major, newest.minor) else {}
    if known is not None and (not tables >= KEPT or dropped.keys() & KEPT):
        # Written before the table is made again: once it is there, nobody could tell that its rows were lost.
        known = _write_identity(database, replace(known, incarnation=known.incarnation + 1))
    for table in TABLES:
        partition = keeping.partition if table.name == "samples" else table.partition
        _run(database, _create(replace(table, partition=partition)))
        _add_columns(database, table, dropped.get(table.name, ()))
    for step in STEPS:
        if (step.major, step.minor) > reached:
            for statement in step.statements:
                _run(database, statement)
            _wait_until_applied(database)
    _check(database, known)
    make_views(database)
    _keep(database, keeping)
    if known is None:
        known = DatabaseIdentity(secrets.token_hex(16), 1, *reached)
    if (newest.major, newest.minor) != reached:
        known = _write_identity(database, replace(known, schema_major=newest.major, schema_minor=newest.minor))
    return known


def declare_restored(database: QuestDB) -> DatabaseIdentity:
    """Give a database that came out of a backup an incarnation that it never had: reactors then fill in what it lacks.

    It is the time in seconds, so that a backup that is restored twice has two. Raises `DatabaseError`.
    """
    known = read_identity(database)
    if known is None:
        raise SqlError("there is no schema in it")
    seconds = int(database.query("SELECT cast(now() AS LONG) / 1000000")[0][0])
    return _write_identity(database, replace(known, incarnation=max(known.incarnation + 1, seconds)))


def read_identity(database: QuestDB) -> DatabaseIdentity | None:
    """Return which database this is, or none when it has no schema yet. One short query, for a regular look."""
    try:
        rows = database.query(
            "SELECT identity, incarnation, schema_major, schema_minor FROM meta ORDER BY ts DESC LIMIT 1"
        )
    except SqlError as error:
        if "does not exist" in str(error):
            return None
        raise
    return DatabaseIdentity(*rows[0]) if rows else None


def missing(database: QuestDB) -> dict[str, tuple[str, ...]]:
    """Name the columns that are not there, by table: all of a table that is not. One short query."""
    names = literals([table.name for table in TABLES])
    columns = "SELECT table_name, column_name FROM information_schema.columns()"
    rows = database.query(f"{columns} WHERE table_name IN ({names})")
    found = {(table, column) for table, column in rows}
    absent = {
        table.name: tuple(name for name in (*dict(table.columns), "ts") if (table.name, name) not in found)
        for table in TABLES
    }
    return {table: columns for table, columns in absent.items() if columns}


def table_names(database: QuestDB) -> frozenset[str]:
    """Return the names of all tables; views are none."""
    return frozenset(name for (name,) in database.query("SELECT table_name FROM tables() WHERE table_type = 'T'"))


def _create(table: Table) -> str:
    columns = ", ".join(f"{name} {kind}" for name, kind in (*table.columns, ("ts", "TIMESTAMP")))
    keep = f" TTL {table.keep}" if table.keep else ""
    return (
        f"CREATE TABLE IF NOT EXISTS {table.name} ({columns}) TIMESTAMP(ts) PARTITION BY {table.partition}{keep} WAL"
        f" DEDUP UPSERT KEYS({', '.join(('ts', *table.key))})"
    )


def _dropped(database: QuestDB, tables: Collection[str]) -> dict[str, tuple[str, ...]]:
    """Name the columns that somebody dropped from these tables and that can be made good, by table.

    Not when one of the key is among them, without which no row of old can be told from another: that is left to people.
    """
    absent = missing(database)
    return {
        table.name: absent[table.name]
        for table in TABLES
        if table.name in tables and table.name in absent and not {"ts", *table.key} & set(absent[table.name])
    }


def _add_columns(database: QuestDB, table: Table, names: Collection[str]) -> None:
    for name in names:
        _run(database, f"ALTER TABLE {table.name} ADD COLUMN IF NOT EXISTS {name} {dict(table.columns)[name]}")
        logger.warning("{}.{} was dropped and is there again", table.name, name)
    if names:
        database.query(f"SELECT wait_wal_table({literal(table.name)})")


def _keep(database: QuestDB, keeping: Keeping) -> None:
    """Set how long rows are kept, where it differs. A table that declines keeps them as before, and that is logged."""
    rows = database.query("SELECT table_name, ttlValue, ttlUnit FROM tables() WHERE table_type = 'T'")
    found = {name: _days(value, unit) for name, value, unit in rows}
    for name, days in keeping.days.items():
        if found.get(name) != days:
            try:
                _run(database, f"ALTER TABLE {name} SET TTL {days} DAYS")
            except SqlError as error:
                logger.warning("rows of {} cannot be kept for {} days: {}", name, days, error)
            else:
                logger.info("rows of {} are kept {}", name, f"for {days} days" if days else "for ever")


def _days(value: int, unit: str) -> float:
    """Turn QuestDB's TTL into days; months and years are some that nobody sets with ours."""
    return value * {"HOUR": 1 / 24, "DAY": 1, "WEEK": 7, "MONTH": 30.4, "YEAR": 365.2}[unit]


def _run(database: QuestDB, statement: str) -> None:
    """Run one statement of DDL, and once more when it is declined: QuestDB may do so although IF NOT EXISTS stands."""
    try:
        database.execute(statement)
    except SqlError:
        database.execute(statement)


def _wait_until_applied(database: QuestDB) -> None:
    """ALTER TABLE returns before readers see it."""
    for table in TABLES:
        database.query(f"SELECT wait_wal_table({literal(table.name)})")


def _check(database: QuestDB, known: DatabaseIdentity | None) -> None:
    """Compare columns and keys with what is written: CREATE TABLE IF NOT EXISTS accepts anything of that name."""
    problems = []
    for table in TABLES:
        rows = database.query(f'SELECT "column", type, upsertKey FROM table_columns({literal(table.name)})')  # noqa: S608
        found = {name: kind for name, kind, _ in rows}
        for name, kind in (*table.columns, ("ts", "TIMESTAMP")):
            if found.get(name) != kind:
                problems.append(f"{table.name}.{name} is {found.get(name, 'missing')}, not {kind}")
        key = {name for name, _, in_key in rows if in_key}
        if key != {"ts", *table.key}:
            problems.append(f"{table.name} has the key {sorted(key)}, not {sorted({'ts', *table.key})}")
    if problems:
        raise SchemaDrift(f"{database.address}: " + "; ".join(problems), known)


def _write_identity(database: QuestDB, identity: DatabaseIdentity) -> DatabaseIdentity:
    values = ", ".join(
        literal(value)
        for value in (identity.identity, identity.incarnation, identity.schema_major, identity.schema_minor)
    )
    database.execute(
        "INSERT INTO meta (identity, incarnation, schema_major, schema_minor, ts)"  # noqa: S608 - spelled by literal()
        f" VALUES ({values}, now())"
    )
    database.query("SELECT wait_wal_table('meta')")
    return identity
