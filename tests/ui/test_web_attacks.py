"""What somebody without right, or another site, tries at every route of `/api`: generated from its own description."""

import asyncio
import csv
import hmac
import io
from collections.abc import Callable
from itertools import product
from typing import Any
from unittest.mock import Mock

import pytest
from fastapi.testclient import TestClient
from httpx2 import Response

from storage import history
from storage.history import EventRow, Wired
from tests.ui.web import OURS, Web
from transport.messages import Set
from ui import accounts
from ui.accounts import SESSION_SECONDS, Accounts
from ui.rest.gate import IN_FLIGHT, Throttle

FOREIGN: tuple[dict[str, str], ...] = (
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},  # another port of this host
    {"Sec-Fetch-Site": "same-origin, cross-site"},
    {"Sec-Fetch-Site": "none"},
    {"Origin": "http://evil.example"},
    {"Origin": "http://testserver.evil.example"},
    {"Origin": "http://testserver:81"},
    {"Origin": "null"},
    {"Referer": "http://testserver/"},
    {},
)
GOOD = "correct horse"
Route = tuple[str, str]  # method and path


def routes(web: Web) -> list[Route]:
    """Every route that is described, with names that are there."""
    described = web.stranger.get("/api/openapi.json").json()
    names = {"reactor": "tank-1", "target": "heater", "name": "operator", "id": "00000000"}
    found = [(method.upper(), path.format(**names)) for path, ways in described["paths"].items() for method in ways]
    assert len(found) > 20
    return found


def ask(client: TestClient, route: Route, **headers: str) -> Response:
    """Ask as the route wants to be asked, so that nothing but the right to ask is wrong."""
    method, path = route
    bodies: dict[str, Any] = {
        "/api/session": {"name": "operator", "password": "no"},
        "/api/tokens": {"name": "mallory", "access": "operator"},
        "/api/users/operator": {"access": "operator", "password": GOOD},
        "/api/reactors/tank-1/settings/heater": {"base": 0, "values": {"on": True}},
        "/api/reactors/tank-1/acts": {"target": "acid", "kind": "dose", "arguments": {"volume": 1}},
    }
    body = bodies[path] if method in {"PUT", "POST"} else None
    return client.request(method, path, json=body, headers=headers)


CHANGES = {"PUT", "POST", "DELETE"}
LOGIN = ("POST", "/api/session")
LOGOUT = ("DELETE", "/api/session")
STREAM = ("GET", "/api/stream")


def kept(web: Web) -> bytes:
    return web.accounts._path.read_bytes()


# --- roles


def test_a_stranger_gets_nothing_from_any_route(web: Web) -> None:
    before, heard = kept(web), len(web.pretender.heard)
    for route in routes(web):
        if route != LOGIN:
            for headers in ({}, OURS, {"Authorization": "Bearer rct_no"}, {"Authorization": "Basic b3BlcmF0b3I6"}):
                answer = ask(web.stranger, route, **headers)
                assert answer.status_code == 401, route
                assert "tank-1" not in answer.text, route
    assert (kept(web), len(web.pretender.heard)) == (before, heard)


@pytest.mark.parametrize("kind", ["token", "session"])
def test_a_viewer_changes_nothing_by_any_route(web: Web, kind: str) -> None:
    viewer = TestClient(web.app, headers=OURS)
    if kind == "token":
        viewer.headers["Authorization"] = f"Bearer {web.accounts.add_program('screen', 'viewer')[1]}"
    else:
        web.accounts.put_person("ann", "viewer", GOOD)
        assert viewer.post("/api/session", json={"name": "ann", "password": GOOD}).status_code == 200
    before, heard = kept(web), len(web.pretender.heard)
    refused = []
    for route in routes(web):
        if route not in {LOGIN, LOGOUT, STREAM}:
            answer = ask(viewer, route)
            assert answer.status_code in ({403} if route[0] in CHANGES else {200, 403, 422, 503}), route
            refused += [route] if answer.status_code == 403 else []
    assert {("GET", "/api/users"), ("GET", "/api/tokens")} <= set(refused)
    assert (kept(web), len(web.pretender.heard)) == (before, heard)


# --- other sites


