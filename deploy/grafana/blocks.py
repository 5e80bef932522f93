"""What every dashboard is built of: the data source, questions in SQL, panels. What it shows is in its own module.

Needs `grafana-foundation-sdk`, which only those have who make the files (the extra `dev`).
"""

from collections.abc import Mapping
from typing import Literal

from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import dashboard as dashboards
from grafana_foundation_sdk.builders import stat as stats
from grafana_foundation_sdk.builders import statetimeline as timelines
from grafana_foundation_sdk.builders import table as tables
from grafana_foundation_sdk.builders import timeseries
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models import common, dashboard

SOURCE = common.DataSourceRef(type_val="grafana-postgresql-datasource", uid="reactorium")
SHORTEST = "10s"  # two live readings: a narrower interval would show holes between them, and QuestDB knows no "ms"
TAG = "reactorium"
FOLDER = "Reactorium"

Format = Literal["time_series", "table"]
Override = list[dashboard.DynamicConfigValue]

GOOD, BUSY, WARN, POOR, BAD, NONE = "green", "blue", "yellow", "orange", "red", "#808080"
QUALITY = {"ok": GOOD, "calibrating": BUSY, "stale": WARN, "out_of_range": POOR, "fault": BAD}  # the best first


class Sql(Builder[Dataquery], Dataquery):
    """One question to Grafana's PostgreSQL source, which the SDK has no type for.

    A time series has the columns `time` (ascending), `metric` (the name of the line) and one number.
    """

    def __init__(self, text: str, *, shape: Format = "table", ref: str = "A") -> None:
        self.text = laid_out(text)
        self.shape = shape
        self.ref = ref

    def build(self) -> Dataquery:
        """It is complete as it stands."""
        return self

    def to_json(self) -> dict[str, object]:
        """Spell it as the source's query editor does in its code mode."""
        return {
            "datasource": SOURCE,
            "editorMode": "code",
            "format": self.shape,
            "rawQuery": True,
            "rawSql": self.text,
            "refId": self.ref,
        }


def laid_out(sql: str) -> str:
    """Indent SQL by its parentheses: it is put together of pieces, and people read it in Grafana."""
    lines, depth = [], 0
    for line in filter(None, map(str.strip, sql.splitlines())):
        lines.append("  " * (depth - line.startswith(")")) + line)
        depth += line.count("(") - line.count(")")
    return "\n".join(lines)


def frame(title: str, about: str, *, since: str, refresh: str) -> dashboards.Dashboard:
    """An empty dashboard with links to the others. `since` as `now-6h`, `refresh` as `10s`."""
    others = (
        dashboards.DashboardLink("Reactorium")
        .type(dashboard.DashboardLinkType.DASHBOARDS)
        .tags([TAG])
        .keep_time(keep_time=True)
    )
    return (
        dashboards.Dashboard(title)
        .uid(f"{TAG}-{title.rsplit(maxsplit=1)[-1].lower()}")
        .description(about)
        .tags([TAG])
        .time(since, "now")
        .refresh(refresh)
        .tooltip(dashboard.DashboardCursorSync.CROSSHAIR)
        .link(others)
    )


def choice(name: str, label: str, sql: str, *, many: bool = False) -> dashboards.QueryVariable:
    """A variable that people choose from what `sql` finds. Of many it may be all, and stands in SQL as `IN ($name)`."""
    variable = (
        dashboards.QueryVariable(name)
        .label(label)
        .datasource(SOURCE)
        .query(laid_out(sql))
        .refresh(dashboard.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .multi(many)
        .include_all(many)
    )
    return variable.current(dashboard.VariableOption(text="All", value="$__all")) if many else variable


def stat(title: str, about: str, sql: str, *, unit: str = "short", bad: float | None = None) -> stats.Panel:
    """One number; red from `bad` upwards."""
    steps = [dashboard.Threshold(value=None, color=GOOD)]
    if bad is not None:
        steps.append(dashboard.Threshold(value=bad, color=BAD))
    return (
        stats.Panel()
        .title(title)
        .description(about)
        .datasource(SOURCE)
        .with_target(Sql(sql))
        .unit(unit)
        .no_value("0")
        .thresholds(dashboards.ThresholdsConfig().mode(dashboard.ThresholdsMode.ABSOLUTE).steps(steps))
        .color_mode(common.BigValueColorMode.BACKGROUND if bad is not None else common.BigValueColorMode.VALUE)
        .graph_mode(common.BigValueGraphMode.NONE)
        .span(4)
        .height(4)
    )


def table(title: str, about: str, sql: str, overrides: Mapping[str, Override] | None = None) -> tables.Panel:
    """Rows as they come; `overrides` by column."""
    panel = tables.Panel().title(title).description(about).datasource(SOURCE).with_target(Sql(sql)).span(24).height(9)
    for column, properties in (overrides or {}).items():
        panel = panel.override_by_name(column, properties)
    return panel


def lines(title: str, about: str, *questions: str, unit: str = "short") -> timeseries.Panel:
    """Lines over time, of one or more questions (A, B, ...) whose columns are time, metric, value."""
    panel = (
        timeseries.Panel()
        .title(title)
        .description(about)
        .datasource(SOURCE)
        .interval(SHORTEST)
        .unit(unit)
        .fill_opacity(0)
        .legend(
            common_builders.VizLegendOptions()
            .display_mode(common.LegendDisplayMode.TABLE)
            .placement(common.LegendPlacement.RIGHT)
            .show_legend(show_legend=True)
            .calcs(["lastNotNull", "min", "max"])
        )
        .tooltip(common_builders.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI))
        .span(12)
        .height(8)
    )
    for ref, sql in zip("ABC", questions, strict=False):
        panel = panel.with_target(Sql(sql, shape="time_series", ref=ref))
    return panel


