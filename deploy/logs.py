"""The log: one line an event on standard error, with time, level and process; the libraries' own words included.

Repeats of one line are limited, secrets are blacked out wherever they turn up, and an exception is one line too.
"""

import json
import logging
import re
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, TextIO

from loguru import logger

if TYPE_CHECKING:
    from loguru import Message, Record

BURST = 5  # lines of one kind that pass at once
QUIET = 60.0  # seconds after which as many pass again
KINDS = 1000  # kinds remembered; texts that never repeat must not grow the table for ever
FRAMES = 6  # innermost calls of an exception that are named
_LEVELS = frozenset({"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"})  # loguru has them under the same names
_DIGITS = re.compile(r"\d+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]+")


def setup(process: str, level: str, style: str, secrets: tuple[str, ...] = (), stream: TextIO | None = None) -> None:
    """Send everything that this process says to `stream` (standard error), `style` text or json.

    Call once, first of all. `secrets` never reach the stream.
    """
    sink = Sink(process, style, secrets, stream or sys.stderr)
    logger.remove()
    logger.add(sink.write, level=level.upper(), format="{message}", backtrace=False, diagnose=False, catch=True)
    logging.basicConfig(handlers=[_FromStandardLibrary()], level=level.upper(), force=True)
    logging.captureWarnings(capture=True)
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_thread


@dataclass(slots=True)
class Repeats:
    """Lets a few lines of one kind through, then one count of those held back when a quiet time is over."""

    now: Callable[[], float] = time.monotonic
    _kinds: dict[tuple[str, int, str], tuple[float, int]] = field(default_factory=dict)

    def admit(self, kind: tuple[str, int, str]) -> int | None:
        """Return how many lines of this kind were held back before this one, or none to hold it back too."""
        now = self.now()
        if len(self._kinds) >= KINDS:
            self._kinds.clear()
        since, count = self._kinds.get(kind, (now, 0))
        if now - since >= QUIET:
            self._kinds[kind] = (now, 1)
            return max(0, count - BURST)
        self._kinds[kind] = (since, count + 1)
        return 0 if count < BURST else None


class Sink:
    """Writes lines. Loguru calls it under its own lock, on the thread that spoke."""

    def __init__(self, process: str, style: str, secrets: tuple[str, ...], stream: TextIO) -> None:
        """`secrets` are blacked out; empty ones are none."""
        self._process = process
        self._render = _as_json if style == "json" else _as_text
        self._secrets = tuple(secret for secret in secrets if secret)
        self._stream = stream
        self._repeats = Repeats()

    def write(self, message: "Message") -> None:
        """Write one event, unless too many of its kind were written just now."""
        record = message.record
        text = _one_line(record)
        held_back = self._repeats.admit((record["name"] or "", record["line"], _DIGITS.sub("", text)))
        if held_back is None:
            return
        if held_back:
            text += f" (and {held_back} times more before)"
        for secret in self._secrets:
            text = text.replace(secret, "***")
        self._stream.write(self._render(record, self._process, text) + "\n")
        self._stream.flush()


class _FromStandardLibrary(logging.Handler):
    """Hands what libraries say to the standard library's logging on to loguru, with the caller it came from."""

    def emit(self, record: logging.LogRecord) -> None:
        """Pass one record on."""
        level = record.levelname if record.levelname in _LEVELS else record.levelno

        def said_there(ours: "Record") -> None:
            ours["name"], ours["line"] = record.name, record.lineno

        logger.patch(said_there).opt(exception=record.exc_info).log(level, "{}", record.getMessage())


def _one_line(record: "Record") -> str:
    text = record["message"]
    error = record["exception"]
    if error is not None and error.value is not None:
        text += f": {type(error.value).__name__}: {error.value}{_where(error.traceback)}"
    return _CONTROL.sub(" ", text)


def _where(trace: TracebackType | None) -> str:
    frames = traceback.extract_tb(trace)[-FRAMES:]
    if not frames:
        return ""
    return " [" + " < ".join(f"{frame.filename}:{frame.lineno} {frame.name}" for frame in reversed(frames)) + "]"


def _as_text(record: "Record", process: str, text: str) -> str:
    when = record["time"].strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + record["time"].strftime("%z")
    return f"{when} {record['level'].name:<7} {process}: {text}"


def _as_json(record: "Record", process: str, text: str) -> str:
    return json.dumps(
        {
            "time": record["time"].isoformat(timespec="milliseconds"),
            "level": record["level"].name.lower(),
            "process": process,
            "thread": record["thread"].name,
            "source": f"{record['name']}:{record['line']}",
            "text": text,
        },
        ensure_ascii=False,
    )


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    logger.opt(exception=(kind, error, trace)).critical("the process ends")


def _uncaught_in_thread(fault: threading.ExceptHookArgs) -> None:
    name = fault.thread.name if fault.thread else "a thread"
    if fault.exc_value is not None:
        logger.opt(exception=(fault.exc_type, fault.exc_value, fault.exc_traceback)).error("{} ends", name)