def test_another_site_changes_nothing_by_any_route(web: Web) -> None:
    rider = TestClient(web.app, cookies={"reactorium": web.as_person().cookies["reactorium"]})
    before, heard = kept(web), len(web.pretender.heard)
    for route, headers in product(routes(web), FOREIGN):
        if route[0] in CHANGES:
            assert ask(rider, route, **headers).status_code == 403, (route, headers)
    assert (kept(web), len(web.pretender.heard)) == (before, heard)


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_another_site_sees_nothing_with_a_session(web: Web, site: str) -> None:
    rider = TestClient(web.app, cookies={"reactorium": web.as_person().cookies["reactorium"]})
    for route in routes(web):
        if route[0] == "GET":
            answer = ask(rider, route, **{"Sec-Fetch-Site": site})
            assert answer.status_code == 403, route
            assert "access-control-allow-origin" not in answer.headers
    assert ask(rider, ("GET", "/api/reactors"), **{"Sec-Fetch-Site": "none"}).status_code == 200  # a bookmark


def test_no_other_origin_is_allowed_to_read(web: Web) -> None:
    asked = {"Origin": "http://evil.example", "Access-Control-Request-Method": "PUT"}
    for path in ("/api/reactors", "/api/session", "/"):
        for method in ("OPTIONS", "GET"):
            answer = web.client.request(method, path, headers=asked)
            assert not [name for name in answer.headers if name.startswith("access-control-")]


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
def test_what_a_foreign_form_can_send_is_no_document(web: Web, kind: str) -> None:
    heard = len(web.pretender.heard)
    answer = web.as_person().put(
        "/api/reactors/tank-1/settings/heater",
        content='{"base": 0, "values": {"on": true}}',
        headers={"Content-Type": kind},
    )
    assert answer.status_code == 422
    assert len(web.pretender.heard) == heard


# --- sessions


def test_a_session_that_was_given_beforehand_is_not_taken_up(web: Web) -> None:
    fixed = "A" * 43
    victim = TestClient(web.app, headers=OURS, cookies={"reactorium": fixed})
    answer = victim.post("/api/session", json={"name": "operator", "password": web.password})
    assert answer.cookies["reactorium"] != fixed
    assert web.as_person().cookies["reactorium"] != answer.cookies["reactorium"]
    assert TestClient(web.app, cookies={"reactorium": fixed}).get("/api/reactors").status_code == 401


def test_the_cookie_is_kept_from_scripts_sites_and_plain_http(web: Web) -> None:
    for base, secure in (("http://testserver", False), ("https://testserver", True)):
        client = TestClient(web.app, base_url=base, headers=OURS)
        answer = client.post("/api/session", json={"name": "operator", "password": web.password})
        flags = {part.strip().lower() for part in answer.headers["set-cookie"].split(";")[1:]}
        assert {"httponly", "samesite=strict", "path=/", f"max-age={SESSION_SECONDS}"} <= flags
        assert ("secure" in flags) == secure
        assert not [flag for flag in flags if flag.startswith("domain")]
        assert "max-age=0" in client.delete("/api/session").headers["set-cookie"].lower()


@pytest.mark.parametrize("ends", ["log out", "password", "removed", "time"])
def test_a_session_that_ended_opens_nothing(web: Web, ends: str, monkeypatch: pytest.MonkeyPatch) -> None:
    web.accounts.put_person("ann", "operator", GOOD)
    person, elsewhere = (TestClient(web.app, headers=OURS) for _ in range(2))
    for client in (person, elsewhere):
        assert client.post("/api/session", json={"name": "ann", "password": GOOD}).status_code == 200
    taken = TestClient(web.app, headers=OURS, cookies=dict(person.cookies))
    match ends:
        case "log out":
            person.delete("/api/session")
        case "password":
            web.accounts.put_person("ann", "operator", GOOD + "!")
        case "removed":
            web.accounts.remove_person("ann")
            web.accounts.put_person("ann", "operator", GOOD)  # somebody else of that name
        case _:
            monkeypatch.setattr(web.accounts, "_now", lambda: 1e12)
    assert taken.get("/api/reactors").status_code == 401
    assert elsewhere.get("/api/reactors").status_code == (200 if ends == "log out" else 401)


