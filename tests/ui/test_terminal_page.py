"""The terminal page, driven by keys, over a pretended database."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace

import pytest
from textual import events
from textual.pilot import Pilot

from storage.fleet import Newest
from storage.questdb import DatabaseError, Unreachable
from ui.terminal.app import TerminalPage
from ui.terminal.board import Board
from ui.terminal.places import Found, Place

FLEET = [
    Newest(reactor, "ph", "ph", value, "pH", "ok", 1.0, live=True) for reactor, value in (("one", 7.0), ("two", 6.5))
]


class Pretended:
    """A database that answers what the test says."""

    def __init__(self) -> None:
        self.newest = list(FLEET)
        self.error: DatabaseError | None = None
        self.places: list[Place] = []

    def __call__(self, place: Place) -> Found:
        self.places.append(place)
        if self.error:
            raise self.error
        courses = {("ph", "ph"): [6.0, None, 7.0] * (place.columns // 3)}
        return Found(place, "10:00:00", newest=self.newest, reactors=["one", "two"], courses=courses)


def drive(
    steps: Callable[[Pretended, "Screen"], Coroutine[None, None, None]], size: tuple[int, int] = (80, 24)
) -> None:
    async def run() -> None:
        database = Pretended()
        page = TerminalPage(database, every=0.1)
        async with page.run_test(size=size) as pilot:
            await steps(database, Screen(page, pilot))

    asyncio.run(run())


class Screen:
    def __init__(self, page: TerminalPage, pilot: Pilot[None]) -> None:
        self.page = page
        self.pilot = pilot

    async def until(self, text: str, *, there: bool = True) -> str:
        for _ in range(1000):
            now = self.page.query_one(Board).text
            if (text in now) == there:
                return now
            await self.pilot.pause(0.005)
        raise AssertionError(now)

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)


def test_it_goes_from_the_fleet_to_a_reactor_and_back_by_keys_that_fit_into_a_line() -> None:
    async def steps(database: Pretended, screen: Screen) -> None:
        await screen.until("2 ok")
        shown = await screen.until("\ntwo ")  # at first the page may not have its height yet
        assert [line.split()[0] for line in shown.splitlines()[1:4]] == ["reactor", "one", "two"]
        await screen.press("down", "enter")
        await screen.until("two readings  1 h")
        assert "6.5" in await screen.until("⠀")
        keys = [key for key in screen.page.screen.active_bindings.values() if key.binding.show and key.enabled]
        spelled = " ".join(f"{screen.page.get_key_display(key.binding)} {key.binding.description}" for key in keys)
        assert "q Quit" in spelled
        assert len(spelled) <= 80
        await screen.press("]")
        await screen.until("two readings  6 h")
        assert database.places[-1].seconds >= 3600
        await screen.press("d")
        await screen.until("two devices")
        await screen.press("escape")
        await screen.until("2 ok")

    drive(steps)


def test_a_search_shows_the_rows_that_have_it() -> None:
    async def steps(_: Pretended, screen: Screen) -> None:
        await screen.until("2 ok")
        for key, character in (("slash", "/"), ("t", "t"), ("w", "w")):  # as fast as from a script
            screen.page.post_message(events.Key(key, character))
        await screen.until("one  ", there=False)
        await screen.press("enter", "enter")
        await screen.until("two readings")
        await screen.press("escape")
        await screen.press("escape")
        await screen.until("one  ")

    drive(steps)


def test_without_a_database_it_says_so_and_keeps_trying() -> None:
    async def steps(database: Pretended, screen: Screen) -> None:
        await screen.until("2 ok")
        database.error = Unreachable("h:8812: refused")
        shown = await screen.until("no database: h:8812: refused")
        assert "this is of 10:00:00 UTC" in shown
        assert "one" in shown
        database.newest = [replace(one, age=100.0) for one in FLEET]
        database.error = None
        assert "no database" not in await screen.until("2 lost")

    drive(steps)


def test_a_page_that_crashes_tells_where_and_never_what_a_variable_held(capsys: pytest.CaptureFixture[str]) -> None:
    class Crashing(TerminalPage):
        def on_mount(self) -> None:
            held = "-".join(("hunter2", "in", "a", "local"))  # noqa: FLY002 - a report shows this line too
            raise RuntimeError("out of paper" if held else "")

    Crashing(Pretended(), every=0.1).run(headless=True)
    report = capsys.readouterr().err
    assert "on_mount" in report
    assert "out of paper" in report
    assert "hunter2-in-a-local" not in report
