"""One line an event: level and process named, repeats limited, secrets blacked out, libraries included."""

import io
import json
import logging
import sys
import threading
import warnings
from collections.abc import Iterator

import pytest
from loguru import logger

from deploy import logs


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """A log in memory; afterwards everything is as it was."""
    root, hooks = logging.getLogger(), (sys.excepthook, threading.excepthook)
    handlers, level = root.handlers[:], root.level
    yield io.StringIO()
    logger.remove()
    logging.captureWarnings(capture=False)
    root.handlers[:], (sys.excepthook, threading.excepthook) = handlers, hooks
    root.setLevel(level)


def lines(stream: io.StringIO) -> list[str]:
    return stream.getvalue().splitlines()


def test_a_line_names_time_level_and_process(stream: io.StringIO) -> None:
    logs.setup("reactor tank", "info", "text", stream=stream)
    logger.warning("pH probe at {}: no answer", "0x63")
    logger.debug("not asked for")
    (line,) = lines(stream)
    assert line.endswith("WARNING reactor tank: pH probe at 0x63: no answer")
    assert line[:2] == "20"
    assert line[10] == "T"


def test_json_on_request(stream: io.StringIO) -> None:
    logs.setup("coordinator", "info", "json", stream=stream)
    logger.info('a "quoted" word')
    event = json.loads(lines(stream)[0])
    assert event["level"] == "info"
    assert event["process"] == "coordinator"
    assert event["text"] == 'a "quoted" word'
    assert event["source"].rpartition(":")[0] == __name__


def test_an_exception_is_one_line_with_its_calls(stream: io.StringIO) -> None:
    logs.setup("manager 01", "info", "text", stream=stream)
    try:
        int("seven\nteen")
    except ValueError:
        logger.exception("reading failed")
    (line,) = lines(stream)
    assert "reading failed: ValueError: invalid literal" in line
    assert "test_an_exception_is_one_line_with_its_calls]" in line


def test_libraries_and_warnings_come_too(stream: io.StringIO) -> None:
    logs.setup("manager 01", "info", "text", stream=stream)
    logging.getLogger("pykka").error("unhandled exception in %s", "Sensor")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=True)
        warnings.warn("old thing", stacklevel=1)
    first, second = lines(stream)
    assert "ERROR   manager 01: unhandled exception in Sensor" in first
    assert "old thing" in second


def test_an_uncaught_error_of_a_thread_is_logged(stream: io.StringIO) -> None:
    logs.setup("manager 01", "info", "text", stream=stream)
    thread = threading.Thread(target=lambda: 1 / 0, name="shipper")
    thread.start()
    thread.join()
    assert "shipper ends: ZeroDivisionError" in lines(stream)[0]


def test_secrets_never_reach_the_log(stream: io.StringIO) -> None:
    logs.setup("reactor tank", "info", "text", ("hunter2", ""), stream)
    logger.error("login {} refused", "http://me:hunter2@db")
    try:
        int("hunter2")
    except ValueError:
        logger.exception("failed")
    assert "hunter2" not in stream.getvalue()
    assert "http://me:***@db" in stream.getvalue()


def test_a_fault_that_repeats_is_limited(stream: io.StringIO) -> None:
    logs.setup("reactor tank", "info", "text", stream=stream)
    for attempt in range(100):
        logger.warning("attempt {} failed", attempt)
    assert len(lines(stream)) == logs.BURST


def test_what_was_held_back_is_counted_later() -> None:
    now = 0.0
    repeats = logs.Repeats(lambda: now)
    kind = ("module", 7, "text")
    assert [repeats.admit(kind) for _ in range(8)] == [0] * 5 + [None] * 3
    assert repeats.admit(("module", 7, "another")) == 0
    now = logs.QUIET
    assert repeats.admit(kind) == 3
    assert repeats.admit(kind) == 0


def test_kinds_without_end_do_not_fill_the_memory() -> None:
    repeats = logs.Repeats(lambda: 0.0)
    for number in range(3 * logs.KINDS):
        assert repeats.admit(("module", number, "")) == 0
    assert len(repeats._kinds) <= logs.KINDS
