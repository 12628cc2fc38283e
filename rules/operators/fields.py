"""Fields of one change, read, checked and folded once however many rules name them.

A FieldReader is one field read in one way (folded or not, whole or a part), with its own place in
a View, the list of the values of one change. What cannot be compared is an UnknownValue in the
value's place, so that a condition needs a single test.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

from rules.model.catalogue import RECORD_ID, FieldReference, Kind
from rules.model.change import Change, Facts
from rules.operators.moments import MOMENT_PARTS, moment_part
from rules.operators.unknown import UnknownValue, empty_value, misshapen_value, unknown_value

Normalise = Callable[[Any], Any]
Raw = Callable[[Change, Facts], Any]

PARTS: Final = ("domain", "local", "length", *MOMENT_PARTS)
"""What may be taken of a field instead of the whole: of a text, or of a moment."""
_PIECES: Final[Mapping[str | None, int]] = {"local": 0, "domain": 2}


NEAR_ASCII: Final = {0x212A: 0xE000, 0x037E: 0xE001, 0x1FEF: 0xE002}
"""Letters that composition would turn into ASCII, and where in the private area they go instead."""


def fold(text: str) -> str:
    """Return the text in the form in which caseless values are compared.

    Small letters, NFC; a letter outside ASCII never becomes an ASCII one (the Kelvin sign is not
    a k), because two addresses that a mail system keeps apart must not be equal here.
    """
    if text.isascii():
        return text.lower()
    small = (
        char if not char.isascii() and char.lower().isascii() else char.lower() for char in text
    )
    return unicodedata.normalize("NFC", "".join(small).translate(NEAR_ASCII))


View: TypeAlias = list[Any]
"""The values of one change by the index of their readers; an UnknownValue where there is none."""

TIME: Final = "request.time"
"""The path of the one time that rules can see."""

SCANNING: Final = 0
"""The place in a view that says whether a row stands alone, without a change."""
CHANGE: Final = 1
"""The place of the change itself."""
FACTS: Final = 2
"""The place of the facts."""

Readers: TypeAlias = "tuple[tuple[int, Raw], ...]"
"""What to read into a view, and where to put it."""


def fill(view: View, readers: Readers) -> None:
    """Read those of these fields into a view that it does not hold yet."""
    for index, read in readers:
        if view[index] is None:
            view[index] = read(view[CHANGE], view[FACTS])


class FieldReader:
    """One field, read in one way; equal only to itself."""

    __slots__ = ("caseless", "index", "kind", "part", "path", "read", "reference")

    def __init__(
        self, index: int, reference: FieldReference, *, part: str | None, caseless: bool
    ) -> None:
        self.index = index
        self.reference = reference
        self.part = part
        self.path = reference.path
        # Law 13: what follows the @ is a domain, and domains have no case whatever the field says.
        self.caseless = caseless or part == "domain"
        self.kind = Kind.NUMBER if part == "length" else reference.field.kind
        self.read = _reader(reference, part, caseless=self.caseless)

    def __repr__(self) -> str:
        return f"FieldReader({self.path!r})"


class FieldReaders:
    """The readers of one policy set: asking twice for the same reading gives the same reader."""

    def __init__(self, shared: FieldReaders | None = None) -> None:
        self._readers: dict[tuple[Any, ...], FieldReader] = (
            {} if shared is None else shared._readers
        )
        self._members: dict[tuple[int, bool], tuple[Any, frozenset[Any]]] = (
            {} if shared is None else shared._members
        )
        self._used: dict[FieldReader, None] = {}

    def sharing(self) -> FieldReaders:
        """Return the same readers, counting anew which of them are used."""
        return FieldReaders(self)

    def members(self, values: tuple[Any, ...], *, caseless: bool) -> frozenset[Any]:
        """Return the values as a set, folded; a named list is hashed once however often used."""
        key = (id(values), caseless)
        known = self._members.get(key)
        if known is None:
            folded = (fold(one) if caseless and isinstance(one, str) else one for one in values)
            # The values are kept beside the set so that their identity cannot be given anew.
            known = self._members[key] = (values, frozenset(folded))
        return known[1]

    @property
    def used(self) -> Readers:
        """Return what reads the fields asked for so far, each once."""
        return tuple((reader.index, reader.read) for reader in self._used)

    @property
    def blank(self) -> View:
        """Return a view for these readers that holds nothing yet."""
        return [False, None, None, *[None] * len(self._readers)]

    def reader(
        self, reference: FieldReference, *, part: str | None = None, caseless: bool = False
    ) -> FieldReader:
        """Return the reader of a field read in that way; `part` is one of PARTS, with its zone."""
        # The kind belongs to the key because one path may differ from table to table.
        field = reference.field
        key = (reference.path, part, caseless, field.kind, tuple(field.labels.items()))
        found = self._readers.get(key)
        if found is None:
            # The first three places of a view are not fields.
            found = FieldReader(len(self._readers) + 3, reference, part=part, caseless=caseless)
            self._readers[key] = found
        self._used[found] = None
        return found


def raw_reader(reference: FieldReference) -> Raw:
    """Return a function that reads a field as it stands; an UnknownValue when it is not known."""
    key, path = reference.key, reference.path
    unknown = unknown_value(path, "it was not looked up")
    if reference.is_fact:
        of_old = reference.root == "old"

        def fact(change: Change, facts: Facts) -> Any:
            try:
                return facts.values[path]
            except KeyError:
                # On create there was no row, which is known and not a fact that is lacking.
                if of_old and not change.before:
                    return None
                reason = facts.missing.get(path)
                return unknown if reason is None else unknown_value(path, str(reason)[:200])

        return fact
    if reference.root == "request":
        return _of_request(reference)
    if key == RECORD_ID:
        return lambda change, facts: change.record_id
    if reference.root == "old":

        def before(change: Change, facts: Facts) -> Any:
            return change.before.get(key)

        return before

    def after(change: Change, facts: Facts) -> Any:
        return change.after.get(key)

    return after


def _of_request(reference: FieldReference) -> Raw:
    key = reference.key
    if key == "columns":
        return _columns
    not_said = unknown_value(reference.path, "the request does not say")
    if reference.path == TIME:
        return lambda change, facts: change.request.get(key, facts.now or not_said)
    return lambda change, facts: change.request.get(key, not_said)


def _columns(change: Change, facts: Facts) -> Any:
    """Return the logical names of what was sent; a lookup counts once."""
    said = change.request.get("columns")
    return {name.split(".", 1)[0] for name in change.sent} if said is None else said


def _reader(reference: FieldReference, part: str | None, *, caseless: bool) -> Raw:
    raw = raw_reader(reference)
    empty = empty_value(reference.path)
    normalise = _normaliser(reference, part, caseless=caseless)

    def read(change: Change, facts: Facts) -> Any:
        value = raw(change, facts)
        if value is None or value == "":
            return empty
        if value.__class__ is UnknownValue:
            return value
        return normalise(value)

    if reference.field.kind is Kind.STRING and caseless:
        return _of_text(reference, part, otherwise=read)
    return read


def _of_text(reference: FieldReference, part: str | None, *, otherwise: Raw) -> Raw:
    """Return the reader of most fields there are, with nothing called for the commonest values."""
    key, path, index = reference.key, reference.path, _PIECES.get(part)
    if reference.is_fact and part is None:

        def fact(change: Change, facts: Facts) -> Any:
            value = facts.values.get(path)
            if value.__class__ is str and value.isascii() and value:
                return value.lower()
            return otherwise(change, facts)

        return fact
    if reference.is_fact or reference.root != "new" or part == "length" or key == RECORD_ID:
        return otherwise
    if index is None:

        def column(change: Change, facts: Facts) -> Any:
            value = change.after.get(key)
            if value.__class__ is str and value.isascii() and value:
                return value.lower()
            return otherwise(change, facts)

        return column

    def piece(change: Change, facts: Facts) -> Any:
        value = change.after.get(key)
        if value.__class__ is str and value.isascii():
            pieces = value.lower().rpartition("@")
            if pieces[0] and pieces[2]:
                return pieces[index]
        return otherwise(change, facts)

    return piece


def _normaliser(reference: FieldReference, part: str | None, *, caseless: bool) -> Normalise:
    path, field = reference.path, reference.field
    take = moment_part(part)
    if take is not None:
        return _of_moment(path, take)
    match field.kind:
        case Kind.STRING:
            return (
                _text(path, caseless=caseless)
                if part is None
                else _part(path, part, caseless=caseless)
            )
        case Kind.CHOICE:
            texts = any(isinstance(stored, str) for stored in field.labels.values())
            return _text(path, caseless=False, wanted="a choice") if texts else _choice(path)
        case Kind.NUMBER:
            return _number(path)
        case Kind.BOOLEAN:
            return _of_class(path, bool, "true or false")
        case Kind.DATETIME:
            return _moment(path)
        case Kind.LIST:
            return _members(path, caseless=caseless)
        case Kind.LOOKUP:
            return _text(path, caseless=True)


def _text(path: str, *, caseless: bool, wanted: str = "text") -> Normalise:
    misshapen = misshapen_value(path, wanted)
    plain = str

    def folded(value: Any) -> Any:
        if value.__class__ is plain:
            return value.lower() if value.isascii() else fold(value)
        return misshapen

    def whole(value: Any) -> Any:
        return value if value.__class__ is plain else misshapen

    return folded if caseless else whole


def _part(path: str, part: str, *, caseless: bool) -> Normalise:
    text = _text(path, caseless=caseless and part != "length")
    misshapen = misshapen_value(path, "an address such as anna@contoso.com")

    def length(value: Any) -> Any:
        value = text(value)
        return value if value.__class__ is UnknownValue else len(value)

    def piece(value: Any) -> Any:
        value = text(value)
        if value.__class__ is UnknownValue:
            return value
        pieces = value.rpartition("@")
        return pieces[_PIECES[part]] if pieces[0] and pieces[2] else misshapen

    return length if part == "length" else piece


def _choice(path: str) -> Normalise:
    misshapen = misshapen_value(path, "the number of a choice")

    def number(value: Any) -> Any:
        return value if value.__class__ is int else misshapen

    return number


def _number(path: str) -> Normalise:
    misshapen = misshapen_value(path, "a number")

    def number(value: Any) -> Any:
        # NaN differs from itself and would make every comparison false.
        return value if value.__class__ in (int, float) and value == value else misshapen

    return number


def _of_class(path: str, wanted: type, words: str) -> Normalise:
    misshapen = misshapen_value(path, words)

    def exact(value: Any) -> Any:
        return value if value.__class__ is wanted else misshapen

    return exact


def _moment(path: str) -> Normalise:
    misshapen = misshapen_value(path, "a date and time")

    def moment(value: Any) -> Any:
        if value.__class__ is not datetime:
            return misshapen
        return value if value.tzinfo is not None else value.replace(tzinfo=UTC)

    return moment


def _of_moment(path: str, take: Callable[[datetime], str]) -> Normalise:
    moment = _moment(path)
    too_far = misshapen_value(path, "a date and time within the years 1 to 9999")

    def part(value: Any) -> Any:
        value = moment(value)
        if value.__class__ is UnknownValue:
            return value
        try:
            return take(value)
        except OverflowError:
            return too_far

    return part


def _members(path: str, *, caseless: bool) -> Normalise:
    misshapen = misshapen_value(path, "a list of texts")
    text = _text(path, caseless=caseless)

    def members(value: Any) -> Any:
        if not isinstance(value, tuple | list | frozenset | set):
            return misshapen
        if caseless:
            plain = [item.lower() for item in value if item.__class__ is str and item.isascii()]
            if len(plain) == len(value):
                return frozenset(plain)
        found = set()
        for item in value:
            member = text(item)
            if member.__class__ is UnknownValue:
                return misshapen
            found.add(member)
        return frozenset(found)

    return members
