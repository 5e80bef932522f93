"""The page in a real Chromium: the overview with 500 reactors that report every 5 s, and a chart of a year.

A long task keeps the browser's main thread for more than 50 ms (W3C Long Tasks); what a person does meanwhile waits.
Up to 200 ms from doing to seeing count as good (web.dev, Interaction to Next Paint).
"""

import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode

from playwright.sync_api import Page, ViewportSize, expect, sync_playwright

from bench.children import used
from bench.crowds import EXAMPLES, attached_crowd, running_system
from bench.figures import Figure
from bench.web import Person
from tests.system.test_page import FLAGS, enter
from tests.system.whole import Whole, wait_for

REACTORS, INTERVAL = 500, 5.0
SETTLE, MEASURE = 10.0, 40.0  # seconds
LONGEST, WEB = 200.0, 25.0  # ms, percent of a core
REACTOR, SENSOR = "bioreactor", "ph"
ROWS, EVERY = 365 * 86_400 // 5, 5_000_000  # a year of samples, µs between two
PARTS = 12
HOUR_US = 3_600_000_000
INTERVALS = 45_176  # seconds put together for a point, as the page asks
CHART = 1000.0  # ms
ASKED = 7  # times
SCREEN = ViewportSize(width=1440, height=900)
WATCH = """
window.longTasks = [];
new PerformanceObserver((list) => {
  for (const task of list.getEntries()) window.longTasks.push(task.duration);
}).observe({ type: "longtask", buffered: true });
"""
# Clicks; then waits until every series is here, and for two frames, the second of which shows what the first has drawn.
OPEN_A_YEAR = """
async () => {
  const count = document.querySelectorAll(".reading[aria-pressed=true]").length;
  performance.clearResourceTimings();
  const began = performance.now();
  [...document.querySelectorAll("button.chip")].find((one) => one.textContent === "1 year").click();
  const frame = () => new Promise((done) => requestAnimationFrame(done));
  const here = () => performance.getEntriesByType("resource").filter((one) => one.name.includes("/samples?")).length;
  while (here() < count) await frame();
  await frame();
  await frame();
  return performance.now() - began;
}
"""


def run() -> list[Figure]:
    """Measure both."""
    with tempfile.TemporaryDirectory() as name, running_system(Path(name), REACTORS) as whole, Person(whole) as person:
        _fill(whole)
        with ExitStack() as many:
            crowd = many.enter_context(attached_crowd(whole, "many", REACTORS - len(EXAMPLES)))
            crowd.say({"do": "pace", "interval": INTERVAL, "seconds": 600.0})
            with _browser(person) as page:
                overview = _overview(whole, page)
                many.close()
                return [*overview, *_chart(whole, person, page)]


@contextmanager
def _browser(person: Person) -> Iterator[Page]:
    """Open the page in a Chromium, and log in."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        page = chromium.new_context(viewport=SCREEN).new_page()
        page.add_init_script(WATCH)
        page.goto(person.address)
        enter(page, person.password)
        yield page
        chromium.close()


# the overview


def _overview(whole: Whole, page: Page) -> list[Figure]:
    print(f"{SETTLE + MEASURE:.0f} s of the overview with {REACTORS} reactors", flush=True)
    web = whole.process("reactorium web")
    assert web
    expect(page.locator(".tile")).to_have_count(REACTORS, timeout=60_000)
    time.sleep(SETTLE)
    first: list[float] = page.evaluate("window.longTasks.splice(0)")
    before, began = used(web.pid), time.monotonic()
    time.sleep(MEASURE)
    seconds = time.monotonic() - began
    share = 100 * (used(web.pid) - before) / seconds
    tasks: list[float] = page.evaluate("window.longTasks.splice(0)")
    silent = page.locator(".tile.lost, .tile.stale").count()
    return [
        Figure(f"Overview, {REACTORS} reactors at {INTERVAL:g} s: web process", share, "% of a core", at_most=WEB),
        Figure("- longest task in the browser", max(tasks, default=0.0), "ms", at_most=LONGEST),
        Figure(
            "- tasks above 50 ms", len(tasks) / seconds, "1/s", remark=f"{sum(tasks) / seconds / 10:.1f} % of the time"
        ),
        Figure("- longest task while the page opens", max(first, default=0.0), "ms"),
        Figure("- tiles that are stale or away", silent, ""),
    ]


# a chart of a year


def _fill(whole: Whole) -> None:
    """Make a year of samples, up to an hour ago, part by part: a statement has only so much time."""
    print(f"{ROWS:,} samples of one sensor", flush=True)
    began_us = time.time_ns() // 1000 - ROWS * EVERY - HOUR_US
    each = ROWS // PARTS
    for part in range(PARTS):
        whole.database.execute(
            f"INSERT INTO samples SELECT '{REACTOR}', '{SENSOR}', '{SENSOR}',"
            f" 7 + 0.3 * sin(x / 2750.0) + rnd_double() / 100, 'pH', 'ok', 'bench', x + {part * each},"
            f" timestamp_sequence({began_us + part * each * EVERY}::timestamp, {EVERY}) FROM long_sequence({each})"
        )
        wait_for(lambda: not _behind(whole), "the samples are applied")


def _behind(whole: Whole) -> bool:
    (behind,) = whole.database.query("SELECT sequencerTxn - writerTxn FROM wal_tables() WHERE name = 'samples'")[0]
    return bool(behind)


def _chart(whole: Whole, person: Person, page: Page) -> list[Figure]:
    now = datetime.now(UTC)
    question = [
        *(("sensor", SENSOR), ("quantity", SENSOR), ("interval", str(INTERVALS))),
        *(("aggregate", one) for one in ("avg", "min", "max")),
        *(("from", (now - timedelta(days=366)).isoformat()), ("until", now.isoformat())),
    ]
    path = f"/reactors/{REACTOR}/samples?{urlencode(question)}"
    asked = []
    for _ in range(ASKED):
        began = time.perf_counter()
        rows = person.get(path)["rows"]
        asked.append((time.perf_counter() - began) * 1000)
    page.goto(f"{person.address}/reactor/{REACTOR}")
    drawn = []
    for _ in range(ASKED):
        page.get_by_role("button", name="10 min").click()
        page.wait_for_timeout(1000)
        drawn.append(page.evaluate(OPEN_A_YEAR))
    where = f"reactor = '{REACTOR}' AND sensor = '{SENSOR}'"
    count = whole.database.query(f"SELECT count() FROM samples WHERE {where}")[0][0]
    return [
        Figure("Chart of a year, from the click until drawn: median", statistics.median(drawn), "ms", at_most=CHART),
        Figure("- longest", max(drawn), "ms", remark=f"of {ASKED}"),
        Figure("- through /api: median", statistics.median(asked), "ms", at_most=CHART),
        Figure("- longest", max(asked), "ms", remark=f"of {ASKED}, {len(rows)} intervals each"),
        Figure("- samples of the sensor", count, "rows"),
    ]
