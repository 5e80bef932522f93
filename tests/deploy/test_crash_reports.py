"""A crash tells where and what, and never what a variable held."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SECRET = "hunter2-in-a-local"
CRASH = """
import sys, threading
from loguru import logger
from deploy import main, settings
from deploy.main import COMMANDS, Command

def crash(read, *words):
    if "logs" in sys.argv:
        from deploy import logs
        logs.setup("reactor tank", "debug", read.log_format)
    password = read.questdb_password
    def fail(secret=password):
        raise RuntimeError("out of " + ("paper" if secret else secret))
    try:
        fail()
    except RuntimeError:
        logger.exception("caught")
    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    fail()

main.crash = crash
COMMANDS["crash"] = Command("deploy.main:crash", "ends badly")
sys.exit(main.main(["crash"]))
"""


@pytest.mark.parametrize("words", [[], ["logs"]], ids=["before there is a log", "into a log"])
@pytest.mark.parametrize("form", ["text", "json"])
def test_no_crash_shows_what_a_variable_held(words: list[str], form: str, tmp_path: Path) -> None:
    script = tmp_path / "crash.py"  # a file: of lines that can be read a report tells most
    script.write_text(CRASH, encoding="utf-8")
    variables = {"REACTORIUM_QUESTDB_PASSWORD": SECRET, "REACTORIUM_LOG_FORMAT": form, "PYTHONPATH": str(Path.cwd())}
    answer = subprocess.run(
        [sys.executable, str(script), *words],
        check=False,
        capture_output=True,
        text=True,
        env=os.environ | variables,
        cwd=tmp_path,
        timeout=60,
    )
    assert answer.returncode != 0
    assert answer.stderr.count("out of paper") == 3
    assert SECRET not in answer.stdout + answer.stderr
