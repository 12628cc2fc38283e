"""What an author would take for protection and what would decide nothing is told at its place."""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import dedent

import pytest

from rules.load.loader import load
from rules.model.errors import PolicySetInvalid
from rules.syntax.nodes import read_nodes
from tests.rules.builders import a_policy, codes, complaints, complaints_of

_GOOD = a_policy("{id: the-rule, require: [{field: address, exists: true}], message: m}")


def _condition(condition: str) -> str:
    return a_policy(f"{{id: the-rule, require: [{condition}], message: m}}")


def _told(condition: str, **documents: str) -> list[tuple[str, str | None]]:
    found = complaints(_condition(condition), **documents)
    return [(one.code, one.hint) for one in found if one.level == "error"]


def _folder(root: Path, **files: str) -> Path:
    for name, text in {"policies/one-policy.yaml": _GOOD, **files}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def _complaints(root: Path, **files: str) -> list[tuple[str, str, str | None]]:
    found = complaints_of(_folder(root, **files))
    return [(one.file, one.code, one.hint) for one in found if one.level == "error"]


@pytest.mark.parametrize(
    ("name", "right"),
    [
        ("two.YAML", "two.yaml"),
        ("two.Yml", "two.yaml"),
        ("two.yaml.txt", "two.yaml"),
        ("two.yml.TXT", "two.yaml"),
        ("two.test.YAML", "two.test.yaml"),
        ("two.yam", "two.yaml"),
    ],
)
def test_a_file_that_looks_like_a_policy_and_would_not_be_read(tmp_path, name, right):
    assert _complaints(tmp_path, **{f"sub/{name}": _GOOD}) == [
        (f"sub/{name}", "file-left-out", f"Call it {right}.")
    ]


@pytest.mark.parametrize("name", ["README.md", "policy.schema.json", "old.yaml.bak", ".x.YAML"])
def test_other_files_are_nobodys_policy(tmp_path, name):
    assert _complaints(tmp_path, **{name: "anything"}) == []


def test_a_folder_that_is_a_link_would_not_be_read(tmp_path):
    _folder(tmp_path / "elsewhere")
    root = _folder(tmp_path / "root")
    (root / "more").symlink_to(tmp_path / "elsewhere")
    assert [(c.file, c.code) for c in complaints_of(root) if c.level == "error"] == [
        ("more", "file-left-out")
    ]


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("params/two-policy.yaml", "Move the file out of `params/`."),
        ("tests/two-policy.test.yaml", "Call it two-policy.yaml."),
    ],
)
def test_a_policy_where_files_of_another_kind_stand(tmp_path, path, hint):
    two = _GOOD.replace("one-policy", "two-policy")
    assert _complaints(tmp_path, **{path: two}) == [(path, "file-misplaced", hint)]


def test_a_test_in_a_file_that_is_not_run(tmp_path):
    found = _complaints(tmp_path, **{"tests/two.yaml": "kind: Test\ncases: []\n"})
    assert found == [("tests/two.yaml", "file-misplaced", "Call it two.test.yaml.")]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("one-policy: {mode: enforced}\n", "mode-unknown"),
        ("one-polcy: {mode: audit}\n", "policy-unknown"),
        ("one-policy: {who: x}\n", "param-unknown"),
        ("one-policy: [\n", "yaml-syntax"),
        ("", "file-empty"),
    ],
)
def test_a_broken_file_of_another_environment(tmp_path, text, code):
    root = _folder(tmp_path, **{"params/here.yaml": "{}\n", "params/there.yaml": text})
    for environment in ("here", None):
        with pytest.raises(PolicySetInvalid) as raised:
            load(root, environment=environment)
        assert [(one.file, one.code) for one in raised.value.complaints] == [
            ("params/there.yaml", code)
        ]


def test_a_param_that_is_a_mistake_only_in_another_environment(tmp_path):
    policy = a_policy(
        "{id: the-rule, require: [{field: address, part: domain, in: {param: domains}}],"
        " message: m}",
        more="params: {domains: [contoso.com]}\n",
    )
    files = {"params/there.yaml": 'one-policy: {domains: ["*.contoso.com"]}\n'}
    (found,) = _complaints(tmp_path, **{"policies/one-policy.yaml": policy}, **files)
    assert found == ("params/there.yaml", "value-impossible", "Write `endsWith: .contoso.com`.")


