"""The test runner compares exactly, and complains about tests that mean nothing."""

from __future__ import annotations

import pytest

from rules.rehearse import rehearse_text
from tests.rules.builders import a_policy, a_set

_SET = a_set(
    a_policy("{id: the-rule, require: [{field: name, equals: Anna}], message: 'not {name}'}"),
    a_policy("{id: a-hold, effect: hold, require: [{field: name, equals: Bob}], message: h}",
             name="two-policy"),
)  # fmt: skip
_FILE = """
policies: [one-policy]
fixtures:
  row: {{operation: update, old: {{name: Anna}}, new: {{}}}}
cases:
  - {{name: a case, use: row, set: {{{set}}}, expect: {{{expect}}}}}
"""


def _run(expect: str, *, change: str = "new.name: Carl", text: str = _FILE):
    found: list = []
    cases = rehearse_text("x.test.yaml", text.format(set=change, expect=expect), _SET, found=found)
    return [list(case.differences) for case in cases], [complaint.code for complaint in found]


@pytest.mark.parametrize(
    "expect",
    [
        "decision: reject",
        "decision: reject, rules: [one-policy/the-rule], held: [], errors: []",
        "message: not Carl",
        "cause: rules",
    ],
)
def test_what_came_true_passes(expect):
    assert _run(expect) == ([[]], [])


@pytest.mark.parametrize(
    ("expect", "difference"),
    [
        ("decision: allow", "expected allow, got reject"),
        ("rules: []", "expected rules [], got [one-policy/the-rule]"),
        ("decision: reject, rules: [one-policy/other]", "expected rules [one-policy/other]"),
        ("message: no", "expected the message [no], got [not Carl]"),
        ("cause: error", "expected the cause error, got rules"),
        ("held: [one-policy/the-rule]", "expected held"),
    ],
)
def test_a_surprise_fails(expect, difference):
    (differences,), _ = _run(expect)
    assert any(text.startswith(difference) for text in differences)


def test_allow_with_a_surprising_hold_fails():
    text = _FILE.replace("policies: [one-policy]", "policies: [two-policy]")
    (differences,), _ = _run("decision: allow", text=text)
    assert differences == ["expected allow, got hold", "expected held [], got [two-policy/a-hold]"]


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("use: row", "use: rwo", "test-unknown"),
        ("[one-policy]", "[one-polcy]", "policy-unknown"),
        ("decision: reject", "decison: reject", "key-unknown"),
        ("decision: reject", "decision: rejected", "value-unknown"),
        ("use: row,", "use: row, now: soon,", "date-invalid"),
    ],
)
def test_a_mistake_in_a_test_file_is_a_complaint(old, new, code):
    found: list = []
    text = _FILE.format(set="", expect="decision: reject").replace(old, new)
    rehearse_text("x.test.yaml", text, _SET, found=found)
    assert code in [complaint.code for complaint in found]


@pytest.mark.parametrize(
    "change", ["new.nam: Carl", "new.approval: aproved", "new.approval: '1'", "actor.rolls: []"]
)
def test_a_fixture_that_names_no_field_or_label_fails_its_case(change):
    (differences,), _ = _run("decision: reject", change=change)
    assert differences
