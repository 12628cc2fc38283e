"""A change written as a document, in the shape of a test fixture, becomes a Change with Facts.

    {operation: update, entity: mailbox, old: {...}, new: {...}, actor: {...}, facts: {...}}

`new` is overlaid on `old`, as an update is; what differs counts as sent, unless
`request: {columns: [...]}` says what was. Choices may be given by label or number, nested
mappings are dotted names, fields that the catalogue looks up (owner) become facts. Who holds an
address has the names that are said of them, unless `addressOwner.names` says which.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rules.load.keys import Complaints, Keys, moment_from
from rules.model.catalogue import RECORD_ID, Arrival, Catalogue, FieldReference, Kind
from rules.model.change import Change, Facts, Value
from rules.model.errors import ChangeUnreadable
from rules.policy.policy import OPERATIONS
from rules.syntax.complaint import FIELDS_LISTED, Complaint, closest
from rules.syntax.nodes import MOST_BYTES, MapNode, Node, read_nodes

_RECORD = "00000000-0000-0000-0000-000000000000"
KEYS = (
    "operation", "entity", "table", "record_id", "old", "new", "actor", "facts", "request",
    "missing", "now",
)  # fmt: skip
"""What a change, as a document, may give."""
# Whoever makes more mistakes is told which fields there are, and no longer of the nearest one.
MOST_HINTED = 20
_ON_BEHALF_BY = "actor.onBehalfBy"
# A list names a person by any of these.
_NAMES, _NAMING = "addressOwner.names", ("objectId", "upn", "ids", "upns")


@dataclass(frozen=True, slots=True)
class Given:
    """A change with the facts that were given for it, and the moment, if the document has one."""

    change: Change
    facts: Facts
    now: datetime | None = None


@dataclass(frozen=True, slots=True)
class DocumentProblem:
    """What is wrong in a document, and the dotted path of its place."""

    text: str
    path: str


class DocumentReader:
    """Turns plain values into a change, complaining about what the catalogue does not know."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self.problems: list[DocumentProblem] = []

    def read(self, document: Mapping[str, Any]) -> Given:
        """Return the change; what is wrong is added to `problems`."""
        table, operation = self._head(document)
        facts: dict[str, Value] = {}
        old = document.get("old", {}) if operation != "create" else {}
        before, was = self._side(table, "old", old)
        for key, value in was.items():
            # An owner that `new` does not name is the one that was there before.
            facts[f"old.{key}"] = facts[f"new.{key}"] = value
        sent, is_now = self._side(table, "new", document.get("new", {}))
        facts |= {f"new.{key}": value for key, value in is_now.items()}
        # The id of the row is no column: it may be given beside them all the same.
        ids = [side.pop(RECORD_ID) for side in (before, sent) if RECORD_ID in side]
        record_id = ids[-1] if ids else document.get("record_id", _RECORD)
        for root in ("actor", "facts"):
            for reference, value in self._fields(table, root, document.get(root, {})):
                facts[reference.path] = value
        missing = {
            str(path): str(reason) for path, reason in self._mapping(document, "missing").items()
        }
        self._fill_in(table, before, {**before, **sent}, facts, missing)
        # A fact is known or missing, never both; what a case sets last wins.
        for path in missing:
            facts.pop(path, None)
        request = {
            reference.key: value
            for reference, value in self._fields(table, "request", document.get("request", {}))
        }
        if not isinstance(record_id, str):
            self._problem("`record_id` must be a text", None, at="record_id")
        change = Change(
            table=table,
            operation=operation,
            record_id=record_id if isinstance(record_id, str) else _RECORD,
            before=before,
            after={**before, **sent},
            sent=_sent(request.pop("columns", None), before, sent),
            request=request,
        )
        now = document.get("now")
        moment = moment_from(now)
        if now is not None and moment is None:
            self._problem(f"`now` is not a date and time: {now!r:.40}", None, at="now")
        return Given(change, Facts(facts, missing), moment)

    def _fill_in(
        self,
        table: str,
        before: Mapping[str, Value],
        after: Mapping[str, Value],
        facts: dict[str, Value],
        missing: Mapping[str, str],
    ) -> None:
        """Add what goes without saying: who acts does so for themselves, a holder has names."""
        if self._catalogue.resolve(table, _ON_BEHALF_BY) is not None:
            facts.setdefault(_ON_BEHALF_BY, None)
        for side, columns in (("new", after), ("old", before)):
            # What was not learnt of who holds the address is not inferred either.
            if missing.keys().isdisjoint(f"{side}.addressOwner.{name}" for name in _NAMING):
                self._name_holder(table, side, columns, facts)

    def _name_holder(
        self, table: str, side: str, columns: Mapping[str, Value], facts: dict[str, Value]
    ) -> None:
        """Name who holds the address by what is said of them, unless the document does so."""
        path = f"{side}.{_NAMES}"
        reference, address = (
            self._catalogue.resolve(table, f"{side}.{name}") for name in (_NAMES, "address")
        )
        if path in facts or reference is None or address is None:
            return
        said = [columns.get(address.key)]
        for name in _NAMING:
            value = facts.get(f"{side}.addressOwner.{name}")
            said += value if isinstance(value, tuple) else (value,)
        names = tuple(dict.fromkeys(one for one in said if isinstance(one, str) and one))
        if names:
            facts[path] = names

    def _side(self, table: str, root: str, body: Any) -> tuple[dict[str, Value], dict[str, Value]]:
        """Return the columns of one side, and what is looked up of it, both without the root."""
        columns: dict[str, Value] = {}
        facts: dict[str, Value] = {}
        for reference, value in self._fields(table, root, body):
            (facts if reference.is_fact else columns)[reference.key] = value
        return columns, facts

    def _head(self, document: Mapping[str, Any]) -> tuple[str, str]:
        for key in document:
            if key not in KEYS:
                hint = closest(str(key), KEYS) if len(self.problems) < MOST_HINTED else None
                self._problem(f"`{key}` is not a part of a change", hint, at=str(key))
        table = str(document.get("entity", document.get("table", "mailbox")))
        if table not in self._catalogue.entities:
            hint = closest(table, self._catalogue.entities)
            at = "entity" if "entity" in document else "table"
            self._problem(f"`{table}` is not an entity of the catalogue", hint, at=at)
        operation = str(document.get("operation", "update"))
        if operation not in OPERATIONS:
            hint = closest(operation, OPERATIONS)
            self._problem(f"`{operation}` is not an operation", hint, at="operation")
        return table, operation

    def _mapping(self, document: Mapping[str, Any], key: str) -> Mapping[str, Any]:
        found = document.get(key, {})
        if isinstance(found, Mapping):
            return found
        self._problem(f"`{key}` must be a mapping", None, at=key)
        return {}

    def _fields(self, table: str, root: str, body: Any) -> Iterator[tuple[FieldReference, Value]]:
        for path, value in _flat(root, self._mapping({root: body}, root), depth=1):
            reference = self._catalogue.resolve(table, path)
            if reference is None:
                hint = self._closest_field(table, root, path) or FIELDS_LISTED
                self._problem(f"`{path}` is not a field", hint, at=path)
                continue
            if reference.field.arrives is Arrival.NEVER:
                # What a test says of it would never be so.
                self._problem(
                    f"`{path}` never arrives: it is in no delivery, and nothing looks it up",
                    "Leave it out.",
                    at=path,
                )
                continue
            yield reference, self._value(reference, value, at=path)

    def _value(self, reference: FieldReference, value: Any, *, at: str) -> Value:
        kind = reference.field.kind
        if value is None:
            return None
        if kind is Kind.CHOICE:
            labels = reference.field.labels
            if isinstance(value, str) and value in labels:
                return labels[value]
            numbered = int in map(type, labels.values())
            # A number may have no label yet; a word that is none is a slip of the pen.
            stored = isinstance(value, str) and value in labels.values()
            if stored or (numbered and type(value) is int):
                return value  # type: ignore[no-any-return]
            hint = closest(str(value), labels) or f"The labels are {', '.join(labels)}."
            self._problem(f"`{reference.path}` has no label `{value}`", hint, at=at)
            return None
        if kind is Kind.LIST and isinstance(value, list | tuple):
            return tuple(value)
        if kind is Kind.DATETIME:
            moment = moment_from(value)
            if moment is not None:
                return moment
        fits = {
            Kind.NUMBER: isinstance(value, int | float) and not isinstance(value, bool),
            Kind.BOOLEAN: isinstance(value, bool),
            Kind.STRING: isinstance(value, str),
            Kind.LOOKUP: isinstance(value, str),
        }.get(kind, False)
        if fits:
            return value  # type: ignore[no-any-return]
        self._problem(f"`{reference.path}` holds a {kind.value}, not {value!r:.60}", None, at=at)
        return None

    def _closest_field(self, table: str, root: str, path: str) -> str | None:
        # Looking for what was meant costs a hundred times what all else of a field does.
        if len(self.problems) >= MOST_HINTED:
            return None
        known = [name for name in self._catalogue.paths(table) if name.startswith(root)]
        return closest(path, known)

    def _problem(self, text: str, hint: str | None, *, at: str) -> None:
        self.problems.append(DocumentProblem(f"{text}. {hint}" if hint else f"{text}.", at))


