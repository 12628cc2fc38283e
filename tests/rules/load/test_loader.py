"""A folder loads whole or not at all; every mistake is named at its place."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from rules.load.loader import check, load, load_documents
from rules.model.errors import PolicySetInvalid
from rules.syntax.complaint import CODES
from tests.rules.builders import a_policy, a_set, codes, complaints, complaints_of

_RULE = "{id: the-rule, require: [{field: emailaddress, exists: true}], message: m}"
_LIST = "kind: List\nname: some-list\nitems: [a, b]\n"
_EXCEPTION = (
    "apiVersion: guard/v1\nkind: Exception\nname: one-exception\npolicy: one-policy\n"
    "rules: [the-rule]\nreason: r\nticket: t\napprovedBy: a\nexpires: 2026-12-31\n"
)


def _require(condition: str) -> str:
    return a_policy(f"{{id: the-rule, require: [{condition}], message: m}}")


def test_a_typo_in_a_field_names_its_place_and_the_closest_name():
    policy = _require("{field: new.emailadress, equals: a@b.de}")
    (complaint,) = complaints(policy)

    assert (complaint.file, complaint.line, complaint.column) == (
        "policies/one-policy.yaml",
        10,
        38,
    )
    assert (complaint.code, complaint.hint) == (
        "field-unknown",
        "Did you mean `new.emailaddress`?",
    )
    assert str(complaint).startswith("policies/one-policy.yaml:10:38: `new.emailadress` is not")


@pytest.mark.parametrize(
    ("condition", "code"),
    [
        ("{field: emailaddress, equal: a}", "operator-unknown"),
        ("{field: emailaddress}", "operator-missing"),
        ("{field: emailaddress, greater: 5}", "operator-misfit"),
        ("{field: actor.roles, equals: a}", "operator-misfit"),
        ("{field: actor.upn, changed: true}", "operator-misfit"),
        ("{field: old.emailaddress, becomes: a}", "operator-misfit"),
        ("{field: approval, equals: aproved}", "label-unknown"),
        ("{field: approval, equals: 1}", "label-unknown"),
        ("{field: emailaddress, equals: 5}", "value-misfit"),
        ("{field: emailaddress, equals: ''}", "value-misfit"),
        ("{field: emailaddress, in: []}", "value-misfit"),
        ("{field: emailaddress, in: a}", "value-misfit"),
        ("{field: emailaddress, exists: 'yes'}", "value-misfit"),
        ("{field: emailaddress, exists: yes}", "value-misfit"),
        ("{field: emailaddress, equals: {field: approval}}", "value-misfit"),
        ("{field: emailaddress, equals: {list: some-list}}", "value-misfit"),
        ("{field: emailaddress, in: {list: som-list}}", "list-unknown"),
        ("{field: emailaddress, equals: {param: x}}", "param-unknown"),
        ("{field: emailaddress, matches: '('}", "pattern-invalid"),
        ("{field: emailaddress, matches: '(?=a)'}", "pattern-invalid"),
        (f"{{field: emailaddress, matches: '{'a' * 501}'}}", "pattern-too-long"),
        ("{field: approval, part: domain, equals: a}", "part-misfit"),
        ("{field: domainname, equals: a}", "field-misplaced"),
        ("{anyOf: []}", "condition-shape"),
        ("{anyOf: [{field: emailaddress, exists: true}], not: {}}", "condition-shape"),
        ("{any: []}", "condition-shape"),
        ("text", "type-wrong"),
    ],
)
def test_a_condition_that_cannot_mean_anything_never_loads(condition, code):
    assert codes(_require(condition), lists__some=_LIST) == [code]


@pytest.mark.parametrize(
    ("policy", "code"),
    [
        (a_policy(_RULE, mode="enforced"), "mode-unknown"),
        (a_policy(_RULE, entity="mailboxes"), "entity-unknown"),
        (a_policy(_RULE, name="No"), "name-invalid"),
        (a_policy(f"{_RULE}\n{_RULE}"), "rule-duplicate"),
        (a_policy(_RULE, more="titel: x\n"), "key-unknown"),
        (a_policy(_RULE, more="params: {mode: x}\n"), "param-reserved"),
        (a_policy(_RULE).replace("guard/v1", "guard/v9"), "version-unknown"),
        (a_policy(_RULE).replace("message: m", "message: 'a {new.adress}'"), "hole-unknown"),
        (a_policy(_RULE).replace("message: m", "message: ' '"), "message-empty"),
        (a_policy(_RULE).replace(", message: m", ""), "key-missing"),
        (a_policy(_RULE).replace("kind: Policy", "kind: Polcy"), "kind-unknown"),
        (a_policy(_RULE).replace("mode:", "name: x\nmode:"), "yaml-duplicate-key"),
        (a_policy(_RULE).replace("rules:\n", "rules: [\n"), "yaml-syntax"),
        (a_policy("{id: the-rule, require: [], message: m}"), "condition-shape"),
        (a_policy(_RULE) + "#" * 70_000, "file-too-large"),
        (a_policy(_RULE) + "x: !!python/object:os.system {}\n", "yaml-tag"),
    ],
)
def test_a_policy_with_a_mistake_never_loads(policy, code):
    assert code in codes(policy)


@pytest.mark.parametrize(
    ("exception", "code"),
    [
        (_EXCEPTION.replace("the-rule", "a-rule"), "rule-unknown"),
        (_EXCEPTION.replace("one-policy", "one-polcy"), "policy-unknown"),
        (_EXCEPTION.replace("ticket: t\n", ""), "key-missing"),
        (_EXCEPTION.replace("2026-12-31", "soon"), "date-invalid"),
        (_EXCEPTION.replace("expires: 2026-12-31\n", ""), "key-missing"),
    ],
)
def test_an_exception_with_a_mistake_never_loads(exception, code):
    assert codes(a_policy(_RULE), exceptions__one=exception) == [code]


def test_every_complaint_comes_at_once_in_the_order_of_files_and_lines():
    found = complaints(
        a_policy("{id: x, require: [{field: nothing, equals: a}], message: '{nope}'}"),
        a_policy(_RULE, name="another-policy", mode="loud"),
    )

    assert [(c.file, c.code) for c in found] == [
        ("policies/another-policy.yaml", "mode-unknown"),
        ("policies/one-policy.yaml", "name-invalid"),
        ("policies/one-policy.yaml", "field-unknown"),
        ("policies/one-policy.yaml", "hole-unknown"),
    ]
    assert all(complaint.code in CODES for complaint in found)


def test_deep_conditions_and_many_conditions_are_refused():
    deep = "{field: emailaddress, exists: true}"
    for _ in range(17):
        deep = f"{{not: {deep}}}"
    many = ", ".join(["{field: emailaddress, exists: true}"] * 201)

    assert codes(_require(deep)) == ["nesting-too-deep"]
    assert codes(_require(many)) == ["conditions-too-many"]


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? "])
def test_bottomless_nesting_is_a_complaint_and_no_crash(opening):
    found = complaints(policies__deep=opening * 9_000)
    assert {complaint.code for complaint in found} <= {
        "nesting-too-deep", "yaml-syntax", "file-too-large",
    }  # fmt: skip
    assert found


def test_aliases_that_multiply_are_refused():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    assert codes(policies__bomb="\n".join(lines)) == ["alias-limit"]
    assert codes(policies__loop="a: &a [*a]\n") == ["alias-limit"]


def test_scalars_are_those_of_yaml_1_2():
    policy = _require('{field: name, in: ["no", "on", "yes", 1:30]}')
    assert codes(policy) == []


def test_params_and_mode_come_from_the_environment():
    policy = _require("{field: emailaddress, equals: {param: address}}").replace(
        "match:", "params: {address: a@b.de}\nmatch:"
    )
    override = "one-policy: {address: c@d.de, mode: warn}\n"

    (plain,) = a_set(policy, params__prod=override).policies
    (prod,) = a_set(policy, params__prod=override, environment="prod").policies

    assert (plain.mode, dict(plain.params)) == ("enforce", {"address": "a@b.de"})
    assert (prod.mode, dict(prod.params)) == ("warn", {"address": "c@d.de"})


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ("one-policy: {addres: c@d.de}\n", "param-unknown"),
        ("one-policy: {address: [a]}\n", "param-misfit"),
        ("one-policy: {mode: loud}\n", "mode-unknown"),
        ("one-polcy: {mode: warn}\n", "policy-unknown"),
    ],
)
def test_params_with_a_mistake_never_load(params, code):
    policy = a_policy(_RULE, more="params: {address: a@b.de}\n")
    with pytest.raises(PolicySetInvalid) as raised:
        a_set(policy, params__prod=params, environment="prod")
    assert [complaint.code for complaint in raised.value.complaints] == [code]


def test_an_environment_without_a_params_file_is_refused():
    with pytest.raises(PolicySetInvalid, match="environment-unknown"):
        a_set(a_policy(_RULE), params__prod="{}\n", environment="prd")


def test_comments_and_layout_do_not_change_the_digest():
    policy = a_policy(_RULE)
    same = a_set("# a comment\n" + policy.replace("\nmode", "\n\nmode"))
    other = a_set(a_policy(_RULE, mode="warn"))

    assert a_set(policy).digest == same.digest
    assert a_set(policy).digest != other.digest
    assert a_set(policy).digest != a_set(policy, environment="prod").digest


def test_stored_documents_make_the_same_set_again(tmp_path):
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "deep" / "er" / "one-policy.yaml").write_text(a_policy(_RULE))
    (tmp_path / "some.test.yaml").write_text("cases: []\n")
    (tmp_path / ".github").mkdir()
    (tmp_path / ".github" / "workflow.yaml").write_text("on: push\n")
    loaded = load(tmp_path)

    again = load_documents(loaded.documents)

    assert again.digest == loaded.digest
    assert sorted(loaded.documents) == ["deep/er/one-policy.yaml", "fields.yaml"]


def test_a_missing_folder_is_a_complaint(tmp_path):
    (complaint,) = complaints_of(tmp_path / "nowhere")
    assert complaint.code == "folder-unreadable"


@pytest.mark.parametrize("text", ["", "# mode: enforce\n"])
def test_a_file_that_was_emptied_is_no_file_that_is_gone(text):
    """An editor empties a file before it writes it; a policy must not be missing meanwhile."""
    with pytest.raises(PolicySetInvalid) as raised:
        load_documents({"own-address.yaml": text})
    assert [(c.file, c.code) for c in raised.value.complaints] == [
        ("own-address.yaml", "file-empty")
    ]


def test_a_tab_is_called_a_tab():
    with pytest.raises(PolicySetInvalid) as raised:
        load_documents({"one-policy.yaml": "kind: Policy\nmatch:\n\tentity: mailbox\n"})
    (complaint,) = raised.value.complaints
    assert (complaint.line, complaint.column, complaint.hint) == (3, 1, "Use spaces.")
    assert "a tab stands where" in complaint.text


@pytest.mark.parametrize(
    ("condition", "hint"),
    [
        ("{field: modifiedby, exists: true}", "`mailbox-guard policy fields` lists them."),
        ("{field: EmailAdress, exists: true}", "Did you mean `emailaddress`?"),
        ("{field: emailaddress, '==': a}", "Did you mean `equals`?"),
        ("{field: emailaddress, '=~': a}", "`mailbox-guard policy operators` lists them."),
        ("{field: approval, becomes: null}", "Use `exists: false` for an empty field."),
        ("just words", "Write `key: value` below it."),
    ],
)
def test_a_complaint_says_how_to_go_on(condition, hint):
    (complaint,) = complaints(_require(condition))
    assert complaint.hint == hint
    assert "None" not in complaint.text


def test_one_mistake_on_three_tables_is_one_complaint_in_the_authors_own_words():
    rule = "{id: the-rule, require: [{field: address, equals: 5}], message: m}"
    (complaint,) = complaints(a_policy(rule, entity="[mailbox, systemuser, queue]"))
    assert complaint.text == "`address` is compared with a text."


def test_a_hole_without_root_gets_a_hint_without_root():
    rule = "{id: the-rule, require: [{field: emailaddress, exists: true}], message: '{EmailAdres}'}"
    (complaint,) = complaints(a_policy(rule))
    assert complaint.hint == "Did you mean `emailaddress`?"


def test_a_file_that_is_not_text_is_a_complaint(tmp_path):
    (tmp_path / "a.yaml").write_bytes(b"\xff\xfe\x00")
    assert [complaint.code for complaint in complaints_of(tmp_path)] == ["file-unreadable"]


def test_an_exception_that_ends_too_far_ahead_is_refused_by_the_clock(tmp_path):
    (tmp_path / "one-policy.yaml").write_text(a_policy(_RULE))
    (tmp_path / "exception.yaml").write_text(_EXCEPTION)
    late, early = datetime(2026, 8, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)

    assert [c.code for c in complaints_of(tmp_path, now=early)] == ["exception-too-long"]
    assert [c.code for c in complaints_of(tmp_path, now=late)] == ["table-not-covered"] * 2


def test_an_uncovered_table_is_a_warning():
    found = complaints(a_policy(_RULE))

    assert [(c.code, c.level) for c in found] == [("table-not-covered", "warning")] * 2
    assert complaints(a_policy(_RULE, mode="audit")) == ()
    everywhere = a_policy(
        "{id: the-rule, require: [{field: address, exists: true}], message: m}",
        entity="[mailbox, systemuser, queue]",
    )
    assert complaints(everywhere) == ()


def test_two_files_of_one_name_are_refused():
    second = a_policy(_RULE)
    assert codes(a_policy(_RULE), policies__second=second) == ["name-duplicate"]


def test_loading_imports_nothing_heavy():
    code = (
        "import sys; from pathlib import Path; from rules.load.loader import load;"
        "from rules.syntax.shipped import shipped_folder; load(shipped_folder());"
        "heavy = {'jsonschema', 'sqlalchemy', 'fastapi', 'httpx', 'pydantic', 'structlog',"
        " 'asyncio', 'difflib', 'msal'} & set(sys.modules); assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("kind", ["pipe", "socket", "device"])
def test_what_is_no_regular_file_keeps_nobody_waiting_and_is_named(tmp_path, kind):
    (tmp_path / "one-policy.yaml").write_text(a_policy(_RULE))
    other = tmp_path / "other.yaml"
    if kind == "pipe":
        os.mkfifo(other)
    elif kind == "device":
        other.symlink_to("/dev/zero")
    else:
        bound = socket.socket(socket.AF_UNIX)
        # The path of a socket is short, so it is given from within its folder.
        before = os.getcwd()
        os.chdir(tmp_path)
        bound.bind("other.yaml")
        os.chdir(before)
        bound.close()
    found = check(tmp_path)
    assert [one.name for one in found.policies] == ["one-policy"]
    assert [(one.file, one.code) for one in found.warnings if one.code == "file-irregular"] == [
        ("other.yaml", "file-irregular")
    ]
    assert len(load(tmp_path).policies) == 1
