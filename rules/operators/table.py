"""The one table of operators: everything that may stand beside `field` in a condition.

An operator is one class: its name, the kinds of field it fits, what it takes, what it means in
words, a documented example, and `compile`, which makes the closure that runs. The loader, the JSON
Schemas, the explanations and the documentation are made from this table; adding an operator
touches this file only.

A closure takes a View and answers True, False or an UnknownValue. An empty field compared by an
operator is an UnknownValue, except under `exists`, `becomes` and `changed`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Final

from rules.model.catalogue import Kind
from rules.operators.fields import SCANNING, FieldReader, View
from rules.operators.likeness import LONGEST, Likenesses, likenesses
from rules.operators.operator import Against, Constant, Example, Operator, Run, compared, example_of
from rules.operators.patterns import Pattern
from rules.operators.unknown import UnknownValue, misshapen_value

_SCALARS: Final = frozenset(
    {Kind.STRING, Kind.CHOICE, Kind.NUMBER, Kind.BOOLEAN, Kind.DATETIME, Kind.LOOKUP}
)
_TEXTS: Final = frozenset({Kind.STRING, Kind.LOOKUP})
_ORDERED: Final = frozenset({Kind.NUMBER, Kind.DATETIME})
_ANY: Final = _SCALARS | {Kind.LIST}


class Equals(Operator):
    """Both values are the same, by the field's case rule."""

    name = "equals"
    doc = "The field holds this value."
    kinds = _SCALARS
    words = "equals"
    example = example_of(
        "new.emailaddress", "anna@contoso.com", "Anna@Contoso.com", "bob@contoso.com", name=name
    )

    def compile(self, subject: FieldReader, old: FieldReader | None, against: Against) -> Run:
        """Return the closure; the commonest one, so it calls nothing."""
        if isinstance(against, FieldReader):
            return compared(subject, against, operator.eq)
        index, value = subject.index, against.value

        def equals(v: View) -> Any:
            a = v[index]
            return a if a.__class__ is UnknownValue else a == value

        return equals


class NotEquals(Operator):
    """Both values differ, by the field's case rule."""

    name = "notEquals"
    doc = "The field holds another value; an empty field is an error."
    kinds = _SCALARS
    words = "does not equal"
    example = example_of("new.statecode", "inactive", 0, 1, name=name)

    def compile(self, subject: FieldReader, old: FieldReader | None, against: Against) -> Run:
        """Return the closure."""
        return compared(subject, against, operator.ne)


def _is_member(value: Any, members: Any) -> bool:
    return value in members


def _is_no_member(value: Any, members: Any) -> bool:
    return value not in members


class In(Operator):
    """The value is one of several."""

    name = "in"
    doc = "The field holds one of these values, or a value of a named list."
    kinds = _SCALARS - {Kind.BOOLEAN}
    takes = "many"
    words = "is in"
    example = example_of("new.owner.type", ["queue", "team"], "queue", "user", name=name)

    def compile(self, subject: FieldReader, old: FieldReader | None, against: Against) -> Run:
        """Return the closure."""
        if isinstance(against, FieldReader):
            return compared(subject, against, _is_member)
        index, members = subject.index, against.value

        def is_in(v: View) -> Any:
            a = v[index]
            return a if a.__class__ is UnknownValue else a in members

        return is_in


class NotIn(Operator):
    """The value is none of several."""

    name = "notIn"
    doc = "The field holds none of these values; an empty field is an error."
    kinds = In.kinds
    takes = "many"
    words = "is not in"
    example = example_of(
        "new.emailaddress", ["ceo@contoso.com"], "anna@contoso.com", "CEO@contoso.com", name=name
    )

    def compile(self, subject: FieldReader, old: FieldReader | None, against: Against) -> Run:
        """Return the closure."""
        return compared(subject, against, _is_no_member)


class Contains(Operator):
    """A list has the member, or a text has the piece."""

    name = "contains"
    doc = "The list has this member, or the text has this piece. An empty list contains nothing."
    kinds = _TEXTS | {Kind.LIST}
    words = "contains"
    example = example_of(
        "actor.roles", "System Administrator", ["system administrator"], [], name=name
    )

    def compile(self, subject: FieldReader, old: FieldReader | None, against: Against) -> Run:
        """Return the closure; a set and a text both answer `in`."""
        return compared(subject, against, operator.contains)


def _lacks(whole: Any, piece: Any) -> bool:
    return piece not in whole


