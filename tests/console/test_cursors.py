"""A cursor is what its list gave, for the search it was given for, and nothing else is one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.cursors import CursorUnusable, cursor_for, place_in

PLACES = st.from_regex(r"[0-9A-Za-z][0-9A-Za-z:._-]{0,127}", fullmatch=True)
SEARCHES = st.dictionaries(st.text(max_size=9), st.none() | st.booleans() | st.text(max_size=9))


@given(PLACES, SEARCHES)
def test_a_place_comes_back_for_its_own_search(place: str, search: dict[str, object]) -> None:
    assert place_in(cursor_for(place, search), search) == place
    with pytest.raises(CursorUnusable):
        place_in(cursor_for(place, search), {**search, "another": 1})


@given(PLACES, st.integers(0, 400), st.characters())
def test_one_that_was_altered_anywhere_is_none(place: str, at: int, letter: str) -> None:
    cursor = cursor_for(place, {})
    at %= len(cursor) + 1
    altered = cursor[:at] + letter + cursor[at + 1 :]
    if altered != cursor:
        with pytest.raises(CursorUnusable):
            place_in(altered, {})


@given(st.text(max_size=500))
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(CursorUnusable):
        place_in(text, {})


def test_without_one_a_list_begins_at_its_beginning() -> None:
    assert place_in(None, {}) is None
