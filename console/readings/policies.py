"""The policies in force, read out as sentences, with how often each rule fired."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import Connection

from guard.ledger import firings
from guard.ledger.firings import NONE, Firings
from rules.engine.policy_set import PolicySet
from rules.explain.sentences import read_out, rule_sentence, scope_sentence
from rules.policy.policy import Policy, Rule, TablePolicy

COUNTED_DAYS: Final = 30


def policies_in_force(
    connection: Connection, policy_set: PolicySet, *, now: datetime
) -> dict[str, Any]:
    """Return every policy of the set, and the rules that never fired within the counted days.

    `counted_since` is the first day of the counts: later than 30 days ago where the guard, or this
    version of it, is younger.
    """
    since = now - timedelta(days=COUNTED_DAYS)
    fired = firings.list_since(connection, since)
    first = firings.counted_since(connection)
    begun = since.date() if first is None else max(first, since.date())
    silent = sorted(
        f"{policy.name}/{rule}"
        for policy in policy_set.policies
        if policy.mode != "off"
        for rule in {one.id for table in policy.tables.values() for one in table.rules}
        if f"{policy.name}/{rule}" not in fired
    )
    return {
        "policy_set": policy_set.digest,
        "environment": policy_set.environment,
        "counted_since": begun.isoformat(),
        "policies": [
            {**one, "rules": [_counted(rule, fired) for rule in one["rules"]]}
            for one in _read_out(policy_set)
        ],
        "never_fired": silent,
        # What fired under policies that are no longer in force is not lost from sight.
        "fired_formerly": sorted(fired.keys() - _ids(policy_set)),
    }


def _ids(policy_set: PolicySet) -> set[str]:
    return {
        f"{policy.name}/{rule.id}"
        for policy in policy_set.policies
        for table in policy.tables.values()
        for rule in table.rules
    }


@lru_cache(maxsize=2)
def _read_out(policy_set: PolicySet) -> tuple[dict[str, Any], ...]:
    """Return every policy without its counts: read out once for each set that decides."""
    return tuple(
        {
            "name": policy.name,
            "title": policy.title,
            "description": policy.description,
            "severity": policy.severity,
            "category": policy.category,
            "contact": policy.contact,
            "mode": policy.mode,
            "on_error": policy.on_error,
            "file": policy.place.file,
            "line": policy.place.line,
            "tables": sorted(policy.tables),
            "scope": [scope_sentence(policy.tables[name]) for name in sorted(policy.tables)],
            "rules": _rules(policy),
        }
        for policy in policy_set.policies
    )


def _rules(policy: Policy) -> list[dict[str, Any]]:
    """Return each rule once: as it stands for the first of its tables, with all of them named."""
    by_id: dict[str, list[tuple[TablePolicy, Rule]]] = {}
    for name in sorted(policy.tables):
        table = policy.tables[name]
        for rule in table.rules:
            by_id.setdefault(rule.id, []).append((table, rule))
    return [_rule(policy, found) for found in by_id.values()]


def _rule(policy: Policy, found: list[tuple[TablePolicy, Rule]]) -> dict[str, Any]:
    _, rule = found[0]
    return {
        "id": f"{policy.name}/{rule.id}",
        "tables": [table.table for table, _ in found],
        "effect": rule.effect,
        "severity": rule.severity,
        "sentence": rule_sentence(rule),
        "when": [read_out(one) for one in rule.when],
        "require": [read_out(one) for one in rule.require],
        "unless": [read_out(one) for one in rule.unless],
        "message": rule.message.text,
        "help": rule.help,
        "file": rule.place.file,
        "line": rule.place.line,
    }


def _counted(rule: Mapping[str, Any], fired: Mapping[str, Firings]) -> dict[str, Any]:
    counted = fired.get(rule["id"], NONE)
    return {
        **rule,
        "fired": counted.count,
        "fired_by_effect": counted.by_effect,
        "last_fired": counted.last_day.isoformat() if counted.last_day is not None else None,
    }
