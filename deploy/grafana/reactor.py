"""Reactor: one of them. Live readings beside what is kept, quality, settings, events."""

from grafana_foundation_sdk.builders import dashboard as dashboards

from deploy.grafana import blocks
from deploy.grafana.shared import NEWEST

NAMES = "SELECT DISTINCT reactor FROM inventory WHERE ts <= $__timeTo() ORDER BY reactor"

SENSORS = """
    SELECT DISTINCT name FROM inventory
    WHERE ts <= $__timeTo() AND reactor = '$reactor' AND kind = 'sensor' AND name <> 'self'
    ORDER BY name
"""

CHOSEN = "reactor = '$reactor' AND sensor IN ($sensor)"

NOW = f"""
    SELECT sensor, quantity, value, unit, quality, datediff('s', ts, $__timeTo()) AS age
    FROM ({NEWEST})
    WHERE {CHOSEN}
    ORDER BY sensor, quantity
"""

# The worst quality of an interval, as a number: the later in QUALITY the worse.
WORST = " ".join(f"WHEN '{quality}' THEN {index}" for index, quality in enumerate(blocks.QUALITY))
QUALITIES = {str(index): (quality, color) for index, (quality, color) in enumerate(blocks.QUALITY.items())}


def _quality(from_table: str) -> blocks.Sql:
    worst = f"max(CASE quality {WORST} END)"
    question = blocks.series(from_table, CHOSEN, metric="sensor || '.' || quantity", value=worst)
    return blocks.Sql(question, shape="time_series")


# What was applied in this span, and before it what held when it began: settings are few, their table is small.
SETTINGS = """
    SELECT "time", device || '.' || setting AS metric, value
    FROM (
      (SELECT $__timeFrom()::timestamp AS "time", device, setting, value
       FROM settings
       WHERE ts < $__timeFrom() AND reactor = '$reactor' AND state = 'applied'
       LATEST ON ts PARTITION BY device, setting)
      UNION ALL
      SELECT ts AS "time", device, setting, value
      FROM settings
      WHERE $__timeFilter(ts) AND reactor = '$reactor' AND state = 'applied'
    )
    ORDER BY "time"
"""

DESIRED = """
    SELECT device, setting, value AS applied, ts AS since, author, asked_state, asked, asked_author
    FROM settings_now
    WHERE ts <= $__timeTo() AND reactor = '$reactor'
    ORDER BY device, setting
"""

# A view: however long the span, it is read at once.
HOURS = blocks.series("hourly", CHOSEN, metric="trim(sensor || ' ' || quantity || ' ' || unit)", value="avg(avg)")

CHANGES = """
    SELECT ts AS "time", device, setting, value, state, author, revision
    FROM settings
    WHERE $__timeFilter(ts) AND reactor = '$reactor'
    ORDER BY ts DESC
    LIMIT 200
"""

EVENTS = """
    SELECT ts AS "time", source, kind, text
    FROM events
    WHERE $__timeFilter(ts) AND reactor = '$reactor'
    ORDER BY ts DESC
    LIMIT 200
"""

MARKS = """
    SELECT ts AS "time", text, source || ',' || kind AS tags
    FROM events
    WHERE $__timeFilter(ts) AND reactor = '$reactor'
    LIMIT -500
"""

ASKED = {"applied": blocks.GOOD, "pending": blocks.WARN, "rejected": blocks.BAD}


def reactor() -> dashboards.Dashboard:
    """Build it."""
    return (
        blocks.frame("Reactorium Reactor", "One reactor: readings, settings, events.", since="now-6h", refresh="10s")
        .with_variable(blocks.choice("reactor", "Reactor", NAMES))
        .with_variable(blocks.choice("sensor", "Sensor", SENSORS, many=True))
        .annotation(blocks.marks("Events", MARKS))
        .with_panel(
            blocks.table(
                "Now",
                "The newest reading of each quantity.",
                NOW,
                {"quality": blocks.colored(blocks.QUALITY), "age": blocks.in_unit("s")},
            )
        )
        .with_panel(
            blocks.live_and_kept(
                "$sensor",
                "Lines: live readings, a day back. Points: kept samples.",
                CHOSEN,
                metric="trim(quantity || ' ' || unit)",
            )
            .repeat("sensor")
            .repeat_direction("h")
            .max_per_row(2)
            .span(24)
        )
        .with_panel(
            blocks.lines("By the hour", "Means of what was ok; for spans of weeks and years.", HOURS)
            .interval("1h")
            .span(24)
        )
        .with_row(dashboards.Row("Quality"))
        .with_panel(
            blocks.states("Live readings", "The worst of each interval.", _quality("readings"), QUALITIES).span(12)
        )
        .with_panel(
            blocks.states("Kept samples", "The worst of each interval.", _quality("samples"), QUALITIES).span(12)
        )
        .with_row(dashboards.Row("Settings and events"))
        .with_panel(blocks.states("Settings applied", "Each holds until the next.", blocks.Sql(SETTINGS)))
        .with_panel(
            blocks.table(
                "Applied and asked for",
                "What holds, and the newest document that somebody asked for; pending: not answered yet.",
                DESIRED,
                {"asked_state": blocks.colored(ASKED)},
            )
        )
        .with_panel(blocks.table("Changes", "Applied and rejected, the newest 200.", CHANGES).span(12))
        .with_panel(blocks.table("Events", "The newest 200.", EVENTS).span(12))
    )
