"""The field catalogue: which fields of which entity may be named, and what each one holds.

A path has a root (`new`, `old`, `actor`, `request`, `facts`); `new.` is implied. The catalogue
turns a path written by an author into one FieldReference with a canonical path, so that aliases,
lookups and the short forms are gone before anything is compiled.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType

from rules.model.effects import RECORDS, EffectSet

RECORD_ROOTS = ("new", "old")
SHARED_ROOTS = ("actor", "request", "facts")


class Kind(StrEnum):
    """What a field holds."""

    STRING = "string"
    CHOICE = "choice"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATETIME = "datetime"
    LIST = "list"
    LOOKUP = "lookup"


class Arrival(StrEnum):
    """How the value of a field comes to be known when a change is decided.

    A `delivery` carries the column, and its change alone brings one. An `image` carries it beside
    the change of another column. A `fact` is looked up. What `never` arrives no rule may name.
    """

    DELIVERY = "delivery"
    IMAGE = "image"
    FACT = "fact"
    NEVER = "never"


class Form(StrEnum):
    """What a text is, where that says which values it can never hold."""

    ADDRESS = "address"
    DOMAIN = "domain"
    PERSON = "person"
    """An object id or an address: by either of them a list names somebody."""
    ID = "id"
    LOCAL = "local"

    @property
    def words(self) -> str:
        """Return what such a text is called."""
        return _WORDS_OF_FORM.get(self, self.value)


_WORDS_OF_FORM = {Form.LOCAL: "local part", Form.PERSON: "object id or address"}
FORMS = (Form.ADDRESS, Form.DOMAIN, Form.PERSON, Form.ID)
"""The forms that a catalogue may state; what stands before an @ is only ever a part."""

OF_ENTITY = (Arrival.DELIVERY, Arrival.NEVER)
"""How a whole entity may arrive."""

NO_LABELS: Mapping[str, int | str] = MappingProxyType({})

RECORD_ID = "id"
"""The field of a table that is the id of the row itself, and no column of it."""

# Names that mean the same on every guarded table, for catalogues that do not declare them.
_ALIASES: Mapping[str, Mapping[str, str]] = {
    "mailbox": {"address": "emailaddress", "approval": "emailrouteraccessapproval"},
    "systemuser": {"address": "internalemailaddress", "approval": "emailrouteraccessapproval"},
    "queue": {"address": "emailaddress", "approval": "emailrouteraccessapproval"},
}

# These are lookups in Dataverse, and arrive as such, even where a catalogue calls them text.
_LOOKUPS = frozenset(
    {"ownerid", "regardingobjectid", "emailserverprofile", "defaultmailbox", "businessunitid"}
)

# These are looked up, never columns of the row, whatever a catalogue says about them.
_LOOKED_UP = ("owner.", "addressOwner.")
_LOOKED_UP_ROOTS = ("actor", "facts")


@dataclass(frozen=True, slots=True)
class Field:
    """One field of the catalogue.

    `name` is without a root. `labels` maps the label of a choice to what is stored. `caseless`
    text is compared without case everywhere. `personal` marks personal data. `arrives` says how
    its value comes to be known, `fact` whether it is looked up and no column of the row. `form` is
    what a text is known to be.
    """

    name: str
    kind: Kind
    caseless: bool = False
    personal: bool = False
    doc: str = ""
    labels: Mapping[str, int | str] = field(default_factory=lambda: NO_LABELS)
    fact: bool = False
    arrives: Arrival = Arrival.DELIVERY
    form: Form | None = None

    def label_of(self, stored: object) -> str | None:
        """Return the label of a stored choice; None when it has none."""
        for label, value in self.labels.items():
            if value == stored and type(value) is type(stored):
                return label
        return None


@dataclass(frozen=True, slots=True)
class FieldReference:
    """A field named by an author, made canonical.

    `root` is new, old, actor, request or facts; `key` is the key in a change's before and after,
    or the rest of a fact's path; `path` is root and key.
    """

    root: str
    key: str
    field: Field

    @property
    def path(self) -> str:
        """Return the canonical path, such as "new.emailaddress"."""
        return f"{self.root}.{self.key}"

    @property
    def is_fact(self) -> bool:
        """Tell whether the value is looked up rather than read from the change."""
        return self.root in _LOOKED_UP_ROOTS or self.field.fact


@dataclass(frozen=True, slots=True)
class Entity:
    """A table, or a shared root such as actor, with its fields and their aliases.

    `effects` are those that a rule on the entity may have. Of an entity that never `arrives`
    nothing is ever decided.
    """

    name: str
    fields: Mapping[str, Field]
    aliases: Mapping[str, str] = field(default_factory=dict)
    effects: EffectSet = RECORDS
    arrives: Arrival = Arrival.DELIVERY

    def find(self, name: str) -> Field | None:
        """Return the field of that name, alias or lookup; None when there is none."""
        name = self.aliases.get(name, name)
        found = self.fields.get(name)
        if found is not None and found.kind is Kind.LOOKUP:
            return self.fields.get(f"{name}.id")
        return found

    def names(self) -> Iterator[str]:
        """Yield every name that an author may write, without a root."""
        yield from self.fields
        yield from self.aliases

    def known_names(self) -> Iterator[str]:
        """Yield those names whose value arrives."""
        for name in self.names():
            field = self.find(name)
            if field is not None and field.arrives is not Arrival.NEVER:
                yield name


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All entities and the shared roots."""

    entities: Mapping[str, Entity]
    shared: Mapping[str, Entity]

    def arriving(self) -> Iterator[str]:
        """Yield every entity on which something may be decided."""
        for name, entity in self.entities.items():
            if entity.arrives is not Arrival.NEVER:
                yield name

    def resolve(self, table: str, path: str) -> FieldReference | None:
        """Return what a path means on a table; None when nothing has that name."""
        root, dot, rest = path.partition(".")
        if dot and root in SHARED_ROOTS:
            shared = self.shared.get(root)
            found = shared.find(rest) if shared else None
            return FieldReference(root, found.name, found) if found else None
        entity = self.entities.get(table)
        if entity is None:
            return None
        if not dot or root not in RECORD_ROOTS:
            root, rest = "new", path
        found = entity.find(rest)
        return FieldReference(root, found.name, found) if found else None

    def paths(self, table: str) -> Iterator[str]:
        """Yield every path that a rule on a table may name, in its longest form."""
        entity = self.entities.get(table)
        if entity is not None:
            names = list(entity.known_names())
            for root in RECORD_ROOTS:
                for name in names:
                    yield f"{root}.{name}"
        for root, shared in self.shared.items():
            for name in shared.known_names():
                yield f"{root}.{name}"

    def spellings(self, table: str, *, like: str) -> list[str]:
        """Return every path of a table, also without `new.` when the one given has no root."""
        known = list(self.paths(table))
        if "." not in like or like.partition(".")[0] not in RECORD_ROOTS:
            known += [path.removeprefix("new.") for path in known if path.startswith("new.")]
        return known


