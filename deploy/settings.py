"""The environment, checked: one table of variables, read once at a process's start.

`Settings` is the table. `env.sample` is made of it (`sample()`), and a test compares the two.
"""

import dataclasses
import difflib
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from typing import Annotated, Literal, cast, get_type_hints
from urllib.parse import urlsplit

from environs import Env, EnvError, EnvValidationError

from deploy.errors import ConfigurationError

PREFIX = "REACTORIUM_"
MEBIBYTE = 1 << 20
DAY = 86_400.0
YEAR = 366 * DAY
PUBLIC_KEY = re.compile(r"[0-9a-zA-Z.\-:+=^!/*?&<>()\[\]{}@%$#]{40}")  # Z85, ZeroMQ RFC 32

Reader = Callable[[str], object]  # turns a variable's text into its value; EnvError says what it must be


@dataclass(frozen=True, slots=True)
class Variable:
    """One line of the table."""

    default: str
    unit: str
    meaning: str
    read: Reader
    section: str = ""  # the heading that it stands first under


def _number(text: str, unit: str, low: float, high: float) -> float:
    try:
        value = float(text)
    except ValueError:
        raise EnvError(f"must be a number of {unit}") from None
    if not low <= value <= high:  # false for nan too
        raise EnvError(f"must be {low:.15g} to {high:.15g} {unit}")
    return value


def _between(unit: str, low: float, high: float, scale: float = 1.0) -> Callable[[str], float]:
    return lambda text: _number(text, unit, low, high) * scale


def _whole(unit: str, low: int, high: int, scale: int = 1) -> Callable[[str], int]:
    def read(text: str) -> int:
        value = _number(text, unit, low, high)
        if not value.is_integer():
            raise EnvError(f"must be a whole number of {unit}")
        return int(value) * scale

    return read


_port = _whole("port", 1, 65_535)


def _optional(read: Reader) -> Reader:
    return lambda text: read(text) if text else None


def _folder(text: str) -> Path:
    try:
        return Path(text).expanduser().absolute()
    except RuntimeError:
        raise EnvError("names a home folder that does not exist") from None


def _files(text: str) -> tuple[Path, ...]:
    return tuple(_folder(part) for part in text.split(os.pathsep) if part)


def _address(text: str) -> str:
    """Take an IPv4 address: what is bound is also what others are told to connect to, so 0.0.0.0 is none."""
    try:
        address = IPv4Address(text)
    except ValueError:
        raise EnvError("must be an IPv4 address of this machine") from None
    if address.is_unspecified:
        raise EnvError("must be the address that the nodes reach, not every address")
    return text


def _any_address(text: str) -> str:
    """Take an IPv4 address to bind, every one of this machine included."""
    try:
        IPv4Address(text)
    except ValueError:
        raise EnvError("must be an IPv4 address of this machine, or 0.0.0.0") from None
    return text


def _pair(text: str) -> tuple[int, int]:
    try:
        first, second = map(int, text.split(","))
    except ValueError:
        raise EnvError("must be two descriptors") from None
    return first, second


def _endpoint(text: str) -> str:
    if re.fullmatch(r"tcp://[^\s:/]{1,100}:\d{1,5}", text) is None:
        raise EnvError("must be tcp://host:port")
    return text


def _url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc or parts.path.strip("/"):
        raise EnvError("must be http://host:port, without a password in it")
    return text.rstrip("/")


def _gateway(text: str) -> str:
    if not text.startswith("https://"):
        raise EnvError("must be https://host:port")
    return _url(text)


def _key(text: str) -> str:
    if PUBLIC_KEY.fullmatch(text) is None:
        raise EnvError("must be a public key of 40 characters (Z85)")
    return text


