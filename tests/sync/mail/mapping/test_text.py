from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.mail.mapping.text import fitted, line_of, lines_of, units_in


@pytest.mark.parametrize(
    ("text", "units", "kept"),
    [
        ("order", 3, "ord"),
        ("a😀b", 4, "a😀b"),
        ("a😀b", 3, "a😀"),
        ("a😀b", 2, "a"),
        ("\ud83d!", 2, "?!"),
    ],
)
def test_a_text_is_cut_by_utf_16_units_and_never_within_a_pair(
    text: str, units: int, kept: str
) -> None:
    assert fitted(text, units) == kept


@given(st.text(st.characters(codec="utf-8")), st.integers(0, 20))
def test_what_is_kept_is_the_beginning_and_less_than_a_character_is_wasted(
    text: str, units: int
) -> None:
    kept = fitted(text, units)

    assert text.startswith(kept)
    assert units_in(kept) <= units
    assert kept == text or units - units_in(kept) <= 1


def test_in_a_line_control_characters_become_one_blank() -> None:
    assert line_of("\x00Re:\r\n\tyour order\x7f", 100) == "Re: your order"


def test_lines_keep_their_breaks_and_tabs_and_no_other_control_character() -> None:
    assert lines_of("a\x00\tb\r\nc\x1f", 100) == "a\tb\r\nc"
