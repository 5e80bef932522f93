"""Who asks: a person's session in a cookie, or a program's token. And doors that are slow or narrow on purpose.

A session cannot be ridden from another site: its cookie is `SameSite=Strict`, and whatever changes something must come
from a page of this very origin, which a browser says in `Sec-Fetch-Site` or `Origin` and no page can forge. Another
port of this host is the same site, not the same origin: what it asks with a session is refused too.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar
from urllib.parse import urlsplit

from fastapi import Depends, Request
from fastapi.security import APIKeyCookie, HTTPAuthorizationCredentials, HTTPBearer
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ui.accounts import Accounts, Who
from ui.rest.problems import Problem

COOKIE = "reactorium"
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
MOST_BYTES = 64 * 1024  # of a request's body
HANG_UP = {"Connection": "close"}  # nobody reads the rest
FIRST_DELAY, LONGEST_DELAY = 1.0, 16.0  # seconds that a wrong password costs
FORGIVEN = 900.0  # seconds after which wrong passwords are forgotten
IN_FLIGHT = 3  # attempts at once for a name from an address
MOST_TALLIES = 10_000
T = TypeVar("T")

_bearer = HTTPBearer(auto_error=False, description="a token, made on the page or under /api/tokens")
_cookie = APIKeyCookie(name=COOKIE, auto_error=False, description="a session, opened under /api/session")


def accounts_of(request: Request) -> Accounts:
    """Find who may come in."""
    return request.app.state.parts.accounts  # type: ignore[no-any-return]


async def viewer(
    request: Request,
    token: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
    session: Annotated[str | None, Depends(_cookie)],
) -> Who:
    """Tell who asks. Raises Problem 401, and 403 for a session that another site uses.

    `request.state.who` tells it again later, to what takes long: a session may end, a token be removed meanwhile.
    """
    accounts = accounts_of(request)

    def who() -> Who | None:
        if token is not None:
            return accounts.program(token.credentials)
        return None if session is None else accounts.who(session)

    found = who()
    if found is None:
        raise Problem(401, "log in, or send a token", headers={"WWW-Authenticate": "Bearer"})
    if found.session:
        see_origin(request)
    request.state.who = who
    return found


async def operator(who: Annotated[Who, Depends(viewer)]) -> Who:
    """Tell who asks, if they may change things. Raises Problem 403."""
    if who.access != "operator":
        raise Problem(403, f"{who.name} may look and not change: that needs the role operator")
    return who


Viewer = Annotated[Who, Depends(viewer)]
Operator = Annotated[Who, Depends(operator)]


def see_origin(request: Request) -> None:
    """See that a change comes from a page of ours, and a look at least from no other's. Raises Problem 403."""
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if request.method in SAFE:
        ours = site in {None, "none", "same-origin"}  # none: typed, or a bookmark
    elif site is not None:
        ours = site == "same-origin"
    elif origin is not None:
        ours = urlsplit(origin).netloc == request.headers.get("host")
    else:
        ours = False  # no browser: programs have tokens
    if not ours:
        raise Problem(403, "a session works from this server's own page alone")


@dataclass(slots=True)
class _Tally:
    failures: int = 0
    since: float = 0.0
    flying: int = 0


class Throttle:
    """Makes guessing passwords slow: each wrong one from an address for a name takes twice as long as the one before.

    Belongs to the event loop.
    """

    def __init__(
        self,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Take time from `now` (seconds) and wait with `sleep`."""
        self._now = now
        self._sleep = sleep
        self._tallies: dict[tuple[str, str], _Tally] = {}
        self._hashing = asyncio.Semaphore(2)

    async def attempt(self, key: tuple[str, str], check: Callable[[], Awaitable[T | None]]) -> T | None:
        """Give what `check` gives; nothing comes late. Raises Problem 429 when too many are at it."""
        with self._counted(key) as tally:
            async with self._hashing:
                found = await check()
            if found is not None:
                tally.failures = 0
                return found
            if self._now() - tally.since > FORGIVEN:
                tally.failures = 0
            tally.failures, tally.since = tally.failures + 1, self._now()
            await self._sleep(min(LONGEST_DELAY, FIRST_DELAY * 2 ** min(tally.failures - 1, 10)))
            return None

    @contextmanager
    def _counted(self, key: tuple[str, str]) -> Iterator[_Tally]:
        if key not in self._tallies and len(self._tallies) >= MOST_TALLIES:
            del self._tallies[next(iter(self._tallies))]
        tally = self._tallies.setdefault(key, _Tally())
        if tally.flying >= IN_FLIGHT:
            raise Problem(429, "too many attempts at once", headers={"Retry-After": str(round(LONGEST_DELAY))})
        tally.flying += 1
        try:
            yield tally
        finally:
            tally.flying -= 1


class Narrow:
    """Refuses bodies above a limit before they are read; a body that lies about its length is cut off."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        length = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        text = f"a request's body may have {MOST_BYTES} bytes"
        if not length.isdigit() or int(length) > MOST_BYTES:
            await Problem(413, text, headers=HANG_UP).response()(scope, receive, send)
            return
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message: dict[str, Any] = dict(await receive())
            seen += len(message.get("body", b""))
            if seen > MOST_BYTES:
                raise HTTPException(413, text, headers=HANG_UP)
            return message

        await self._app(scope, counted, send)
