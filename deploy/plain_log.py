"""The log of a process that must stay light: lines as `deploy.logs` writes them, without loguru."""

import json
import os
import select
import time

LEVELS = ("debug", "info", "warning", "error", "critical")
STANDARD_ERROR = 2  # its descriptor
LONGEST_LINE = 4000  # bytes: a pipe that is ready takes as much without waiting (PIPE_BUF, Linux pipe(7))


class PlainLog:
    """Writes lines. It never waits and never raises: a line that nobody takes is lost."""

    def __init__(self, process: str, level: str, style: str, descriptor: int = STANDARD_ERROR) -> None:
        self._descriptor = descriptor
        self._process = process
        self._least = LEVELS.index(level)
        self._as_json = style == "json"

    def __call__(self, level: str, text: str) -> None:
        """Say one line."""
        if LEVELS.index(level) < self._least:
            return
        line = self._json(level, text) if self._as_json else self._text(level, text)
        try:
            if select.select([], [self._descriptor], [], 0)[1]:
                os.write(self._descriptor, line.encode()[:LONGEST_LINE] + b"\n")
        except OSError:  # nobody reads any more
            pass

    def _text(self, level: str, text: str) -> str:
        return f"{_now()} {level.upper():<7} {self._process}: {text}"

    def _json(self, level: str, text: str) -> str:
        now = _now()
        said = {"time": f"{now[:-2]}:{now[-2:]}", "level": level, "process": self._process, "text": text}
        return json.dumps(said, ensure_ascii=False)


def _now() -> str:
    seconds, nanoseconds = divmod(time.time_ns(), 10**9)
    local = time.localtime(seconds)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', local)}.{nanoseconds // 10**6:03d}{time.strftime('%z', local)}"
