"""The light log writes what the other one writes."""

import io
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from loguru import logger

from deploy import logs
from deploy.plain_log import LONGEST_LINE, PlainLog


@dataclass
class Pipe:
    """A standard error that somebody reads, or not."""

    reader: int
    writer: int

    def log(self, level: str = "info", style: str = "text") -> PlainLog:
        return PlainLog("guard tank", level, style, self.writer)

    def read(self) -> str:
        return os.read(self.reader, 1 << 20).decode()


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    made = Pipe(*os.pipe())
    os.set_blocking(made.reader, False)
    yield made
    os.close(made.reader)
    os.close(made.writer)


def said_by_loguru(style: str) -> str:
    stream = io.StringIO()
    sink = logs.Sink("guard tank", style, (), stream)
    number = logger.add(sink.write, format="{message}")
    logger.warning("the heater is not safe: ü")
    logger.remove(number)
    return stream.getvalue()


def test_text_has_the_form_of_the_other_log(pipe: Pipe) -> None:
    pipe.log()("warning", "the heater is not safe: ü")
    when = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d{4} ")
    ours, theirs = pipe.read(), said_by_loguru("text")
    assert when.match(ours)
    assert when.sub("", ours) == when.sub("", theirs)


def test_json_has_the_fields_of_the_other_log(pipe: Pipe) -> None:
    pipe.log(style="json")("warning", "the heater is not safe: ü")
    ours, theirs = json.loads(pipe.read()), json.loads(said_by_loguru("json"))
    form = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d")
    assert form.fullmatch(ours.pop("time"))
    assert form.fullmatch(theirs.pop("time"))
    assert ours == {key: theirs[key] for key in ("level", "process", "text")}


def test_lower_levels_are_left_out(pipe: Pipe) -> None:
    log = pipe.log("warning")
    log("info", "one")
    log("warning", "two")
    log("error", "three")
    assert [line[-5:].strip(": ") for line in pipe.read().splitlines()] == ["two", "three"]


def test_a_pipe_that_nobody_reads_holds_up_nothing(pipe: Pipe) -> None:
    log = pipe.log()
    for _ in range(100):
        log("info", "x" * 10_000)
    assert set(map(len, pipe.read().splitlines())) <= {LONGEST_LINE}


def test_a_reader_that_is_gone_ends_nothing(pipe: Pipe) -> None:
    log = pipe.log()
    os.close(pipe.reader)
    log("info", "nobody reads")
    pipe.reader = os.open(os.devnull, os.O_RDONLY)
