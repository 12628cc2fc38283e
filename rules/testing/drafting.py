"""Drafts for people to finish: a test of a recorded decision, exceptions for rules that failed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from types import MappingProxyType
from typing import Any, Final

from rules.model.catalogue import RECORD_ID, Catalogue
from rules.model.change import Change, Facts, Value
from rules.model.decision import Finding, Outcome
from rules.syntax.dump import yaml_text

DRAFT_DAYS: Final = 30
NOTHING_NAMED: Final[Mapping[str, str]] = MappingProxyType({})
_LONGEST_NAME: Final = 63
_LONGEST_REMARK: Final = 100
_LISTS: Final = {"rules": "reject", "held": "hold", "warned": "warn", "audited": "audit"}


def draft_case(
    change: Change,
    facts: Facts,
    *,
    name: str,
    now: datetime,
    decision: str,
    findings: Sequence[Finding],
    catalogue: Catalogue,
) -> str:
    """Return a test file with one case: this change, these facts, exactly this outcome."""
    expect: dict[str, Any] = {"decision": decision}
    failing = [one for one in findings if one.result == "fail"]
    for key, effect in _LISTS.items():
        expect[key] = sorted(one.id for one in failing if one.effect == effect)
    expect["errors"] = sorted(one.id for one in findings if one.result == "error")
    expect["excepted"] = sorted({one.exception for one in findings if one.exception is not None})
    case = {
        "name": name,
        "change": change_document(change, facts, catalogue),
        "now": now,
        "expect": {key: value for key, value in expect.items() if value or key == "rules"},
    }
    return yaml_text({"kind": "Test", "cases": [case]})


def change_document(change: Change, facts: Facts, catalogue: Catalogue) -> dict[str, Any]:
    """Return a change with its facts in the shape that tests and `policy check` read.

    A column that no policy may name is left out.
    """
    names = _named(change.table, catalogue)
    before = {key: value for key, value in change.before.items() if key in names}
    new = {
        key: value
        for key, value in change.after.items()
        if key in names and before.get(key) != value
    }
    parts: dict[str, dict[str, Any]] = {
        "old": before, "new": new, "actor": {}, "facts": {}, "request": dict(change.request),
    }  # fmt: skip
    for path, value in facts.values.items():
        root, _, key = path.partition(".")
        parts.setdefault(root, {})[key] = value
    parts["request"]["columns"] = sorted(change.sent)
    document: dict[str, Any] = {
        "operation": change.operation,
        "entity": change.table,
        "record_id": change.record_id,
    }
    document |= {root: _plain(body) for root, body in parts.items() if body}
    if facts.missing:
        document["missing"] = dict(facts.missing)
    return document


def _named(table: str, catalogue: Catalogue) -> frozenset[str]:
    entity = catalogue.entities.get(table)
    return frozenset(entity.known_names() if entity is not None else ())


def draft_exceptions(
    change: Change,
    facts: Facts,
    findings: Iterable[Finding],
    *,
    catalogue: Catalogue,
    decision_id: str,
    today: date,
    words: Mapping[str, str],
    names: Mapping[str, str] = NOTHING_NAMED,
) -> dict[str, str]:
    """Return one exception for each policy that refused the change, by the exception's name.

    `words` may hold reason, ticket and approvedBy; what is left out stands empty, and the file
    does not load until a person has filled it in. `names` says who or what an id is: a remark
    stands behind each that it knows, since nobody can read an id.
    """
    rules: dict[str, list[str]] = {}
    for finding in findings:
        if finding.result == "fail" and finding.contributes is not Outcome.ALLOW:
            rules.setdefault(finding.policy, []).append(finding.rule)
    drafts = {}
    for policy, failed in rules.items():
        name = f"draft-{decision_id[-8:]}-{policy}"[:_LONGEST_NAME].rstrip("-")
        head: dict[str, Any] = {
            "apiVersion": "guard/v1",
            "kind": "Exception",
            "name": name,
            "policy": policy,
            "rules": sorted(failed),
        }
        lines = [yaml_text(head).rstrip()]
        for key in ("reason", "ticket", "approvedBy"):
            said = words.get(key, "")
            lines.append(yaml_text({key: said}).rstrip() if said else f"{key}: # fill in")
        ends = {"expires": (today + timedelta(days=DRAFT_DAYS)).isoformat()}
        lines.append(yaml_text(ends).rstrip())
        when = _narrowed(change, facts, catalogue)
        lines.append(
            _remarked(yaml_text({"when": when}).rstrip(), names)
            if when
            else "when: [] # say which records are meant"
        )
        drafts[name] = "\n".join(lines) + "\n"
    return drafts


def _remarked(text: str, names: Mapping[str, str]) -> str:
    """Return the text with the name of each id behind the line on which it stands."""
    lines = []
    for line in text.split("\n"):
        known = [name for one, name in names.items() if one and one in line]
        name = (
            "".join(char for char in known[0] if char.isprintable())[:_LONGEST_REMARK]
            if known
            else ""
        )
        lines.append(f"{line} # {name}" if name else line)
    return "\n".join(lines)


def _narrowed(change: Change, facts: Facts, catalogue: Catalogue) -> list[dict[str, Any]]:
    """Return the conditions that the exception is for this row, of this owner, at this address.

    By the address alone it would be for whoever sets it next, on any row.
    """
    after, values = change.after, facts.values
    owner = values.get("new.owner.id") or next(
        filter(None, map(after.get, ("regardingobjectid.id", "ownerid.id"))), None
    )
    address = catalogue.resolve(change.table, "address")
    pinned = {
        RECORD_ID: change.record_id,
        "owner.id": owner if change.table == "mailbox" else change.record_id,
        "ownerid": after.get("ownerid.id"),
        "address": after.get(address.key) if address is not None else None,
    }
    return [
        {"field": field, "equals": value}
        for field, value in pinned.items()
        if isinstance(value, str) and value and catalogue.resolve(change.table, field) is not None
    ]


def _plain(values: Mapping[str, Value]) -> dict[str, Any]:
    return {
        key: list(value) if isinstance(value, tuple) else value for key, value in values.items()
    }
