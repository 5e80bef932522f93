"""What `reactorium export` and `backup` and `restore` are told, and what they refuse."""

from pathlib import Path

import pytest

from deploy import backup, logs, server
from deploy.backup import run_backup, run_restore
from deploy.errors import ConfigurationError, StartError
from deploy.export import _moment, run_export
from deploy.folders import Folder
from storage.schema import Keeping
from tests.deploy.conftest import MakeSettings


@pytest.fixture(autouse=True)
def _log_as_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(logs, "setup", lambda *_: None)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("tables", "2026-01-01", "2026-01-02", "x.csv"), "tables is none of samples, events"),
        (("samples", "yesterday", "2026-01-02", "x.csv"), "FROM yesterday must be a date or time like"),
        (("samples", "2026-01-01", "2026-13-01", "x.csv"), "TO 2026-13-01 must be a date"),
        (("samples", "2026-01-02", "2026-01-02", "x.csv"), "FROM 2026-01-02 must be before TO 2026-01-02"),
        (("samples", "2026-01-01", "2026-01-02", "x.xls"), "x.xls must end in .csv or .parquet"),
        (("samples", "2026-01-01", "2026-01-02", "there.csv"), "there.csv is there already"),
    ],
)
def test_what_cannot_be_meant_is_refused(make_settings: MakeSettings, words: tuple[str, ...], text: str) -> None:
    Path("there.csv").touch()
    with pytest.raises(StartError, match=text):
        run_export(make_settings(), *words)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-01", "2026-11-01T00:00:00.000000Z"),
        ("2026-11-01T12:30", "2026-11-01T12:30:00.000000Z"),
        ("2026-11-01T12:30+02:00", "2026-11-01T10:30:00.000000Z"),
    ],
)
def test_a_time_is_utc_unless_it_says_otherwise(text: str, moment: str) -> None:
    assert _moment("FROM", text) == moment


def test_another_server_is_backed_up_where_it_runs(make_settings: MakeSettings) -> None:
    settings = make_settings(QUESTDB_URL="http://db:9000")
    for command in (run_backup, run_restore):
        with pytest.raises(StartError, match="names another server"):
            command(settings, "x")


def test_only_a_backup_is_restored_and_only_while_nothing_runs(make_settings: MakeSettings, tmp_path: Path) -> None:
    settings = make_settings()
    with pytest.raises(StartError, match="x is no backup"):
        run_restore(settings, "x")
    for name in ("db", ".checkpoint"):
        (tmp_path / "x" / name).mkdir(parents=True)
    with Folder(settings.state_dir), pytest.raises(StartError, match="is in use by process"):
        run_restore(settings, "x")


def test_a_copy_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    source, target = tmp_path / "db", tmp_path / "backups" / "one"
    (source / "samples").mkdir(parents=True)
    (source / "samples" / "value.d").write_bytes(b"7" * 4096 + bytes(1 << 20))
    backup._copy([source], target)
    copied = target / "db" / "samples" / "value.d"
    assert copied.read_bytes() == (source / "samples" / "value.d").read_bytes()
    assert copied.stat().st_blocks * 512 < 1 << 20
    with pytest.raises(StartError, match="one cannot be made: File exists"):
        backup._copy([source], target)
    for missing in (tmp_path / "nothing", tmp_path / "db" / "samples" / "value.d"):
        with pytest.raises(StartError, match="two"):
            backup._copy([source, missing], tmp_path / "two")
        assert not (tmp_path / "two").exists()


def test_how_long_rows_are_kept(make_settings: MakeSettings) -> None:
    assert server.keeping(make_settings()) == Keeping({}, "DAY")
    settings = make_settings(KEEP_SAMPLES=14, KEEP_READINGS=0, SAMPLES_PARTITION="week")
    assert server.keeping(settings) == Keeping({"samples": 14, "readings": 0}, "WEEK")
    with pytest.raises(ConfigurationError, match="KEEP_SAMPLES=10 must be whole weeks"):
        server.keeping(make_settings(KEEP_SAMPLES=10, SAMPLES_PARTITION="week"))
    for nonsense in ("-1", "1.5", "a week", "100000"):
        with pytest.raises(ConfigurationError, match="KEEP_EVENTS"):
            make_settings(KEEP_EVENTS=nonsense)
