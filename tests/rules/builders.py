"""Valid values with keyword overrides, for tests of the rules."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rules.engine.policy_set import PolicySet
from rules.load.loader import load, load_documents
from rules.model.change import Change, Facts, Value
from rules.model.errors import PolicySetInvalid
from rules.syntax.complaint import Complaint
from rules.testing.cases import read_cases
from rules.testing.run import CaseResult, run_cases

NOW = datetime(2026, 8, 21, 10, tzinfo=UTC)


def a_change(
    *,
    before: Mapping[str, Value] | None = None,
    table: str = "mailbox",
    operation: str = "update",
    **after: Any,
) -> Change:
    """Return a change; keyword `x__y` is the column "x.y"."""
    old = dict(before or {}) if operation != "create" else {}
    sent = {key.replace("__", "."): value for key, value in after.items()}
    return Change(table, operation, "r1", old, {**old, **sent}, frozenset(sent))


def facts(**values: Any) -> Facts:
    """Return facts; keyword `actor__upn` is the path "actor.upn"."""
    return Facts({key.replace("__", "."): value for key, value in values.items()}, {})


def a_policy(
    rules: str,
    *,
    name: str = "one-policy",
    when: str = "",
    mode: str = "enforce",
    on_error: str = "reject",
    entity: str = "mailbox",
    more: str = "",
) -> str:
    """Return the text of a policy; `rules` are flow mappings, one a line."""
    lines = "\n".join(f"  - {line.strip()}" for line in rules.strip().splitlines())
    matching = f"  when: [{when}]\n" if when else ""
    return (
        f"apiVersion: guard/v1\nkind: Policy\nname: {name}\nmode: {mode}\nonError: {on_error}\n"
        f"{more}match:\n  entity: {entity}\n  operations: [create, update]\n{matching}"
        f"rules:\n{lines}\n"
    )


def a_set(*policies: str, environment: str | None = None, **documents: str) -> PolicySet:
    """Return the set of these policies and of further files by path (`__` is a slash)."""
    texts = {}
    for text in policies:
        name = next(line for line in text.splitlines() if line.startswith("name: "))[6:]
        texts[f"policies/{name}.yaml"] = text
    for path, text in documents.items():
        texts[path.replace("__", "/") + ".yaml"] = text
    return load_documents(texts, environment=environment)


def complaints(*policies: str, **documents: str) -> tuple[Complaint, ...]:
    """Return what the loader says against these files; empty when they load cleanly."""
    try:
        return a_set(*policies, **documents).warnings
    except PolicySetInvalid as invalid:
        return invalid.complaints


def codes(*policies: str, **documents: str) -> list[str]:
    """Return the codes of the complaints that stop the loading, each once."""
    found = complaints(*policies, **documents)
    return sorted({complaint.code for complaint in found if complaint.level == "error"})


def complaints_of(folder: Path, *, now: datetime | None = None) -> tuple[Complaint, ...]:
    """Return every complaint about a folder's policies, warnings included; empty when clean."""
    try:
        return load(folder, now=now).warnings
    except PolicySetInvalid as invalid:
        return invalid.complaints


def run_text(
    file: str, text: str, policy_set: PolicySet, *, found: list[Complaint]
) -> list[CaseResult]:
    """Run the cases of one test file; a mistake in the file becomes a complaint."""
    return run_cases(read_cases(file, text, policy_set, found=found), policy_set)
