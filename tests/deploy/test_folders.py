"""A state folder has one owner."""

import os
import resource
import stat
from pathlib import Path

import pytest

from deploy.errors import StartError
from deploy.folders import Folder, locked_by


def test_a_folder_is_private_and_says_who_is_in_it(tmp_path: Path) -> None:
    path = tmp_path / "reactors" / "tank"
    with Folder(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
        assert locked_by(path) == str(os.getpid())
        with pytest.raises(StartError, match=f"{path} is in use by process {os.getpid()}"):
            Folder(path)
    assert locked_by(path) is None
    Folder(path).close()


@pytest.mark.parametrize("there", ["", "123456789".ljust(32)])
def test_a_full_disk_keeps_nobody_out(tmp_path: Path, there: str) -> None:
    (tmp_path / "lock").write_text(there)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(there), hard))  # no file grows
    try:
        folder = Folder(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    with folder:
        assert locked_by(tmp_path) == (str(os.getpid()) if there else "unknown")


def test_a_shorter_process_id_leaves_nothing_of_a_longer_one(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text("123456789")
    with Folder(tmp_path):
        assert locked_by(tmp_path) == str(os.getpid())


def test_a_folder_that_cannot_be_made_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StartError, match=r"the folder .*file/below cannot be written: Not a directory"):
        Folder(tmp_path / "file" / "below")


def test_looking_makes_nothing(tmp_path: Path) -> None:
    assert locked_by(tmp_path / "none") is None
    assert not (tmp_path / "none").exists()
