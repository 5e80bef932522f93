"""The views: questions that people ask again and again, as tables that nobody has to fill. docs/database.md shows them.

They only add: no process of ours needs one to keep or to ship a sample, so one that cannot be made (an old server)
is told and stands in nobody's way.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from loguru import logger

from storage.questdb import QuestDB, SqlError, literals


@dataclass(frozen=True, slots=True)
class View:
    """A query with a name. With `refresh` it is materialized: QuestDB keeps its rows, and brings them up to date."""

    name: str
    query: str
    refresh: str = ""  # EVERY so often
    partition: str = ""

    def statement(self) -> str:
        """Spell how it is made; harmless when it is there."""
        if self.refresh:
            return (
                f"CREATE MATERIALIZED VIEW IF NOT EXISTS {self.name} REFRESH {self.refresh}"
                f" AS ({self.query}) PARTITION BY {self.partition}"
            )
        return f"CREATE OR REPLACE VIEW {self.name} AS ({self.query})"


_GOOD = "CASE WHEN quality = 'ok' THEN value END"

HOURLY = f"""
SELECT ts, reactor, sensor, quantity, unit, count() samples, count({_GOOD}) good,
       avg({_GOOD}) avg, min({_GOOD}) min, max({_GOOD}) max
FROM samples SAMPLE BY 1h"""  # noqa: S608 - a constant

TALLIES = """
SELECT ts, reactor, sensor, quantity, spool, max(seq) last_seq, count() samples
FROM samples SAMPLE BY 1d"""

# A reactor that was silent for longer is found in samples; without a bound a dead one costs a search of everything.
CURRENT = """
SELECT * FROM (
  SELECT ts, reactor, sensor, quantity, value, unit, quality, true live
  FROM readings LATEST ON ts PARTITION BY reactor, sensor, quantity
  UNION ALL
  SELECT ts, reactor, sensor, quantity, value, unit, quality, false live
  FROM samples WHERE ts > dateadd('d', -7, now()) AND ts <= dateadd('m', 5, now())
  LATEST ON ts PARTITION BY reactor, sensor, quantity
) LATEST ON ts PARTITION BY reactor, sensor, quantity"""

# Samples by day: to compare every number with the one before it takes fourteen times as long (600,000 rows).
GAPS = """
SELECT ts, reactor, 'samples' rows_of, sensor || '/' || quantity series, spool, coalesce(before, 0) after,
       last_seq until, last_seq - coalesce(before, 0) - samples missing
FROM (
  SELECT *, lag(last_seq) OVER (PARTITION BY reactor, spool, sensor, quantity ORDER BY ts) before FROM tallies
) WHERE last_seq - coalesce(before, 0) > samples
UNION ALL
SELECT ts, reactor, 'events', source || '/' || kind, spool, coalesce(before, 0), seq, seq - coalesce(before, 0) - 1
FROM (
  SELECT *, lag(seq) OVER (PARTITION BY reactor, spool, source, kind ORDER BY seq) before FROM events
) WHERE seq > coalesce(before, 0) + 1
UNION ALL
SELECT ts, reactor, 'settings', device || '/' || setting || '/' || state, spool, coalesce(before, 0), seq,
       seq - coalesce(before, 0) - 1
FROM (
  SELECT *, lag(seq) OVER (PARTITION BY reactor, spool, device, setting, state ORDER BY seq) before FROM settings
) WHERE seq > coalesce(before, 0) + 1"""

SETTINGS_NOW = """
SELECT s.ts, s.reactor, s.device, s.setting, s.value, s.number, s.revision, s.author,
       CASE WHEN d.revision > a.answered THEN 'pending' WHEN d.revision > a.followed THEN 'rejected' ELSE 'applied' END
         asked_state,
       d.revision asked_revision, d.author asked_author, d.document asked
FROM (SELECT * FROM settings WHERE state = 'applied' LATEST ON ts PARTITION BY reactor, device, setting) s
JOIN (
  SELECT reactor, device, max(revision) answered, max(CASE WHEN state = 'applied' THEN revision END) followed
  FROM settings GROUP BY reactor, device
) a ON (reactor, device)
LEFT JOIN (SELECT * FROM desired LATEST ON ts PARTITION BY reactor, device) d ON (reactor, device)"""

VIEWS = (
    # What is refreshed is a whole partition, written anew: so they are small, and it is not done with every commit.
    View("hourly", HOURLY, refresh="EVERY 1m", partition="DAY"),
    View("tallies", TALLIES, refresh="EVERY 10m", partition="MONTH"),
    View("current", CURRENT),
    View("gaps", GAPS),
    View("settings_now", SETTINGS_NOW),
)


@dataclass(frozen=True, slots=True)
class Invalid:
    """A view that QuestDB brings up to date no more. `alone`: it has rows that the samples could not give back."""

    reason: str
    alone: bool


def make_views(database: QuestDB) -> None:
    """Make what is missing, and have those filled again whose table was dropped or truncated; the tables are there.

    Raises `DatabaseError`, but for views that the server declines: those are logged.
    """
    for view in VIEWS:
        _try(database, view.statement(), view.name)
    fill_again(database, invalid_views(database))


def invalid_views(database: QuestDB) -> dict[str, Invalid]:
    """Find those that a full disk, or a table that was dropped or truncated, has left behind for ever. By name."""
    names = literals([view.name for view in VIEWS])
    rows = database.query(
        "SELECT view_name, invalidation_reason FROM materialized_views()"  # noqa: S608 - constants
        f" WHERE view_status = 'invalid' AND view_name IN ({names})"
    )
    return {name: Invalid(reason or "", _is_alone(database, name)) for name, reason in rows}


def fill_again(database: QuestDB, views: Mapping[str, Invalid]) -> None:
    """Have them filled from the samples, in the background. It begins with emptying, so who is alone is left alone."""
    for name, view in views.items():
        if not view.alone:
            _try(database, f"REFRESH MATERIALIZED VIEW {name} FULL", name)


def _is_alone(database: QuestDB, name: str) -> bool:
    view = database.query(f"SELECT ts FROM {name} LIMIT 1")  # noqa: S608 - ours
    samples = database.query("SELECT timestamp_floor('d', ts) FROM samples LIMIT 1")
    return bool(view and samples and view[0][0] < samples[0][0])


def _try(database: QuestDB, statement: str, name: str) -> None:
    try:
        database.execute(statement)
    except SqlError as error:
        logger.warning("the view {} cannot be made: {}", name, error)