@pytest.mark.parametrize("kind", ["session", "token"])
def test_a_stream_ends_with_the_right_to_listen(web: Web, kind: str) -> None:
    if kind == "session":
        client = web.as_person()
        end: Callable[[], object] = lambda: web.accounts.put_person("operator", "operator", GOOD)  # noqa: E731 - short
    else:
        program, token = web.accounts.add_program("screen", "viewer")
        client = TestClient(web.app, headers={"Authorization": f"Bearer {token}"})
        end = lambda: web.accounts.remove_program(program.id)  # noqa: E731 - short
    told: list[bytes] = []

    async def listen() -> None:
        web.parts.hub.begin(lambda: web.operator.twins)
        async for batch in web.parts.hub.listen(frozenset({"tank-1"}), who):
            told.append(batch)
            if len(told) == 2:
                end()
                web.pretender.report("tank-1")

    who = asked_by(web, client)
    asyncio.run(listen())
    web.parts.hub.end()
    assert len(told) == 2
    assert who() is None


def asked_by(web: Web, client: TestClient) -> Callable[[], object]:
    """What the gate leaves for whoever takes long: who asks, asked again."""
    kept: list[Callable[[], object]] = []
    listen = web.parts.hub.listen

    def noted(names: frozenset[str] | None, may: Callable[[], object]) -> Any:  # noqa: ANN401 - as it is
        kept.append(may)
        web.parts.hub._closed = True  # one look is enough
        return listen(names, may)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(web.parts.hub, "listen", noted)
        assert client.get("/api/stream").status_code == 200
    web.parts.hub._closed = False
    return kept[0]


# --- guessing


def test_somebody_unknown_costs_as_much_as_a_wrong_password(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    hashed = Mock(wraps=accounts._hash)
    compared = Mock(wraps=hmac.compare_digest)
    monkeypatch.setattr(accounts, "_hash", hashed)
    monkeypatch.setattr(hmac, "compare_digest", compared)
    counts = []
    for name in ("operator", "nobody", "x" * 32, ""):
        answer = web.stranger.post("/api/session", json={"name": name, "password": "wrong"}, headers=OURS)
        counts.append((answer.status_code, answer.json()["detail"], hashed.call_count, compared.call_count))
        hashed.reset_mock()
        compared.reset_mock()
    assert counts == [(401, "name or password is wrong", 1, 1)] * 4
    assert web.slept == [1.0] * 4


def test_guesses_at_once_are_few_and_the_others_are_told_when_to_come_back() -> None:
    asleep: list[float] = []

    async def flood() -> list[object]:
        full, morning = asyncio.Event(), asyncio.Event()

        async def sleep(seconds: float) -> None:
            asleep.append(seconds)
            if len(asleep) == IN_FLIGHT:
                full.set()
            await morning.wait()

        async def wrong() -> None:
            return None

        throttle = Throttle(now=lambda: 0.0, sleep=sleep)
        tasks = [asyncio.create_task(throttle.attempt(("10.0.0.1", "operator"), wrong)) for _ in range(100)]
        await full.wait()
        morning.set()
        return [*await asyncio.gather(*tasks, return_exceptions=True)]

    ended = asyncio.run(flood())
    assert asleep == [1.0, 2.0, 4.0]
    assert ended.count(None) == IN_FLIGHT
    refusals = [one.headers for one in ended if isinstance(one, Exception)]  # type: ignore[attr-defined]
    assert refusals == [{"Retry-After": "16"}] * (100 - IN_FLIGHT)


def test_tokens_are_kept_as_digests_and_compared_in_constant_time(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    _, token = web.accounts.add_program("screen", "viewer")
    session = web.as_person().cookies["reactorium"]
    for secret in (token, session, web.password, token.removeprefix("rct_")):
        assert secret.encode() not in kept(web)
    compared = Mock(wraps=hmac.compare_digest)
    monkeypatch.setattr(hmac, "compare_digest", compared)
    assert web.accounts.program("rct_guess") is None
    assert compared.call_count == 2  # each token that there is
    digests = Accounts(web.accounts._path).programs()
    assert web.accounts.program(digests[0].digest) is None  # the file lets nobody in


# --- what a browser is told


def test_every_answer_guards_its_browser(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_request: object) -> None:
        raise RuntimeError("out of paper")

    monkeypatch.setattr(type(web.operator), "twin", lambda *_: broken(None))
    failing = TestClient(web.app, headers=dict(web.client.headers), raise_server_exceptions=False)
    paths = ("/", "/reactor/tank-1", "/page/style.css", "/page/nothing", "/api/reactors", "/api/nothing", "/nothing")
    answers = [web.client.get(path) for path in paths]
    answers += [web.stranger.get("/api/reactors"), web.client.put("/api/tokens", content=b"x" * 100_000)]
    answers.append(failing.get("/api/reactors/tank-1"))
    assert {answer.status_code for answer in answers} == {200, 401, 404, 413, 500}
    for answer in answers:
        policy = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))
        assert policy["default-src"] == "'self'"
        assert policy["frame-ancestors"] == policy["object-src"] == policy["base-uri"] == "'none'"
        assert "unsafe" not in str(policy)
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "same-origin"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert "server" not in answer.headers
        assert "out of paper" not in answer.text


