"""Logs: structlog, past-tense events with named values, secrets and addresses taken out.

A console line on a terminal, JSON otherwise; always to stderr, because stdout belongs to results.
What libraries log through the standard library takes the same way: an access log or an HTTP client
may otherwise print a URL with a key in it.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, MutableMapping
from typing import Any

import structlog

from kernel.redaction import conceal, redact, redacted_text

__all__ = ["Sparing", "conceal", "configure", "get_logger", "redact", "redacted_text"]

# Of what anybody on the network can cause, so many lines of a kind within so many seconds.
LINES_AT_MOST = 60
LINES_SECONDS = 60.0
_KINDS_AT_MOST = 256


class Sparing:
    """Says of each kind of event whether it is logged, so that nobody can fill a disk with it.

    The first of a kind are; what was left out is counted, and told with the next that is logged.
    """

    def __init__(self, *, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        # Of each kind: since when it is counted, how many were logged, how many left out.
        self._kinds: dict[str, tuple[float, int, int]] = {}

    def left_out(self, kind: str) -> int | None:
        """Return how many of the kind were left out before this one; None leaves this one out."""
        now = self._now()
        since, logged, left_out = self._kinds.pop(kind, (now, 0, 0))
        if now - since >= LINES_SECONDS:
            since, logged = now, 0
        is_logged = logged < LINES_AT_MOST
        self._kinds[kind] = (since, logged + 1, 0) if is_logged else (since, logged, left_out + 1)
        if len(self._kinds) > _KINDS_AT_MOST:
            del self._kinds[next(iter(self._kinds))]
        return left_out if is_logged else None

    def warn(self, log: Any, event: str, *, kind: str, **values: Any) -> None:
        """Log a warning, unless there were too many of its kind."""
        left_out = self.left_out(kind)
        if left_out is not None:
            log.warning(event, **values, **({"left_out": left_out} if left_out else {}))


class LibraryLogs(logging.Handler):
    """Hands what libraries log over to our own log; the same text not without end."""

    def __init__(self) -> None:
        super().__init__()
        self._sparing = Sparing()

    def emit(self, record: logging.LogRecord) -> None:
        """Log the record as `library_logged`."""
        try:
            text = record.getMessage()
        except (TypeError, ValueError):
            text = str(record.msg)
        log = get_logger(record.name)
        if record.levelno >= logging.ERROR:
            log.error("library_logged", text=text, exc_info=record.exc_info)
            return
        kind = f"{record.name} {record.msg}"
        if record.exc_info:
            log.warning("library_logged", text=text, exc_info=record.exc_info)
        else:
            self._sparing.warn(log, "library_logged", kind=kind, text=text)


def configure(*, level: str = "info") -> None:
    """Set the log up for a process; called once, by the console."""
    terminal = sys.stderr.isatty()
    lowest = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[
            _tell_outage_in_words,
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            # Of all that the processors before this one brought in, too.
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
