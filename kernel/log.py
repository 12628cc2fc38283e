"""Logs: structlog, past-tense events with named values, secrets taken out first.

A console line on a terminal, JSON otherwise; always to stderr, because stdout belongs to results.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

_SECRET_NAME = re.compile(
    r"(secret|password|authorization|token|assertion|authvalue|webhook_?key|api_?key|guard-key"
    r"|\bcode\b|private_key)",
    re.IGNORECASE,
)
_SECRET_TEXT = re.compile(
    r"(?i)(bearer\s+)[a-z0-9._~+/=-]{8,}"
    r"|((?:code|guard-key|client_secret|client_assertion|access_token)=)[^&\s\"']+"
    r"|(://[^/\s:@]+:)[^@\s]+(?=@)"
)
REDACTED = "[redacted]"
# Names that look like a secret and are none.
_HARMLESS = frozenset({"token_source", "error_code", "service_code", "code"})


def redact(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace every value that is, or carries, a secret: structlog's first processor."""
    for name, value in event.items():
        event[name] = _redacted(name, value)
    return event


def redacted_text(text: str) -> str:
    """Return the text without bearer tokens, keys in query strings and passwords in URLs."""
    return _SECRET_TEXT.sub(lambda m: (m[1] or m[2] or m[3] or "") + REDACTED, text)


def _redacted(name: str, value: Any) -> Any:
    if name not in _HARMLESS and _SECRET_NAME.search(name):
        return REDACTED
    if isinstance(value, str):
        return redacted_text(value)
    if isinstance(value, dict):
        return {key: _redacted(str(key), item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_redacted("", item) for item in value]
    return value


def _redact_rendered(
    logger: Any, method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    for name, value in event.items():
        if isinstance(value, str):
            event[name] = redacted_text(value)
    return event


def configure(*, level: str = "info") -> None:
    """Set the log up for a process; called once, by the console."""
    terminal = sys.stderr.isatty()
    structlog.configure(
        processors=[
            redact,
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _redact_rendered,
            structlog.dev.ConsoleRenderer() if terminal else structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level.upper()]
        ),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )


def get_logger(room: str) -> Any:
    """Return the log of a room."""
    return structlog.get_logger(room=room)
