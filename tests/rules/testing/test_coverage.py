"""Coverage counts what explanations show of every rule and condition."""

from __future__ import annotations

from rules.explain.explain import Explainer
from rules.testing.coverage import Coverage
from tests.rules.builders import NOW, a_change, a_policy, a_set, facts

_SET = a_set(
    a_policy(
        "{id: the-rule, when: [{field: name, exists: true}], require: [{field: name, equals: A}],"
        " unless: [{field: owner.type, equals: queue}], message: m}\n"
        "{id: unseen, require: [{field: actor.upn, equals: x}], message: m}"
    ),
    a_policy("{id: nothing, require: [{field: name, exists: true}], message: m}",
             name="off-policy", mode="off"),
    exceptions__let="apiVersion: guard/v1\nkind: Exception\nname: let-it\npolicy: one-policy\n"
    "rules: [the-rule]\nreason: r\nticket: T-1\napprovedBy: a@b.de\nexpires: 2026-12-31\n"
    "when: [{field: name, equals: Z}]\n",
)  # fmt: skip


def _count(*given):
    coverage, explainer = Coverage(_SET), Explainer(_SET)
    for name, kind in given:
        after = {} if name is None else {"name": name}
        change = a_change(emailaddress="a@b.de", **after)
        coverage.add(explainer.explain(change, facts(new__owner__type=kind), now=NOW))
    return coverage


def test_each_result_of_a_rule_is_counted():
    coverage = _count(
        ("A", "user"), ("B", "user"), ("B", "user"), (None, "user"), ("B", "queue"), ("Z", "user"),
        ("B", None),
    )  # fmt: skip
    the_rule, unseen = coverage.rules
    assert the_rule.seen == {
        "passed": 1, "failed": 2, "skipped-when": 1, "skipped-unless": 1, "error": 1, "excepted": 1,
    }  # fmt: skip
    assert the_rule.is_whole
    assert not unseen.is_whole
    assert coverage.rules_percent == 50.0


def test_each_condition_is_counted_with_its_place():
    coverage = _count(("A", "user"), (None, "user"))
    found = {(one.owner, one.stage): one for one in coverage.conditions}
    when = found["one-policy/the-rule", "when"]
    assert (when.words, when.held, when.failed) == ("new.name exists: true", 1, 1)
    require = found["one-policy/the-rule", "require"]
    assert (require.held, require.failed, require.is_whole) == (1, 0, False)
    text = _SET.documents[require.place.file].splitlines()[require.place.line - 1]
    assert text[require.place.column - 1 :].startswith("equals: A")
    assert coverage.conditions_percent == 25.0


def test_policies_that_are_off_count_only_when_they_are_named():
    assert not any("off-policy" in one.id for one in Coverage(_SET).rules)
    named = Coverage(_SET, named=frozenset({"off-policy"}))
    assert any("off-policy" in one.id for one in named.rules)
    assert Coverage(a_set()).rules_percent == 100.0
