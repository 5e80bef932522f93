import asyncio
from threading import Thread
from typing import Any

import pytest
from fastapi.testclient import TestClient
from httpx2 import Response

from tests.ui.web import OURS, Web
from transport.messages import Accepted, Act, Done, Error, Rejected, Set
from ui.rest.gate import MOST_BYTES

PROBLEM = "application/problem+json"


def settings(
    client: TestClient, base: int = 0, path: str = "/api/reactors/tank-1/settings/heater", **values: object
) -> Response:
    return client.put(path, json={"base": base, "values": values})


def refused(answer: Response, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == PROBLEM
    details: dict[str, Any] = answer.json()
    assert details["status"] == status
    return details


# looking


def test_every_reactor_is_listed_with_its_newest_readings(web: Web) -> None:
    first, second = web.get("/reactors")
    assert (first["name"], second["name"]) == ("tank-1", "tank-2")
    assert first["label"] == "Tank 1"
    live = first["live"]
    assert live["life"] == "ok"
    assert live["manager"] == "manager-1"
    assert live["troubles"] == []
    ph = next(reading for reading in live["readings"] if reading["sensor"] == "ph")
    assert ph["quality"] == "ok"
    assert 6.5 < ph["value"] < 7.5
    assert ph["taken"].endswith("Z")
    assert {"name": "heater", "label": "Heater", "looks": "heater"} in first["devices"]


def test_a_reactor_is_shown_with_all_that_is_wired(web: Web) -> None:
    shown = web.get("/reactors/tank-1")
    heater = next(device for device in shown["devices"] if device["name"] == "heater")
    assert heater["rules"] == ["at most 3600 s on"]
    duty = heater["settings"][0]
    assert (duty["name"], duty["unit"], duty["low"], duty["high"], duty["step"]) == ("duty", "%", 0.0, 100.0, 5.0)
    assert (heater["ramped"], heater["cycled"], heater["limits"]) == ("duty", "on", None)
    acid = next(device for device in shown["devices"] if device["name"] == "acid")
    assert acid["limits"] == {"dose": 5.0, "hour": 20.0, "day": None}
    assert web.get("/reactors/tank-1/sensors") == shown["sensors"]
    assert web.get("/reactors/tank-1/devices") == shown["devices"]


@pytest.mark.parametrize(
    "path", ["/reactors/nowhere", "/reactors/tank-1/settings/nothing", "/nothing", "/reactors/nowhere/sensors"]
)
def test_what_is_not_there_is_not_found(web: Web, path: str) -> None:
    refused(web.client.get(f"/api{path}"), 404)


def test_a_page_that_is_none_says_so_in_the_browser(web: Web) -> None:
    answer = web.client.get("/reactors/tank-1")
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.content == web.client.get("/").content


def test_health_answers_without_a_database(web: Web) -> None:
    health = web.get("/health")
    assert health["coordinator"]
    assert health["reactors"] == {"ok": 2, "stale": 0, "lost": 0, "troubled": 0}
    assert health["managers"][0]["reactors"] == 2
    assert health["database"]["error"]
    assert health["software"] == "reactorium 1.2"


@pytest.mark.parametrize(
    "path",
    [
        "/events",
        "/inventory",
        "/reactors/tank-1/samples?sensor=ph&quantity=ph",
        "/reactors/tank-1/settings/heater/history",
    ],
)
def test_without_a_database_there_is_no_history(web: Web, path: str) -> None:
    details = refused(web.client.get(f"/api{path}"), 503)
    assert details["detail"] == "the database does not answer"


@pytest.mark.parametrize(
    "query",
    [
        "from=2026-01-01T00:00:00Z&until=2025-01-01T00:00:00Z",
        "from=2026-01-01T00:00:00",
        "from=0001-01-01T00:00:00Z",
        "from=yesterday",
        "interval=0",
        "aggregate=median",
        "limit=0",
        "source=meta",
    ],
)
def test_a_bad_question_is_refused_before_anybody_is_asked(web: Web, query: str) -> None:
    refused(web.client.get(f"/api/reactors/tank-1/samples?sensor=ph&quantity=ph&{query}"), 422)


@pytest.mark.parametrize(
    "path",
    [
        "/events?offset=-1",
        "/events?limit=10001",
        "/events?format=xml",
        f"/events?text={'x' * 101}",
        "/events?kind=';--",
        "/inventory?format=xlsx",
        "/reactors/tank-1/settings?offset=x",
    ],
)
def test_a_bad_question_about_a_table_is_refused_too(web: Web, path: str) -> None:
    refused(web.client.get(f"/api{path}"), 422)


# changing


def test_a_setting_is_changed_and_seen(web: Web) -> None:
    answer = settings(web.client, duty=40, on=True)
    assert answer.status_code == 200
    settled = answer.json()
    assert settled["delivered"]
    asked = web.pretender.heard[-1]
    assert asked == Set(reactor="tank-1", target="heater", base=0, author="script", values={"duty": 40.0, "on": True})

    def applied() -> bool:
        twin = web.operator.twin("tank-1")
        state = twin.state("heater") if twin else None
        return state is not None and state.revision == settled["revision"]

    web.joined.seen.wait_until(applied)
    state = web.get("/reactors/tank-1/settings/heater")["state"]
    assert state["desired"] == {
        "revision": settled["revision"],
        "author": "script",
        "values": {"duty": 40.0, "on": True},
    }
    assert state["read_back"] == {"duty": 40.0, "on": True}
    assert not state["pending"]


def test_who_comes_second_sees_it(web: Web) -> None:
    assert settings(web.client, duty=40).status_code == 200
    details = refused(settings(web.as_person(), duty=50), 409)
    assert details["detail"] == "script changed it meanwhile"
    assert details["current"]["values"] == {"duty": 40.0}


def test_what_the_reactor_refuses_comes_with_value_unit_and_limit(web: Web) -> None:
    details = refused(settings(web.client, duty=101), 422)
    assert details["mistakes"] == [{"name": "duty", "value": "101.0", "unit": "%", "limit": "0 to 100 %"}]
    assert "101" in details["detail"]


def test_a_setting_for_later_is_accepted(web: Web) -> None:
    web.pretender.on_set = lambda asked: Accepted(
        reactor=asked.reactor, target=asked.target, revision=7, delivered=False
    )
    answer = settings(web.client, duty=3)
    assert answer.status_code == 202
    assert answer.json() == {"revision": 7, "delivered": False, "held_by": ""}


def test_what_vanishes_in_between_leaves_the_change_in_doubt(web: Web) -> None:
    vanishing = Thread(target=web.pretender.kill_manager, args=["manager-1"])

    def vanish(_: Set) -> Accepted:
        vanishing.start()
        raise ConnectionError  # no answer

    web.pretender.on_set = vanish
    details = refused(settings(web.client, duty=3), 504)
    assert "look whether it was done" in details["detail"]
    vanishing.join()


def test_a_manager_that_fails_is_said_to(web: Web) -> None:
    web.pretender.on_set = lambda _: Error(code="internal", text="out of paper")
    assert "out of paper" in refused(settings(web.client, duty=3), 502)["detail"]


def test_without_a_manager_nothing_is_changed(web: Web) -> None:
    web.pretender.kill_manager("manager-1")
    web.joined.seen.wait_until(lambda: web.operator.twin("tank-1"))
    web.pretender.announce()

    def gone() -> bool:
        return settings(web.client, duty=3).status_code in {503, 504}

    assert gone()


@pytest.mark.parametrize(
    "body",
    [
        {"base": 0, "values": {"duty": None}},
        {"base": 0, "values": {"duty": [1]}},
        {"base": 0, "values": {"duty": {"$gt": 1}}},
        {"base": 0, "values": {"d" * 33: 1}},
        {"base": 0, "values": {"text": "x" * 201}},
        {"base": 0, "values": {"text": "two\nlines"}},
        {"base": -1, "values": {}},
        {"base": "0", "values": {}},
        {"base": True, "values": {}},
        {"values": {}},
        {"base": 0, "values": {}, "author": "somebody else"},
        {"base": 0, "values": {str(n): 1 for n in range(65)}},
        [],
        "text",
        None,
    ],
)
def test_a_malformed_document_changes_nothing(web: Web, body: object) -> None:
    heard = len(web.pretender.heard)
    details = refused(web.client.put("/api/reactors/tank-1/settings/heater", json=body), 422)
    assert details["detail"]
    assert len(web.pretender.heard) == heard


@pytest.mark.parametrize(
    "raw", [b"{", b"\xff\xfe", b'{"base": 0, "values": {"duty": NaN}}', b'{"base":0,"values":{"a":1e999}}']
)
def test_bytes_that_are_no_document_change_nothing(web: Web, raw: bytes) -> None:
    answer = web.client.put(
        "/api/reactors/tank-1/settings/heater", content=raw, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code in {400, 422}
    assert answer.headers["content-type"] == PROBLEM


@pytest.mark.parametrize(
    "name", ["<script>", "'; DROP TABLE samples; --", "a" * 33, "%00", "Tank-1", "..%2F..%2Fetc", "tank\u20281"]
)
def test_names_with_markup_or_sql_are_no_names(web: Web, name: str) -> None:
    answer = web.client.get(f"/api/reactors/{name}/samples?sensor=ph&quantity=ph")
    assert answer.status_code in {404, 422}
    assert answer.headers["content-type"] == PROBLEM


def test_ten_megabytes_are_not_read(web: Web) -> None:
    answer = web.client.put("/api/reactors/tank-1/settings/heater", content=b"x" * 10_000_000)
    assert str(MOST_BYTES) in refused(answer, 413)["detail"]


def test_ten_megabytes_without_a_length_are_cut_off(web: Web) -> None:
    chunks = (b"x" * 10_000 for _ in range(1000))
    answer = web.client.put(
        "/api/reactors/tank-1/settings/heater", content=chunks, headers={"Content-Type": "application/json"}
    )
    refused(answer, 413)


# acts


def test_an_act_is_done(web: Web) -> None:
    body = {"target": "acid", "kind": "dose", "arguments": {"volume": 1}}
    answer = web.client.post("/api/reactors/tank-1/acts", json=body)
    assert answer.status_code == 200
    assert answer.json()["state"] == "done"
    asked = web.pretender.heard[-1]
    assert isinstance(asked, Act)
    assert (asked.author, asked.arguments, asked.valid_for) == ("script", {"volume": 1.0}, 30.0)


def test_a_long_act_has_begun(web: Web) -> None:
    web.pretender.on_act = lambda act: Done(act=act.act, state="begun")
    body = {"target": "acid", "kind": "dose", "act": "my-own-id"}
    answer = web.client.post("/api/reactors/tank-1/acts", json=body)
    assert answer.status_code == 202
    assert answer.json()["act"] == "my-own-id"


def test_a_refused_act_says_why(web: Web) -> None:
    web.pretender.on_act = lambda act: Done(act=act.act, state="refused", text="at most 5 ml a dose")
    body = {"target": "acid", "kind": "dose", "arguments": {"volume": 6}}
    answer = web.client.post("/api/reactors/tank-1/acts", json=body)
    assert refused(answer, 422)["detail"] == "at most 5 ml a dose"


# who may


def test_a_stranger_sees_nothing_and_changes_nothing(web: Web) -> None:
    for path in ("/reactors", "/health", "/stream", "/users", "/session", "/events"):
        assert refused(web.stranger.get(f"/api{path}"), 401)
    refused(settings(web.stranger, duty=1), 401)
    refused(web.stranger.get("/api/reactors", headers={"Authorization": "Bearer rct_guess"}), 401)


def test_a_viewer_looks_and_does_not_change(web: Web) -> None:
    token = web.accounts.add_program("screen", "viewer")[1]
    viewer = TestClient(web.app, headers={"Authorization": f"Bearer {token}"})
    assert viewer.get("/api/reactors").status_code == 200
    refused(settings(viewer, duty=1), 403)
    refused(viewer.post("/api/reactors/tank-1/acts", json={"target": "acid", "kind": "dose"}), 403)
    for path in ("/users", "/tokens"):
        refused(viewer.get(f"/api{path}"), 403)
    refused(viewer.put("/api/users/mallory", json={"access": "operator", "password": "0123456789"}), 403)


def test_a_person_logs_in_and_out(web: Web) -> None:
    person = web.as_person()
    assert person.get("/api/session").json() == {"name": "operator", "access": "operator"}
    assert settings(person, duty=5).status_code == 200
    assert person.delete("/api/session").status_code == 204
    refused(person.get("/api/session"), 401)


def test_the_cookie_is_out_of_reach(web: Web) -> None:
    answer = web.stranger.post("/api/session", json={"name": "operator", "password": web.password}, headers=OURS)
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
    ],
)
def test_another_site_cannot_ride_a_session(web: Web, headers: dict[str, str]) -> None:
    session = web.as_person().cookies["reactorium"]
    rider = TestClient(web.app, cookies={"reactorium": session})
    assert rider.get("/api/reactors").status_code == 200  # the cookie is good; its SameSite keeps it from other sites
    answer = rider.put("/api/reactors/tank-1/settings/heater", json={"base": 0, "values": {}}, headers=headers)
    refused(answer, 403)
    refused(rider.put("/api/reactors/tank-1/settings/heater", json={"base": 0, "values": {}}), 403)
    login = {"name": "operator", "password": web.password}
    refused(TestClient(web.app).post("/api/session", json=login, headers=headers), 403)


