"""A network that can be broken: TCP proxies between the processes of a system, each process with ways of its own.

What is cut is reset and refused. What is held is not delivered and not lost, as with a cable that is pulled and put
back: who does not notice by itself waits for ever. A hold of one direction is a one-way cut.
"""

import asyncio
import os
import socket
import struct
import threading
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

SHIM = Path(__file__).parent / "shim"
CHUNK = 1 << 16
LINE = 200  # bytes of a request to the broker
Direction = Literal["out", "in"]


@dataclass(frozen=True, slots=True)
class Weather:
    """What becomes of the traffic on a way. `delay` in seconds, of each direction."""

    cut: bool = False
    held: frozenset[Direction] = frozenset()
    delay: float = 0.0


@dataclass(eq=False)
class Way:
    """From one process to one port."""

    who: str
    kind: str  # "servers" or "database"
    weather: Weather = Weather()
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    open: set[asyncio.StreamWriter] = field(default_factory=set)

    def turn(self, weather: Weather) -> None:
        """Have other weather from now on."""
        self.weather = weather
        self.changed.set()
        self.changed = asyncio.Event()
        if weather.cut:
            for writer in self.open:
                _reset(writer)


class Network:
    """Starts at once; `port` is the broker's. `close` ends all of it."""

    def __init__(self, databases: Mapping[int, str]) -> None:
        """`databases` are the ports that are of the kind "database"; all others are "servers"."""
        self._kinds = databases
        self._ways: dict[tuple[str, int], tuple[Way, int]] = {}
        self._weather: dict[tuple[str, str], Weather] = {}
        self._servers: list[asyncio.Server] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="network", daemon=True)
        self._thread.start()
        self.port = self._run(self._listen(self._broker))

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to find its ways here."""
        path = os.pathsep.join(filter(None, (str(SHIM), os.environ.get("PYTHONPATH"))))
        return {"PYTHONPATH": path, "FAULTS_BROKER": str(self.port)}

    def turn(self, who: str, what: str, **weather: Any) -> None:  # noqa: ANN401 - the fields of `Weather`
        """Change the weather on all ways of a process to "servers", to the "database", or to "all" of them."""
        self._run(self._turn(who, what, Weather(**weather)))

    def connections(self) -> int:
        """Count the connections that are open."""
        return sum(len(way.open) // 2 for way, _ in list(self._ways.values()))

    def close(self) -> None:
        """End everything."""
        self._run(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, what: Coroutine[Any, Any, Any]) -> Any:  # noqa: ANN401 - what that gives
        return asyncio.run_coroutine_threadsafe(what, self._loop).result()

    async def _end(self) -> None:
        for server in self._servers:
            server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _turn(self, who: str, what: str, weather: Weather) -> None:
        for kind in ("servers", "database") if what == "all" else (what,):
            self._weather[who, kind] = weather
            for way, _ in self._ways.values():
                if (way.who, way.kind) == (who, kind):
                    way.turn(weather)

    async def _listen(
        self, serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]
    ) -> int:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        self._servers.append(server)
        return int(server.sockets[0].getsockname()[1])

    async def _broker(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        port, _, who = (await reader.readline()).decode().strip().partition(" ")
        key = who, int(port)
        if key not in self._ways:
            kind = self._kinds.get(int(port), "servers")
            way = Way(who, kind, self._weather.get((who, kind), Weather()))
            self._ways[key] = way, await self._listen(lambda *ends: self._serve(way, int(port), *ends))
        writer.write(f"{self._ways[key][1]}\n".encode())
        writer.close()

    async def _serve(self, way: Way, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if way.weather.cut:
            _reset(writer)
            return
        try:
            there, back = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            _reset(writer)
            return
        ends = {writer, back}
        way.open |= ends
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(_carry(way, "out", reader, back))
                both.create_task(_carry(way, "in", there, writer))
        except* OSError:
            pass
        finally:
            way.open -= ends
            for end in ends:
                _reset(end)


def _reset(writer: asyncio.StreamWriter) -> None:
    """Break a connection off, which its other end is told at once."""
    with suppress(OSError):  # it is closed already
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def _carry(way: Way, direction: Direction, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass on what comes, as the weather has it, until one end closes; then break off both."""
    while data := await reader.read(CHUNK):
        if way.weather.delay:
            await asyncio.sleep(way.weather.delay)
        while direction in way.weather.held:
            await way.changed.wait()
        writer.write(data)
        await writer.drain()
    while direction in way.weather.held:  # nor does an end come through
        await way.changed.wait()
    raise ConnectionResetError