def test_two_files_for_one_environment(tmp_path):
    files = {"params/here.yaml": "{}\n", "more/params/here.yaml": "{}\n"}
    assert [(f, c) for f, c, _ in _complaints(tmp_path, **files)] == [
        ("params/here.yaml", "name-duplicate")
    ]


@pytest.mark.parametrize(
    ("condition", "hint"),
    [
        ("{field: address, part: domain, in: ['*.fabrikam.com']}",
         "Write `endsWith: .fabrikam.com`."),
        ("{field: address, equals: '*@fabrikam.com'}", 'Write `endsWith: "@fabrikam.com"`.'),
        ("{field: address, in: ['anna*@contoso.com']}", "Use `matches`."),
        ("{field: address, part: domain, equals: '@contoso.com'}", "Write `contoso.com`."),
        ("{field: address, part: domain, notIn: [anna@contoso.com]}", "Write `contoso.com`."),
        ("{field: address, part: domain, endsWith: '@contoso.com'}", "Write `contoso.com`."),
        ("{field: address, equals: contoso.com}",
         "Add `part: domain` to compare the domain."),
        ("{field: address, becomes: contoso.com}", "Add `part: domain` to compare the domain."),
        ("{field: address, endsWith: '@eu.fabrikam.com '}", 'Write "@eu.fabrikam.com".'),
        ("{field: address, startsWith: ' anna'}", 'Write "anna".'),
        ("{field: name, equals: 'Anna '}", 'Write "Anna".'),
        ("{field: actor.roleIds, contains: 'abc '}", 'Write "abc".'),
        ("{field: address, equals: 'Anna <anna@contoso.com>'}", "Write `anna@contoso.com`."),
        ("{field: address, part: local, equals: anna@contoso.com}",
         "Remove `part: local` to compare the whole address, or write `anna`."),
        ("{field: address, part: domain, matches: '.*@contoso[.]com'}", "Remove `part`, or the @."),
        ("{field: facts.formerAddresses, contains: contoso.com}",
         "Write it whole, as the list has it."),
        ("{field: addressOwner.names, containsNone: ['*@contoso.com']}",
         "Write it whole, as the list has it."),
        ("{field: address, notIn: [9f7e0c1a-0000-4000-8000-000000000001]}",
         "Compare `names` of `owner`, `actor` or `addressOwner`: a list of persons "
         "names them by either."),
        ("{field: owner.names, containsAny: [Anna Berg]}", "Write the object id or address alone."),
        ("{field: actor.names, containsAny: [ceo]}",
         "Write the object id in Entra, or any whole address of the person."),
        ("{field: address, equals: {field: name}}", None),
    ],
)  # fmt: skip
def test_a_value_that_the_field_can_never_hold(condition, hint):
    found = _told(condition)
    if hint is None:
        assert all(code != "value-impossible" for code, _ in found)
    else:
        assert found == [("value-impossible", hint)]


def test_a_mend_that_is_a_condition_is_one() -> None:
    for condition in (
        "{field: address, equals: '*@fabrikam.com'}",
        "{field: address, equals: '@fabrikam.com'}",
        "{field: address, part: domain, in: ['*.fabrikam.com']}",
        "{field: address, part: domain, equals: .fabrikam.com}",
    ):
        ((_, hint),) = _told(condition)
        part = "part: domain, " if "part" in condition else ""
        written = re.findall(r"`(endsWith: [^`]+)`", hint or "")
        assert written
        assert _told(f"{{field: address, {part}{written[0]}}}") == []


@pytest.mark.parametrize(
    "condition", ["{field: address, equals: anna}", "{field: address, part: domain, in: [contoso]}"]
)
def test_a_name_alone_is_remarked_on(condition):
    found = complaints(_condition(condition))
    assert ("value-impossible", "warning") in [(one.code, one.level) for one in found]


