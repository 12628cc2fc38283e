"""The walker and the closures agree, whatever the policies and the values are; and it tells why."""

from __future__ import annotations

import json
import random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rules.engine.decide import decide
from rules.explain.explain import Explainer, explain
from rules.explain.render import explanation_json, explanation_text
from rules.model.change import Change, Facts
from tests.rules.builders import NOW, a_change, a_policy, a_set, facts
from tests.rules.test_properties import _CONDITIONS, _POLICIES, _changes, _texts

_QUIET = settings(
    deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow]
)  # fmt: skip
# Kinds of field and value that the conditions of the other properties leave out.
_WIDER = st.sampled_from(
    [
        {"field": "emailaddress", "part": "domain", "in": {"list": "some-list"}},
        {"field": "emailaddress", "part": "length", "greater": 5, "lessOrEquals": 16},
        {"field": "emailaddress", "notEquals": {"field": "old.emailaddress"}},
        {"field": "emailaddress", "equals": {"param": "who"}, "caseSensitive": True},
        {"field": "actor.roles", "contains": "Service Desk", "notContains": {"field": "actor.upn"}},
        {"field": "owner.type", "in": ["queue", "team"]},
        {"field": "owner.type", "notIn": ["queue"]},
        {"field": "approval", "equals": "approved"},
        {"field": "request.columns", "contains": "emailaddress"},
        {"field": "name", "becomes": "Anna"},
        {"field": "emailaddress", "part": "domain", "resembles": {"list": "some-list"}},
        {"field": "owner.upn", "resembles": {"field": "actor.roles"}},
        {"field": "actor.roles", "exists": False},
    ]
)
_WIDE_RULES = st.fixed_dictionaries(
    {
        "require": st.lists(st.one_of(_WIDER, _CONDITIONS), min_size=1, max_size=3),
        "message": st.just("{address} {actor.roles} {old.name} {params.who}"),
    },
    optional={
        "when": st.lists(st.one_of(_WIDER, _CONDITIONS), max_size=2),
        "unless": st.lists(_WIDER, min_size=1, max_size=2),
    },
)
_HOSTILE = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8),
    st.just("a@b" * 2000), st.just(()), st.tuples(st.text(max_size=3), st.integers()),
    st.datetimes(),
)  # fmt: skip
_LIST = "kind: List\nname: some-list\ncaseless: true\nitems: [contoso.com]\n"
_EXCEPTIONS = st.lists(
    st.tuples(
        st.sampled_from(["2026-12-31", "2026-08-01", "2028-01-01"]),
        st.lists(_CONDITIONS, max_size=1),
        st.sampled_from(["rule-0", "rule-1", "rule-2"]),
    ),
    max_size=2,
)


def _with_exceptions(texts: list[str], exceptions) -> dict[str, str]:
    documents = {}
    for number, (ends, when, rule) in enumerate(exceptions):
        if f'"id": "{rule}"' not in texts[0]:
            continue
        policy = next(line for line in texts[0].splitlines() if line.startswith("name: "))[6:]
        documents[f"exceptions__one-{number}"] = (
            f"apiVersion: guard/v1\nkind: Exception\nname: one-{number}\npolicy: {policy}\n"
            f"rules: [{rule}]\nreason: r\nticket: T-1\napprovedBy: ciso@contoso.com\n"
            f"expires: {ends}\nwhen: {when!r}\n".replace("True", "true").replace("False", "false")
        )
    return documents


@_QUIET
@given(_POLICIES, _changes(), _EXCEPTIONS)
def test_explain_and_decide_always_agree(policies, given_change, exceptions):
    change, known = given_change
    texts = _texts(policies, random.Random(1))  # noqa: S311
    policy_set = a_set(*texts, **_with_exceptions(texts, exceptions))

    decision = decide(change, policy_set, known, now=NOW)
    explained = explain(change, policy_set, known, now=NOW)

    assert explained.decision == decision
    assert explained.outcome is decision.outcome
    told = {rule.id: rule for rule in explained.rules}
    found = {finding.id: finding for finding in decision.findings}
    assert {id for id, one in told.items() if one.result in ("failed", "error", "excepted")} == set(
        found
    )
    words = {"fail": "failed", "error": "error", "excepted": "excepted"}
    for id, finding in found.items():
        assert told[id].finding is not None
        assert told[id].result == words[finding.result]
        assert told[id].exception == finding.exception
        assert told[id].error == finding.error
        assert told[id].contributes is finding.contributes
    modes = {policy.policy.name: policy.policy.mode for policy in explained.policies}
    judged = [
        rule.id
        for rule in explained.rules
        if rule.result in ("passed", "failed", "excepted")
        and modes[rule.id.split("/")[0]] == "enforce"
    ]
    assert judged == sorted(decision.evaluated)
    concerned = any(one.matched is not False for one in explained.policies)
    assert concerned is (decision.cause != "no-policy")


