"""A process logs to stderr, one JSON object a line off a terminal, and never a secret."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from kernel import log

PRELUDE = """
import logging, sys, structlog
from kernel.log import conceal, configure, get_logger
configure(level="info")
log = get_logger("guard")
"""


def lines_of(program: str, *, terminal: bool = False) -> list[dict[str, Any]]:
    pretend = "import sys; sys.stderr.isatty = lambda: True\n" if terminal else ""
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", pretend + PRELUDE + program],
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == ""
    if terminal:
        return [{"text": ended.stderr}]
    return [json.loads(line) for line in ended.stderr.splitlines()]


def test_an_event_has_its_name_room_level_moment_and_values() -> None:
    (line,) = lines_of("log.info('mailbox_withdrawn', record_id='m1', epoch=2)")
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "mailbox_withdrawn",
        "room": "guard",
        "level": "info",
        "record_id": "m1",
        "epoch": 2,
    }


def test_events_below_the_level_are_not_logged() -> None:
    assert lines_of("log.debug('page_fetched')") == []


RAISING = """
def fetch(secret):
    raise RuntimeError(f'GET https://x/?code={secret} with Bearer {secret}')
try:
    fetch('hidden-word-1')
except RuntimeError as error:
    log.error('call_failed', error=str(error), exc_info=error)
    log.error('call_failed', cause=error, exc_info=True)
    log.exception('call_failed')
"""


@pytest.mark.parametrize("terminal", [False, True], ids=["json", "terminal"])
def test_an_exception_is_logged_without_the_secret_inside(terminal: bool) -> None:
    shown = str(lines_of(RAISING, terminal=terminal))
    assert "hidden-word" not in shown
    assert shown.count("Traceback") == 3
    assert "code=[redacted]" in shown


def test_what_is_away_is_told_in_words() -> None:
    fault, outage, told = lines_of(
        "from kernel.errors import Bug, Unavailable\n"
        "for error in (Bug('a fault'), Unavailable('The database is away.')):\n"
        "    log.error('call_failed', exc_info=error)\n"
        "log.error('call_failed', error='in words of its own', exc_info=Unavailable('away'))\n"
    )
    assert "Bug: a fault" in fault["exception"]
    assert (outage["error"], "exception" in outage) == ("The database is away.", False)
    assert (told["error"], "exception" in told) == ("in words of its own", False)


def test_what_is_bound_to_the_context_is_redacted_too() -> None:
    (line,) = lines_of(
        "structlog.contextvars.bind_contextvars(delivery_id='d1', api_key='hidden-word')\n"
        "log.info('delivery_received')"
    )
    assert (line["delivery_id"], line["api_key"]) == ("d1", "[redacted]")


def test_a_concealed_secret_is_hidden_without_any_form() -> None:
    (line,) = lines_of("conceal(['plain words'])\nlog.info('odd', text='so plain words it is')")
    assert line["text"] == "so [redacted] it is"


def test_libraries_are_heard_from_warnings_on_and_redacted() -> None:
    line, error = lines_of(
        "logging.getLogger('httpx').info('GET https://x/')\n"
        "logging.getLogger('uvicorn').warning('POST %s', '/webhooks/dataverse?code=hidden-word')\n"
        "logging.getLogger('asyncio').error('%s %s', 'one')\n"
    )
    assert (line["room"], line["event"], line["level"]) == ("uvicorn", "library_logged", "warning")
    assert line["text"] == "POST /webhooks/dataverse?code=[redacted]"
    assert (error["level"], error["text"]) == ("error", "%s %s")


def test_what_anybody_can_cause_is_logged_so_often_and_then_counted() -> None:
    moment = 0.0
    sparing = log.Sparing(now=lambda: moment)
    told = [sparing.left_out("401") for _ in range(log.LINES_AT_MOST + 40)]
    assert told == [0] * log.LINES_AT_MOST + [None] * 40
    # Another kind has a count of its own.
    assert sparing.left_out("413") == 0
    moment = log.LINES_SECONDS
    assert [sparing.left_out("401") for _ in range(2)] == [40, 0]


def test_a_library_that_repeats_itself_is_logged_so_often() -> None:
    program = """
for number in range(200):
    logging.getLogger("uvicorn.error").warning("Invalid HTTP request received.")
logging.getLogger("uvicorn.error").warning("Something else.")
"""
    lines = lines_of(program)
    assert len(lines) == log.LINES_AT_MOST + 1
    assert lines[-1]["text"] == "Something else."