class NotContains(Operator):
    """A list lacks the member, or a text lacks the piece."""

    name = "notContains"
    doc = "The list lacks this member, or the text lacks this piece."
    kinds = Contains.kinds
    words = "does not contain"
    example = example_of("actor.roles", "Delegate", [], ["Delegate"], name=name)

    def compile(self, subject: FieldReader, old: FieldReader | None, against: Against) -> Run:
        """Return the closure."""
        return compared(subject, against, _lacks)


class StartsWith(Operator):
    """A text begins with the piece."""

    name = "startsWith"
    doc = "The text begins with this piece."
    kinds = _TEXTS
    words = "starts with"
    example = example_of("new.emailaddress", "svc-", "SVC-mail@contoso.com", "a@b.de", name=name)

    def compile(self, subject: FieldReader, old: FieldReader | None, against: Against) -> Run:
        """Return the closure."""
        return compared(subject, against, str.startswith)


class EndsWith(Operator):
    """A text ends with the piece."""

    name = "endsWith"
    doc = "The text ends with this piece."
    kinds = _TEXTS
    words = "ends with"
    example = example_of(
        "new.emailaddress", "@contoso.com", "a@CONTOSO.com", "a@contoso.com.example", name=name
    )

    def compile(self, subject: FieldReader, old: FieldReader | None, against: Against) -> Run:
        """Return the closure."""
        return compared(subject, against, str.endswith)


class Matches(Operator):
    """The whole text matches a regular expression."""

    name = "matches"
    doc = "The whole text matches this RE2 expression; it needs no anchors."
    kinds = _TEXTS
    takes = "pattern"
    words = "matches"
    example = example_of(
        "new.emailaddress", "[a-z]+[.][a-z]+", "Anna.Berg@contoso.com", "a1@b.de", name=name,
        part="local",
    )  # fmt: skip

    def compile(self, subject: FieldReader, old: FieldReader | None, against: Against) -> Run:
        """Return the closure; a text that is not Unicode is an UnknownValue."""
        assert isinstance(against, Constant)  # noqa: S101 - the loader allows nothing else.
        index, pattern = subject.index, against.value
        assert isinstance(pattern, Pattern)  # noqa: S101 - the loader allows nothing else.
        trouble = misshapen_value(subject.path, "Unicode text")
        fits = pattern.fits

        def matches(v: View) -> Any:
            a = v[index]
            if a.__class__ is UnknownValue:
                return a
            try:
                return fits(a)
            except UnicodeError:
                return trouble

        return matches


class Resembles(Operator):
    """The text looks like one of several without being it."""

    name = "resembles"
    doc = (
        "The text is a near miss of one of these values, or of a named list: an edit or two, or "
        "letters that look the same. A value itself is no near miss."
    )
    kinds = _TEXTS
    takes = "many"
    words = "resembles"
    example = example_of(
        "new.emailaddress", ["contoso.com"], "a@contos0.com", "a@contoso.com", name=name,
        part="domain",
    )  # fmt: skip

    def compile(self, subject: FieldReader, old: FieldReader | None, against: Against) -> Run:
        """Return the closure; how a constant's texts look is worked out here, once."""
        trouble = misshapen_value(subject.path, f"a text of at most {LONGEST} characters")

        def resembles(text: str, known: Likenesses) -> Any:
            return trouble if len(text) > LONGEST else known.find(text) is not None

        if isinstance(against, Constant):
            return compared(subject, Constant(likenesses(against.value)), resembles)
        return compared(subject, against, lambda text, texts: resembles(text, Likenesses(texts)))

    def point_out(self, text: str, texts: frozenset[str]) -> str | None:
        """Return the value that the text resembles."""
        return likenesses(texts).find(text)


class Exists(Operator):
    """The field holds something, or nothing."""

    name = "exists"
    doc = "The field has a value (true) or is empty (false). A value that is not known is an error."
    kinds = _ANY
    takes = "flag"
    words = "exists:"
    example = example_of("new.emailaddress", True, "a@b.de", None, name=name)

    def compile(self, subject: FieldReader, old: FieldReader | None, against: Against) -> Run:
        """Return the closure; an empty list does not exist."""
        assert isinstance(against, Constant)  # noqa: S101 - the loader allows nothing else.
        index, wanted = subject.index, against.value

        def exists(v: View) -> Any:
            a = v[index]
            if a.__class__ is UnknownValue:
                return not wanted if a.empty else a
            return wanted

        def has_members(v: View) -> Any:
            a = v[index]
            if a.__class__ is UnknownValue:
                return not wanted if a.empty else a
            return wanted if a else not wanted

        return has_members if subject.kind is Kind.LIST else exists


