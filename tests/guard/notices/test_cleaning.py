from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.notices.cleaning import NOT_SHOWN, cleaned, cleaned_change, cleaned_facts
from rules.model.change import Change, Facts


@pytest.mark.parametrize(
    "value",
    [
        "anna@contoso.com",
        "o'hara+x@contoso.com",
        "anna",
        "22222222-2222-4222-8222-2222",
        "",
    ],
)
def test_an_address_a_word_and_an_id_are_shown(value: str) -> None:
    assert cleaned(value) == value


@pytest.mark.parametrize(
    "value",
    ["Call us", "a@b@c", "http://x", "x/y", "a:b", "<b>", "fabrikam.com", "a\u202eb", "x" * 99],
)
def test_a_sentence_a_link_and_what_looks_like_one_are_not(value: str) -> None:
    assert cleaned(value) == NOT_SHOWN


@given(st.text())
def test_what_is_shown_of_a_text_is_one_word_without_a_link(text: str) -> None:
    shown = cleaned(text)
    assert isinstance(shown, str)
    assert len(shown) <= 320
    assert not re.search(r"[\s/:<>\[\]()]", shown)


def test_numbers_moments_and_lists_stay_and_lists_are_bounded() -> None:
    assert cleaned(7) == 7
    assert cleaned(None) is None
    assert cleaned(("a", "b c")) == ("a", NOT_SHOWN)
    assert len(cleaned(tuple("abcdefgh"))) == 5  # type: ignore[arg-type]


def test_every_text_of_a_change_and_of_its_facts_is_cleaned() -> None:
    change = Change("mailbox", "update", "r", {"username": "a b"}, {"username": "c d", "n": 1})
    cleaner = cleaned_change(change)
    assert (cleaner.before, cleaner.after) == (
        {"username": NOT_SHOWN},
        {"username": NOT_SHOWN, "n": 1},
    )
    facts = cleaned_facts(Facts({"actor.upn": "x y"}, {"actor.kind": "late"}))
    assert (facts.values, facts.missing) == ({"actor.upn": NOT_SHOWN}, {"actor.kind": "late"})
