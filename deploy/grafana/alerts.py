"""The alert rules, and how each becomes what Grafana provisions.

A rule asks for one number for each thing that it watches, whose names are the other columns; it fires for each thing
whose number is above (or below) a limit for as long as it says.
"""

from dataclasses import dataclass
from inspect import cleandoc
from typing import Literal

from grafana_foundation_sdk.builders import alerting, expr
from grafana_foundation_sdk.models import alerting as models
from grafana_foundation_sdk.models import common

from deploy.grafana import blocks
from deploy.grafana.shared import IS_REACTOR, KNOWN, NEWEST, RECENT, WIRED, of_all, own

MINUTE, HOUR, DAY = 60, 3600, 86_400
EXPRESSION = common.DataSourceRef(type_val="__expr__", uid="__expr__")

Side = Literal["gt", "lt"]
Failing = Literal["Alerting", "KeepLast"]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. `span` is how far it looks back, in seconds; `hold` how long before it fires, as `5m`."""

    name: str
    title: str
    summary: str  # for people; {{ .Labels.reactor }} is a column, {{ .Values.A.Value }} the number
    what_to_do: str
    sql: str
    limit: float
    span: int
    hold: str
    side: Side = "gt"
    severity: Literal["critical", "warning"] = "warning"
    failing: Failing = "KeepLast"  # when the database does not answer: one rule says so for all


NOTHING = Rule(
    name="nothing-comes-in",
    title="Nothing comes in",
    summary="No live reading of any reactor for two minutes, or the database does not answer.",
    what_to_do="See whether questdb, coordinator and managers run: docs/running.md. Samples wait in the spools.",
    sql=f"SELECT count() AS readings FROM readings WHERE {RECENT}",
    limit=1,
    side="lt",
    span=5 * MINUTE,
    hold="2m",
    severity="critical",
    failing="Alerting",
)

SILENT = Rule(
    name="reactor-silent",
    title="Reactor is silent",
    summary="{{ .Labels.reactor }} kept samples this week and has sent no live reading for two minutes.",
    what_to_do="Look at the board and its network. It goes on sampling by itself: its spool holds the rows.",
    sql=f"""
        SELECT known.reactor, coalesce(live.readings, 0) AS readings
        FROM ({KNOWN}) known
        LEFT JOIN (
          SELECT reactor, count() AS readings FROM readings WHERE {IS_REACTOR} AND {RECENT} GROUP BY reactor
        ) live ON (reactor)
    """,
    limit=1,
    side="lt",
    span=7 * DAY,
    hold="2m",
    severity="critical",
)

NO_SAMPLES = Rule(
    name="no-samples",
    title="No samples are stored",
    summary="{{ .Labels.reactor }}/{{ .Labels.sensor }}: no sample for"
    ' {{ printf "%.1f" .Values.A.Value }} sample intervals.',
    what_to_do="If the reactor is live, look at its backlog: the rows wait, or its sensor has failed to start.",
    sql=f"""
        SELECT kept.reactor, kept.sensor, datediff('s', kept.newest, $__timeTo()) / wired.every AS intervals
        FROM (
          SELECT reactor, sensor, ts AS newest FROM samples WHERE $__timeFilter(ts)
          LATEST ON ts PARTITION BY reactor, sensor
        ) kept
        JOIN ({WIRED}) wired ON kept.reactor = wired.reactor AND kept.sensor = wired.name
    """,
    limit=3,
    span=7 * DAY,
    hold="5m",
)

PROBE = Rule(
    name="probe-fault",
    title="Probe fault",
    summary="{{ .Labels.reactor }}/{{ .Labels.sensor }} {{ .Labels.quantity }}:"
    ' {{ printf "%.0f" .Values.A.Value }} % of the last five minutes\' readings are not to be believed.',
    what_to_do="The event that began it says why: fault, stale or out of range. Look at the probe and its wires.",
    sql="""
        SELECT reactor, sensor, quantity, bad FROM (
          SELECT reactor, sensor, quantity,
                 100.0 * sum(CASE WHEN quality IN ('ok', 'calibrating') THEN 0 ELSE 1 END) / count() AS bad
          FROM readings
          WHERE $__timeFilter(ts)
          GROUP BY reactor, sensor, quantity
        )
        WHERE bad > 0
    """,
    limit=50,
    span=5 * MINUTE,
    hold="1m",
)

BACKLOG = Rule(
    name="backlog",
    title="Backlog",
    summary='{{ .Labels.reactor }}: the oldest row has waited {{ printf "%.0f" .Values.A.Value }} s to be stored.',
    what_to_do="The reactor's log says why the database does not take its rows; none is lost until its spool is full.",
    sql=f"SELECT reactor, value AS oldest FROM ({NEWEST}) WHERE {own('oldest')}",
    limit=15 * MINUTE,
    span=5 * MINUTE,
    hold="5m",
)

LOST = Rule(
    name="rows-lost",
    title="Rows refused or dropped",
    summary='{{ .Labels.reactor }}: {{ printf "%.0f" .Values.A.Value }} rows {{ .Labels.fate }} within an hour.',
    what_to_do="Refused rows lie in the spool with their reasons; dropped ones were the oldest of a full spool.",
    sql=f"""
        SELECT lost.reactor, lost.fate, lost.rows
        FROM (
          SELECT reactor, quantity AS fate, max(value) - min(value) AS rows
          FROM readings
          WHERE $__timeFilter(ts) AND sensor = 'self' AND quantity IN ('refused', 'dropped')
          GROUP BY reactor, quantity
        ) lost
        JOIN ({KNOWN}) known ON (reactor)
    """,
    limit=0,
    span=HOUR,
    hold="0s",
    severity="critical",
)

MISSING = Rule(
    name="numbers-missing",
    title="Numbers are missing",
    summary='{{ .Labels.reactor }}: {{ printf "%.0f" .Values.A.Value }} rows of the last day are not in the database.',
    what_to_do="The dashboard Completeness says which: refused, dropped, or deleted from the database.",
    sql=f"SELECT reactor, sum(missing) AS missing FROM ({of_all('missing')}) GROUP BY reactor",
    limit=0,
    span=DAY,
    hold="15m",
)

CLOCK = Rule(
    name="clock-offset",
    title="Clock is wrong",
    summary='{{ .Labels.reactor }}: its clock is {{ printf "%.1f" .Values.A.Value }} s off.',
    what_to_do="See whether time synchronisation runs on the board. Its rows get the server's time meanwhile.",
    sql=f"SELECT reactor, abs(value) AS seconds FROM ({NEWEST}) WHERE {own('clock_offset')}",
    limit=2,
    span=5 * MINUTE,
    hold="5m",
)

SUSPENDED = Rule(
    name="table-suspended",
    title="Table is suspended",
    summary="{{ .Labels.table }} acknowledges rows and shows none: most often the disk is full.",
    what_to_do="Make room, then ALTER TABLE ... RESUME WAL, or restart the server: docs/database.md. Nothing is lost.",
    sql='SELECT name AS "table", CASE WHEN suspended THEN 1 ELSE 0 END AS suspended FROM wal_tables()',
    limit=0,
    span=5 * MINUTE,
    hold="0s",
    severity="critical",
)

BEHIND = Rule(
    name="table-behind",
    title="Table falls behind",
    summary='{{ .Labels.table }}: {{ printf "%.0f" .Values.A.Value }} acknowledged batches cannot be seen yet.',
    what_to_do="The server has too much to do, or its disk is slow.",
    sql='SELECT name AS "table", sequencerTxn - writerTxn AS behind FROM wal_tables()',
    limit=300,
    span=5 * MINUTE,
    hold="5m",
)

GROUPS = {
    "Each minute": ("1m", (NOTHING, SILENT, PROBE, BACKLOG, CLOCK, SUSPENDED, BEHIND)),
    "Each ten minutes": ("10m", (NO_SAMPLES, LOST, MISSING)),
}


def provisioned() -> dict[str, object]:
    """Give all rules as a file for Grafana's folder provisioning/alerting."""
    groups = [
        {
            "orgId": 1,
            "name": name,
            "folder": blocks.FOLDER,
            "interval": every,
            "rules": [_spelled(one) for one in rules],
        }
        for name, (every, rules) in GROUPS.items()
    ]
    return {"apiVersion": 1, "groups": groups}


