"""Messages are judged by the same language as records, with effects of their own."""

from __future__ import annotations

import pytest

from kernel.errors import Bug
from rules.engine.decide import decide
from rules.engine.verdict import Fate, judge_message
from rules.load.loader import load_documents
from rules.model.change import Facts
from rules.model.decision import Outcome
from rules.schema.check import check_texts
from rules.testing.run import run_text
from tests.rules.builders import NOW, a_change, a_policy, a_set, codes, complaints

_NO_FACTS = Facts({}, {})
_PRIVATE = (
    "{id: private-mail, require: [{field: sensitivity, notIn: [private, confidential]}],"
    " message: '{subject} is {sensitivity}'}"
)
_LARGE = (
    "{id: large-mail, effect: metadata-only, require: [{field: size, lessOrEquals: 1000}],"
    " message: 'large: {size}'}"
)
_BODY = {
    "from": "bob@fabrikam.com",
    "to": ("anna@contoso.com",),
    "domain": "fabrikam.com",
    "internal": False,
    "category": (),
    "sensitivity": "normal",
    "size": 100,
    "folder": "inbox",
    "subject": "Order 7",
}


def _message(**fields):
    return a_change(table="message", operation="create", **{**_BODY, **fields})


def _judged(rules: str, *, mode: str = "enforce", on_error: str = "reject", **fields):
    policy_set = a_set(a_policy(rules, entity="message", mode=mode, on_error=on_error))
    return judge_message(_message(**fields), policy_set, _NO_FACTS, now=NOW)


@pytest.mark.parametrize(
    ("fields", "fate", "made_by"),
    [
        ({}, Fate.TRACK, []),
        ({"sensitivity": "private"}, Fate.SKIP, ["one-policy/private-mail"]),
        ({"size": 1001}, Fate.METADATA_ONLY, ["one-policy/large-mail"]),
        ({"size": 1000}, Fate.TRACK, []),
        ({"sensitivity": "private", "size": 1001}, Fate.SKIP, ["one-policy/private-mail"]),
    ],
)
def test_the_strongest_effect_is_the_verdict(fields, fate, made_by):
    verdict = _judged(f"{_PRIVATE}\n{_LARGE}", **fields)

    assert verdict.fate is fate
    assert [finding.id for finding in verdict.contributing] == made_by


def test_every_failing_rule_is_reported_beside_the_one_that_decides():
    verdict = _judged(f"{_PRIVATE}\n{_LARGE}", sensitivity="private", size=5000)

    assert [(f.effect, f.message) for f in verdict.findings] == [
        ("metadata-only", "large: 5000"),
        ("skip", "Order 7 is private"),
    ]


def test_a_message_without_a_policy_is_tracked():
    verdict = judge_message(_message(), load_documents({}), _NO_FACTS, now=NOW)

    assert (verdict.fate, verdict.cause) == (Fate.TRACK, "no-policy")


@pytest.mark.parametrize(
    ("mode", "on_error", "fate"),
    [
        ("enforce", "reject", Fate.SKIP),
        ("enforce", "allow", Fate.TRACK),
        ("warn", "reject", Fate.TRACK),
        ("audit", "reject", Fate.TRACK),
    ],
)
def test_an_error_skips_where_the_policy_is_strict(mode, on_error, fate):
    verdict = _judged(_LARGE, mode=mode, on_error=on_error, size=None)

    assert verdict.fate is fate
    assert [finding.result for finding in verdict.findings] == ["error"]


@pytest.mark.parametrize("mode", ["audit", "warn"])
def test_a_policy_that_is_not_enforced_lets_a_message_be_tracked(mode):
    verdict = _judged(_PRIVATE, mode=mode, sensitivity="private")

    assert (verdict.fate, verdict.contributing) == (Fate.TRACK, ())
    assert [finding.declared for finding in verdict.findings] == ["skip"]


@pytest.mark.parametrize(
    ("condition", "fields", "fate"),
    [
        ("field: from, notEquals: Boss@Fabrikam.com", {"from": "boss@fabrikam.com"}, Fate.SKIP),
        ("field: to, notContains: board@contoso.com", {"to": ("Board@contoso.com",)}, Fate.SKIP),
        ("field: domain, in: [contoso.com]", {}, Fate.SKIP),
        ("field: internal, equals: false", {"internal": True}, Fate.SKIP),
        ("field: category, notContains: Private", {"category": ("private",)}, Fate.SKIP),
        ("field: category, notContains: Private", {}, Fate.TRACK),
        ("field: folder, equals: inbox", {"folder": "Inbox"}, Fate.TRACK),
        ("field: subject, notContains: '[secret]'", {"subject": "[Secret] plan"}, Fate.SKIP),
        ("field: from, part: domain, notEquals: fabrikam.com", {}, Fate.SKIP),
    ],
)
def test_the_fields_of_a_message_compare_as_the_catalogue_says(condition, fields, fate):
    rule = f"{{id: the-rule, require: [{{{condition}}}], message: m}}"

    assert _judged(rule, **fields).fate is fate


