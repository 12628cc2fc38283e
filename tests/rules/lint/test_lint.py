"""Every lint rule finds its documented mistake and is silent on its documented mend."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from rules.lint.comparisons import is_unbounded, without_anchors
from rules.lint.remark import LintRule, Remark
from rules.lint.run import lint, mended
from rules.lint.subject import Subject
from rules.lint.table import LINT_RULES
from rules.load.loader import load_documents

NOW = datetime(2026, 8, 21, 10, tzinfo=UTC)
_HEAD = "apiVersion: guard/v1\nkind: Policy\nname: example-policy\n"
_MATCH = "match: {entity: [mailbox, systemuser, queue]}\n"
_RULES = """\
rules:
  - id: some-rule
    require: [{field: address, part: domain, in: {list: known-domains}}]
    message: "{address} is elsewhere."
"""
_LIST = "kind: List\nname: known-domains\ncaseless: true\nitems: [contoso.com]\n"
_TEST = """\
policies: [example-policy]
fixtures: {row: {old: {address: a@contoso.com}, new: {}}}
cases:
  - name: elsewhere
    use: row
    expect: {decision: reject, rules: [example-policy/some-rule, example-policy/same-again]}
"""


def _documents(example: str) -> dict[str, str]:
    """The example as a file of its kind, with what it leaves out as the lint page says."""
    documents = {
        "tests/example.test.yaml": _TEST,
        "lists/known-domains.yaml": _LIST,
        "example-policy.yaml": _HEAD + _MATCH + _RULES,
    }
    if "kind: List" in example:
        name = example.split("name: ", 1)[1].split()[0]
        return {**documents, f"lists/{name}.yaml": example}
    if "kind: Exception" in example:
        return {**documents, "exceptions/example-move.yaml": example}
    text = _HEAD + example
    text += "" if "match:" in example else _MATCH
    text += "" if "rules:" in example else _RULES
    if "list: known-domains" not in text:
        del documents["lists/known-domains.yaml"]
    return {**documents, "example-policy.yaml": text}


def _lint(documents: dict[str, str], audited: frozenset[str] | None = None) -> tuple[Remark, ...]:
    decisive = {path: text for path, text in documents.items() if ".test." not in path}
    policy_set = load_documents(decisive)
    return lint(Subject.of(policy_set, documents, now=NOW, audited=audited))


def _codes(documents: dict[str, str], audited: frozenset[str] | None = frozenset()) -> list[str]:
    return [remark.complaint.code for remark in _lint(documents, audited)]


@pytest.mark.parametrize("rule", LINT_RULES.values(), ids=lambda rule: rule.code)
class TestEveryRule:
    def test_it_finds_its_wrong_example(self, rule: LintRule) -> None:
        found = [one.complaint for one in _lint(_documents(rule.wrong), frozenset())]
        mine = [one for one in found if one.code == rule.code]
        assert mine
        assert {one.level for one in mine} == {rule.level}
        assert all(one.text.endswith(".") and one.hint for one in mine)

    def test_it_is_silent_on_its_right_example(self, rule: LintRule) -> None:
        assert rule.code not in _codes(_documents(rule.right))

    def test_it_is_silenced_by_a_comment_with_its_code(self, rule: LintRule) -> None:
        documents = _documents(rule.wrong)
        lines = {
            (one.complaint.file, one.complaint.line)
            for one in _lint(documents, frozenset())
            if one.complaint.code == rule.code
        }
        for file, line in sorted(lines, reverse=True):
            texts = documents[file].splitlines()
            indent = len(texts[line - 1]) - len(texts[line - 1].lstrip())
            texts.insert(line - 1, f"{' ' * indent}# lint-allow: {rule.code} as agreed")
            documents[file] = "\n".join(texts) + "\n"
        assert rule.code not in _codes(documents)

    def test_its_mend_is_exactly_what_is_promised(self, rule: LintRule) -> None:
        documents = _documents(rule.wrong)
        mine = [one for one in _lint(documents, frozenset()) if one.complaint.code == rule.code]
        assert any(one.edit is not None for one in mine) is rule.is_fixable
        if rule.is_fixable:
            after = {**documents, **mended(mine, documents)}
            assert rule.code not in _codes(after)
            assert after == _documents(rule.right)

    def test_it_is_documented(self, rule: LintRule) -> None:
        assert rule.doc.endswith(".")
        assert rule.why.endswith(".")
        assert rule.mend.endswith(".")


def test_without_a_history_nobody_is_blamed_for_it() -> None:
    documents = _documents("mode: enforce\n")
    assert "enforce-never-audited" in _codes(documents, frozenset())
    assert "enforce-never-audited" not in _codes(documents, frozenset({"example-policy"}))
    assert "enforce-never-audited" not in _codes(documents, None)


def test_a_param_that_an_environment_sets_is_not_taken_away() -> None:
    documents = _documents("params:\n  one: a\n  two: b\n")
    documents["params/staging.yaml"] = "example-policy: {one: c}\n"
    unused = {
        one.complaint.text: one.edit is not None
        for one in _lint(documents)
        if one.complaint.code == "unused-param"
    }
    assert unused == {
        "Nothing uses the param `one`.": False,
        "Nothing uses the param `two`.": True,
    }


def test_a_mended_file_keeps_its_line_ends() -> None:
    items = "kind: List\r\nname: known-domains\r\ncaseless: true\r\nitems:\r\n  - a\r\n  - A\r\n"
    documents = {**_documents("mode: enforce\n"), "lists/known-domains.yaml": items}
    rule = (
        "rules:\r\n  - id: some-rule\r\n    require:\r\n      - field: address\r\n"
        "        part: local\r\n        matches: ^[a-z]{1,9}$\r\n"
        '    message: "{address}"\r\n'
    )
    documents["example-policy.yaml"] = (_HEAD + _MATCH).replace("\n", "\r\n") + rule
    written = mended(_lint(documents), documents)
    assert set(written) == {"lists/known-domains.yaml", "example-policy.yaml"}
    for text in written.values():
        assert text.count("\r\n") == text.count("\n")


def test_a_policy_that_is_off_is_left_alone() -> None:
    documents = _documents('mode: "off"\nonError: allow\n')
    assert _codes(documents) == ["unused-list"] or _codes(documents) == []


@pytest.mark.parametrize(
    ("pattern", "unbounded"),
    [
        (".*", True), (".+", True), ("(ab)+", True), ("(ab){2,}", True), (".{1,}", True),
        ("[a-z]+", False), ("a*", False), (".{1,64}", False), (r"\.*", False), ("[.*]{2}", False),
        (r"\(a\)+", False), ("(a){3}", False), (r"[\]]*.", False),
    ],
)  # fmt: skip
def test_unbounded_means_anything_or_a_group_without_an_end(pattern: str, unbounded: bool) -> None:
    assert is_unbounded(pattern) is unbounded


@pytest.mark.parametrize(
    ("pattern", "bare"),
    [
        ("^a$", "a"), ("a", "a"), ("^a", "a"), ("a$", "a"), (r"a\$", r"a\$"), (r"a\\$", r"a\\"),
        ("$", "$"), ("^$", "$"), (r"\Qa$", r"\Qa$"), ("^a|b$", "a|b"),
    ],
)  # fmt: skip
def test_anchors_go_only_where_they_mean_nothing(pattern: str, bare: str) -> None:
    assert without_anchors(pattern) == bare