def test_a_page_of_ours_is_told_by_its_origin_too(web: Web) -> None:
    login = {"name": "operator", "password": web.password}
    answer = TestClient(web.app).post("/api/session", json=login, headers={"Origin": "http://testserver"})
    assert answer.status_code == 200


def test_wrong_passwords_are_answered_slower_and_slower(web: Web) -> None:
    for _ in range(6):
        refused(web.stranger.post("/api/session", json={"name": "operator", "password": "no"}, headers=OURS), 401)
    assert web.slept == [1.0, 2.0, 4.0, 8.0, 16.0, 16.0]
    web.as_person()
    assert len(web.slept) == 6


def test_people_are_let_in_changed_and_shown_out(web: Web) -> None:
    assert web.client.put("/api/users/ann", json={"access": "viewer", "password": "0123456789"}).status_code == 200
    assert web.get("/users") == [{"name": "ann", "access": "viewer"}, {"name": "operator", "access": "operator"}]
    refused(web.client.put("/api/users/bob", json={"access": "viewer"}), 409)
    refused(web.client.put("/api/users/bob", json={"access": "owner", "password": "0123456789"}), 422)
    assert web.client.delete("/api/users/ann").status_code == 204
    refused(web.client.delete("/api/users/ann"), 404)
    refused(web.client.delete("/api/users/operator"), 409)


