"""The broker's log: events with fields, through structlog, which is loaded when the first line is written.

A broker answers its first request before it writes its first line, so the cost of importing structlog stays out of
the start. One process has one log, so this is module state: ``configure`` is called once by the command line, tests
leave it alone.
"""

from __future__ import annotations

import sys
from threading import Lock
from typing import Any

_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}


class Logger:
    """``log.info("what happened", key=value)``: the event says what, the fields say with whom."""

    def __init__(self) -> None:
        self._json = False
        self._level = 20
        self._structlog: Any = None
        self._loading = Lock()

    def configure(self, json: bool, level: str) -> None:
        """Choose the form (JSON lines, or text for people) and the lowest level that is written."""
        self._json = json
        self._level = _LEVELS[level.lower()]
        self._structlog = None

    @property
    def level(self) -> str:
        return next(name for name, number in _LEVELS.items() if number == self._level)

    def set_level(self, level: str) -> None:
        self._level = _LEVELS[level]

    def debug(self, event: str, **fields: Any) -> None:
        if self._level <= 10:
            self._logger().debug(event, **fields)

    def info(self, event: str, **fields: Any) -> None:
        if self._level <= 20:
            self._logger().info(event, **fields)

    def warning(self, event: str, **fields: Any) -> None:
        if self._level <= 30:
            self._logger().warning(event, **fields)

    def error(self, event: str, **fields: Any) -> None:
        """Field ``exc_info=exception`` adds its traceback."""
        self._logger().error(event, **fields)

    def load(self) -> None:
        """Import and build now; callable from a worker thread while the loop already serves."""
        self._logger()

    def _logger(self) -> Any:
        if self._structlog is None:
            with self._loading:  # the loop may have something to say while a worker thread still imports
                if self._structlog is None:
                    self._structlog = _build(self._json)
        return self._structlog


def _load() -> Any:
    """Import structlog without rich.

    structlog.dev imports rich wherever it happens to be installed, for tracebacks that we don't print: half of the time
    of the whole import.
    """
    missing = object()
    rich = sys.modules.get("rich", missing)
    sys.modules["rich"] = None  # type: ignore[assignment]
    try:
        import structlog
    finally:
        del sys.modules["rich"]
        if rich is not missing:
            sys.modules["rich"] = rich  # type: ignore[assignment]
    return structlog


def _build(json: bool) -> Any:
    structlog = _load()
    processors = structlog.processors
    if json:
        chain = [
            processors.TimeStamper(fmt="iso", utc=True),
            processors.format_exc_info,
            processors.JSONRenderer(default=str),
        ]
    else:
        render = structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback, pad_event_to=0
        )
        chain = [processors.TimeStamper(fmt="%Y-%m-%d %H:%M:%S", utc=False), render]
    return structlog.wrap_logger(structlog.PrintLogger(sys.stderr), processors=[processors.add_log_level, *chain])


log = Logger()
configure = log.configure
