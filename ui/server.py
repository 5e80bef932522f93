"""The web process: an operator on the wire, and a server for people and programs whose event loop has a thread."""

import threading
from dataclasses import dataclass

import uvicorn

from hardware.clock import SystemClock
from storage.reader import Reader
from transport.wire import Wire
from ui.accounts import Accounts
from ui.operator import Operator, OperatorConfig
from ui.patience import Patient
from ui.rest.app import make_app
from ui.rest.gate import Throttle
from ui.rest.parts import Parts
from ui.rest.stream import Hub

LAST_WORDS = 3  # seconds that open answers get when the process stops


@dataclass(frozen=True, slots=True)
class WebConfig:
    """Where to listen, whom to speak to, what to read. `software` is name and version, `console` as in `Parts`."""

    address: str
    port: int
    operator: OperatorConfig
    reader: Reader
    software: str
    console: str = ""


class WebServer:
    """`start` it; `close` ends it and its wire."""

    def __init__(self, config: WebConfig, accounts: Accounts, wire: Wire) -> None:
        clock = SystemClock()
        self._wire = wire
        hub = Hub()
        self._operator = Operator(config.operator, wire, clock, hub.changed)
        parts = Parts(self._operator, accounts, config.reader, hub, Throttle(), clock, config.software, config.console)
        self._server = uvicorn.Server(
            uvicorn.Config(
                make_app(parts),
                host=config.address,
                port=config.port,
                access_log=False,
                log_config=None,  # what it says goes where everything goes
                server_header=False,
                ws="none",
                http=Patient,
                timeout_graceful_shutdown=LAST_WORDS,
                h11_max_incomplete_event_size=16 * 1024,
            )
        )
        self._hub = hub
        self._thread = threading.Thread(target=self._server.run, name="web", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._operator.start()
        self._thread.start()

    def is_alive(self) -> bool:
        """Tell whether it serves."""
        return self._thread.is_alive() and self._operator.is_alive() and self._wire.is_alive()

    def close(self) -> None:
        """Stop serving, hang up."""
        self._hub.end_soon()
        self._server.should_exit = True
        self._thread.join()
        self._operator.close()
        self._wire.close()
