"""Fleet: every reactor at a glance. Its state, its newest readings, what waits to be stored, what alarms."""

from grafana_foundation_sdk.builders import dashboard as dashboards

from deploy.grafana import blocks
from deploy.grafana.shared import IS_REACTOR, KNOWN, NEWEST, RECENT, newest, own

LIVE = f"""
    SELECT DISTINCT reactor FROM readings
    WHERE {IS_REACTOR} AND {RECENT}
"""

COUNT_LIVE = f"SELECT count() AS live FROM ({LIVE})"

COUNT_SILENT = f"""
    SELECT count() AS silent
    FROM ({KNOWN}) known
    LEFT JOIN ({LIVE}) live ON (reactor)
    WHERE live.reactor IS NULL
"""

COUNT_BAD = f"SELECT count() AS bad FROM ({NEWEST}) WHERE quality <> 'ok'"

SUM_WAITING = f"SELECT sum(value) AS waiting FROM ({NEWEST}) WHERE {IS_REACTOR}"

COUNT_FAULTS = "SELECT count() AS faults FROM events WHERE $__timeFilter(ts) AND kind IN ('fault', 'lost')"

COUNT_SUSPENDED = "SELECT count() AS suspended FROM wal_tables() WHERE suspended"

REACTORS = f"""
    SELECT known.reactor, CASE WHEN live.age IS NULL THEN 'silent' ELSE 'live' END AS state, live.age,
           live.bad, live.waiting, live.oldest, live.clock_offset, live.load, live.memory
    FROM ({KNOWN}) known
    LEFT JOIN (
      SELECT reactor, datediff('s', max(ts), $__timeTo()) AS age,
             sum(CASE WHEN quality = 'ok' THEN 0 ELSE 1 END) AS bad,
             {newest("waiting", "oldest", "clock_offset", "load", "memory")}
      FROM ({NEWEST})
      GROUP BY reactor
    ) live ON (reactor)
    ORDER BY state DESC, bad DESC, reactor
"""

READINGS = f"""
    SELECT reactor, sensor, quantity, value, unit, quality, datediff('s', ts, $__timeTo()) AS age
    FROM ({NEWEST})
    WHERE sensor <> 'self'
    ORDER BY CASE quality WHEN 'ok' THEN 1 ELSE 0 END, reactor, sensor, quantity
    LIMIT 500
"""

FAULTS = """
    SELECT ts AS "time", reactor, source, kind, text
    FROM events
    WHERE $__timeFilter(ts) AND kind IN ('fault', 'lost')
    ORDER BY ts DESC
    LIMIT 200
"""

STATE = blocks.series("readings", IS_REACTOR, metric="reactor", value="max(1)", fill="0")

LIVE_OR_SILENT = {"1": ("live", blocks.GOOD), "0": ("silent", blocks.BAD)}


def fleet() -> dashboards.Dashboard:
    """Build it."""
    return (
        blocks.frame("Reactorium Fleet", "Every reactor at a glance.", since="now-6h", refresh="10s")
        .with_panel(blocks.stat("Reactors live", "Reported within the last two minutes.", COUNT_LIVE))
        .with_panel(
            blocks.stat("Reactors silent", "Kept samples in this span, and report no more.", COUNT_SILENT, bad=1)
        )
        .with_panel(blocks.stat("Readings not ok", "Newest readings that are not to be believed.", COUNT_BAD, bad=1))
        .with_panel(blocks.stat("Rows waiting", "Rows in the spools of all live reactors.", SUM_WAITING, bad=1000))
        .with_panel(blocks.stat("Faults told", "Begun or over within this span.", COUNT_FAULTS))
        .with_panel(blocks.stat("Tables suspended", "They acknowledge rows and show none.", COUNT_SUSPENDED, bad=1))
        .with_panel(
            blocks.table(
                "Reactors",
                "All that kept samples in this span; a silent one has no numbers.",
                REACTORS,
                {
                    "reactor": blocks.leading_to("reactorium-reactor", "reactor"),
                    "state": blocks.colored({"live": blocks.GOOD, "silent": blocks.BAD}),
                    "age": blocks.in_unit("s"),
                    "oldest": blocks.in_unit("s"),
                    "clock_offset": blocks.in_unit("s"),
                    "load": blocks.in_unit("percent"),
                    "memory": blocks.in_unit("mbytes"),
                },
            )
        )
        .with_panel(
            blocks.states(
                "State", "Silent: no reading in that time.", blocks.Sql(STATE, shape="time_series"), LIVE_OR_SILENT
            ).interval("1m")
        )
        .with_panel(
            blocks.table(
                "Newest readings",
                "The first 500, those that are not ok before all others.",
                READINGS,
                {"quality": blocks.colored(blocks.QUALITY), "age": blocks.in_unit("s")},
            )
        )
        .with_panel(
            blocks.live_and_kept(
                "Backlog",
                "What the spools hold for the database, the most in each interval.",
                own("waiting"),
                metric="reactor",
                value="max(value)",
            )
        )
        .with_panel(blocks.alarms("Alarms", "What the alert rules say.").span(12).height(8))
        .with_panel(blocks.table("Faults", "The newest 200 of this span.", FAULTS))
    )