@pytest.mark.parametrize(
    "condition",
    [
        "{field: address, equals: anna@contoso.com}",
        "{field: address, endsWith: '@contoso.com'}",
        "{field: address, endsWith: .com}",
        "{field: address, startsWith: svc-}",
        "{field: address, notContains: ' '}",
        "{field: address, notContains: '*'}",
        "{field: address, part: domain, endsWith: .contoso.com}",
        "{field: address, part: domain, in: [contoso.com, münchen.example]}",
        "{field: address, part: domain, matches: '[^@]+'}",
        "{field: address, part: local, in: [board, works-council]}",
        "{field: name, contains: ' (left) '}",
        "{field: name, startsWith: 'Team *'}",
    ],
)
def test_a_value_that_it_can_hold(condition):
    assert _told(condition) == []


def test_an_item_of_a_list_is_told_in_the_list(tmp_path):
    condition = "{field: address, part: domain, in: {list: partners}}"
    text = "kind: List\nname: partners\nitems:\n  - contoso.com\n  - '@fabrikam.com'\n"
    found = [
        one
        for one in complaints(_condition(condition), lists__partners=text)
        if one.level == "error"
    ]
    assert [(one.file, one.line, one.code) for one in found] == [
        ("lists/partners.yaml", 5, "value-impossible")
    ]


@pytest.mark.parametrize("word", ["no", "Yes", "ON", "off", "n"])
def test_a_word_that_yaml_reads_in_two_ways(word):
    items = f"kind: List\nname: countries\nitems: [de, {word}]\n"
    found = complaints(_GOOD, lists__countries=items)
    assert [(c.code, c.hint) for c in found if c.level == "error"] == [
        ("word-unquoted", f'Write "{word}" in quotes if the text is meant.')
    ]
    assert codes(_GOOD, lists__countries=items.replace(f"{word}]", f'"{word}"]')) == []
    assert [code for code, _ in _told(f"{{field: name, in: [de, {word}]}}")] == ["word-unquoted"]


def test_an_item_that_is_no_text_is_told_with_its_right_form():
    (found,) = [
        one
        for one in complaints(_GOOD, lists__some="kind: List\nname: some-list\nitems: [42]\n")
        if one.level == "error"
    ]
    assert (found.code, found.hint) == ("type-wrong", 'Write "42" in quotes.')


def test_typographic_quotes():
    assert _told("{field: name, equals: “Anna”}") == [("quotes-typographic", 'Write "Anna".')]
    text = "kind: List\nname: some-list\nitems: [„Anna“]\n"
    assert codes(_GOOD, lists__some=text) == ["quotes-typographic"]


@pytest.mark.parametrize(
    ("condition", "hint"),
    [
        ("{field: emailserverprofile, equals: Our Profile}", "Write the id, such as"),
        ("{field: actor.roleTemplates, contains: System Administrator}", "Write the id, such as"),
        ("{field: owner.objectId, in: [anna@contoso.com]}", "Compare `names`"),
        ("{field: actor.id, equals: '{627090FF-40a3-4053-8790-584edc5be201}'}",
         "Write `627090ff-40a3-4053-8790-584edc5be201`."),
        ("{field: id, equals: 627090ff40a340538790584edc5be201}",
         "Write `627090ff-40a3-4053-8790-584edc5be201`."),
    ],
)  # fmt: skip
def test_what_is_compared_with_an_id_is_one(condition, hint):
    (found,) = _told(condition)
    assert found[0] == "value-impossible"
    assert (found[1] or "").startswith(hint)


@pytest.mark.parametrize(
    "condition",
    [
        "{field: emailserverprofile, equals: 627090FF-40a3-4053-8790-584edc5be201}",
        "{field: ownerid.type, equals: team}",
        "{field: owner.id, equals: {field: actor.id}}",
    ],
)
def test_an_id_in_any_case_and_what_is_no_id_are_left_alone(condition):
    assert _told(condition) == []


