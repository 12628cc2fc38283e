"""The words that programs decide by: enums whose members carry a sentence for people.

A text may be reworded at any time and changes nothing; whatever a program decides by is a member.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Self


class DocumentedWord(StrEnum):
    """A word with the sentence that pages and people read: `NAME = "word", "Sentence."`."""

    doc: str

    def __new__(cls, word: str, doc: str = "") -> Self:
        """Return the member; its value is the word alone."""
        member = str.__new__(cls, word)
        member._value_ = word
        member.doc = doc
        return member