@_QUIET
@given(
    st.lists(_WIDE_RULES, min_size=1, max_size=3),
    st.dictionaries(
        st.sampled_from(["emailaddress", "name", "emailrouteraccessapproval"]), _HOSTILE
    ),
    st.dictionaries(st.sampled_from(["emailaddress", "name"]), _HOSTILE),
    st.dictionaries(
        st.sampled_from(["new.owner.upn", "new.owner.type", "actor.upn", "actor.roles"]), _HOSTILE
    ),
)
def test_they_agree_on_hostile_values_too_and_everything_can_be_told(rules, after, before, known):
    lines = "\n".join(json.dumps({"id": f"rule-{n}", **rule}) for n, rule in enumerate(rules))
    policy_set = a_set(a_policy(lines, more="params: {who: anna@contoso.com}\n"), lists__some=_LIST)
    change = Change("mailbox", "update", "r1", before, {**before, **after}, frozenset(after))

    explained = explain(change, policy_set, Facts(known), now=NOW)

    decision = decide(change, policy_set, Facts(known), now=NOW)
    assert repr(explained.decision) == repr(decision)
    results = {rule.id: (rule.result, rule.error) for rule in explained.rules}
    for finding in decision.findings:
        word = {"fail": "failed", "error": "error"}[finding.result]
        assert results.pop(finding.id) == (word, finding.error)
    assert all(result[0] not in ("failed", "error") for result in results.values())
    text = explanation_text(explained)
    assert len(text) < 20_000
    assert all(line.isprintable() for line in text.splitlines())
    json.dumps(explanation_json(explained), allow_nan=False).encode()


_SET = a_set(
    a_policy(
        "{id: same, when: [{field: address, exists: true}],"
        " require: [{field: emailaddress, equals: {field: owner.upn}}],"
        " unless: [{field: owner.type, in: [queue, team]}], message: 'not {owner.upn}'}\n"
        "{id: either, require: [{anyOf: [{field: name, equals: Anna},"
        " {not: {field: name, startsWith: B}}]}], message: m}",
        when="{field: approval, becomes: approved}",
    )
)
_KNOWN = facts(new__owner__upn="Anna@contoso.com", new__owner__type="user")


def _explain(known: Facts = _KNOWN, **after):
    before = {"emailrouteraccessapproval": 2}
    after = {"emailrouteraccessapproval": 1, **after}
    return Explainer(_SET).explain(a_change(before=before, **after), known, now=NOW)


def test_every_stage_keeps_its_words_values_and_place():
    explained = _explain(emailaddress="bob@contoso.com", name="Carl")
    (policy,) = explained.policies
    (match,) = policy.match
    assert match.words == "new.emailrouteraccessapproval becomes approved"
    assert (match.values, match.answer) == (("pending -> approved",), True)
    either, same = policy.rules
    assert (either.result, same.result) == ("passed", "failed")
    (need,) = same.require
    assert need.words == "new.emailaddress equals new.owner.upn (any case)"
    assert need.values == ('"bob@contoso.com"', '"Anna@contoso.com"')
    assert need.answer is False
    assert str(need.place).startswith("policies/one-policy.yaml:")
    words = [trace.words for trace in either.require[0].items]
    assert words == ["new.name equals Anna (any case)", "not"]


def test_a_rule_tells_why_it_did_not_apply():
    assert _explain(name="Anna").rules[1].result == "skipped-when"
    queue = facts(new__owner__upn="x", new__owner__type="queue")
    skipped = _explain(queue, emailaddress="a@b.de", name="Anna").rules[1]
    assert (skipped.result, skipped.require) == ("skipped-unless", ())


def test_an_unknown_value_is_shown_as_such_and_errs():
    same = _explain(Facts({"new.owner.type": "user"}, {}), emailaddress="a@b.de").rules[1]
    assert same.result == "error"
    assert same.require[0].values == ('"a@b.de"', "(not known)")
    assert same.finding is not None
    assert same.error == same.finding.error


def test_what_resembles_shows_what_it_resembles():
    policy_set = a_set(
        a_policy(
            "{id: the-rule, message: m, require: [{field: emailaddress, part: domain, "
            "resembles: [Contoso.com, fabrikam.com]}]}"
        )
    )

    def values(address: str) -> tuple[str, ...]:
        told = explain(a_change(emailaddress=address), policy_set, Facts(), now=NOW)
        return told.policies[0].rules[0].require[0].values

    assert values("a@contos0.com") == ('"contos0.com"', '"contoso.com"')
    assert values("a@contoso.com") == ('"contoso.com"',)
    assert len(values("a@" + "x" * 400)) == 1


def test_a_policy_that_does_not_match_shows_its_match_and_no_rule():
    before = {"emailrouteraccessapproval": 1}
    explained = Explainer(_SET).explain(a_change(before=before, name="x"), _KNOWN, now=NOW)
    (policy,) = explained.policies
    assert (policy.matched, policy.rules) == (False, ())
    assert explained.decision.cause == "no-policy"