def test_a_token_is_shown_once(web: Web) -> None:
    made = web.client.post("/api/tokens", json={"name": "grafana", "access": "viewer"})
    assert made.status_code == 201
    token = made.json()["token"]
    listed = web.get("/tokens")
    assert [one["name"] for one in listed] == ["script", "grafana"]
    assert token not in str(listed)
    assert (
        TestClient(web.app, headers={"Authorization": f"Bearer {token}"}).get("/api/session").json()["name"]
        == "grafana"
    )
    assert web.client.delete(f"/api/tokens/{made.json()['id']}").status_code == 204
    refused(web.client.delete(f"/api/tokens/{made.json()['id']}"), 404)


def test_a_browser_is_told_to_load_nothing_from_elsewhere(web: Web) -> None:
    answer = web.stranger.get("/reactor/tank-1")
    assert answer.status_code == 200
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    assert web.client.get("/api/reactors").headers["cache-control"] == "no-store"


def test_openapi_describes_refusals_as_problems(web: Web) -> None:
    described = web.stranger.get("/api/openapi.json").json()
    answers = described["paths"]["/api/reactors/{reactor}/settings/{target}"]["put"]["responses"]
    assert list(answers["409"]["content"]) == [PROBLEM]
    assert "HTTPValidationError" not in str(described["paths"])


