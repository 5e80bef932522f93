"""The gateway: lets nodes elsewhere write their own rows, without a password of theirs.

It stands behind nginx (deploy/nginx.conf) on a Unix socket that only the server's user can open. nginx has seen the
node's certificate and says whose it is; the allow-list says whether it still counts, and the role what it may do:

    reactor    POST /write of lines of samples, events, settings that carry its own name (storage/own_lines.py)
    manager    POST /write and GET /exec, whatever they say: on the server its like has the password itself

The answers are what a shipper understands (storage/ilp.py): 400 with a line blames that row, 403 means that the node is
not let in, 5xx that it shall try again. One request is held in memory whole, on a few threads: LARGEST times THREADS.
"""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

import msgspec
from loguru import logger
from waitress.server import create_server

from deploy import keyring, logins, process
from deploy.errors import StartError
from deploy.folders import Folder
from deploy.settings import Settings
from hardware.values import is_name
from storage.own_lines import find_foreign
from storage.questdb import QuestDB, Unreachable
from transport.errors import KeyFileError
from transport.keys import Peer, read_peer

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

LARGEST = 8 << 20  # bytes of a request: 1,000 rows, a batch of a shipper's, of 8 KiB
THREADS = 4
LONGEST_QUERY = 256 << 10  # bytes of a request's head
REASONS = {204: "No Content", 200: "OK", 400: "Bad Request", 403: "Forbidden", 404: "Not Found", 502: "Bad Gateway"}


@dataclass(frozen=True, slots=True)
class Answer:
    """Status and body of an answer."""

    status: int
    body: bytes = b""


FORBIDDEN = Answer(403, b"this certificate is not let in")
UNKNOWN = Answer(404, b"there is nothing here")


class Gateway:
    """The WSGI application. Thread safe. `connect` opens the database with its password."""

    def __init__(self, allow: Path, connect: Callable[[], QuestDB]) -> None:
        self._allow = allow
        self._connect = connect

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer one request."""
        answer = self._answer(environ)
        kind = "application/json" if answer.body.startswith(b"{") else "text/plain"
        headers = [("Content-Length", str(len(answer.body))), ("Content-Type", kind)] if answer.body else []
        start_response(f"{answer.status} {REASONS.get(answer.status, 'See Body')}", headers)
        return [answer.body]

    def _answer(self, environ: "WSGIEnvironment") -> Answer:
        peer = self._who(environ.get("HTTP_X_REACTORIUM_SUBJECT", ""), environ.get("HTTP_X_REACTORIUM_SERIAL", ""))
        if peer is None:
            return FORBIDDEN
        match environ["REQUEST_METHOD"], environ["PATH_INFO"], environ.get("QUERY_STRING", ""):
            case "POST", "/write", "precision=n" | "" if peer.role in {"reactor", "manager"}:
                return self._write(peer, environ["wsgi.input"].read())
            case "GET", "/exec", query if peer.role == "manager":
                sql = parse_qs(query).get("query", [""])[0]
                return self._pass(lambda database: database.run(sql))
        return UNKNOWN

    def _who(self, subject: str, serial: str) -> Peer | None:
        """Tell whose certificate this is, if the allow-list names it now: revoking counts at once."""
        name = subject.removeprefix("CN=")
        try:
            peer = read_peer(self._allow / f"{name}.toml") if is_name(name) else None
            good = peer is not None and int(peer.certificate, 16) == int(serial, 16)
        except (KeyFileError, ValueError):  # no file; or a number that is none, as of who has no certificate
            good = False
        if not good:
            logger.warning("refused {!r}: the allow-list does not name its certificate", subject[:100])
            return None
        return peer

    def _write(self, peer: Peer, body: bytes) -> Answer:
        if peer.role == "reactor":
            foreign = find_foreign(body, peer.name)
            if foreign is not None:
                logger.warning("refused a row of {}: {}", peer.name, foreign.reason)
                refusal = {"code": "invalid", "line": foreign.line, "message": foreign.reason}
                return Answer(400, msgspec.json.encode(refusal))
        return self._pass(lambda database: database.write(body))

    def _pass(self, do: Callable[[QuestDB], tuple[int, bytes]]) -> Answer:
        """Have the database do it, on a connection of its own: it judges one by the table that it saw first."""
        database = self._connect()
        try:
            status, body = do(database)
        except Unreachable as error:
            logger.warning("{}", error)
            return Answer(502, b"the database does not answer")
        finally:
            database.close()
        if status in {401, 403}:
            logger.error("the database refuses the gateway's login")
            return Answer(502, b"the database refuses the gateway's login")
        return Answer(status, body)


def socket_path(settings: Settings) -> Path:
    """Where the gateway listens for nginx."""
    return settings.state_dir / "gateway" / "socket"


def run_gateway(settings: Settings) -> None:
    """Run the gateway until told to stop."""
    address, login = logins.database_address(settings), logins.owner(settings)
    stop = process.begin(settings, "gateway", login.password)
    gateway = Gateway(keyring.allow_folder(settings), lambda: QuestDB(address, login.user, login.password))
    path = socket_path(settings)
    with Folder(path.parent):
        try:
            server = create_server(
                gateway,
                unix_socket=str(path),
                unix_socket_perms="600",
                threads=THREADS,
                ident=None,
                max_request_body_size=LARGEST,
                max_request_header_size=LONGEST_QUERY,
                clear_untrusted_proxy_headers=True,
            )
        except OSError as error:
            raise StartError(f"the gateway cannot listen on {path}: {error}") from error
        serving = threading.Thread(target=server.run, name="gateway", daemon=True)
        serving.start()
        process.wait(stop, serving.is_alive)