def test_a_sign_that_nobody_sees():
    hidden = "contoso.com\u200b"
    assert _told(f"{{field: address, part: domain, equals: {hidden}}}") == [
        ("value-impossible", 'Type "contoso.com" anew.')
    ]
    assert _told("{field: address, equals: a\u00adnna@contoso.com}") == [
        ("value-impossible", 'Type "anna@contoso.com" anew.')
    ]
    assert _told("{field: name, equals: Anna\u2060}") == [("value-impossible", 'Type "Anna" anew.')]
    # Persian has one within its words, and a rule may look for one.
    assert _told("{field: name, equals: \u0645\u06cc\u200c\u0634\u0648\u062f}") == []
    assert _told('{field: address, contains: "\u200b"}') == []


def test_a_list_that_does_not_fit_a_condition_says_which():
    items = "kind: List\nname: chiefs\nitems: [a@b.de, 627090ff-40a3-4053-8790-584edc5be201]\n"
    written = _condition("{field: address, in: {list: chiefs}}")
    (found,) = [one for one in complaints(written, lists__chiefs=items) if one.level == "error"]
    assert found.file == "lists/chiefs.yaml"
    assert "It is compared in policies/one-policy.yaml:" in found.text


def test_an_empty_expression_is_in_no_quotes():
    assert _told('{field: name, matches: ""}') == []


@pytest.mark.parametrize(
    "condition",
    [
        "{field: address, caseSensitive: false, equals: a@b.de}",
        "{field: address, part: domain, caseSensitive: true, equals: b.de}",
        "{field: address, part: length, caseSensitive: true, greater: 5}",
        "{field: statecode, caseSensitive: true, equals: active}",
        "{field: address, caseSensitive: true, exists: true}",
    ],
)
def test_a_case_rule_that_changes_nothing(condition):
    assert _told(condition) == [("case-idle", "Remove it.")]


@pytest.mark.parametrize(
    ("written", "right"),
    [
        ("'20261130'", "Write it as 2026-11-30."),
        ("20261130", "Write it as 2026-11-30."),
        ("30.11.2026", "Write it as 2026-12-31."),
        ("2026-W48-1", "Write it as 2026-12-31."),
        ("2026-11-31", "Write it as 2026-12-31."),
    ],
)
def test_an_end_that_is_no_date(written, right):
    text = dedent(f"""
        apiVersion: guard/v1
        kind: Exception
        name: some-exception
        policy: one-policy
        rules: [the-rule]
        reason: r
        ticket: T-1
        approvedBy: ciso@contoso.com
        expires: {written}
    """)
    found = complaints(_GOOD, exceptions__some=text)
    assert [(c.code, c.line, c.hint) for c in found if c.level == "error"] == [
        ("date-invalid", 10, right)
    ]


@pytest.mark.parametrize(
    ("condition", "hint"),
    [
        ("{or: [{field: address, exists: true}]}", "Did you mean `anyOf`?"),
        ("{and: [{field: address, exists: true}]}", "Did you mean `allOf`?"),
        ("{field: address, like: a@b.de}", "Did you mean `matches`?"),
        ("{field: address, eq: a@b.de}", "Did you mean `equals`?"),
    ],
)
def test_a_word_of_another_language(condition, hint):
    assert [one for _, one in _told(condition)] == [hint]


def test_who_made_the_change_by_the_names_that_people_use():
    assert [hint for _, hint in _told("{field: user, equals: a@b.de}")] == [
        "Did you mean `actor.upn`?"
    ]


def test_the_table_of_users_by_the_name_that_people_use():
    found = complaints(_GOOD.replace("entity: mailbox", "entity: user"))
    assert [(one.code, one.hint) for one in found if one.level == "error"] == [
        ("entity-unknown", "Did you mean `systemuser`?")
    ]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('a: "abc\nb: 1\nc: [x]\n', (1, 4)),
        ('a: 1\nb: "abc\nc: "x"\n', (2, 4)),
        ("a: 1\nm: 'It's wrong'\n", (2, 4)),
        ('a: [b, "c]\nd: 1\n', (1, 8)),
        ('- field: a\n  equals: "a@b.de\n- field: x\n  equals: "c@d.de"\n', (2, 11)),
    ],
)
def test_a_quote_left_open_is_named_where_it_was_opened(text, place):
    found = []
    assert read_nodes("some.yaml", text, found) is None
    assert [(one.line, one.column, one.code) for one in found] == [(*place, "yaml-syntax")]
    assert "quote" in found[0].text