@pytest.mark.parametrize("path", ["/api/reactors/", "/page", "/events/", "/api//reactors"])
def test_nobody_is_sent_elsewhere(web: Web, path: str) -> None:
    answer = web.client.get(path, headers={"Host": "evil.example"}, follow_redirects=False)
    assert answer.status_code == 404
    assert "evil.example" not in str(answer.headers)


def test_files_are_the_pages_own(web: Web) -> None:
    ups = ("..", "%2e%2e", "..%2f..", "..%5c", "%252e%252e", "....//", "js/../..", "js/%2e%2e/%2e%2e", ".%00.")
    for up, file in product(ups, ("accounts.py", "rest/gate.py", "%2fetc%2fpasswd", "/etc/passwd")):
        answer = web.stranger.get(f"/page/{up}/{file}")
        assert answer.status_code in {404, 405}, (up, file)
        assert "import" not in answer.text
        assert "root:" not in answer.text


# --- what stands in a cell


@pytest.mark.parametrize("evil", ['=cmd|" /C calc"!A0', "+1+1", "-1+cmd", "@SUM(1)", "\t=1", "\r=1"])
def test_no_cell_of_an_export_is_a_formula(web: Web, monkeypatch: pytest.MonkeyPatch, evil: str) -> None:
    wired = Wired("2026-01-01T00:00:00Z", "tank-1", "sensor", "ph", evil, "ezo-ph", "-5.5")
    event = EventRow("2026-01-01T00:00:00Z", "tank-1", "ph", "fault", f'{evil},"quoted"\nline')
    monkeypatch.setattr(history, "inventory", lambda _: [wired])
    monkeypatch.setattr(history, "events", lambda *_, **__: [event])
    for path, column in (("/inventory", "label"), ("/events", "text")):
        answer = web.client.get(f"/api{path}?format=csv")
        (row,) = csv.DictReader(io.StringIO(answer.text, newline=""))
        assert row[column].startswith("'" + evil.strip())
        assert answer.headers["content-disposition"].startswith("attachment; ")
        assert row.get("address", "-5.5") == "-5.5"  # a number is none
    assert evil in web.client.get("/api/inventory").json()[0]["label"]  # who reads JSON computes nothing


# --- documents that are none


@pytest.mark.parametrize(
    ("raw", "headers"),
    [
        (b"[" * 60_000, {}),
        (b'{"base":' * 7000, {}),
        (b'{"base": 0, "values": ' + b'{"a":' * 10_000, {}),
        (b'{"base": 0, "values": {"\xed\xa0\x80": 1}}', {}),
        (b"\x1f\x8b\x08" + b"\0" * 1000, {"Content-Encoding": "gzip"}),
        (b"9" * 60_000, {}),
        (b'{"base": ' + b"9" * 5000 + b', "values": {}}', {}),
        (b'{"base": 0, "base": 0, "values": {"on": true}', {}),
    ],
)
def test_bodies_that_are_dear_or_no_text_change_nothing(web: Web, raw: bytes, headers: dict[str, str]) -> None:
    heard = [one for one in web.pretender.heard if isinstance(one, Set)]
    answer = web.client.put(
        "/api/reactors/tank-1/settings/heater",
        content=raw,
        headers={"Content-Type": "application/json", **headers},
    )
    assert answer.status_code in {400, 422}, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert [one for one in web.pretender.heard if isinstance(one, Set)] == heard
