"""Mutants change one thing at a time, in the same order each time, and cases notice them."""

from __future__ import annotations

import json

import pytest

from rules.operators.operator import Operator
from rules.operators.table import OPERATORS
from rules.testing.cases import read_cases
from rules.testing.mutate import try_mutants
from tests.rules.builders import a_policy, a_set

_SET = a_set(
    a_policy(
        "{id: the-rule, require: [{field: name, equals: Anna}], message: m}",
        when="{field: approval, becomes: approved}",
    ),
    a_policy("{id: a-hold, effect: hold, require: [{field: name, in: [Anna, Bob]}],"
             " unless: [{field: owner.type, equals: queue}], message: m}", name="two-policy"),
)  # fmt: skip
_FIXTURE = """
fixtures:
  row:
    operation: update
    old: {name: Anna, approval: pending, owner: {type: user}}
    new: {approval: approved}
cases:
"""
_ONE = "  - {name: fine, use: row, expect: {decision: allow}}\n"
_WHOLE = (
    _ONE
    + """
  - {name: Carl, use: row, set: {name: Carl}, expect: {rules: [one-policy/the-rule],
     held: [two-policy/a-hold]}}
  - {name: Bob, use: row, set: {name: Bob}, expect: {rules: [one-policy/the-rule], held: []}}
  - {name: queue, use: row, set: {name: Carl, owner.type: queue}, expect: {held: []}}
  - {name: no approval, use: row, set: {name: Carl, approval: pending},
     expect: {decision: hold, rules: []}}
  - {name: was approved, use: row, set: {name: Carl, old.approval: approved},
     expect: {decision: hold, rules: []}}
"""
)


def _try(cases: str, policy_set=_SET):
    found: list = []
    read = read_cases("x.test.yaml", _FIXTURE + cases, policy_set, found=found)
    assert found == []
    return try_mutants(policy_set, read)


def test_whole_tests_notice_every_mutant():
    mutations = _try(_WHOLE)
    assert [mutant.words for mutant in mutations.survivors] == []
    assert (mutations.tried, mutations.percent) == (15, 100.0)


def test_what_no_case_notices_is_named_with_its_place_and_what_was_changed():
    survivors = _try(_ONE).survivors
    told = {(mutant.owner, mutant.words) for mutant in survivors}
    assert told >= {
        ("one-policy", "mode: enforce -> audit"),
        ("one-policy/the-rule", "effect: reject -> hold"),
        ("one-policy", "left out: new.emailrouteraccessapproval becomes approved"),
        ("one-policy", "becomes -> exists"),
        ("two-policy/a-hold", "in: Bob is left out of [Anna, Bob]"),
        ("two-policy/a-hold", "left out: new.owner.type equals queue"),
    }
    assert ("one-policy/the-rule", "equals -> notEquals") not in told
    dropped = next(one for one in survivors if one.words.startswith("in: Bob"))
    text = _SET.documents[dropped.place.file].splitlines()[dropped.place.line - 1]
    assert text[dropped.place.column - 1 :].startswith("in: [Anna, Bob]")


def test_the_same_set_gives_the_same_mutants():
    first, second = _try(_ONE), _try(_ONE)
    assert [(m.place, m.words) for m in first.survivors] == [
        (m.place, m.words) for m in second.survivors
    ]


def test_groups_lists_patterns_numbers_and_fields_have_mutants_too():
    policy_set = a_set(
        a_policy(
            "{id: the-rule, when: [{not: {field: name, exists: true}}], require:"
            " [{anyOf: [{field: name, matches: A.*, startsWith: A},"
            " {field: emailaddress, part: length, greater: 5},"
            " {field: emailaddress, equals: {field: owner.upn}},"
            " {field: emailaddress, in: {list: some-list}}]}], message: m}",
            mode="warn",
        ),
        lists__some="kind: List\nname: some-list\nitems: [a@b.de]\n",
    )
    told = {mutant.words for mutant in _try("  []", policy_set).survivors}
    assert told >= {
        "not is left out",
        "anyOf -> allOf",
        "matches: A.* -> .*",
        "startsWith is left out",
        "startsWith -> endsWith",
        "greater -> less",
        "greater -> greaterOrEquals",
        "greater: 5 -> 6",
        "equals: new.owner.upn -> no-such-value",
        "in: list some-list -> nothing",
        "exists: true -> false",
    }
    assert not any(words.startswith(("mode", "effect")) for words in told)


@pytest.mark.parametrize("operator", OPERATORS.values(), ids=lambda operator: operator.name)
def test_every_operator_has_a_mutant_that_its_own_example_notices(operator: Operator):
    example = operator.example
    rule = {"id": "the-rule", "message": "m", "require": [dict(example.condition)]}
    policy_set = a_set(a_policy(json.dumps(rule)))
    cases = "".join(
        f"  - {{name: {name}, use: row, set: {json.dumps(dict(values))},"
        f" expect: {{rules: [{rules}]}}}}\n"
        for name, values, rules in (
            ("holds", example.holds, ""),
            ("fails", example.fails, "one-policy/the-rule"),
        )
    )
    mutations = _try(cases, policy_set)
    kept = {mutant.words for mutant in mutations.survivors}
    assert mutations.tried > len(kept) + 2, "mode and effect are noticed by themselves"


def test_a_policy_on_several_tables_is_changed_on_each_of_them():
    policy_set = a_set(
        a_policy(
            "{id: the-rule, require: [{field: address, exists: true}], message: m}",
            entity="[mailbox, queue]",
        )
    )
    cases = """
  - {name: mailbox, change: {entity: mailbox, new: {name: x}}, expect: {decision: reject}}
  - {name: queue, change: {entity: queue, new: {name: x}}, expect: {decision: reject}}
"""
    found: list = []
    read = read_cases("x.test.yaml", "cases:" + cases, policy_set, found=found)
    assert try_mutants(policy_set, read).survivors == ()
    for case in read:
        assert try_mutants(policy_set, [case]).survivors == ()


def test_it_tells_how_far_it_is():
    seen = []
    read = read_cases("x.test.yaml", _FIXTURE + _ONE, _SET, found=[])
    mutations = try_mutants(_SET, read, advance=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (mutations.tried, mutations.tried)
    assert len(seen) == mutations.tried


def test_a_policy_that_is_off_is_tried_by_the_cases_that_name_it():
    policy_set = a_set(
        a_policy("{id: the-rule, require: [{field: name, exists: true}], message: m}", mode="off"),
        a_policy("{id: other, require: [{field: name, exists: true}], message: m}",
                 name="two-policy", mode="audit"),
    )  # fmt: skip
    cases = """
  - {name: not named, change: {new: {}}, expect: {audited: [two-policy/other]}}
  - {name: named, policies: [one-policy], change: {new: {}},
     expect: {audited: [one-policy/the-rule]}}
"""
    mutations = _try(cases, policy_set)
    assert (mutations.tried, mutations.survivors) == (2, ())
    unnamed = _try(cases.partition("  - {name: named")[0], policy_set)
    assert unnamed.tried == 1