def live_and_kept(  # noqa: PLR0913 - a panel has that many sides
    title: str, about: str, where: str, *, metric: str, value: str = "avg(value)", unit: str = "short"
) -> timeseries.Panel:
    """Live readings as lines with what the database keeps as points: readings reach back a day, samples for ever.

    `metric` names a line, in SQL; `value` is the aggregate of an interval.
    """
    kept = series("samples", where, metric=f"{metric} || ' kept'", value=value)
    points = [
        dashboard.DynamicConfigValue("custom.drawStyle", common.GraphDrawStyle.POINTS),
        dashboard.DynamicConfigValue("custom.pointSize", 7),
    ]
    live = series("readings", where, metric=metric, value=value, fill="NULL")
    return lines(title, about, live, kept, unit=unit).override_by_query("B", points)


def series(from_table: str, where: str, *, metric: str, value: str = "avg(value)", fill: str = "NONE") -> str:
    """A question for one number an interval and line. `fill` is QuestDB's word for an interval without rows."""
    return f"""
        SELECT ts AS "time", {metric} AS metric, {value} AS value
        FROM {from_table}
        WHERE $__timeFilter(ts) AND {where}
        SAMPLE BY $__interval FILL({fill})
    """


def states(title: str, about: str, sql: Sql, colors: Mapping[str, tuple[str, str]] | None = None) -> timelines.Panel:
    """A bar for each line that changes its colour with its value; `colors` gives text and colour of a value.

    A table's values may be text: they are taken apart into lines by the column `metric`.
    """
    panel = (
        timelines.Panel()
        .title(title)
        .description(about)
        .datasource(SOURCE)
        .interval(SHORTEST)
        .with_target(sql)
        .merge_values(merge_values=True)
        .show_value(common.VisibilityMode.AUTO)
        .row_height(0.8)
        .per_page(20)
        .span(24)
        .height(8)
    )
    if colors:
        panel = panel.mappings([mapping(colors)])
    if sql.shape == "table":
        apart = {"fields": ["metric"], "keepFields": False, "naming": {"asLabels": True}}
        panel = (
            panel.with_transformation(dashboard.DataTransformerConfig(id_val="partitionByValues", options=apart))
            .display_name("${__field.labels.metric}")
            .span_nulls(span_nulls=True)  # a value holds until the next
        )
    return panel


def mapping(colors: Mapping[str, tuple[str, str]]) -> dashboard.ValueMap:
    """Show values as texts in colours."""
    return dashboard.ValueMap(
        {
            value: dashboard.ValueMappingResult(text=text, color=color, index=index)
            for index, (value, (text, color)) in enumerate(colors.items())
        }
    )


def colored(colors: Mapping[str, str]) -> Override:
    """Colour a column's cells by their text."""
    return [
        dashboard.DynamicConfigValue("mappings", [mapping({text: (text, color) for text, color in colors.items()})]),
        dashboard.DynamicConfigValue("custom.cellOptions", {"type": "color-text"}),
    ]


def in_unit(unit: str) -> Override:
    """Show a column's numbers in a unit of Grafana's."""
    return [dashboard.DynamicConfigValue("unit", unit)]


def leading_to(uid: str, variable: str) -> Override:
    """Let a column's cells lead to a dashboard, their text chosen there."""
    url = f"/d/{uid}?var-{variable}=${{__value.raw}}&${{__url_time_range}}"
    return [dashboard.DynamicConfigValue("links", [{"title": "Open", "url": url}])]


def alarms(title: str, about: str) -> dashboards.Panel:
    """Grafana's own list of alerts that fire or are about to; the SDK has no type for it."""
    return (
        dashboards.Panel()
        .type("alertlist")
        .title(title)
        .description(about)
        .options(
            {
                "viewMode": "list",
                "alertInstanceLabelFilter": f'{{grafana_folder="{FOLDER}"}}',
                "groupMode": "default",
                "maxItems": 50,
                "sortOrder": 3,  # the newest first
                "stateFilter": {"firing": True, "pending": True, "noData": True, "normal": False, "error": True},
            }
        )
    )


def marks(name: str, sql: str) -> dashboards.AnnotationQuery:
    """Marks on every panel with a time axis; the columns are time, text, tags."""
    return (
        dashboards.AnnotationQuery().name(name).datasource(SOURCE).enable(enable=True).icon_color(BUSY).target(Sql(sql))
    )
