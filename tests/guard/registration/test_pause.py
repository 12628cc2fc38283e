"""A pause is bounded, stands whole in a step's description, and is nothing else than a pause."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.ports.registry import DISABLED, ENABLED, Step
from guard.registration.pause import MOST_CHARACTERS, MOST_PAUSE, Pause, pause_of, pause_until
from kernel.errors import InputRefused
from tests.conftest import NOON

STEP = Step("1", "Update", "mailbox", 0, 20, 1, frozenset(), "e", statecode=DISABLED)


def _step(description: str, **values: object) -> Step:
    return replace(STEP, description=description, **values)


@given(st.text(min_size=1, max_size=60), st.text(min_size=1, max_size=60))
def test_what_is_written_is_read_again_or_is_refused(by: str, reason: str) -> None:
    wanted = pause_until(NOON + timedelta(hours=1), by=by, reason=reason, now=NOON)
    try:
        description = wanted.description
    except InputRefused:
        return
    assert len(description) <= MOST_CHARACTERS
    assert pause_of(_step(description)) == wanted


def test_name_and_reason_that_have_no_room_are_refused() -> None:
    wanted = pause_until(NOON + timedelta(hours=1), by="Ada", reason="x" * 300, now=NOON)
    with pytest.raises(InputRefused, match="too long"):
        _ = wanted.description


@pytest.mark.parametrize("ahead", [timedelta(0), timedelta(hours=-1), MOST_PAUSE * 2])
def test_a_pause_ends_in_the_near_future(ahead: timedelta) -> None:
    with pytest.raises(InputRefused):
        pause_until(NOON + ahead, by="Ada", reason="r", now=NOON)


def test_a_pause_holds_from_its_beginning_to_its_end() -> None:
    pause = Pause(NOON, NOON + MOST_PAUSE, "Ada", "r")
    assert pause.is_current(NOON)
    assert not pause.is_current(NOON + MOST_PAUSE)
    assert not pause.is_current(NOON - timedelta(hours=1))
    longer = replace(pause, until=pause.until + timedelta(seconds=1))
    assert not longer.is_current(NOON)


@given(st.text(max_size=300))
def test_any_other_description_is_none(text: str) -> None:
    assert pause_of(_step(text)) is None


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "[]",
        "[" * 200,
        '["mailbox-guard-pause","now","then","a","b"]',
        '["mailbox-guard-pause","2026-11-23T12:00:00Z","2026-11-23T13:00:00Z",1,2]',
        '["other","2026-11-23T12:00:00Z","2026-11-23T13:00:00Z","a","b"]',
    ],
)
def test_what_looks_like_one_and_is_none_is_none(text: str) -> None:
    assert pause_of(_step(text)) is None


def test_a_step_that_is_on_or_asynchronous_is_not_paused() -> None:
    description = pause_until(NOON + timedelta(hours=1), by="Ada", reason="r", now=NOON).description
    assert pause_of(_step(description)) is not None
    assert pause_of(_step(description, statecode=ENABLED)) is None
    assert pause_of(_step(description, mode=1)) is None
