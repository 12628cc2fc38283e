"""The test runner compares exactly, and complains about tests that mean nothing."""

from __future__ import annotations

import json

import pytest

from rules.testing.run import run_folder
from tests.rules.builders import a_policy, a_set, run_text

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
    cases = run_text("x.test.yaml", text.format(set=change, expect=expect), _SET, found=found)
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
    run_text("x.test.yaml", text, _SET, found=found)
    assert code in [complaint.code for complaint in found]


@pytest.mark.parametrize(
    "change", ["new.nam: Carl", "new.approval: aproved", "new.approval: '1'", "actor.rolls: []"]
)
def test_a_fixture_that_names_no_field_or_label_fails_its_case(change):
    (differences,), _ = _run("decision: reject", change=change)
    assert differences


def test_a_change_that_stands_beside_the_keys_of_a_case_is_told_where_it_belongs():
    found: list = []
    run_text(
        "x.test.yaml", "cases:\n  - {name: a, new: {name: Bob}, expect: {}}\n", _SET, found=found
    )
    assert [(one.column, one.code) for one in found] == [(15, "key-unknown")]
    assert "below `change:`" in found[0].hint


def test_a_case_without_a_change_is_told_how_to_give_one():
    found: list = []
    run_text("x.test.yaml", "cases:\n  - {name: a, expect: {}}\n", _SET, found=found)
    assert [(one.code, one.text) for one in found] == [("key-missing", "The case has no change.")]


_RECORD = {
    "id": "d1",
    "decided_at": "2026-08-21T10:00:00Z",
    "decision": "reject",
    "table": "mailbox",
    "record_id": "r1",
    "operation": "update",
    "rules": ["one-policy/the-rule"],
    "private": {
        "before": {"name": "Anna"}, "after": {"name": "Carl"}, "sent": ["name"], "request": {},
        "facts": {}, "missing": {},
    },
}  # fmt: skip


def _run_record(folder, case: str, record=_RECORD):
    (folder / "records").mkdir(exist_ok=True)
    (folder / "records" / "one.json").write_text(json.dumps(record))
    (folder / "one-policy.yaml").write_text(_SET.documents["policies/one-policy.yaml"])
    text = f"cases:\n  - {{name: recorded, record: records/one.json{case}}}\n"
    (folder / "x.test.yaml").write_text(text)
    report = run_folder(folder)
    return [case.differences for case in report.cases], [one.code for one in report.complaints]


def test_a_recorded_decision_expects_what_was_recorded(tmp_path):
    assert _run_record(tmp_path, "") == ([()], [])
    record = {**_RECORD, "rules": ["one-policy/other"]}
    ((difference,),), _ = _run_record(tmp_path, ", set: {name: Bob}, now: 2026-08-22", record)
    assert difference == "recorded were [one-policy/other], got [one-policy/the-rule]"


def test_a_recorded_decision_can_be_changed_and_expected_otherwise(tmp_path):
    assert _run_record(tmp_path, ", set: {name: Anna}, expect: {decision: allow}") == (
        [()],
        [],
    )


def test_a_masked_record_fails_its_case_with_the_reason(tmp_path):
    ((problem,),), _ = _run_record(tmp_path, "", {**_RECORD, "private": None})
    assert problem == "records/one.json can't be decided again: its private part was masked"


def test_a_record_outside_the_folder_or_none_is_a_complaint(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    (tmp_path / "one.json").write_text(json.dumps(_RECORD))
    _, codes = _run_record(folder, "")
    assert codes == []
    (folder / "x.test.yaml").write_text("cases: [{name: a, record: ../one.json}]")
    assert [one.code for one in run_folder(folder).complaints] == ["record-unusable"]
    (folder / "x.test.yaml").write_text("cases: [{name: a, record: one-policy.yaml}]")
    assert [one.code for one in run_folder(folder).complaints] == ["record-unusable"]
