"""What if a value had been another: dotted paths set on a change or its facts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from rules.model.catalogue import RECORD_ID, RECORD_ROOTS, Catalogue, FieldReference
from rules.model.change import Change, Facts
from rules.model.errors import PathUnknown
from rules.syntax.complaint import FIELDS_LISTED, closest
from rules.testing.document import DocumentReader


def what_if(
    change: Change, facts: Facts, catalogue: Catalogue, assigned: Mapping[str, Any]
) -> tuple[Change, Facts]:
    """Return the change and the facts with these paths set; both given ones stay as they are.

    `missing.` before a path makes a fact unknown, for the reason given as the value. Raises
    PathUnknown for a path that the catalogue lacks or a value that does not fit it.
    """
    before, after, sent = dict(change.before), dict(change.after), set(change.sent)
    values, missing = dict(facts.values), dict(facts.missing)
    request = dict(change.request)
    for path, value in assigned.items():
        hidden = path.startswith("missing.")
        reference = _reference(path.removeprefix("missing."), change.table, catalogue)
        if hidden:
            values.pop(reference.path, None)
            missing[reference.path] = str(value)
            continue
        fitted = _fitted(reference, value, change.table, catalogue)
        if reference.root in RECORD_ROOTS and reference.key == RECORD_ID:
            change = replace(change, record_id=fitted)
        elif reference.is_fact:
            values[reference.path] = fitted
            missing.pop(reference.path, None)
        elif reference.root == "request":
            request[reference.key] = fitted
        elif reference.root == "old":
            # What was not sent stays as it was, so the new side follows.
            if after.get(reference.key) == before.get(reference.key) and reference.key not in sent:
                after[reference.key] = fitted
            before[reference.key] = fitted
        else:
            after[reference.key] = fitted
            sent.add(reference.key)
    changed = replace(
        change, before=before, after=after, sent=frozenset(sent), request=request
    )  # fmt: skip
    return changed, Facts(values, missing)


def _reference(path: str, table: str, catalogue: Catalogue) -> FieldReference:
    found = catalogue.resolve(table, path)
    if found is None:
        raise PathUnknown(
            f"`{path[:80]}` is not a field of {table}.",
            hint=closest(path, catalogue.spellings(table, like=path)) or FIELDS_LISTED,
        )
    return found


def _fitted(reference: FieldReference, value: Any, table: str, catalogue: Catalogue) -> Any:
    """Return the value as the field stores it, read in the way in which fixtures are."""
    reader = DocumentReader(catalogue)
    root = reference.root if reference.root not in RECORD_ROOTS else "new"
    given = reader.read({"entity": table, root: {reference.key: value}})
    if reader.problems:
        raise PathUnknown(reader.problems[0].text)
    if reference.root == "request":
        if reference.key == "columns":
            return tuple(sorted(given.change.sent))
        return given.change.request.get(reference.key)
    if reference.root in RECORD_ROOTS and reference.key == RECORD_ID:
        return given.change.record_id
    if reference.is_fact:
        return given.facts.values.get(f"{root}.{reference.key}")
    return given.change.after.get(reference.key)
