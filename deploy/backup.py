"""`reactorium backup FOLDER` and `reactorium restore FOLDER`: the local database's files, and back.

A backup is taken while everything runs: QuestDB's checkpoint keeps what is copied consistent. A restored database gets
another incarnation, so that the reactors send again what they retain.
"""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from deploy import lifeline, logins, logs
from deploy.errors import StartError
from deploy.folders import Folder
from deploy.settings import PREFIX, Settings
from storage.questdb import DatabaseError, QuestDB, Unreachable
from storage.schema import declare_restored

# QuestDB's own names, in its folder: the tables; what a checkpoint knows of them; what has it recover when it starts.
DATA, CHECKPOINT, TRIGGER = "db", ".checkpoint", "_restore"
PATIENCE = 600.0  # seconds for a checkpoint, and for recovering
PACE = 0.2


def run_backup(settings: Settings, folder: str) -> None:
    """Copy the running database into a new folder. Raises StartError."""
    logs.setup("backup", "error", settings.log_format)
    _see_that_it_is_local(settings)
    target, root = Path(folder).absolute(), _root(settings)
    database = _database(settings)
    try:
        database.execute("CHECKPOINT CREATE")
        try:
            _copy([root / DATA, root / CHECKPOINT], target)
        finally:
            database.execute("CHECKPOINT RELEASE")
    except DatabaseError as error:
        raise StartError(str(error)) from error
    finally:
        database.close()
    sys.stderr.write(f"the database is copied into {target}\n")


def run_restore(settings: Settings, folder: str) -> None:
    """Put a backup in the place of the database, which stays beside it. Raises StartError."""
    logs.setup("restore", "error", settings.log_format)
    _see_that_it_is_local(settings)
    backup = Path(folder).absolute()
    if not (backup / CHECKPOINT).is_dir() or not (backup / DATA).is_dir():
        raise StartError(f"{folder} is no backup: {DATA} and {CHECKPOINT} must be in it")
    with Folder(settings.state_dir):  # nothing of this system runs meanwhile
        logins.make(settings)  # a machine that never ran it has none yet
        with Folder(_root(settings)) as root:
            before = _replace(root.path, backup)
        _recover(settings)
    kept = f"; what was there before is in {before}" if before else ""
    sys.stderr.write(f"{folder} is restored, and reactors will send again what they retain{kept}\n")


def _replace(root: Path, backup: Path) -> Path | None:
    """Copy the backup beside the data, then change names; returns where the old data are now."""
    unfinished = root / "restoring"
    before = root / f"before-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}"
    try:
        shutil.rmtree(unfinished, ignore_errors=True)
        _copy([backup / DATA, backup / CHECKPOINT], unfinished)
        for name in (DATA, CHECKPOINT):
            if (root / name).exists():
                before.mkdir(exist_ok=True)
                (root / name).rename(before / name)
        (root / TRIGGER).touch()
        for name in (CHECKPOINT, DATA):
            (unfinished / name).rename(root / name)
        unfinished.rmdir()
    except OSError as error:
        raise StartError(f"the folder {root} cannot be written: {error.strerror}") from error
    return before if before.exists() else None


def _recover(settings: Settings) -> None:
    """Have QuestDB recover on its own, and write down that it lost rows before any reactor can ask."""
    log = settings.state_dir / "logs" / "restore.log"
    log.parent.mkdir(mode=0o700, exist_ok=True)
    with log.open("wb") as said:
        server = subprocess.Popen(  # noqa: S603 - our own module
            lifeline.command("questdb"), env=lifeline.environment(), stdin=subprocess.DEVNULL, stdout=said, stderr=said
        )
    database = _database(settings)
    end = time.monotonic() + PATIENCE
    try:
        while not _declare(database):
            if server.poll() is not None or time.monotonic() > end:
                raise StartError(f"the restored database does not start: see {log}")
            time.sleep(PACE)
    except DatabaseError as error:
        raise StartError(f"the restored database is not ours: {error}") from error
    finally:
        database.close()
        server.terminate()
        server.wait()


def _declare(database: QuestDB) -> bool:
    """Tell whether it could be written down: not before the server answers."""
    try:
        declare_restored(database)
    except Unreachable:
        return False
    return True


def _copy(sources: list[Path], target: Path) -> None:
    """Copy folders into a new one, without the zeros that QuestDB reserves ahead. Raises StartError."""
    try:
        target.mkdir(mode=0o700, parents=True)
    except OSError as error:
        raise StartError(f"{target} cannot be made: {error.strerror}") from error
    # What came and went after the checkpoint, while QuestDB works on, is no part of it.
    gone = "No such file or directory"
    copied = subprocess.run(  # noqa: S603 - arguments, no shell
        ["cp", "--archive", "--sparse=always", "--reflink=auto", "--", *map(str, sources), str(target)],  # noqa: S607
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "LC_ALL": "C"},
    )
    wrong = [line for line in copied.stderr.splitlines() if not line.endswith(gone)]
    if wrong or not all((target / source.name).is_dir() for source in sources):
        shutil.rmtree(target, ignore_errors=True)
        raise StartError(f"{target}: {wrong[-1] if wrong else copied.stderr.strip()}")
    subprocess.run(["sync", "--file-system", str(target)], check=True)  # noqa: S603, S607


def _see_that_it_is_local(settings: Settings) -> None:
    if settings.questdb_url is not None:
        raise StartError(f"{PREFIX}QUESTDB_URL names another server: back it up where it runs (docs/database.md)")


def _root(settings: Settings) -> Path:
    return settings.state_dir / "questdb"


def _database(settings: Settings) -> QuestDB:
    login = logins.owner(settings)
    return QuestDB(logins.database_address(settings), login.user, login.password, PATIENCE)
