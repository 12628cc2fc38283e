"""A value has one canonical JSON text, whatever order it was built in, and that text reads back."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.digest import canonical_json, digest_of, sha256_hex

# Lone surrogates are in: JSON can say them, and whoever holds the key can post them.
TEXT = st.text(st.characters(categories=None), max_size=8)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


def turned(value: Any) -> Any:
    """The same value with every object's members in reverse."""
    if isinstance(value, dict):
        return {key: turned(value[key]) for key in reversed(value)}
    if isinstance(value, list):
        return [turned(item) for item in value]
    return value


@given(VALUES)
def test_the_order_of_members_never_shows(value: Any) -> None:
    assert canonical_json(value) == canonical_json(turned(value))
    assert digest_of(value) == digest_of(turned(value))


@given(VALUES)
def test_the_text_is_utf_8_and_its_own_canonical_form(value: Any) -> None:
    text = canonical_json(value).decode("utf-8")
    assert canonical_json(json.loads(text)).decode("utf-8") == text or "\\ud" in text


@given(VALUES.filter(lambda v: "\\ud" not in json.dumps(v)))
def test_the_text_reads_back_as_the_value(value: Any) -> None:
    assert json.loads(canonical_json(value)) == value


@given(VALUES, VALUES)
def test_different_texts_are_different_values(one: Any, other: Any) -> None:
    if json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True):
        assert digest_of(one) == digest_of(other)
    elif one != other:
        assert digest_of(one) != digest_of(other)


def test_the_text_has_no_blanks_and_no_needless_escapes() -> None:
    assert (
        canonical_json({"b": [1, None, True], "a": "ä/€"})
        == '{"a":"ä/€","b":[1,null,true]}'.encode()
    )


def test_a_lone_surrogate_stays_the_escape_that_json_has_for_it() -> None:
    assert canonical_json("\ud800") == b'"\\ud800"'
    assert canonical_json("\\ud800") == b'"\\\\ud800"'
    assert json.loads(canonical_json("\ud800")) == "\ud800"


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_has_no_text(number: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json({"n": number})


def test_what_json_cannot_say_is_refused() -> None:
    with pytest.raises(TypeError):
        canonical_json({"s": {1, 2}})


def test_the_digest_is_sha_256_in_hexadecimal() -> None:
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert sha256_hex(b"") == empty
    assert digest_of({}) == sha256_hex(b"{}")