def read_change(text: str, catalogue: Catalogue, *, file: str = "change") -> Given:
    """Return the change of a YAML or JSON document. Raises ChangeUnreadable."""
    found: list[Complaint] = []
    root: Node | None = read_nodes(file, text, found)
    if root is None and (value := _from_json(text)) is not None:
        reader = DocumentReader(catalogue)
        given = reader.read(value)
        if not reader.problems:
            return given
        raise ChangeUnreadable(
            [Complaint(file, 1, 1, "test-unknown", problem.text) for problem in reader.problems]
        )
    if root is None or not isinstance(root, MapNode):
        found = found or [Complaint(file, 1, 1, "type-wrong", "A change is a mapping of keys.")]
        raise ChangeUnreadable(found)
    reader = DocumentReader(catalogue)
    given = reader.read(root.value())
    if not found and not reader.problems:
        return given
    complaints = Complaints(file, found)
    for problem in reader.problems:
        complaints.add(_key_at(root, problem.path) or root, "test-unknown", problem.text)
    raise ChangeUnreadable(sorted(found, key=lambda one: one.place))


def _key_at(node: Node, path: str) -> Node | None:
    """Return the key at a dotted path; keys may be dotted themselves."""
    if not isinstance(node, MapNode):
        return None
    if path in node.keys:
        return node.keys[path]
    for key, inner in node.entries.items():
        if path.startswith(f"{key}.") and (found := _key_at(inner, path[len(key) + 1 :])):
            return found
    return None


