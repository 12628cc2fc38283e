"""Texts that a tired eye takes for others: a few letters off, or in letters that look the same.

What is compared is how a text looks: without case, accents and punctuation, encoded domains
decoded, and each letter as the one that it can be confused with. The letters are Unicode's, from
confusable-homoglyphs; the distance is rapidfuzz's. Both are needed by a set alone that asks.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Collection, Iterator
from functools import cache, lru_cache
from string import ascii_lowercase
from typing import Final

from rules.operators.fields import NEAR_ASCII

LONGEST: Final = 320
"""An address is never longer; what is longer is not compared."""

# In a shorter text most words are an edit from another; `ceo` and `cfo` are two people.
_LETTERS_AN_EDIT: Final = 6
_MOST_EDITS: Final = 2
_ENCODED: Final = "xn--"
_UNFOLDED: Final = {kept: letter for letter, kept in NEAR_ASCII.items()}


class Likenesses:
    """The looks of several texts, taken once, so that a text can be held against all of them.

    A text with an `@` resembles another if each of its two sides is the same or a near miss. Each
    full six letters of a side allow one edit, two at most: an insertion, a removal, a replacement
    or a swap of neighbours.
    """

    __slots__ = ("_by_domain", "_texts")

    def __init__(self, texts: Collection[str]) -> None:
        self._texts = frozenset(texts)
        # By the look of what follows the last @, then of what stands before it, then by length.
        self._by_domain: dict[str, dict[str, str]] = {}
        for text in sorted(self._texts, reverse=True):
            local, domain = _sides(text)
            if local or domain:
                self._by_domain.setdefault(domain, {})[local] = text

    def find(self, text: str) -> str | None:
        """Return the first of the texts that this one resembles without being any of them."""
        if text in self._texts or len(text) > LONGEST:
            return None
        local, domain = _sides(text)
        found = [
            of_domain[near]
            for of_domain in [self._by_domain[near] for near in _near(domain, self._by_domain)]
            for near in _near(local, of_domain)
        ]
        return min(found, default=None)


@lru_cache(maxsize=64)
def likenesses(texts: frozenset[str]) -> Likenesses:
    """Return the looks of a list: the same ones for the same list, whichever set holds it."""
    return Likenesses(texts)


def look_of(text: str) -> str:
    """Return how a text looks: the same for texts that can be mistaken for each other."""
    looks = _looks()
    letters = unicodedata.normalize("NFKD", text.translate(_UNFOLDED).lower())
    replaced = "".join([looks.get(letter, letter) for letter in letters])
    plain = unicodedata.normalize("NFKD", replaced).lower()
    # Unicode says that m looks like rn. One letter for both, so that it counts as one edit.
    return "".join([letter for letter in plain if letter.isalnum()]).replace("rn", "m")


def _sides(text: str) -> tuple[str, str]:
    local, _, domain = text.rpartition("@")
    return look_of(local), look_of(".".join(map(_decoded, domain.split("."))))


def _decoded(label: str) -> str:
    if label[: len(_ENCODED)].lower() != _ENCODED:
        return label
    try:
        return label[len(_ENCODED) :].encode("ascii").decode("punycode")
    except UnicodeError:
        return label


def _near(look: str, known: Collection[str]) -> Iterator[str]:
    """Yield the looks that are the same or within the edits that their length allows."""
    distance = _distance()
    for one in known:
        edits = min(len(one) // _LETTERS_AN_EDIT, _MOST_EDITS)
        if one == look or (
            abs(len(one) - len(look)) <= edits and distance(one, look, edits) <= edits
        ):
            yield one


@cache
def _distance() -> Callable[[str, str, int], int]:
    from rapidfuzz.distance import OSA

    return lambda a, b, most: OSA.distance(a, b, score_cutoff=most)


@cache
def _looks() -> dict[str, str]:
    """Return what each letter is shown as: Unicode's prototypes, towards ASCII."""
    from confusable_homoglyphs.confusables import confusables_data

    # The data leads from a letter to its prototype and back; what has one entry has a prototype.
    pairs = {
        letter: others[0]["c"]
        for letter, others in confusables_data.items()
        if len(letter) == 1 and len(others) == 1
    }
    return {
        letter: other
        for letter, other in pairs.items()
        if letter not in ascii_lowercase
        and (other.isascii() or not letter.isascii())
        and (pairs.get(other) != letter or other < letter)
    }
