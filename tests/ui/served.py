"""The web process's server on a real port, over a pretended fleet."""

from pathlib import Path

from storage.reader import Reader
from tests.conftest import free_ports
from tests.ui.pretend import Pretender
from tests.ui.web import NOWHERE
from transport.wire import Wire
from ui.accounts import Accounts
from ui.operator import OperatorConfig
from ui.server import WebConfig, WebServer


class Served:
    """`url` is where it listens; `token` lets a program change things, `password` the person `operator`."""

    def __init__(self, folder: Path, pretender: Pretender, reader: Reader = NOWHERE, port: int = 0) -> None:
        self.pretender = pretender
        self.accounts = Accounts(folder / "accounts.json")
        self.password = self.accounts.make_first() or ""
        self.token = self.accounts.add_program("script", "operator")[1]
        port = port or free_ports(1)[0]
        operator = OperatorConfig(pretender.endpoint, pretender.keys.public, 5.0, "test")
        config = WebConfig("127.0.0.1", port, operator, reader, "reactorium 1.2")
        self.server = WebServer(config, self.accounts, Wire(pretender.operator_keys, pretender.clock))
        self.server.start()
        self.url = f"http://127.0.0.1:{port}"

    def close(self) -> None:
        self.server.close()
        self.pretender.close()
