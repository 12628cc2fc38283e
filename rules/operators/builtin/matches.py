"""`matches`: the whole text fits a regular expression."""

from __future__ import annotations

from typing import Any

from rules.operators.fields import FieldReader, View
from rules.operators.operator import TEXTS, Against, Constant, Operator, Run, example_of
from rules.operators.patterns import Pattern
from rules.operators.unknown import UnknownValue, misshapen_value


class Matches(Operator):
    """The whole text matches a regular expression."""

    name = "matches"
    doc = "The whole text matches this RE2 expression; it needs no anchors."
    kinds = TEXTS
    takes = "pattern"
    reach = "pattern"
    words = "matches"
    samples = ("(a+)+", "[a-z]+@contoso[.]com", ".*", "[A-Z].*", "x|anna@.*", "", "[^@]{1,4}")
    cel = "{new}.matches({value})"
    example = example_of(
        "new.emailaddress", "[a-z]+[.][a-z]+", "Anna.Berg@contoso.com", "a1@b.de", name=name,
        part="local",
    )  # fmt: skip

    def compile(self, subject: FieldReader, old: FieldReader | None, against: Against) -> Run:
        """Return the closure; a text that is not Unicode is an UnknownValue."""
        assert isinstance(against, Constant)  # noqa: S101 - the loader allows nothing else.
        index, pattern = subject.index, against.value
        assert isinstance(pattern, Pattern)  # noqa: S101 - the loader allows nothing else.
        not_unicode = misshapen_value(subject.path, "Unicode text")
        fits = pattern.fits

        def matches(v: View) -> Any:
            a = v[index]
            if a.__class__ is UnknownValue:
                return a
            try:
                return fits(a)
            except UnicodeError:
                return not_unicode

        return matches
