"""A change that nobody made, decided by the policies of today. Nothing of it is recorded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from console.readings.again import not_given, told
from kernel.errors import InputRefused
from rules.engine.policy_set import PolicySet
from rules.explain.explain import explain
from rules.model.catalogue import Catalogue
from rules.syntax.complaint import FIELDS_LISTED, Complaint, closest
from rules.syntax.nodes import read_nodes
from rules.testing.document import KEYS, DocumentReader

_MOST_TOLD: Final = 20


class TrialUnreadable(InputRefused):
    """A change to be tried names what the catalogue does not know; `context` tells each place."""

    code = "trial-unreadable"


@dataclass(frozen=True, slots=True)
class FormColumn:
    """A column with what it holds before and after, as somebody wrote it; blank is not given."""

    name: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class TrialForm:
    """A change put together by hand: columns, and facts by name and value."""

    table: str
    operation: str
    columns: tuple[FormColumn, ...]
    facts: tuple[tuple[str, str], ...]


def document_of(asked: TrialForm, catalogue: Catalogue) -> dict[str, Any]:
    """Return the change as a document. Raises TrialUnreadable for a name that is no field.

    Values are written as in YAML: `true`, `2`, `[a, b]`, `null` for what is known to be empty.
    """
    document: dict[str, Any] = {"operation": asked.operation, "entity": asked.table}
    for column in asked.columns:
        for side, text in (("old", column.before), ("new", column.after)):
            if text and (side == "new" or asked.operation != "create"):
                _put(document, f"{side}.{column.name}", text, catalogue)
    for name, text in asked.facts:
        if text:
            _put(document, name, text, catalogue)
    return document


def _put(document: dict[str, Any], path: str, text: str, catalogue: Catalogue) -> None:
    reference = catalogue.resolve(document["entity"], path)
    if reference is None:
        if document["entity"] not in catalogue.entities:
            raise TrialUnreadable(f"`{document['entity']}` is no table of the catalogue.")
        spellings = catalogue.spellings(document["entity"], like=path)
        raise TrialUnreadable(
            f"`{path[:80]}` is not a field of {document['entity']}.",
            hint=closest(path, spellings) or FIELDS_LISTED,
        )
    document.setdefault(reference.root, {})[reference.key] = value_of(text)


def value_of(text: str) -> Any:
    """Return a value that was written as in YAML. Raises TrialUnreadable."""
    complaints: list[Complaint] = []
    node = read_nodes("value", text, complaints)
    if complaints:
        raise TrialUnreadable(f"The value `{text[:80]}` can't be read: {complaints[0].text}")
    return node.value() if node is not None else None


def tried(document: Mapping[str, Any], policy_set: PolicySet, *, now: datetime) -> dict[str, Any]:
    """Return the decision on a change written as in a policy test, and why: as `policy explain`.

    The document is what `policy check` reads: operation, entity, old, new, actor, facts. Raises
    TrialUnreadable with every problem.
    """
    unknown = sorted(set(document) - set(KEYS))
    reader = DocumentReader(policy_set.catalogue)
    given = reader.read(document)
    problems = [(f"`{name}` is no part of a change", name) for name in unknown]
    problems += [(one.text, one.path) for one in reader.problems]
    if problems:
        raise TrialUnreadable(
            f"The change can't be tried: {problems[0][0]}.",
            hint=f"A change has {', '.join(KEYS)}; `policy fields` lists what these may name.",
            problems=[{"at": path, "detail": text} for text, path in problems[:_MOST_TOLD]],
        )
    explanation = explain(given.change, policy_set, given.facts, now=given.now or now)
    return told(explanation, policy_set) | {"not_given": not_given(explanation, given.facts)}
