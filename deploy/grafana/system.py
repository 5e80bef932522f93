"""System: managers, database, spools, clocks."""

from grafana_foundation_sdk.builders import dashboard as dashboards

from deploy.grafana import blocks
from deploy.grafana.shared import NEWEST, newest, own

MANAGERS = f"""
    SELECT * FROM (
      SELECT reactor AS manager, datediff('s', max(ts), $__timeTo()) AS age,
             {newest("attached", "stale", "reports", "refused", "denied", "dropped", "load", "memory")}
      FROM ({NEWEST})
      GROUP BY reactor
    )
    WHERE reports IS NOT NULL
    ORDER BY manager
"""

# What a manager counts are reactors; a reactor has the same quantity, of another unit.
ATTACHED = f"{own('attached')} AND unit = 'reactors'"

# What a table acknowledged and does not show yet; suspended, it never will by itself.
TABLES = """
    SELECT wal.name AS "table", wal.suspended, wal.sequencerTxn - wal.writerTxn AS behind,
           told.table_row_count AS rows, told.wal_dedup_row_count_since_start AS sent_again,
           told.table_max_timestamp AS newest, stored.diskSize AS disk,
           wal.errorTag || ' ' || wal.errorMessage AS error
    FROM wal_tables() wal
    JOIN tables() told ON wal.name = told.table_name
    JOIN table_storage() stored ON wal.name = stored.tableName
    ORDER BY wal.suspended DESC, wal.name
"""

VIEWS = """
    SELECT view_name AS "view", refresh_type AS refresh, view_status AS status, invalidation_reason AS reason,
           last_refresh_finish_timestamp AS refreshed, base_table_txn - refresh_base_table_txn AS behind
    FROM materialized_views()
    ORDER BY view_name
"""

IDENTITY = """
    SELECT ts AS since, identity, incarnation, schema_major, schema_minor
    FROM meta
    WHERE ts <= $__timeTo()
    ORDER BY ts DESC
    LIMIT 10
"""


def system() -> dashboards.Dashboard:
    """Build it."""
    return (
        blocks.frame("Reactorium System", "Managers, database, spools, clocks.", since="now-6h", refresh="30s")
        .with_row(dashboards.Row("Managers"))
        .with_panel(
            blocks.table(
                "Managers",
                "Their newest reports, and the coordinator's; one that is away for two minutes is not here.",
                MANAGERS,
                {"age": blocks.in_unit("s"), "load": blocks.in_unit("percent"), "memory": blocks.in_unit("mbytes")},
            ).height(6)
        )
        .with_panel(
            blocks.lines(
                "Reactors attached",
                "To each manager.",
                blocks.series("readings", ATTACHED, metric="reactor", fill="NULL"),
            )
        )
        .with_panel(
            blocks.lines(
                "Load",
                "Of one core, reactors and managers.",
                blocks.series("readings", own("load"), metric="reactor", fill="NULL"),
                unit="percent",
            )
        )
        .with_row(dashboards.Row("Database"))
        .with_panel(
            blocks.table(
                "Tables",
                "As the server tells it now, whatever span is shown.",
                TABLES,
                {
                    "suspended": blocks.colored({"true": blocks.BAD, "false": blocks.GOOD}),
                    "disk": blocks.in_unit("bytes"),
                },
            )
        )
        .with_panel(
            blocks.table(
                "Materialized views",
                "An invalid one is filled again within minutes, unless it has rows older than the samples.",
                VIEWS,
                {"status": blocks.colored({"valid": blocks.GOOD, "invalid": blocks.BAD})},
            ).height(5)
        )
        .with_panel(blocks.table("Identity", "A new line: wiped, restored, dropped or migrated.", IDENTITY).span(12))
        .with_panel(
            blocks.lines(
                "Memory",
                "Resident, reactors and managers.",
                blocks.series("readings", own("memory"), metric="reactor", fill="NULL"),
                unit="mbytes",
            ).height(9)
        )
        .with_row(dashboards.Row("Spools and clocks"))
        .with_panel(
            blocks.live_and_kept(
                "Spools",
                "Rows that wait, rows that the database refused, rows that a full spool dropped. Of a manager:"
                " messages that it refused, live readings that it dropped.",
                "sensor = 'self' AND quantity IN ('waiting', 'refused', 'dropped')",
                metric="reactor || ' ' || quantity",
                value="max(value)",
            )
        )
        .with_panel(
            blocks.live_and_kept(
                "Clock offset",
                "How far each reactor's clock is ahead of the server's.",
                own("clock_offset"),
                metric="reactor",
                unit="s",
            )
        )
    )
