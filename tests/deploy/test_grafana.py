"""Grafana's files: in step with the code that makes them, of the SDK's types, bounded, and without secrets."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from actors.self_sensor import SelfSensor
from deploy.grafana import alerts, blocks
from deploy.grafana.files import DASHBOARDS, HERE, made
from hardware.values import Quality

PAGE = Path(__file__).parents[2] / "docs" / "grafana.md"
OF_THE_SERVER = ("wal_tables()", "tables()", "materialized_views()")  # what the server tells of itself has no time


def dashboard(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((HERE / "dashboards" / f"{name}.json").read_text(encoding="utf-8"))
    return content


def targets(name: str) -> list[dict[str, Any]]:
    shown = dashboard(name)
    marks = [one["target"] for one in shown.get("annotations", {}).get("list", ())]
    return [target for panel in shown["panels"] for target in panel.get("targets", ())] + marks


def variables(name: str) -> dict[str, str]:
    return {one["name"]: one["query"] for one in dashboard(name).get("templating", {}).get("list", ())}


def provisioned(name: str) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((HERE / "provisioning" / name / "reactorium.yaml").read_text("utf-8"))
    return content


QUERIES = [
    *((name, sql) for name in DASHBOARDS for sql in variables(name).values()),
    *((name, target["rawSql"]) for name in DASHBOARDS for target in targets(name)),
    *((rule.name, blocks.laid_out(rule.sql)) for _, rules in alerts.GROUPS.values() for rule in rules),
]


def test_the_files_are_what_the_code_makes() -> None:
    there = {*HERE.glob("dashboards/*"), *HERE.glob("provisioning/alerting/*")}
    assert there == set(made())
    for path, content in made().items():
        assert path.read_text(encoding="utf-8") == content, "make it again: python -m deploy.grafana"


@pytest.mark.parametrize("name", DASHBOARDS)
def test_a_dashboard_is_of_the_sdks_types(name: str) -> None:
    register_default_plugins()
    again = json.loads(JSONEncoder().encode(Dashboard.from_json(dashboard(name))))
    assert again == dashboard(name)


@pytest.mark.parametrize("name", DASHBOARDS)
def test_panels_have_numbers_titles_descriptions_and_do_not_overlap(name: str) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in dashboard(name)["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24, panel["title"]
        taken |= cells
        assert panel["type"] == "row" or panel["description"]
    numbers = [panel["id"] for panel in dashboard(name)["panels"]]
    assert len(set(numbers)) == len(numbers)


@pytest.mark.parametrize(("name", "sql"), QUERIES, ids=range(len(QUERIES)))
def test_every_query_is_bounded_in_time(name: str, sql: str) -> None:
    for table in re.findall(r"FROM (\w+(?:\(\))?)", sql):
        if table not in OF_THE_SERVER:
            bounded = "$__timeFilter(ts)", "ts <= $__timeTo()", "AND $__timeTo()", "ts < $__timeFrom()"
            assert any(bound in sql for bound in bounded), f"{name}: {table}"


@pytest.mark.parametrize("name", DASHBOARDS)
def test_every_line_takes_the_dashboards_interval(name: str) -> None:
    of_lines = [target["rawSql"] for target in targets(name) if target["format"] == "time_series"]
    assert of_lines
    assert all("SAMPLE BY $__interval" in sql for sql in of_lines)


@pytest.mark.parametrize("name", DASHBOARDS)
def test_a_query_names_only_variables_that_there_are(name: str) -> None:
    known = {*variables(name), "__interval"}
    for sql in [*variables(name).values(), *(target["rawSql"] for target in targets(name))]:
        assert {word for word in re.findall(r"\$(\w+)\b(?!\()", sql) if word not in known} == set()


def test_everything_asks_the_data_source_that_is_provisioned() -> None:
    (source,) = provisioned("datasources")["datasources"]
    assert (source["uid"], source["type"]) == (blocks.SOURCE.uid, blocks.SOURCE.type_val)
    assert source["jsonData"]["timeInterval"] == blocks.SHORTEST
    for name in DASHBOARDS:
        assert {target["datasource"]["uid"] for target in targets(name)} == {source["uid"]}


def test_who_reads_and_the_password_come_from_the_environment() -> None:
    (source,) = provisioned("datasources")["datasources"]
    for value in (source["url"], source["user"], source["secureJsonData"]["password"]):
        assert re.fullmatch(r"\$__env\{[A-Z_]+\}", value)


def test_dashboards_and_rules_are_in_one_folder() -> None:
    (provider,) = provisioned("dashboards")["providers"]
    groups: Any = alerts.provisioned()["groups"]
    assert {provider["folder"], *(group["folder"] for group in groups)} == {blocks.FOLDER}


def test_rules_keep_to_grafanas_limits_and_expand_nothing_by_accident() -> None:
    rules = [rule for _, every in alerts.GROUPS.values() for rule in every]
    uids = [f"{blocks.TAG}-{rule.name}" for rule in rules]
    assert len(set(uids)) == len(uids)
    assert all(len(uid) <= 40 for uid in uids)
    for rule in rules:  # some Grafanas take "$" there for a variable of the environment
        assert "$" not in rule.summary + rule.what_to_do


def test_every_quality_has_a_colour() -> None:
    assert set(blocks.QUALITY) == set(Quality)


def test_what_is_asked_of_a_process_is_what_it_reports() -> None:
    reported = {quantity.name: quantity.unit for quantity in SelfSensor.descriptor.quantities}
    asked = {name for _, sql in QUERIES for name in re.findall(r"sensor = 'self' AND quantity = '(\w+)'", sql)}
    assert asked - {"stale", "reports", "denied"} <= set(reported)  # those three are a manager's
    assert reported["attached"] != "reactors"  # the unit tells a manager's from a reactor's


def test_the_page_names_every_dashboard_and_rule() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for name in (
        *(dashboard(one)["title"].removeprefix("Reactorium ") for one in DASHBOARDS),
        *(r.title for _, rs in alerts.GROUPS.values() for r in rs),
    ):
        assert f"| {name} |" in page
