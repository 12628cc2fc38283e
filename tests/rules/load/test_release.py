"""`release` says who may let pass what a rule holds; a mistake in it is told where it stands."""

from __future__ import annotations

import pytest

from rules.diff.compare import compare
from rules.format import format_text
from rules.load.loader import load_documents
from rules.model.errors import PolicySetInvalid
from rules.policy.policy import ANY_APPROVER, ReleaseTerms

HELD = """\
apiVersion: guard/v1
kind: Policy
name: held
title: An address is held
mode: enforce
match: {entity: mailbox}
rules:
  - id: address
    effect: EFFECT
    release: RELEASE
    require: [{field: address, changed: false}]
    message: "{address} is held."
"""
OFFICERS = "kind: List\nname: officers\nitems: [officer@contoso.com]\n"
OBJECT_ID = "8a9c1f2e-0000-4000-8000-00000000000a"


def terms(release: str, effect: str = "hold") -> ReleaseTerms:
    text = HELD.replace("RELEASE", release).replace("EFFECT", effect)
    loaded = load_documents({"policies/held.yaml": text, "lists/officers.yaml": OFFICERS})
    rule = loaded.rule("mailbox", "held/address")
    assert rule is not None
    return rule.release


def test_without_it_any_approver_releases() -> None:
    text = HELD.replace("    release: RELEASE\n", "").replace("EFFECT", "hold")
    rule = load_documents({"policies/held.yaml": text}).rule("mailbox", "held/address")
    assert rule is not None
    assert rule.release == ANY_APPROVER
    assert rule.release.words == "any approver"


def test_persons_roles_and_hours_are_read() -> None:
    found = terms(f"{{approvers: [a@contoso.com], entraRoles: [{OBJECT_ID}], hours: 24}}")
    assert found == ReleaseTerms(("a@contoso.com",), (OBJECT_ID,), 24)
    assert found.words == f"a@contoso.com, whoever has the Entra role {OBJECT_ID}; within 24 hours"


def test_a_list_names_the_persons() -> None:
    assert terms("{approvers: {list: officers}}") == ReleaseTerms(
        ("officer@contoso.com",), named_list="officers"
    )


@pytest.mark.parametrize(
    ("release", "code"),
    [
        ("{approvers: []}", "value-misfit"),
        ("{approvers: [somebody]}", "value-misfit"),
        ("{approvers: {list: nobody}}", "list-unknown"),
        ("{entraRoles: [administrator]}", "value-misfit"),
        ("{hours: 0}", "value-misfit"),
        ("{hours: 721}", "value-misfit"),
        ("{hours: true}", "value-misfit"),
        ("{persons: [a@contoso.com]}", "key-unknown"),
        ("anybody", "type-wrong"),
    ],
)
def test_a_mistake_is_told(release: str, code: str) -> None:
    with pytest.raises(PolicySetInvalid) as refused:
        terms(release)
    assert code in {one.code for one in refused.value.complaints}


def test_a_rule_that_holds_nothing_names_nobody() -> None:
    with pytest.raises(PolicySetInvalid) as refused:
        terms("{hours: 24}", effect="reject")
    assert "release-idle" in {one.code for one in refused.value.complaints}


def test_its_keys_have_one_order() -> None:
    mixed = "    release:\n      hours: 24\n      approvers: [a@contoso.com]\n"
    text = HELD.replace("EFFECT", "hold").replace("    release: RELEASE\n", mixed)
    formatted = format_text("policies/held.yaml", text)
    assert "      approvers: [a@contoso.com]\n      hours: 24\n" in formatted


def test_who_releases_is_told_where_policies_are_compared() -> None:
    sets = [
        load_documents({"policies/held.yaml": HELD.replace("EFFECT", "hold").replace("RELEASE", r)})
        for r in ("{hours: 24}", "{approvers: [a@contoso.com]}")
    ]
    assert [one.words for one in compare(*sets) if one.in_meaning] == [
        "release: any approver; within 24 hours -> a@contoso.com"
    ]
