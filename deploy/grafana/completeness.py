"""Data completeness: whether everything that was taken is stored, once, and how long that took."""

from grafana_foundation_sdk.builders import dashboard as dashboards

from deploy.grafana import blocks
from deploy.grafana.shared import KNOWN, WIRED, numbers, of_all, own

CHOSEN = "reactor IN ($reactor)"

SERIES = f"{numbers('samples', CHOSEN)} ORDER BY missing DESC, twice DESC, reactor, sensor, quantity LIMIT 1000"

MISSING = f"SELECT sum(missing) AS missing FROM ({of_all('missing', CHOSEN)})"
TWICE = f"SELECT sum(twice) AS twice FROM ({of_all('twice', CHOSEN)})"
ROWS = f"SELECT count() AS rows FROM samples WHERE $__timeFilter(ts) AND {CHOSEN}"

BAD = f"""
    SELECT 100.0 * sum(CASE WHEN quality = 'ok' THEN 0 ELSE 1 END) / count() AS bad
    FROM samples WHERE $__timeFilter(ts) AND {CHOSEN}
"""

SENT_AGAIN = "SELECT sum(wal_dedup_row_count_since_start) AS again FROM tables()"

GAPS = f"""
    SELECT reactor, sensor, quantity, spool, before + 1 AS first_missing, seq - 1 AS last_missing,
           after AS "after", ts AS "until"
    FROM (
      SELECT reactor, sensor, quantity, spool, seq, ts,
             lag(seq) OVER (PARTITION BY reactor, spool, sensor, quantity ORDER BY seq) AS before,
             lag(ts) OVER (PARTITION BY reactor, spool, sensor, quantity ORDER BY seq) AS after
      FROM samples
      WHERE $__timeFilter(ts) AND {CHOSEN}
    )
    WHERE seq > before + 1
    ORDER BY ts DESC
    LIMIT 200
"""

EVER = f"""
    SELECT reactor, rows_of, series, spool, sum(missing) AS missing, max(until) AS before_number
    FROM gaps
    WHERE ts <= $__timeTo() AND {CHOSEN}
    GROUP BY reactor, rows_of, series, spool
    ORDER BY missing DESC, reactor, rows_of, series
    LIMIT 200
"""

# The longest time without a sample, in sample intervals: 1 is as it should be.
PAUSES = f"""
    SELECT kept.reactor, kept.sensor, kept.quantity, kept.pause, wired.every, kept.pause / wired.every AS intervals
    FROM (
      SELECT reactor, sensor, quantity, max(datediff('s', before, ts)) AS pause
      FROM (
        SELECT reactor, sensor, quantity, ts,
               lag(ts) OVER (PARTITION BY reactor, sensor, quantity ORDER BY ts) AS before
        FROM samples
        WHERE $__timeFilter(ts) AND {CHOSEN}
      )
      GROUP BY reactor, sensor, quantity
    ) kept
    JOIN ({WIRED}) wired ON kept.reactor = wired.reactor AND kept.sensor = wired.name
    WHERE kept.pause IS NOT NULL
    ORDER BY intervals DESC, reactor, sensor, quantity
    LIMIT 200
"""


def completeness() -> dashboards.Dashboard:
    """Build it."""
    return (
        blocks.frame("Reactorium Completeness", "Whether everything is stored, once.", since="now-24h", refresh="1m")
        .with_variable(blocks.choice("reactor", "Reactor", f"{KNOWN} ORDER BY reactor", many=True))
        .with_panel(blocks.stat("Samples kept", "Rows within this span.", ROWS))
        .with_panel(
            blocks.stat(
                "Numbers missing",
                "Samples, events and settings that a spool numbered and that are not here: waiting, or lost.",
                MISSING,
                bad=1,
            )
        )
        .with_panel(blocks.stat("Numbers twice", "One number on two rows: never.", TWICE, bad=1))
        .with_panel(blocks.stat("Samples not ok", "Kept, but not to be believed.", BAD, unit="percent", bad=5))
        .with_panel(
            blocks.stat(
                "Sent again", "Rows that came twice since the server started, and are stored once.", SENT_AGAIN
            ).span(8)
        )
        .with_panel(
            blocks.live_and_kept(
                "From taken to stored",
                "Age of the oldest row that waits in the spool, the most in each interval.",
                f"{own('oldest')} AND {CHOSEN}",
                metric="reactor",
                value="max(value)",
                unit="s",
            )
        )
        .with_panel(
            blocks.lines(
                "Samples",
                "Rows in each interval.",
                blocks.series("samples", CHOSEN, metric="reactor", value="count()"),
            )
        )
        .with_panel(
            blocks.table(
                "Series",
                "By spool: a new spool counts from 1. Numbers just before and after this span are not looked at.",
                SERIES,
            )
        )
        .with_panel(blocks.table("Gaps", "Numbers that are missing, the newest 200.", GAPS))
        .with_panel(
            blocks.table(
                "Missing since the beginning",
                "From each spool's number 1 to the end of this span, as the view gaps counts them every ten minutes.",
                EVER,
            )
        )
        .with_panel(
            blocks.table(
                "Longest pauses",
                "Between two samples of a series; above 1 interval the tick was missed, or the interval was changed.",
                PAUSES,
                {"pause": blocks.in_unit("s"), "every": blocks.in_unit("s")},
            )
        )
    )