def _spelled(rule: Rule) -> dict[str, object]:
    """Spell a rule as a file has it: what only Grafana's API has is left out."""
    spelled = _built(rule).build().to_json()
    return {key: value for key, value in spelled.items() if key not in {"folderUID", "orgID", "ruleGroup"}}


def _built(rule: Rule) -> alerting.Rule:
    evaluator = expr.ExprTypeThresholdConditionsEvaluator().type(rule.side).params([rule.limit])
    condition = expr.ExprTypeThresholdConditions().evaluator(evaluator)
    fires = expr.TypeThreshold().datasource(EXPRESSION).expression("A").conditions([condition]).ref_id("B")
    span = models.RelativeTimeRange(from_val=rule.span, to=0)
    asked = alerting.Query("A").datasource_uid(str(blocks.SOURCE.uid)).relative_time_range(span)
    judged = alerting.Query("B").datasource_uid(str(EXPRESSION.uid)).relative_time_range(span)
    return (
        alerting.Rule(rule.title)
        .uid(f"{blocks.TAG}-{rule.name}")
        .with_query(asked.model(blocks.Sql(rule.sql)))
        .with_query(judged.model(fires))
        .condition("B")
        .for_val(rule.hold)
        .no_data_state("OK")
        .exec_err_state(rule.failing)
        .labels({"severity": rule.severity})
        .annotations({"summary": rule.summary, "description": cleandoc(rule.what_to_do)})
    )
