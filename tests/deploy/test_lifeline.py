"""A process ends with its parent, and on request."""

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator

import pytest

from deploy import lifeline
from deploy.errors import StartError


def python(text: str) -> list[str]:
    return [sys.executable, "-c", textwrap.dedent(text)]


@pytest.fixture
def signals() -> Iterator[None]:
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


def test_nobody_named_is_nobody_to_hold_on_to() -> None:
    lifeline.hold(None)


def test_an_orphan_does_not_start() -> None:
    with pytest.raises(StartError, match="the process 1 that started this one has ended"):
        lifeline.hold(1 if os.getppid() != 1 else 2)


def test_a_child_is_told_when_its_parent_is_killed() -> None:
    child = """
        import os, sys
        from deploy import lifeline
        stop = lifeline.stop_on_signals()
        lifeline.hold(int(os.environ[lifeline.PARENT]))
        print("held", flush=True)
        stop.wait()
        print("told", flush=True)
    """
    parent = f"""
        import subprocess, sys, time
        from deploy import lifeline
        subprocess.Popen({python(child)!r}, env=lifeline.environment()).wait()
    """
    with subprocess.Popen(python(parent), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        process.kill()
        assert process.stdout.read() == "told\n"


def test_signals_set_the_event_once(signals: None) -> None:  # noqa: ARG001
    stop = lifeline.stop_on_signals(patience=3600)
    assert not stop.is_set()
    signal.raise_signal(signal.SIGTERM)
    signal.raise_signal(signal.SIGINT)
    assert stop.is_set()


def test_who_does_not_stop_is_ended() -> None:
    stubborn = """
        import signal, threading
        from deploy import lifeline
        lifeline.stop_on_signals(patience=0.05)
        signal.raise_signal(signal.SIGTERM)
        threading.Event().wait()
    """
    assert subprocess.run(python(stubborn), check=False, timeout=20).returncode == 1