def is_looked_up(entity: str, name: str) -> bool:
    """Return whether a field is never a column of the row, whatever a catalogue says about it."""
    return entity in _LOOKED_UP_ROOTS or name.startswith(_LOOKED_UP)


def make_entity(
    name: str,
    fields: Mapping[str, Field],
    aliases: Mapping[str, str],
    *,
    effects: EffectSet = RECORDS,
    arrives: Arrival = Arrival.DELIVERY,
) -> Entity:
    """Return an entity: its lookups spread into `.id` and `.type`, its table's aliases added."""
    spread: dict[str, Field] = {}
    for one in fields.values():
        fact = one.fact or one.arrives is Arrival.FACT or is_looked_up(name, one.name)
        if fact != one.fact:
            one = replace(one, fact=True)
        if one.name in _LOOKUPS and one.kind is Kind.STRING:
            one = replace(one, kind=Kind.LOOKUP)
        spread[one.name] = one
        if one.kind is Kind.LOOKUP:
            for part, doc, form in (("id", "id", Form.ID), ("type", "table", None)):
                key = f"{one.name}.{part}"
                part_of = Field(
                    key, Kind.STRING, caseless=True, doc=f"{one.doc} ({doc})", fact=one.fact,
                    arrives=one.arrives, form=form,
                )  # fmt: skip
                spread.setdefault(key, part_of)
    known = {
        alias: target
        for alias, target in _ALIASES.get(name, {}).items()
        if target in spread and alias not in spread
    }
    return Entity(name, spread, {**known, **aliases}, effects, arrives)
