"""`resembles`: the text looks like one of several without being it."""

from __future__ import annotations

from typing import Any

from rules.operators.fields import FieldReader
from rules.operators.likeness import LONGEST, Likenesses, likenesses
from rules.operators.operator import (
    TEXTS,
    Against,
    Constant,
    Operator,
    Run,
    compared,
    example_of,
)
from rules.operators.unknown import misshapen_value


class Resembles(Operator):
    """The text looks like one of several without being it."""

    name = "resembles"
    doc = (
        "The text is a near miss of one of these values, or of a named list: an edit or two, or "
        "letters that look the same. A value itself is no near miss."
    )
    kinds = TEXTS
    takes = "many"
    words = "resembles"
    near = ("in",)
    samples = ("xn--", "bob@fabrikan.com", "ceo@contoso.com")
    # CEL has no word for likeness; the test of `likeness` judges it by another yardstick.
    cel = None
    example = example_of(
        "new.emailaddress", ["contoso.com"], "a@contos0.com", "a@contoso.com", name=name,
        part="domain",
    )  # fmt: skip

    def compile(self, subject: FieldReader, old: FieldReader | None, against: Against) -> Run:
        """Return the closure; how a constant's texts look is worked out here, once."""
        too_long = misshapen_value(subject.path, f"a text of at most {LONGEST} characters")

        def resembles(text: str, known: Likenesses) -> Any:
            return too_long if len(text) > LONGEST else known.find(text) is not None

        if isinstance(against, Constant):
            return compared(subject, Constant(likenesses(against.value)), resembles)
        return compared(subject, against, lambda text, texts: resembles(text, Likenesses(texts)))

    def point_out(self, text: str, texts: frozenset[str]) -> str | None:
        """Return the value that the text resembles."""
        return likenesses(texts).find(text)
