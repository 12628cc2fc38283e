"""What resembles what: near misses by edits and by letters, judged by a textbook's distance too."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.operators.fields import fold
from rules.operators.likeness import LONGEST, Likenesses, look_of

_DOMAINS = Likenesses(["contoso.com", "contoso.de", "fabrikam.com", "ab.example"])
_PEOPLE = Likenesses(["ceo@contoso.com", "vip07@contoso.com", "anna.bergmann@contoso.com"])


@pytest.mark.parametrize(
    ("text", "resembled"),
    [
        ("contos0.com", "contoso.com"),
        ("contoso.co", "contoso.com"),
        ("contsoo.com", "contoso.com"),
        ("con-toso.com", "contoso.com"),
        ("contoso.corn", "contoso.com"),
        ("fabrikarn.com", "fabrikam.com"),
        ("c\u03bfntoso.com", "contoso.com"),
        ("contosö.com", "contoso.com"),
        ("cont\u200boso.com", "contoso.com"),
        ("\u217d\uff4fntoso.com", "contoso.com"),
        ("xn--cntoso-i0e.com", "contoso.com"),
        ("XN--CNTOSO-i0e.com", "contoso.com"),
        ("fabrikam.cm", "fabrikam.com"),
        ("contoso.net", None),
        ("mail.contoso.com", None),
        ("ac.example", "ab.example"),
        ("xn--.com", None),
        ("xn--\u00e4.com", None),
        ("elsewhere.example", None),
        ("", None),
        ("@", None),
    ],
)
def test_a_domain_a_letter_off_or_in_other_letters_resembles(text: str, resembled: str | None):
    assert _DOMAINS.find(fold(text)) == resembled


@pytest.mark.parametrize(
    ("text", "resembled"),
    [
        ("c.eo@contoso.com", "ceo@contoso.com"),
        ("ceo@contos0.com", "ceo@contoso.com"),
        ("vipo7@contoso.com", "vip07@contoso.com"),
        ("anna.bergman@contoso.com", "anna.bergmann@contoso.com"),
        ("cfo@contoso.com", None),
        ("vip08@contoso.com", None),
        ("ceo@fabrikam.com", None),
        ("anna.berg@contoso.com", None),
        ("ceo", None),
    ],
)
def test_an_address_resembles_by_both_of_its_sides(text: str, resembled: str | None):
    assert _PEOPLE.find(text) == resembled


def test_a_text_of_the_list_resembles_no_other_of_it():
    twins = Likenesses(["contoso.com", "contoso.co"])
    assert (twins.find("contoso.com"), twins.find("contoso.co")) == (None, None)


def test_a_letter_that_folding_keeps_apart_looks_like_its_twin():
    assert Likenesses(["kk.io"]).find(fold("\u212ak.io")) == "kk.io"


def test_the_first_of_several_is_found():
    assert Likenesses(["contoso.de", "contoso.dk"]).find("contoso.dd") == "contoso.de"


def test_what_looks_like_nothing_resembles_nothing():
    assert Likenesses(["@", "..."]).find("---") is None


def test_a_text_longer_than_any_address_is_not_compared():
    long = "a" * LONGEST
    assert Likenesses([long]).find(f"{long}a") is None
    assert Likenesses([long]).find(f"{long[:-1]}b") == long


@given(st.text(max_size=40))
def test_a_look_is_its_own_look(text: str):
    assert look_of(look_of(text)) == look_of(text)


def _distance(a: str, b: str) -> int:
    """Optimal string alignment, from the textbook's recurrence."""
    rows = [list(range(len(b) + 1))]
    for i, left in enumerate(a, 1):
        row = [i]
        for j, right in enumerate(b, 1):
            cost = min(rows[-1][j] + 1, row[-1] + 1, rows[-1][j - 1] + (left != right))
            if i > 1 and j > 1 and a[i - 2 : i] == right + b[j - 2]:
                cost = min(cost, rows[-2][j - 2] + 1)
            row.append(cost)
        rows.append(row)
    return rows[-1][-1]


_WORDS = st.text("abco", min_size=1, max_size=14)


@settings(max_examples=400)
@given(_WORDS, _WORDS)
def test_the_edits_that_length_allows_are_those_of_the_textbook(known: str, text: str):
    expected = text != known and _distance(known, text) <= min(len(known) // 6, 2)
    assert (Likenesses([known]).find(text) is not None) == expected


@settings(max_examples=200)
@given(st.lists(_WORDS, max_size=8), _WORDS)
def test_of_many_the_same_is_found_as_of_each_alone(known: list[str], text: str):
    alone = [one for one in known if Likenesses([one]).find(text)]
    expected = None if text in known else min(alone, default=None)
    assert Likenesses(known).find(text) == expected
