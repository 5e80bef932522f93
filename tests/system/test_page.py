"""The page in a real Chromium, over the real system: what a new user does first, on a desktop and on a phone."""

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped] # it brings no types
from playwright.sync_api import Browser, Page, StorageState, ViewportSize, expect, sync_playwright

from hardware.vessel.client import VesselControl
from tests.system.whole import Whole, wait_for

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]
DESKTOP, PHONE = ViewportSize(width=1440, height=900), ViewportSize(width=390, height=844)
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SOON = 20_000.0  # milliseconds
PASSWORD = re.compile(r"log in as +operator, password (\S+) ")
UNDONE = "Failed to load resource"  # what Chromium says of every refusal; those are looked at as such
OpenPage = Callable[..., Page]


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    """The three examples, twice as fast as life."""
    whole = Whole(tmp_path_factory.mktemp("page"), PACE=2, STATUS_INTERVAL=1, SAMPLE_INTERVAL=2, LIVE_INTERVAL=2)
    try:
        whole.start()
        whole.wait_for_line("first samples are stored")
        whole.wait_until_attached("bioreactor", "aquarium", "hydroponics")
        yield whole
    finally:
        whole.close()


@pytest.fixture(scope="module")
def password(system: Whole) -> str:
    """What `up` showed at its first start."""
    return next(found[1] for line in system.lines if (found := PASSWORD.search(line)))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = shutil.which("chromium")
    if path is None:
        pytest.fail("Chromium is needed: apt install chromium")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def session(browser: Browser, system: Whole, password: str) -> StorageState:
    """What a browser keeps after logging in."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"http://127.0.0.1:{system.variables['WEB_PORT']}/")
    enter(page, password)
    expect(page.locator(".tile")).to_have_count(3, timeout=SOON)
    kept = context.storage_state()
    context.close()
    return kept


@pytest.fixture
def open_page(browser: Browser, system: Whole, session: StorageState) -> Iterator[OpenPage]:
    """Open a page, logged in; a mistake in its code fails the test."""
    mistakes: list[str] = []
    contexts = []

    def make(path: str = "/", size: ViewportSize = DESKTOP, *, log_in: bool = True) -> Page:
        phone = size is PHONE
        context = browser.new_context(
            viewport=size, is_mobile=phone, has_touch=phone, storage_state=session if log_in else None
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(SOON)
        page.on("pageerror", lambda error: mistakes.append(str(error)))
        page.on("console", lambda said: mistakes.append(said.text) if said.type == "error" else None)
        page.goto(f"http://127.0.0.1:{system.variables['WEB_PORT']}{path}")
        return page

    yield make
    for context in contexts:
        context.close()
    assert [text for text in mistakes if UNDONE not in text] == []


def enter(page: Page, password: str) -> None:
    page.get_by_label("Name").fill("operator")
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()


def set_duty(page: Page, duty: str) -> None:
    heater = page.locator("#target-heater")
    expect(heater).to_be_visible(timeout=SOON)
    if heater.locator(".fold").is_visible() and not heater.get_by_label("Duty", exact=True).is_visible():
        heater.locator(".fold").click()  # on a phone a card is one line at first
    heater.get_by_label("Duty", exact=True).fill(duty)
    heater.get_by_role("button", name="Apply").click()


def heater_power(system: Whole) -> float:
    """What the tank really gets, in W."""
    with VesselControl(system.state / "vessels" / "bioreactor" / "control.sock") as control:
        actuators = control.state()["actuators"]
        assert isinstance(actuators, dict)
        return float(actuators["heater"])


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_a_new_user_finds_every_reactor(open_page: OpenPage, size: ViewportSize) -> None:
    page = open_page(size=size)
    expect(page.locator(".tile")).to_have_count(3)
    tile = page.locator(".tile", has_text="Photobioreactor")
    expect(tile.locator(".life")).to_have_text("live", timeout=SOON)
    expect(tile.locator(".number").first).to_have_text(re.compile(r"\d"), timeout=SOON)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "it scrolls sideways"
    page.get_by_role("searchbox").fill("reef")
    expect(page.locator(".tile")).to_have_count(1)


def test_a_wrong_password_is_told_late_and_lets_nobody_in(open_page: OpenPage, password: str) -> None:
    page = open_page(log_in=False)
    enter(page, "not the password")
    expect(page.get_by_role("alert")).to_have_text("name or password is wrong", timeout=SOON)
    enter(page, password)
    expect(page.locator(".tile")).to_have_count(3, timeout=SOON)


@pytest.mark.parametrize(("size", "duty"), [(DESKTOP, "40"), (PHONE, "55")], ids=["desktop", "phone"])
def test_a_setting_reaches_the_tank_and_the_database(
    open_page: OpenPage, system: Whole, size: ViewportSize, duty: str
) -> None:
    page = open_page("/reactor/bioreactor", size)
    set_duty(page, duty)
    expect(page.locator("#target-heater .pill")).to_have_text("applied · operator", timeout=SOON)
    row = page.locator("#target-heater tr", has_text="Duty")
    expect(row.locator("td").nth(1)).to_have_text(re.compile(rf"^{duty}\s%"), timeout=SOON)
    read_back = row.locator("td").nth(2)  # the chip counts in steps of 1/4096
    wait_for(lambda: abs(float((read_back.text_content() or "0").split()[0]) - float(duty)) < 0.1, "what is read back")
    wait_for(lambda: abs(heater_power(system) - 0.6 * float(duty)) < 0.5, "the tank's heater at that power")
    sql = "SELECT author FROM settings WHERE device = 'heater' AND setting = 'duty' AND state = 'applied'"
    wait_for(lambda: ("operator",) in system.database.query(f"{sql} AND number = {duty}"), "the row in QuestDB")
    newest = page.locator("section", has=page.get_by_role("heading", name="Changes")).locator("li").first
    expect(newest).to_contain_text(f"duty {duty}", timeout=SOON)
    expect(newest).to_contain_text("applied · operator")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "it scrolls sideways"


def test_what_is_out_of_range_is_refused_with_the_limit(open_page: OpenPage, system: Whole) -> None:
    page = open_page("/reactor/bioreactor")
    before = heater_power(system)
    set_duty(page, "101")
    expect(page.locator("#target-heater .note.bad").first).to_contain_text("100", timeout=SOON)
    assert heater_power(system) == before


def test_the_second_of_two_people_sees_what_the_first_did(open_page: OpenPage, system: Whole) -> None:
    first, second = open_page("/reactor/bioreactor"), open_page("/reactor/bioreactor")
    expect(second.locator("#heater-duty")).to_have_value(re.compile(r"\d"), timeout=SOON)
    second.locator("#heater-duty").fill("77")
    set_duty(first, "31")
    conflict = second.locator("#target-heater .conflict")
    expect(conflict).to_contain_text("operator changed it meanwhile to duty 31", timeout=SOON)
    expect(second.locator("#heater-duty")).to_have_value("77")
    second.get_by_role("button", name="Take theirs").click()
    expect(second.locator("#heater-duty")).to_have_value("31", timeout=SOON)
    expect(conflict).to_be_hidden()
    assert abs(heater_power(system) - 18.6) < 0.5


def test_who_was_not_told_in_time_is_refused_and_may_insist(open_page: OpenPage, system: Whole) -> None:
    first, second = open_page("/reactor/bioreactor"), open_page("/reactor/bioreactor")
    second.route("**/api/stream*", lambda route: route.abort())  # it does not hear what others do
    second.reload()
    expect(second.locator("#target-heater .pill")).to_have_text(re.compile("applied|default"), timeout=SOON)
    second.locator("#heater-duty").fill("78")
    set_duty(first, "32")
    expect(first.locator("#heater-duty")).to_have_value("32", timeout=SOON)
    expect(first.locator("#target-heater .pill")).to_have_text("applied · operator", timeout=SOON)
    second.locator("#target-heater").get_by_role("button", name="Apply").click()
    expect(second.locator("#target-heater .conflict")).to_contain_text("duty 32", timeout=SOON)
    wait_for(lambda: abs(heater_power(system) - 19.2) < 0.5, "the tank's heater as the first wanted it")
    second.get_by_role("button", name="Apply mine").click()
    wait_for(lambda: abs(heater_power(system) - 46.8) < 0.5, "the tank's heater as the second insists")


def test_a_change_is_taken_back(open_page: OpenPage, system: Whole) -> None:
    page = open_page("/reactor/bioreactor")
    for duty in ("20", "80"):
        set_duty(page, duty)
        expect(page.locator("#target-heater tr", has_text="Duty").locator("td").nth(1)).to_have_text(
            re.compile(rf"^{duty}\s"), timeout=SOON
        )
    sql = "SELECT count() FROM desired WHERE device = 'heater' AND reactor = 'bioreactor'"
    wait_for(lambda: system.database.query(sql)[0][0] >= 2, "both documents in QuestDB")
    page.locator("#target-heater").get_by_role("button", name="Undo last change").click()
    expect(page.locator("#heater-duty")).to_have_value("20", timeout=SOON)
    wait_for(lambda: abs(heater_power(system) - 12) < 0.5, "the tank's heater at the power before")


@pytest.mark.parametrize(("size", "duty"), [(DESKTOP, "66"), (PHONE, "61")], ids=["desktop", "phone"])
def test_a_reactor_that_is_away_gets_its_change_when_it_returns(
    open_page: OpenPage, system: Whole, size: ViewportSize, duty: str
) -> None:
    page = open_page("/reactor/bioreactor", size)
    expect(page.locator("#target-heater .pill")).to_have_text(re.compile("applied|default"), timeout=SOON)
    system.stop_programs("reactors:bioreactor")
    try:
        expect(page.get_by_role("alert").first).to_contain_text("This reactor is away", timeout=40_000)
        set_duty(page, duty)
        expect(page.locator("#target-heater .pill")).to_have_text("waits for the reactor", timeout=SOON)
    finally:
        system.start_program("reactors:bioreactor")
    expect(page.locator("#target-heater .pill")).to_have_text("applied · operator", timeout=60_000)
    power = 0.6 * float(duty)
    wait_for(lambda: abs(heater_power(system) - power) < 0.5, "the tank's heater at the power asked for meanwhile")


def test_history_and_what_is_live_are_one_line(open_page: OpenPage, tmp_path: Path) -> None:
    page = open_page("/reactor/aquarium")

    def rows() -> int:
        with page.expect_response(lambda answer: "/samples?" in answer.url) as answered:
            page.get_by_role("button", name="10 min").click()
        return len(answered.value.json()["rows"])

    wait_for(lambda: rows() > 3, "some history")
    assert page.screenshot(path=tmp_path / "chart.png")


def test_a_chart_goes_from_a_minute_to_a_year(open_page: OpenPage) -> None:
    page = open_page("/reactor/bioreactor")
    chart = page.locator(".chart canvas").first
    expect(chart).to_have_attribute("aria-label", re.compile(r"Broth temperature \d"), timeout=SOON)
    expect(page.locator(".strips")).to_be_visible(timeout=SOON)
    chart.focus()
    for _ in range(8):
        page.keyboard.press("+")
    expect(page.get_by_role("button", name="1 min", exact=True)).to_have_attribute("aria-pressed", "true")
    with page.expect_response(lambda answer: "interval=" in answer.url, timeout=SOON) as answered:
        for _ in range(20):
            page.keyboard.press("-")
    assert answered.value.ok
    expect(page.get_by_role("button", name="1 year", exact=True)).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("ArrowLeft")
    page.get_by_role("button", name="Now", exact=True).click()
    box = chart.bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] * 0.9, box["y"] + 60)
    with page.expect_response(lambda answer: "/samples?" in answer.url, timeout=SOON):
        page.keyboard.down("Control")
        page.mouse.wheel(0, -400)
        page.keyboard.up("Control")
    expect(page.get_by_role("button", name="1 year", exact=True)).to_have_attribute("aria-pressed", "false")


def test_a_chart_that_stays_open_has_the_database_thin_what_came_live(open_page: OpenPage) -> None:
    page = open_page()
    page.clock.install()
    with page.expect_response(re.compile(r"/samples\?")):
        page.locator(".tile").first.click()
    with page.expect_response(re.compile(r"/samples\?")):
        page.clock.fast_forward(601_000)


def test_a_dose_shows_what_is_left_of_its_limits(open_page: OpenPage) -> None:
    page = open_page("/reactor/bioreactor", PHONE)
    acid = page.locator("#target-acid")
    acid.locator(".fold").click()
    expect(acid.locator(".doses")).to_contain_text("At most at once10 ml", timeout=SOON)
    expect(acid.locator(".doses")).to_contain_text("30.0 of 30 ml", timeout=SOON)
    form = acid.locator("form.act").first
    form.get_by_role("spinbutton").fill("11")
    form.get_by_role("button", name="Dose").click()
    expect(form.get_by_role("status")).to_contain_text("more than the limit of 10 ml a dose", timeout=SOON)
    form.get_by_role("spinbutton").fill("2")
    form.get_by_role("button", name="Dose").click()
    expect(acid.locator(".doses")).to_contain_text("28.0 of 30 ml", timeout=SOON)
    expect(acid.locator(".acts li").first).to_contain_text("done", timeout=SOON)


def test_what_looks_like_markup_is_a_name(open_page: OpenPage, system: Whole) -> None:
    page = open_page("/reactor/hydroponics")
    page.get_by_text("Sensors: settings and calibration").click()
    card = page.locator("#target-ph")
    card.get_by_role("button", name="More settings").click()
    name = "<img src=x onerror=document.title=1>'; DROP TABLE samples; --"
    card.get_by_label("Label", exact=True).fill(name)
    card.get_by_role("button", name="Apply").click()
    expect(page.locator(".reading .label", has_text=name)).to_have_count(1, timeout=SOON)
    assert page.locator("main img").count() == 0
    page.locator("nav").get_by_text("Inventory").click()
    expect(page.get_by_role("cell", name=name)).to_be_visible(timeout=SOON)
    assert system.database.query("SELECT count() FROM samples")[0][0] > 0


def test_the_page_goes_on_when_its_server_was_restarted(open_page: OpenPage, system: Whole) -> None:
    page = open_page("/reactor/aquarium")
    expect(page.locator(".life")).to_have_text("live", timeout=SOON)
    system.kill("reactorium web")
    expect(page.locator("#connection")).to_have_text("no connection", timeout=SOON)
    expect(page.locator("#connection")).to_have_text("", timeout=60_000)
    number = page.locator(".reading .number").first
    before = number.text_content() or ""
    expect(number).not_to_have_text(before, timeout=SOON)
    expect(page.locator(".life")).to_have_text("live", timeout=SOON)


def test_a_probe_is_calibrated_with_its_slope_afterwards(open_page: OpenPage) -> None:
    page = open_page("/reactor/bioreactor")
    page.get_by_text("Sensors: settings and calibration").click()
    card = page.locator("#target-ph")
    expect(card.locator(".large")).to_have_text(re.compile(r"\d\.\d{3}"), timeout=SOON)
    expect(card.locator(".steady")).to_contain_text(re.compile(r"± [\d.]+ over the last \d+ readings"), timeout=SOON)
    form = card.locator("form", has_text="mid point")
    form.get_by_role("spinbutton").fill("7")
    form.get_by_role("button").click()
    expect(form.get_by_role("status")).to_contain_text(re.compile(r"done.*acid slope \d"), timeout=SOON)


@pytest.mark.parametrize("path", ["/events", "/inventory", "/health", "/people"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_every_view_opens(open_page: OpenPage, path: str, size: ViewportSize) -> None:
    page = open_page(path, size)
    expect(page.locator("table tbody tr").first).to_be_visible(timeout=SOON)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "it scrolls sideways"


def test_everybody_can_use_it(open_page: OpenPage) -> None:
    """Contrast in light and dark, names, roles, as far as axe-core can tell."""
    page = open_page("/reactor/bioreactor")
    expect(page.locator("#target-heater .pill")).to_have_text(re.compile("applied|default"), timeout=SOON)
    page.get_by_text("Sensors: settings and calibration").click()
    found: dict[tuple[str, str], list[str]] = {}
    for view in ("Reactor", "Reactors", "Events", "Inventory", "Health", "People"):
        if view != "Reactor":
            page.locator("nav").get_by_text(view, exact=True).click()
            expect(page.get_by_role("heading", name=view, exact=True)).to_be_visible(timeout=SOON)
        page.emulate_media(color_scheme="light")
        violations = Axe().run(page).response["violations"]
        page.emulate_media(color_scheme="dark")
        violations += Axe().run(page, options={"runOnly": ["color-contrast"]}).response["violations"]
        found |= {(view, one["id"]): [node["html"][:120] for node in one["nodes"]][:3] for one in violations}
    assert found == {}


def test_events_are_searched_and_given_as_csv(open_page: OpenPage) -> None:
    page = open_page("/events")
    expect(page.locator("tbody tr").nth(1)).to_be_visible(timeout=SOON)
    page.get_by_role("searchbox").fill("EPOCH")
    expect(page.locator("tbody tr", has_not_text="epoch")).to_have_count(0, timeout=SOON)
    count = page.locator("tbody tr").count()
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()
    lines = Path(download.value.path()).read_text(encoding="utf-8").splitlines()
    assert lines[0] == "ts,reactor,source,kind,text"
    assert len(lines) == 1 + count > 3


def test_it_goes_by_keyboard(open_page: OpenPage) -> None:
    page = open_page()
    expect(page.locator(".tile")).to_have_count(3, timeout=SOON)
    page.keyboard.press("/")
    page.keyboard.type("photo")
    expect(page.locator(".tile")).to_have_count(1)
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#target-heater")).to_be_visible(timeout=SOON)
    page.keyboard.press("Escape")
    expect(page.locator(".tile")).to_have_count(1, timeout=SOON)
