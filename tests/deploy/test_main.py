"""The command line: one subcommand, no flags, one line for each thing that stands in the way."""

from pathlib import Path

import pytest
from loguru import logger

from deploy import logs, main


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("words", [[], ["--help"], ["start"], ["up", "now"], ["sql"], ["sql", "a", "b"]])
def test_anything_else_shows_what_there_is(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(words) == main.BAD_USE
    assert capsys.readouterr().err == main.usage()


def test_usage_names_every_command() -> None:
    for name in main.COMMANDS:
        assert f"  {name} " in main.usage()


def test_mistakes_are_a_line_each(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("REACTORIUM_PACE", "0")
    monkeypatch.setenv("REACTORIUM_BIND", "here")
    assert main.main(["sql", "select 1"]) == main.BAD_CONFIGURATION
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert all(line.startswith("reactorium: REACTORIUM_") for line in lines)


def test_a_env_file_is_read_and_the_environment_wins(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path(".env").write_text("REACTORIUM_PACE=0\nREACTORIUM_BIND=here\n", encoding="utf-8")
    monkeypatch.setenv("REACTORIUM_BIND", "there")
    monkeypatch.setenv("REACTORIUM_PACE", "")
    monkeypatch.delenv("REACTORIUM_PACE")
    assert main.main(["sql", "select 1"]) == main.BAD_CONFIGURATION
    told = capsys.readouterr().err
    assert "REACTORIUM_PACE='0' must be" in told
    assert "REACTORIUM_BIND='there' must be" in told


def test_a_supervised_process_says_it_in_its_log(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(logs, "setup", lambda *_: None)
    lines: list[str] = []
    sink = logger.add(lines.append, format="{level} {message}")
    monkeypatch.setenv("REACTORIUM_PARENT", "1")
    monkeypatch.setenv("REACTORIUM_PACE", "0")
    assert main.main(["vessel"]) == main.BAD_CONFIGURATION
    logger.remove(sink)
    assert lines == ["CRITICAL REACTORIUM_PACE='0' must be 0.01 to 10000 times\n"]
    assert capsys.readouterr().out == ""
