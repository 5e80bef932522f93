"""Every query of the dashboards and alert rules, against the real QuestDB, the way Grafana asks it."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

import deploy.grafana
from storage.schema import ensure_schema
from tests.conftest import Server, running_questdb
from tests.system import grafana_history
from tests.system.grafana_source import Frame, Shown, ask, firing, lines

pytestmark = pytest.mark.system

SHORTEST = "10s"  # the data source's
GRAFANA = Path(deploy.grafana.__file__).parent
CHOSEN = {"fleet": {}, "system": {}, "reactor": {"reactor": "pond", "sensor": ["ph1"]}}
CHOSEN["completeness"] = {"reactor": ["tank", "pond", "well"]}
THREE = {"tank", "pond", "well"}


@dataclass(frozen=True)
class World:
    """A server with the known history, and who reads it as Grafana does."""

    server: Server
    reader: psycopg.Connection[Any]
    shown: Shown  # the last hour

    def ask(self, dashboard: str, title: str, ref: str = "A", **changed: Any) -> Frame:  # noqa: ANN401 - as Shown
        """What a panel, a variable or the annotations of a dashboard get for an answer."""
        sql = QUERIES[dashboard, title, ref]
        shown = replace(self.shown, **{"chosen": CHOSEN[dashboard], **changed})
        return ask(self.reader, sql, shown)

    def firing(self, rule: str, until: datetime) -> set[tuple[str, ...]]:
        """What a rule fires for at a moment."""
        asked, judged = RULES[rule]["data"]
        span = timedelta(seconds=asked["relativeTimeRange"]["from"])
        frame = ask(self.reader, asked["model"]["rawSql"], Shown(until - span, until))
        assert set(re.findall(r"\.Labels\.(\w+)", RULES[rule]["annotations"]["summary"])) <= set(frame.columns)
        (condition,) = judged["model"]["conditions"]
        return firing(frame, condition["evaluator"]["type"], *condition["evaluator"]["params"])

    def all_firing(self, until: datetime) -> dict[str, set[tuple[str, ...]]]:
        return {name: found for name in RULES if (found := self.firing(name, until))}


def _queries() -> dict[tuple[str, str, str], str]:
    found: dict[tuple[str, str, str], str] = {}
    for path in sorted((GRAFANA / "dashboards").glob("*.json")):
        made = json.loads(path.read_text(encoding="utf-8"))
        for panel in made["panels"]:
            for target in panel.get("targets", ()):
                found[path.stem, panel["title"], target["refId"]] = target["rawSql"]
        for variable in made.get("templating", {}).get("list", ()):
            found[path.stem, f"variable {variable['name']}", "A"] = variable["query"]
        for marks in made.get("annotations", {}).get("list", ()):
            found[path.stem, f"marks {marks['name']}", "A"] = marks["target"]["rawSql"]
    return found


def _rules() -> dict[str, Any]:
    made = json.loads((GRAFANA / "provisioning" / "alerting" / "reactorium.json").read_text(encoding="utf-8"))
    return {rule["uid"].removeprefix("reactorium-"): rule for group in made["groups"] for rule in group["rules"]}


QUERIES, RULES = _queries(), _rules()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QDB_DEV_MODE_ENABLED", "true")  # lets a test suspend a table
        with running_questdb(tmp_path_factory.mktemp("grafana")) as server:
            client = server.client()
            ensure_schema(client)
            # Readings of another day would be gone at once (TTL), so the history ends now. Of its end's fraction Go
            # leaves the zeros out.
            end = (datetime.now(UTC) + timedelta(seconds=1)).replace(microsecond=120_000)
            grafana_history.write(client, end)
            client.close()
            viewer = server.viewer
            with psycopg.connect(
                host="127.0.0.1",
                port=server.pg_port,
                user=viewer.user,
                password=viewer.password,
                dbname="qdb",
                autocommit=True,
            ) as reader:
                yield World(server, reader, Shown(end - timedelta(hours=1), end))


@pytest.mark.parametrize("query", QUERIES, ids="/".join)
def test_every_query_finds_something_in_the_known_history(world: World, query: tuple[str, str, str]) -> None:
    assert world.ask(*query, since=world.shown.until - timedelta(hours=2)).rows  # a whole hour, for the view hourly


@pytest.mark.parametrize("query", QUERIES, ids="/".join)
@pytest.mark.parametrize(("days", "interval"), [(90, "2h"), (3650, "7d")])
def test_every_query_is_understood_whatever_span_is_shown(
    world: World, query: tuple[str, str, str], days: int, interval: str
) -> None:
    until = datetime(2020, 1, 1, tzinfo=UTC)  # nothing there; and a moment without a fraction
    world.ask(*query, since=until - timedelta(days=days), until=until, interval=interval)


def test_who_reads_cannot_write_although_the_simple_protocol_runs_more_than_one_statement(world: World) -> None:
    for harm in ("DROP TABLE samples", "TRUNCATE TABLE samples", "INSERT INTO meta (ts) VALUES (now())"):
        with pytest.raises(psycopg.Error, match="denied"):
            world.reader.execute(f"SELECT 1; {harm}".encode())
    assert world.ask("completeness", "Samples kept").column("rows") != [0]


def test_fleet_counts_what_is_live_and_what_is_not(world: World) -> None:
    counted = {
        "Reactors live": 2,
        "Reactors silent": 1,
        "Readings not ok": 1,
        "Rows waiting": 1500,
        "Faults told": 2,
        "Tables suspended": 0,
    }
    assert {title: next(iter(world.ask("fleet", title).rows[0].values())) for title in counted} == counted


def test_fleet_lists_every_reactor_a_silent_one_without_numbers(world: World) -> None:
    well, pond, tank = world.ask("fleet", "Reactors").rows
    assert (well["reactor"], well["state"], well["age"], well["waiting"]) == ("well", "silent", None, None)
    assert (pond["reactor"], pond["state"], pond["bad"], pond["waiting"]) == ("pond", "live", 1, 1500)
    assert (pond["oldest"], pond["clock_offset"]) == (1200, -5)
    assert (tank["reactor"], tank["bad"], tank["memory"], tank["age"]) == ("tank", 0, 45, 10)


def test_fleet_shows_the_readings_that_are_not_ok_first(world: World) -> None:
    readings = world.ask("fleet", "Newest readings").rows
    assert [(row["reactor"], row["value"], row["quality"]) for row in readings] == [
        ("pond", None, "fault"),
        ("tank", 7.0, "ok"),
    ]


def test_fleet_shows_when_a_reactor_fell_silent(world: World) -> None:
    found = lines(world.ask("fleet", "State"))
    assert set(found) == THREE
    assert {value for line in found.values() for _, value in line} == {0, 1}
    silent = [time for time, live in found["well"] if not live]
    assert min(silent) > world.shown.until - timedelta(minutes=21)
    assert all(live for _, live in found["tank"])


def test_fleet_shows_backlog_live_and_kept(world: World) -> None:
    live = lines(world.ask("fleet", "Backlog", "A"))
    kept = lines(world.ask("fleet", "Backlog", "B"))
    assert set(live) == THREE
    assert set(kept) == {f"{name} kept" for name in THREE}
    assert max(value or 0 for _, value in live["pond"]) == max(value or 0 for _, value in kept["pond kept"]) == 1500
    assert {value for _, value in live["tank"]} == {0}
    assert [value for _, value in live["well"]][-1] is None  # a hole, not a line


def test_fleet_tells_faults_the_newest_first(world: World) -> None:
    assert world.ask("fleet", "Faults").column("text") == ["still no answer", "no answer"]


def test_reactor_offers_names_and_their_sensors(world: World) -> None:
    assert world.ask("reactor", "variable reactor").column("reactor") == ["pond", "tank", "well"]
    assert world.ask("reactor", "variable sensor").column("name") == ["ph1"]
    before = world.shown.until - timedelta(days=30)
    assert not world.ask("reactor", "variable reactor", until=before).rows


def test_reactor_shows_live_readings_and_kept_samples_in_one_panel(world: World) -> None:
    live = lines(world.ask("reactor", "$sensor", "A", interval=SHORTEST))
    kept = lines(world.ask("reactor", "$sensor", "B", interval=SHORTEST))
    assert set(live) == {"ph pH"}
    assert set(kept) == {"ph pH kept"}
    fault = world.shown.until - timedelta(minutes=10, seconds=10)
    assert {value for time, value in live["ph pH"] if time < fault} == {7.0}
    assert {value for time, value in live["ph pH"] if time > fault + timedelta(seconds=10)} == {None}
    assert len(kept["ph pH kept"]) == 60 - 3  # an hour of samples a minute, less the missing ones
    assert len(live["ph pH"]) == 240  # 40 minutes at 10 s
    assert world.ask("reactor", "Now").column("quality") == ["fault"]


def test_an_interval_without_any_reading_is_a_hole(world: World) -> None:
    found = lines(world.ask("reactor", "$sensor", chosen={"reactor": "pond", "sensor": ["ph1"]}, interval="1s"))
    assert [value for _, value in found["ph pH"][:11]] == [7.0, *[None] * 9, 7.0]


@pytest.mark.parametrize("title", ["Live readings", "Kept samples"])
def test_reactor_shows_the_worst_quality_of_an_interval(world: World, title: str) -> None:
    found = lines(world.ask("reactor", title, interval="2h"))
    assert max(value or 0 for _, value in found["ph1.ph"]) == 4  # fault, in an interval that began well
    found = lines(world.ask("reactor", title, chosen={"reactor": "tank", "sensor": ["ph1"]}))
    assert {value for _, value in found["ph1.ph"]} == {0}


def test_reactor_shows_a_setting_from_the_beginning_of_the_span(world: World) -> None:
    tank = {"reactor": "tank", "sensor": ["ph1"]}
    frame = world.ask("reactor", "Settings applied", chosen=tank)
    assert frame.columns == {"time": "timestamp", "metric": "varchar", "value": "varchar"}
    assert [(row["metric"], row["value"]) for row in frame.rows] == [("fan.duty", "40"), ("fan.duty", "60")]
    assert frame.rows[0]["time"] == world.shown.since.replace(tzinfo=None)
    changes = world.ask("reactor", "Changes", chosen=tank).rows
    assert [(row["value"], row["state"], row["author"]) for row in changes] == [
        ("160", "rejected", "bob"),
        ("60", "applied", "ada"),
    ]


def test_reactor_shows_what_is_asked_for_beside_what_holds(world: World) -> None:
    (fan,) = world.ask("reactor", "Applied and asked for", chosen={"reactor": "tank"}).rows
    assert (fan["applied"], fan["asked_state"], fan["asked"], fan["asked_author"]) == (
        "60",
        "pending",
        '{"duty": 80}',
        "eve",
    )


def test_reactor_shows_hours_for_long_spans(world: World) -> None:
    hours = lines(world.ask("reactor", "By the hour", since=world.shown.until - timedelta(days=90), interval="2h"))
    values = {value for _, value in hours["ph1 ph pH"]}
    assert values - {None} == {
        7.0
    }  # faults have no part in it; an hour that has just begun with them alone has no value


def test_reactor_marks_its_events(world: World) -> None:
    marks = world.ask("reactor", "marks Events")
    assert marks.columns["time"] == "timestamp"
    assert [(row["text"], row["tags"]) for row in marks.rows] == [
        ("0.1.0", "reactor,started"),
        ("no answer", "ph1,fault"),
        ("still no answer", "ph1,fault"),
    ]
    assert world.ask("reactor", "Events").column("text") == ["still no answer", "no answer", "0.1.0"]


def test_a_name_that_would_break_out_of_the_query_is_only_a_name(world: World) -> None:
    assert not world.ask("reactor", "Events", chosen={"reactor": "x' OR '1' = '1", "sensor": ["ph1"]}).rows


def test_completeness_counts_what_is_missing_and_what_is_there_twice(world: World) -> None:
    series = len(grafana_history.GOOD)
    day: dict[str, Any] = {"since": world.shown.until - timedelta(days=1)}
    assert world.ask("completeness", "Samples kept", **day).rows == [{"rows": series * (180 + 177 + 160)}]
    # The number 179 is not there either: its row has 178. And one event is missing.
    assert world.ask("completeness", "Numbers missing", **day).rows == [{"missing": series * 4 + 1}]
    assert world.ask("completeness", "Numbers twice", **day).rows == [{"twice": series}]
    assert world.ask("completeness", "Numbers missing", **day, chosen={"reactor": ["tank"]}).rows == [{"missing": 0}]
    assert world.ask("completeness", "Sent again").rows == [{"again": 0}]
    (bad,) = world.ask("completeness", "Samples not ok", **day, chosen={"reactor": ["pond"]}).column("bad")
    assert bad == pytest.approx(100 * 7 / (177 * series))


def test_completeness_names_the_gaps(world: World) -> None:
    found = [row for row in world.ask("completeness", "Gaps").rows if row["sensor"] == "ph1"]
    assert [(row["reactor"], row["spool"], row["first_missing"], row["last_missing"]) for row in found] == [
        ("pond", "pond-1", 179, 179),
        ("pond", "pond-1", 173, 175),
    ]
    assert found[1]["until"] - found[1]["after"] == timedelta(minutes=4)
    ever = {
        (row["rows_of"], row["series"]): row["missing"]
        for row in world.ask("completeness", "Missing since the beginning").rows
    }
    assert ever["events", "ph1/fault"] == 1
    assert ever["samples", "ph1/ph"] == 3  # the doubled number stands for the one that it replaced
    worst = world.ask("completeness", "Series").rows[0]
    assert (worst["reactor"], worst["rows"], worst["missing"], worst["twice"]) == ("pond", 57, 4, 1)


def test_completeness_measures_pauses_in_sample_intervals(world: World) -> None:
    longest, *_, shortest = world.ask("completeness", "Longest pauses").rows
    assert (longest["reactor"], longest["pause"], longest["every"], longest["intervals"]) == ("pond", 240, 60, 4)
    assert (shortest["pause"], shortest["intervals"]) == (60, 1)


def test_completeness_shows_the_lag_and_the_rows(world: World) -> None:
    lag = lines(world.ask("completeness", "From taken to stored", "A"))
    assert max(value or 0 for _, value in lag["pond"]) == 1200
    assert max(value or 0 for _, value in lag["tank"]) == 0
    rows = lines(world.ask("completeness", "Samples", interval="10m"))
    assert rows["tank"][1][1] == 10 * len(grafana_history.GOOD)
    assert world.ask("completeness", "variable reactor").column("reactor") == ["pond", "tank", "well"]


def test_system_tells_managers_from_reactors(world: World) -> None:
    (manager,) = world.ask("system", "Managers").rows
    assert {name: manager[name] for name in ("manager", "attached", "stale", "dropped", "memory")} == {
        "manager": "host-1",
        "attached": 2,
        "stale": 1,
        "dropped": 7,
        "memory": 60,
    }
    assert set(lines(world.ask("system", "Reactors attached"))) == {"host-1"}
    assert set(lines(world.ask("system", "Load"))) == set(lines(world.ask("system", "Memory"))) == {*THREE, "host-1"}


def test_system_shows_tables_spools_and_clocks(world: World) -> None:
    tables = {row["table"]: row for row in world.ask("system", "Tables").rows}
    assert (tables["samples"]["suspended"], tables["samples"]["behind"]) == (False, 0)
    assert tables["inventory"]["rows"] == 9
    assert tables["samples"]["disk"] > 0
    assert world.ask("system", "Identity").column("incarnation") == [1]
    assert world.ask("system", "Materialized views").column("status") == ["valid", "valid"]
    spools = lines(world.ask("system", "Spools", "A"))
    assert spools["pond refused"][-1][1] == 3
    offsets = lines(world.ask("system", "Clock offset", "B"))
    assert offsets["pond kept"][-1][1] == -5


def test_no_rule_fires_while_all_is_well(world: World) -> None:
    assert world.all_firing(world.shown.until - timedelta(minutes=21)) == {}


def test_the_rules_fire_for_what_is_wrong_and_nothing_else(world: World) -> None:
    assert world.all_firing(world.shown.until) == {
        "reactor-silent": {("well",)},
        "probe-fault": {("pond", "ph1", "ph")},
        "backlog": {("pond",)},
        "clock-offset": {("pond",)},
        "no-samples": {("well", "ph1"), ("well", "self")},
        "rows-lost": {("pond", "refused")},
        "numbers-missing": {("pond",)},
    }


def test_a_rule_fires_when_nothing_comes_in_at_all(world: World) -> None:
    assert world.firing("nothing-comes-in", world.shown.until + timedelta(minutes=3)) == {()}


def test_a_suspended_table_is_told_and_how_far_it_is_behind(world: World) -> None:
    client = world.server.client()
    client.execute("ALTER TABLE desired SUSPEND WAL WITH 28, 'no room'")
    for number in range(3):
        client.execute(f"INSERT INTO desired (reactor, device, revision, ts) VALUES ('tank', 'fan', {number}, now())")
    assert world.firing("table-suspended", world.shown.until) == {("desired",)}
    behind = ask(world.reader, RULES["table-behind"]["data"][0]["model"]["rawSql"], world.shown).rows
    assert {row["table"]: row["behind"] for row in behind}["desired"] == 3
    assert world.ask("fleet", "Tables suspended").rows == [{"suspended": 1}]
    first = world.ask("system", "Tables").rows[0]
    assert (first["table"], first["suspended"], first["behind"]) == ("desired", True, 3)
    client.execute("ALTER TABLE desired RESUME WAL")
    client.query("SELECT wait_wal_table('desired')")
    client.close()
    assert world.firing("table-suspended", world.shown.until) == set()