def _from_json(text: str) -> dict[str, Any] | None:
    """Return the mapping of a JSON text; None for anything else.

    JSON may write a letter beyond the first 65,536 as two escapes, which YAML cannot read.
    """
    if len(text) > MOST_BYTES or "\\u" not in text:
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def moment_key(keys: Keys, key: str) -> Any:
    """Return the moment of a key; None when it is absent or, after a complaint, unreadable."""
    text = keys.text(key)
    moment = moment_from(text) if text else None
    if text and moment is None:
        keys.complaints.add(
            keys.node.entries[key], "date-invalid", f"`{text[:40]}` is not a date and time.",
            hint="Write it as 2026-08-21T10:00:00Z.",
        )  # fmt: skip
    return moment


def _sent(columns: Value, before: Mapping[str, Value], sent: Mapping[str, Value]) -> frozenset[str]:
    if isinstance(columns, tuple):
        return frozenset(str(column) for column in columns)
    return frozenset(key for key, value in sent.items() if before.get(key) != value)


def _flat(prefix: str, body: Mapping[str, Any], *, depth: int) -> Iterator[tuple[str, Any]]:
    for key, value in body.items():
        path = f"{prefix}.{key}"
        if isinstance(value, Mapping) and depth < 6:
            yield from _flat(path, value, depth=depth + 1)
        else:
            yield path, value
