"""The live stream: server-sent events, the newest state of each reactor, to whoever listens.

A listener that is slow gets less often what is newest then; nothing is queued for it but names. What many hear is
encoded once.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Annotated

import msgspec
from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse

from ui.fleet import Twin
from ui.rest import views
from ui.rest.gate import Viewer
from ui.rest.problems import Problem, may_answer

HEARTBEAT = 10.0  # seconds without news
PAUSE = 0.1  # seconds between two batches for who listens to everybody
MOST_LISTENERS = 200
_DESCRIBED: dict[int | str, dict[str, object]] = {
    200: {"description": "Events", "content": {"text/event-stream": {"schema": {"type": "string"}}}}
}


class _Listener:
    """Somebody who listens: to whom, and what is new for them."""

    def __init__(self, names: frozenset[str] | None) -> None:
        self.names = names
        self.news: dict[str, None] = {}
        self.woken = asyncio.Event()
        self.wired: dict[str, object] = {}  # what was known to be wired when it was told last

    def wake(self, names: frozenset[str]) -> None:
        wanted = names if self.names is None else names & self.names
        if wanted:
            self.news.update(dict.fromkeys(wanted))
            self.woken.set()


class Hub:
    """Hands changes of twins to the listeners. `changed` may be called from any thread, the rest on the loop's."""

    def __init__(self) -> None:
        self._twins: Callable[[], Mapping[str, Twin]] = dict
        self._look: Callable[[frozenset[str]], None] = lambda _: None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._listeners: set[_Listener] = set()
        self._encoded: dict[str, tuple[int, bytes]] = {}
        self._closed = False

    def begin(
        self, twins: Callable[[], Mapping[str, Twin]], look: Callable[[frozenset[str]], None] = lambda _: None
    ) -> None:
        """Serve what `twins` gives, on the running loop. `look` is told of whom somebody listens to by name."""
        self._twins, self._look = twins, look
        self._loop = asyncio.get_running_loop()

    def end(self) -> None:
        """Send every listener away."""
        self._closed = True
        self._loop = None
        for listener in self._listeners:
            listener.woken.set()

    def end_soon(self) -> None:
        """Have every listener sent away, from any thread: a server waits for them before it ends."""
        loop = self._loop
        if loop is not None:
            loop.call_soon_threadsafe(self.end)

    def changed(self, names: frozenset[str]) -> None:
        """Take note of twins that are others now."""
        loop = self._loop
        if loop is not None:
            loop.call_soon_threadsafe(self._wake, names)

    def _wake(self, names: frozenset[str]) -> None:
        for listener in self._listeners:
            listener.wake(names)

    async def listen(
        self, names: frozenset[str] | None, may: Callable[[], object] = lambda: True
    ) -> AsyncIterator[bytes]:
        """Give the state of these reactors (of all, for none), then what is new, as long as somebody listens and `may`.

        `may` is asked before each batch, and every `HEARTBEAT` seconds.
        """
        listener = _Listener(names)
        self._listeners.add(listener)
        self._tell_named()
        try:
            yield _time()
            listener.wake(frozenset(self._twins()))
            while not self._closed and may():
                twins = self._twins()
                batch = b"".join(self._tell(listener, twins[name]) for name in listener.news if name in twins)
                listener.news.clear()
                listener.woken.clear()
                if batch:
                    yield batch
                    if names is None:
                        await asyncio.sleep(PAUSE)
                try:
                    await asyncio.wait_for(listener.woken.wait(), HEARTBEAT)
                except TimeoutError:
                    yield _time()
        finally:
            self._listeners.discard(listener)
            self._tell_named()

    def _tell_named(self) -> None:
        self._look(frozenset().union(*(one.names for one in self._listeners if one.names)))

    def is_full(self) -> bool:
        """Tell whether nobody else can listen."""
        return self._closed or len(self._listeners) >= MOST_LISTENERS

    def _tell(self, listener: _Listener, twin: Twin) -> bytes:
        told = b""
        if listener.wired.get(twin.name) is not twin.attach:
            listener.wired[twin.name] = twin.attach
            told = _event("wired", msgspec.json.encode({"name": twin.name, "version": twin.version}))
        version, encoded = self._encoded.get(twin.name, (0, b""))
        if version != twin.version:
            encoded = _event("live", msgspec.json.encode(views.live(twin)))
            self._encoded[twin.name] = (twin.version, encoded)
        return told + encoded


def _time() -> bytes:
    return _event("time", msgspec.json.encode({"now": views.moment(time.time_ns() // 1000)}))


def _event(kind: str, data: bytes) -> bytes:
    return b"event: " + kind.encode() + b"\ndata: " + data + b"\n\n"


router = APIRouter(tags=["live"])


@router.get("/stream", response_class=StreamingResponse, responses={**_DESCRIBED, **may_answer(401, 422, 503)})
async def stream(
    request: Request,
    _: Viewer,
    reactor: Annotated[list[str] | None, Query(max_length=500, description="whose; everybody's without")] = None,
) -> StreamingResponse:
    """Listen to what happens: server-sent events until you go away.

    `live` holds a reactor's state as under `live` of `/api/reactors/{reactor}`, at first of everyone, then of whoever
    changed; `wired` names a reactor that is described differently now; `time` is this server's clock. A reactor that is
    named tells each reading when it is there, the others every 5 s or so.
    """
    hub: Hub = request.app.state.parts.hub
    if hub.is_full():
        raise Problem(503, "too many listen already", headers={"Retry-After": "30"})
    names = None if reactor is None else frozenset(reactor)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(hub.listen(names, request.state.who), media_type="text/event-stream", headers=headers)