# live


async def _first(web: Web, count: int, *names: str) -> list[str]:
    web.parts.hub.begin(lambda: web.operator.twins)
    told: list[str] = []
    events = web.parts.hub.listen(frozenset(names) or None)
    async for batch in events:
        told += batch.decode().split("\n\n")[:-1]
        if len(told) >= count:
            break
    await events.aclose()  # type: ignore[attr-defined]
    web.parts.hub.end()
    return told


def test_a_listener_hears_the_state_first_and_then_what_changes(web: Web) -> None:
    async def listen() -> list[str]:
        web.parts.hub.begin(lambda: web.operator.twins)
        told: list[str] = []
        async for batch in web.parts.hub.listen(frozenset({"tank-1"})):
            told += batch.decode().split("\n\n")[:-1]
            if len(told) == 3:
                web.pretender.report("tank-1", "tank-2")
            if len(told) > 3:
                break
        web.parts.hub.end()
        return told

    told = asyncio.run(listen())
    assert [line.split("\n")[0] for line in told] == ["event: time", "event: wired", "event: live", "event: live"]
    assert '"name":"tank-1"' in told[2]


def test_who_is_named_is_looked_at_closely_as_long_as_somebody_listens(web: Web) -> None:
    looked: list[frozenset[str]] = []

    async def listen() -> None:
        hub = web.parts.hub
        hub.begin(lambda: web.operator.twins, looked.append)
        one, other = hub.listen(frozenset({"tank-1"})), hub.listen(None)
        await anext(one)
        await anext(other)
        await one.aclose()  # type: ignore[attr-defined]
        await other.aclose()  # type: ignore[attr-defined]
        hub.end()

    asyncio.run(listen())
    tank = frozenset({"tank-1"})
    assert looked == [tank, tank, frozenset(), frozenset()]


def test_who_names_nobody_hears_everybody(web: Web) -> None:
    told = asyncio.run(_first(web, 5))
    assert sum("event: live" in line for line in told) == 2


def test_a_rejection_is_told_live(web: Web) -> None:
    rejected = Rejected(reactor="tank-1", target="heater", revision=9, reason="too hot")
    web.pretender.update("tank-1", rejected=[rejected])
    web.joined.seen.wait_until(lambda: (twin := web.operator.twin("tank-1")) and twin.rejected)
    told = asyncio.run(_first(web, 3, "tank-1"))
    assert '"rejected":{"revision":9,"reason":"too hot"}' in told[-1]
    assert '"troubles":["heater rejected"]' in told[-1]
