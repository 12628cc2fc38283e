"""Conditions and findings read as words."""

from __future__ import annotations

from rules.engine.decide import decide
from rules.explain.words import describe_finding, describe_rule
from rules.model.change import NO_FACTS
from tests.rules.builders import NOW, a_change, a_policy, a_set

_POLICY = a_policy(
    "{id: the-rule, when: [{field: owner.type, in: [queue, team]}],"
    " require: [{anyOf: [{field: address, part: domain, in: {list: some-list}},"
    " {not: {field: approval, becomes: approved}}]}],"
    " unless: [{field: address, exists: false}], message: m}"
)
_LIST = "kind: List\nname: some-list\nitems: [a]\n"


def test_a_rule_reads_as_words():
    (policy,) = a_set(_POLICY, lists__some=_LIST).policies
    (rule,) = policy.tables["mailbox"].rules

    assert describe_rule(rule) == [
        "when    new.owner.type is in [queue, team]",
        "require any of (domain of new.emailaddress is in list some-list (any case);"
        " not (new.emailrouteraccessapproval becomes approved))",
        "unless  new.emailaddress exists: false",
    ]


def test_a_finding_reads_as_id_message_and_fix():
    policy = a_policy(
        "{id: the-rule, require: [{field: name, exists: false}], message: 'has {name}', help: do}"
    )
    decision = decide(a_change(name="Anna"), a_set(policy), NO_FACTS, now=NOW)

    assert describe_finding(decision.findings[0]) == [
        "x one-policy/the-rule  (medium, reject)",
        '  "has Anna"',
        "  fix  do",
    ]
