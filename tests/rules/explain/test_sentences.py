"""A policy is read out as it is spoken, whatever conditions it is made of."""

from __future__ import annotations

import pytest

from rules.explain.sentences import rule_sentence, scope_sentence
from rules.load.loader import load
from rules.syntax.shipped import shipped_folder
from tests.rules.builders import a_policy, a_set


def said(require: str, *, when: str = "", unless: str = "", more: str = "") -> str:
    parts = [f"require: [{require}]", "message: No."]
    parts += [f"{name}: [{text}]" for name, text in (("when", when), ("unless", unless)) if text]
    policy = a_policy(f"{{id: one, {', '.join(parts)}{more}}}")
    return rule_sentence(a_set(policy).policies[0].tables["mailbox"].rules[0])


@pytest.mark.parametrize(
    ("condition", "spoken"),
    [
        ("{field: address, equals: {field: owner.upn}}", "emailaddress is owner.upn"),
        ("{field: old.address, exists: true}", "the earlier emailaddress is filled"),
        ("{field: address, exists: false}", "emailaddress is empty"),
        ("{field: address, changed: false}", "emailaddress has not changed"),
        ("{field: approval, notEquals: approved}", "emailrouteraccessapproval is not approved"),
        (
            "{field: address, part: domain, in: [contoso.com]}",
            "the domain of emailaddress is in [contoso.com]",
        ),
        (
            "{not: {field: address, endsWith: '@contoso.com'}}",
            "it is not so that emailaddress ends with @contoso.com",
        ),
        (
            "{anyOf: [{field: owner.type, equals: queue}, "
            "{allOf: [{field: address, exists: true}, {field: owner.type, equals: user}]}]}",
            "either owner.type is queue or (emailaddress is filled and owner.type is user)",
        ),
    ],
)
def test_a_condition_is_spoken(condition: str, spoken: str) -> None:
    assert said(condition) == f"It must be that {spoken}. Otherwise the change is rejected."


def test_a_rule_says_where_it_applies_what_it_excepts_and_what_follows() -> None:
    assert said(
        "{field: address, equals: {field: owner.upn}}",
        when="{field: address, exists: true}",
        unless="{field: owner.type, equals: queue}",
        more=", effect: hold",
    ) == (
        "Where emailaddress is filled, it must be that emailaddress is owner.upn, unless "
        "owner.type is queue. Otherwise the change is held until a second person agrees."
    )


def test_every_shipped_rule_is_read_out_on_each_of_its_tables() -> None:
    for policy in load(shipped_folder()).policies:
        for name, table in policy.tables.items():
            assert scope_sentence(table).startswith("Every ")
            assert f" of {name}" in scope_sentence(table)
            for rule in table.rules:
                sentence = rule_sentence(rule)
                assert ". Otherwise the " in sentence
                assert "changed: " not in sentence
                assert "exists: " not in sentence
