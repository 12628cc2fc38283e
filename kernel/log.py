"""Logs: structlog, past-tense events with named values, secrets taken out first and last.

A console line on a terminal, JSON otherwise; always to stderr, because stdout belongs to results.
What libraries log through the standard library takes the same way: an access log or an HTTP client
may otherwise print a URL with a key in it.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

from kernel.redaction import conceal, redact, redacted_text

__all__ = ["conceal", "configure", "get_logger", "redact", "redacted_text"]


class LibraryLogs(logging.Handler):
    """Hands what libraries log over to our own log."""

    def emit(self, record: logging.LogRecord) -> None:
        """Log the record as `library_logged`."""
        try:
            text = record.getMessage()
        except (TypeError, ValueError):
            text = str(record.msg)
        log = get_logger(record.name)
        write = log.error if record.levelno >= logging.ERROR else log.warning
        write("library_logged", text=text, exc_info=record.exc_info)


def configure(*, level: str = "info") -> None:
    """Set the log up for a process; called once, by the console."""
    terminal = sys.stderr.isatty()
    lowest = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[
            _tell_outage_in_words,
            _redact,
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            # Once more, for what the processors before this one brought in.
            _redact,
            # Plain tracebacks: others show local variables, and those may hold a secret.
            structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
            if terminal
            else structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(lowest),
        # Whatever stderr is at the moment of the event: it may be another one than at the start.
        logger_factory=lambda *names: structlog.PrintLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )
    # Libraries are heard from warnings on; a request a line is nobody's log.
    logging.basicConfig(handlers=[LibraryLogs()], level=max(lowest, logging.WARNING), force=True)


def get_logger(room: str) -> Any:
    """Return the log of a room."""
    return structlog.get_logger(room=room)


def _tell_outage_in_words(
    logger: Any, method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Leave the traceback to faults: where something is away, its words say all there is."""
    error = event.get("exc_info")
    if getattr(error, "transient", False):
        del event["exc_info"]
        event.setdefault("error", str(error))
    return event


def _redact(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return redact(event)