def test_records_are_not_judged_as_messages():
    policy_set = a_set(
        a_policy("{id: the-rule, require: [{field: name, exists: true}], message: m}")
    )

    with pytest.raises(Bug, match="is a record"):
        judge_message(a_change(name="x"), policy_set, _NO_FACTS, now=NOW)


def test_an_exception_covers_a_message_too():
    exception = (
        "apiVersion: guard/v1\nkind: Exception\nname: one-exception\npolicy: one-policy\n"
        "rules: [large-mail]\nreason: r\nticket: t\napprovedBy: a\nexpires: 2026-09-30\n"
        "when: [{field: from, equals: bob@fabrikam.com}]\n"
    )
    policy_set = a_set(a_policy(_LARGE, entity="message"), exceptions__one=exception)

    verdict = judge_message(_message(size=5000), policy_set, _NO_FACTS, now=NOW)

    assert (verdict.fate, verdict.findings[0].exception) == (Fate.TRACK, "one-exception")


@pytest.mark.parametrize(
    ("entity", "effect"),
    [("mailbox", "skip"), ("message", "hold"), ("message", "reject"), ("[mailbox, queue]", "skip")],
)
def test_an_effect_of_the_other_set_never_loads_by_either_pass(entity, effect):
    condition = f"{{field: {_any_field(entity)}, exists: true}}"
    policy = a_policy(
        f"{{id: the-rule, effect: {effect}, require: [{condition}], message: m}}",
        entity=entity,
    )
    found = complaints(policy)
    by_schema = check_texts({"policies/one-policy.yaml": policy}, load_documents({}).catalogue)

    assert {complaint.code for complaint in found} == {"value-unknown"}
    assert by_schema != ()


def _any_field(entity: str) -> str:
    return "subject" if entity == "message" else "emailrouteraccessapproval"


@pytest.mark.parametrize(
    ("effects", "found"),
    [
        ("[skip, metadata-only]", []),
        ("[reject, hold]", []),
        ("[metadata-only, skip]", ["value-unknown"]),
        ("[skip]", ["value-unknown"]),
        ("[reject, skip]", ["value-unknown"]),
        ("[]", ["value-unknown"]),
        ("skip", ["type-wrong"]),
    ],
)
def test_an_entity_names_one_of_the_two_sets(effects, found):
    text = f"note:\n  effects: {effects}\n  subject: {{type: string}}\n"

    assert codes(fields=text) == found


_TESTS = """
fixtures:
  mail: {{operation: create, entity: message, new: {{sensitivity: normal, size: 100, subject: x}}}}
cases:
  - {{name: a case, use: mail, set: {{{set}}}, expect: {{{expect}}}}}
"""


@pytest.mark.parametrize(
    ("changes", "expect", "differences"),
    [
        ("", "verdict: track", []),
        ("new.size: 2000", "verdict: metadata-only, held: [one-policy/large-mail]", []),
        ("new.sensitivity: private", "verdict: skip, rules: [one-policy/private-mail]", []),
        ("new.size: 2000", "verdict: skip", ["expected skip, got metadata-only"]),
        (
            "new.sensitivity: private",
            "verdict: track",
            ["expected track, got skip", "expected rules [], got [one-policy/private-mail]"],
        ),
    ],
)
def test_a_test_file_expects_verdicts(changes, expect, differences):
    policy_set = a_set(a_policy(f"{_PRIVATE}\n{_LARGE}", entity="message"))
    found: list = []
    text = _TESTS.format(set=changes, expect=expect)

    (case,) = run_text("x.test.yaml", text, policy_set, found=found)

    assert (list(case.differences), found) == (differences, [])


def test_within_a_decision_the_effects_of_messages_are_as_strong_as_those_of_records():
    policy_set = a_set(a_policy(_LARGE, entity="message"))

    decision = decide(_message(size=2000), policy_set, _NO_FACTS, now=NOW)

    assert decision.outcome is Outcome.HOLD