def _one_of(*choices: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in choices:
            raise EnvError(f"must be one of {', '.join(choices)}")
        return text

    return read


_interval = _between("s", 0.05, YEAR)
_keep = _optional(_whole("days", 0, 36_500))


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every variable, by its name without the prefix and in small letters. Times in seconds, sizes in bytes."""

    state_dir: Annotated[
        Path,
        Variable(
            "~/.local/state/reactorium",
            "folder",
            "everything that is kept: keys, spools, database, logs",
            _folder,
            "Every process",
        ),
    ]
    cache_dir: Annotated[
        Path, Variable("~/.cache/reactorium", "folder", "what is downloaded once: QuestDB's server", _folder)
    ]
    log_level: Annotated[
        str,
        Variable(
            "info",
            "level",
            "least level that is logged: debug, info, warning, error",
            _one_of("debug", "info", "warning", "error"),
        ),
    ]
    log_format: Annotated[
        str, Variable("text", "format", "one line an event, as text or as json", _one_of("text", "json"))
    ]
    pace: Annotated[
        float | None,
        Variable(
            "",
            "times",
            "how much faster than life a simulated vessel and its reactor run; never with real hardware",
            _optional(_between("times", 0.01, 10_000)),
        ),
    ]

    bind: Annotated[
        str,
        Variable(
            "127.0.0.1",
            "address",
            "where coordinator and managers listen, as the nodes reach it",
            _address,
            "The server: coordinator and managers",
        ),
    ]
    coordinator_port: Annotated[int, Variable("7700", "port", "the coordinator's; managers choose free ones", _port)]
    gateway_port: Annotated[
        int | None,
        Variable(
            "",
            "port",
            "the gateway's, through which nodes elsewhere write to the database; none when empty",
            _optional(_port),
        ),
    ]
    managers: Annotated[int, Variable("8", "processes", "most managers on this machine", _whole("processes", 1, 99))]
    managers_from: Annotated[
        int,
        Variable(
            "1",
            "number",
            "the first manager's; each further host of managers has numbers of its own, up to 99",
            _whole("number", 1, 99),
        ),
    ]
    manager_capacity: Annotated[
        int, Variable("500", "reactors", "most reactors on one manager", _whole("reactors", 1, 20_000))
    ]
    empty_manager: Annotated[
        float, Variable("300", "s", "a manager without reactors is stopped after this time", _interval)
    ]
    status_interval: Annotated[float, Variable("5", "s", "how often a reactor reports its status", _interval)]
    web_bind: Annotated[
        str,
        Variable("127.0.0.1", "address", "where the web page and /api listen; 0.0.0.0 for every network", _any_address),
    ]
    web_port: Annotated[int, Variable("8080", "port", "the web page's and /api's", _port)]

    questdb_url: Annotated[
        str | None,
        Variable(
            "", "http://host:port", "a QuestDB server to use instead of a local one", _optional(_url), "The database"
        ),
    ]
    questdb_http_port: Annotated[
        int, Variable("9000", "port", "the local server's, for rows and its web console", _port)
    ]
    questdb_console: Annotated[
        str | None,
        Variable(
            "",
            "http://host:port",
            "QuestDB's web console as a browser reaches it, for the page to link to; the local server's when empty",
            _optional(_url),
        ),
    ]
    questdb_pg_port: Annotated[int, Variable("8812", "port", "the server's PostgreSQL wire, for reading", _port)]
    questdb_health_port: Annotated[int, Variable("9003", "port", "the local server's health and metrics", _port)]
    questdb_user: Annotated[
        str | None, Variable("", "name", "who writes; the local server's own when empty", _optional(str))
    ]
    questdb_password: Annotated[str | None, Variable("", "text", "its password", _optional(str))] = dataclasses.field(
        repr=False
    )
    questdb_reader: Annotated[
        str | None, Variable("", "name", "who only reads; the local server's own when empty", _optional(str))
    ]
    questdb_reader_password: Annotated[str | None, Variable("", "text", "its password", _optional(str))] = (
        dataclasses.field(repr=False)
    )
    keep_samples: Annotated[
        int | None,
        Variable(
            "",
            "days",
            "how long samples are kept; 0 for ever; as it is in the database when empty (a new one: for ever)",
            _keep,
        ),
    ]
    keep_events: Annotated[int | None, Variable("", "days", "the same for events", _keep)]
    keep_settings: Annotated[int | None, Variable("", "days", "the same for the history of settings", _keep)]
    keep_readings: Annotated[int | None, Variable("", "days", "the same for live readings (a new one: 1)", _keep)]
    samples_partition: Annotated[
        Literal["hour", "day", "week"],
        Variable("day", "part", "how a new table of samples is cut into files", _one_of("hour", "day", "week")),
    ]
    refresh: Annotated[
        float, Variable("5", "s", "how often the terminal page and `reactorium tail` ask", _between("s", 1, 3600))
    ]
    output: Annotated[
        Literal["text", "json"],
        Variable(
            "text", "format", "what status and tail print: text, or json, an object a line", _one_of("text", "json")
        ),
    ]

    reactor_file: Annotated[
        tuple[Path, ...],
        Variable(
            "",
            "files",
            "what is wired here; several, separated by ':', are several reactors; without one `up` runs its examples",
            _files,
            "The node: one reactor",
        ),
    ]
    coordinator: Annotated[
        str | None, Variable("", "tcp://host:port", "the coordinator; this machine's when empty", _optional(_endpoint))
    ]
    coordinator_key: Annotated[
        str | None,
        Variable("", "key", "its public key; read from this machine's state folder when empty", _optional(_key)),
    ]
    gateway: Annotated[
        str | None,
        Variable(
            "", "https://host:port", "the way to the database across a network, by certificate", _optional(_gateway)
        ),
    ]
    live_interval: Annotated[
        float | None,
        Variable(
            "", "s", "how often every sensor is read for the live view, whatever its file says", _optional(_interval)
        ),
    ]
    sample_interval: Annotated[
        float | None,
        Variable("", "s", "how often every sensor's reading is kept, whatever its file says", _optional(_interval)),
    ]
    spool_limit: Annotated[
        int,
        Variable(
            "512",
            "MiB",
            "disk that unsent samples may take; beyond it the oldest are dropped, and counted",
            _whole("MiB", 1, 1_000_000, MEBIBYTE),
        ),
    ]
    spool_retention: Annotated[
        float,
        Variable(
            "7",
            "days",
            "how long stored samples stay, to be sent again to a database that was wiped or restored",
            _between("days", 0, 366, DAY),
        ),
    ]

    safe_mode_after: Annotated[
        int,
        Variable(
            "5",
            "ends",
            "a reactor that ends so often within ten minutes keeps its outputs safe until a person says otherwise",
            _whole("ends", 1, 1_000_000),
        ),
    ]
    watchdog: Annotated[
        str | None,
        Variable(
            "",
            "file",
            "the board's watchdog, /dev/watchdog for example: it restarts the board when the guard stands still",
            _optional(str),
        ),
    ]

    vessel_file: Annotated[
        Path | None,
        Variable(
            "",
            "file",
            "the simulated tank that `reactorium vessel` runs",
            _optional(_folder),
            "Set by reactorium itself for the processes that it starts",
        ),
    ]
    manager_number: Annotated[int, Variable("0", "number", "which manager this process is", _whole("number", 0, 99))]
    guard_pipes: Annotated[
        tuple[int, int] | None,
        Variable("", "descriptors", "what ties a reactor to its guard: proof of progress, answer", _optional(_pair)),
    ]
    guard_news: Annotated[
        tuple[str, ...],
        Variable("", "text", "what the guard did, for the reactor to tell", lambda text: tuple(text.splitlines())),
    ]
    parent: Annotated[
        int | None,
        Variable("", "process id", "the process ends when this one does", _optional(_whole("process id", 1, 1 << 22))),
    ]


VARIABLES: Mapping[str, Variable] = {
    PREFIX + name.upper(): hint.__metadata__[0] for name, hint in get_type_hints(Settings, include_extras=True).items()
}


def load() -> Settings:
    """Read this process's environment; an empty variable is an unset one. Raises `ConfigurationError`."""
    env = Env(eager=False)
    env.add_parser("variable", _read)
    values = {
        name.removeprefix(PREFIX).lower(): env.variable(name, default="", variable=variable)
        for name, variable in VARIABLES.items()
    }
    mistakes = _unknown()
    try:
        env.seal()
    except EnvValidationError as error:
        problems = cast("Mapping[str, list[str]]", error.error_messages)
        mistakes += [f"{name}={_shown(os.environ[name])} {texts[0]}" for name, texts in problems.items()]
    if mistakes:
        raise ConfigurationError(*mistakes)
    return Settings(**values)


def sample() -> str:
    """Write env.sample: every variable with its unit, meaning and default."""
    lines = [
        "# Every variable of reactorium. Copy this file to .env in the folder where you start it and change what you",
        "# need; what is set in the environment itself wins. An empty variable has its default.",
    ]
    for name, variable in VARIABLES.items():
        if variable.section:
            lines += ["", f"# --- {variable.section} ---"]
        lines += ["", f"# {variable.meaning} [{variable.unit}]", f"#{name}={variable.default}"]
    return "\n".join(lines) + "\n"


def _read(text: str, *, variable: Variable) -> object:
    return variable.read(text or variable.default)


def _shown(value: str) -> str:
    """Quote a bad value, without a password that stands where none should."""
    return repr(re.sub(r"//[^@]*@", "//***@", value))


def _unknown() -> list[str]:
    """One line for each variable with our prefix that is none of ours: a misspelt one must not pass as unset."""
    mistakes = []
    for name in sorted(os.environ):
        if name.startswith(PREFIX) and name not in VARIABLES:
            near = difflib.get_close_matches(name, VARIABLES, n=1)
            mistakes.append(f"{name} is no variable of reactorium" + (f": {near[0]}?" if near else ""))
    return mistakes