class Becomes(Operator):
    """The new value is this, the old one is not."""

    name = "becomes"
    doc = "The field holds this value now and did not before; on create the value is enough."
    kinds = _SCALARS
    words = "becomes"
    needs_old = True
    example = Example(
        {"field": "new.emailrouteraccessapproval", "becomes": "approved"},
        {"new.emailrouteraccessapproval": 1, "old.emailrouteraccessapproval": 2},
        {"new.emailrouteraccessapproval": 1, "old.emailrouteraccessapproval": 1},
    )

    def compile(self, subject: FieldReader, old: FieldReader | None, against: Against) -> Run:
        """Return the closure; an empty side is a value that differs from every other."""
        assert old is not None  # noqa: S101 - the loader gives both sides.
        now = Equals().compile(subject, None, against)
        earlier = Equals().compile(old, None, against)

        def becomes(v: View) -> Any:
            a = now(v)
            if a is not True:
                return False if a.__class__ is UnknownValue and a.empty else a
            b = earlier(v)
            if b.__class__ is UnknownValue:
                return True if b.empty else b
            return not b

        return becomes


class Changed(Operator):
    """The new value and the old one differ, by the field's case rule."""

    name = "changed"
    doc = "New and old differ (true) or not (false); on create any value is a change."
    kinds = _ANY
    takes = "flag"
    words = "changed:"
    needs_old = True
    example = Example(
        {"field": "new.emailaddress", "changed": True},
        {"new.emailaddress": "a@contoso.com", "old.emailaddress": "b@contoso.com"},
        {"new.emailaddress": "a@contoso.com", "old.emailaddress": "A@Contoso.com"},
    )

    def compile(self, subject: FieldReader, old: FieldReader | None, against: Against) -> Run:
        """Return the closure; in a scan an unchanged column cannot be told, so `false` holds."""
        assert old is not None  # noqa: S101 - the loader gives both sides.
        assert isinstance(against, Constant)  # noqa: S101 - the loader allows nothing else.
        index, before, wanted = subject.index, old.index, against.value

        def changed(v: View) -> Any:
            if not wanted and v[SCANNING]:
                return True
            a, b = v[index], v[before]
            if a.__class__ is UnknownValue and not a.empty:
                return a
            if b.__class__ is UnknownValue and not b.empty:
                return b
            if a.__class__ is UnknownValue or b.__class__ is UnknownValue:
                return (a.__class__ is not b.__class__) is wanted
            return (a != b) is wanted

        return changed


class _Order(Operator):
    kinds = _ORDERED
    test: ClassVar[Callable[[Any, Any], bool]]

    def compile(self, subject: FieldReader, old: FieldReader | None, against: Against) -> Run:
        """Return the closure."""
        return compared(subject, against, type(self).test)


class Greater(_Order):
    """The value is above the other."""

    name = "greater"
    doc = "The number, time or length is greater than this."
    words = "is greater than"
    test = operator.gt
    example = example_of("new.emailaddress", 5, "anna@b.de", "a@b.d", name=name, part="length")


class GreaterOrEquals(_Order):
    """The value is above the other or the same."""

    name = "greaterOrEquals"
    doc = "The number, time or length is this or greater."
    words = "is greater than or equals"
    test = operator.ge
    example = example_of("new.emailaddress", 5, "a@b.d", "a@b.", name=name, part="length")


class Less(_Order):
    """The value is below the other."""

    name = "less"
    doc = "The number, time or length is less than this."
    words = "is less than"
    test = operator.lt
    example = example_of("new.emailaddress", 6, "a@b.d", "aa@b.d", name=name, part="length")


class LessOrEquals(_Order):
    """The value is below the other or the same."""

    name = "lessOrEquals"
    doc = "The number, time or length is this or less."
    words = "is less than or equals"
    test = operator.le
    example = example_of("new.emailaddress", 5, "a@b.d", "aa@b.d", name=name, part="length")


OPERATORS: Mapping[str, Operator] = MappingProxyType(
    {
        each.name: each
        for each in (
            Equals(), NotEquals(), In(), NotIn(), Contains(), NotContains(), StartsWith(),
            EndsWith(), Matches(), Resembles(), Exists(), Becomes(), Changed(), Greater(),
            GreaterOrEquals(), Less(), LessOrEquals(),
        )
    }
)  # fmt: skip
"""Every operator by name, in the order in which people read them."""
