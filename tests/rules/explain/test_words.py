"""Conditions and findings read as words."""

from __future__ import annotations

import pytest

from rules.engine.decide import decide
from rules.explain.explain import explain
from rules.explain.render import explanation_text, finding_text
from rules.explain.words import describe_condition
from rules.model.change import NO_FACTS
from tests.rules.builders import NOW, a_change, a_policy, a_set

_POLICY = a_policy(
    "{id: the-rule, when: [{field: owner.type, in: [queue, team]}],"
    " require: [{anyOf: [{field: address, part: domain, in: {list: some-list}},"
    " {not: {field: approval, becomes: approved}}]}],"
    " unless: [{field: address, exists: false}], message: m}"
)
_LIST = "kind: List\nname: some-list\nitems: [a]\n"


def test_conditions_read_as_words():
    (policy,) = a_set(_POLICY, lists__some=_LIST).policies
    (rule,) = policy.tables["mailbox"].rules

    assert [describe_condition(one) for one in (*rule.when, *rule.require, *rule.unless)] == [
        "new.owner.type is in [queue, team]",
        "any of (domain of new.emailaddress is in list some-list (any case);"
        " not (new.emailrouteraccessapproval becomes approved))",
        "new.emailaddress exists: false",
    ]


def test_a_finding_reads_as_id_message_and_fix():
    policy = a_policy(
        "{id: the-rule, require: [{field: name, exists: false}], message: 'has {name}', help: do}"
    )
    decision = decide(a_change(name="Anna"), a_set(policy), NO_FACTS, now=NOW)

    assert finding_text(decision.findings[0]) == [
        "x one-policy/the-rule  (medium)",
        '  "has Anna"',
        "  fix  do",
    ]


@pytest.mark.parametrize("mode", ["enforce", "warn", "audit"])
@pytest.mark.parametrize("effect", ["reject", "hold"])
@pytest.mark.parametrize("on_error", ["reject", "allow"])
@pytest.mark.parametrize("field", ["name", "owner.upn"])
def test_a_finding_reads_as_its_rule_does_in_an_explanation(mode, effect, on_error, field):
    rule = f"{{id: the-rule, effect: {effect}, require: [{{field: {field}, equals: Bob}}]"
    policy_set = a_set(a_policy(f"{rule}, message: m, help: do}}", mode=mode, on_error=on_error))
    explanation = explain(a_change(name="Anna"), policy_set, NO_FACTS, now=NOW)

    text = explanation_text(explanation)
    heading, message, *fix = finding_text(explanation.decision.findings[0])

    assert heading in text
    assert message in text.splitlines()
    assert [line for line in fix if line not in text.splitlines()] == []
